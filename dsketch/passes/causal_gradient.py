"""The gradient of causal polynomial attention in linear time: rows of Q take what is behind them, rows of K what is ahead.

As :mod:`dsketch.passes.causal` makes rows: sums of pieces lie before each block of Q for dQ, and after each block of K for dK and dV; a
block goes on by steps of a tile, from its end to its beginning for dK and dV, and within a tile weights are taken one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Block, Rows
from dsketch.passes.attention import PIECES, TILE
from dsketch.passes.base import Part
from dsketch.passes.causal import CausalFeatureRows
from dsketch.passes.feature_gradient import pulls, slopes_at
from dsketch.passes.polynomial import Powers, raise_even, shrink, with_ones
from dsketch.passes.polynomial_gradient import STATISTICS, raise_below, statistics_of, unshrink
from dsketch.passes.rowwise import PlacedRowPass
from dsketch.passes.spans import Spans


def later_pieces(keys: Rows, queries: Rows, offset: int) -> Rows:
    """Return rows of Q, with what is beside them, in pieces that begin where blocks of K end, ``offset`` rows earlier."""
    cuts = np.unique(np.clip(np.append(keys.cuts - offset, 0), 0, queries.shape[0]))
    return Rows(Recut(queries.A, cuts), queries.b, pieces=PIECES, names=("Q", "dY"))


def sums_after(pieces: Floats, queries: Rows, keys: Rows, offset: int) -> Floats:
    """Return what lies after each block of K: sums of pieces, shape (blocks, …).

    Parameters
    ----------
    pieces : ndarray, shape (pieces of Q, …)
    """
    places = np.searchsorted(queries.cuts, np.maximum(keys.cuts[1:] - offset, 0))
    sums = np.concatenate([np.cumsum(pieces[::-1], axis=0)[::-1], np.zeros((1, *pieces.shape[1:]))])
    return np.asarray(sums[places])


@dataclass(frozen=True)
class CausalFeatureStatistics(CausalFeatureRows):
    """Finish to what is kept of rows of Q with those of dY beside them, shape (n, 5 heads)."""

    kind: ClassVar[str] = "causal statistics by features"

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        ((start, X, dY),) = block.slices(block.stop - block.start)
        own = (statistics_of(self.sum_up(start, X), start, X, dY),)
        return own if part is None else self.merge(part, own)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return five numbers a row and head of a block of 4096, at least."""
        del columns, sides
        return 8 * STATISTICS * self.powers.heads * 4096


class _Side(NamedTuple):
    """Rows of Q and dY, or of K and V, from a number on."""

    first: int
    rows: Floats
    beside: Floats


class Encounter(NamedTuple):
    """Rows of Q and of K, divided, that meet in a step of one head, with r of the ones and [v 1] of the others, and who sees whom."""

    queries: Floats
    keys: Floats
    right: Floats
    ones: Floats
    is_seen: np.ndarray

    def slopes(self, degree: int) -> Floats:
        """Return p z^{p−1}(P − D)/W of each pair."""
        T = self.queries @ self.keys.T
        raise_below(T, degree)
        T *= degree * self.is_seen
        return np.asarray(T * (self.right @ self.ones.T))

    def powers(self, degree: int) -> Floats:
        """Return z^p of each pair."""
        T = self.queries @ self.keys.T
        raise_even(T, degree)
        return np.asarray(T * self.is_seen)


@dataclass(frozen=True)
class CausalFeatureGradient(PlacedRowPass):
    """Finish to dQ, dK or dV by rows, each by the sums of what is behind its tile, or ahead of it, and by the pairs of its tile.

    Parameters
    ----------
    wanted : {"Q", "K", "V"}
    powers : Powers
    others : Spans
        For dQ K and V; else Q and dY.
    offset : int
        Row i of Q sees rows 0 … i + offset of K and V.
    factors : ndarray, shape (heads,)
        What rows of K are multiplied with first: powers of two.
    starts : ndarray of int64, shape (blocks,)
        First rows of the blocks.
    sums : ndarray, shape (blocks, heads, D, p + 1)
        S before each block of Q, or G after each block of K.
    statistics : ndarray, shape (n, 2 heads)
        W and D.

    Notes
    -----
    One read and, beside, of the other side; 4 n D (p + 1) flops a head, 2 n · 512 (2 d + p) more, and some eight a monomial.
    """

    wanted: str
    powers: Powers
    others: Spans
    offset: int
    factors: Floats
    starts: np.ndarray
    sums: Floats
    statistics: Floats

    kind: ClassVar[str] = "causal gradient by features"

    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the gradient at the rows of the block that begins at ``start``, with what lies beside them."""
        S = self.sums[int(np.searchsorted(self.starts, start))].copy()
        first, Z, W = self._read(start, len(X))
        out = np.zeros((len(X), (Y if self.wanted == "V" else X).shape[1]))
        for low in self._order(len(X)):
            now = slice(low, min(low + TILE, len(X)))
            near, far = (place - first for place in self._met(start + low, now.stop - low))
            own, other = _Side(start + low, X[now], Y[now]), _Side(first + near, Z[near:far], W[near:far])
            out[now] = np.concatenate(list(self._step(own, other, S)), axis=1)
        if self.wanted == "Q":
            unshrink(X, self.powers.heads, out)
        elif self.wanted == "K":
            out *= np.repeat(self.factors, out.shape[1] // self.powers.heads)
        return out

    def _order(self, rows: int) -> Any:
        """Return the first rows of steps: on for dQ, back for dK and dV."""
        steps = range(0, rows, TILE)
        return steps if self.wanted == "Q" else reversed(steps)

    def _met(self, start: int, rows: int) -> tuple[int, int]:
        """Return the rows of the other side, from the first to the one after the last, of the own time of rows ``start …``."""
        offset = self.offset if self.wanted == "Q" else -self.offset
        return max(start + offset, 0), max(start + rows + offset, 0)

    def _read(self, start: int, rows: int) -> tuple[int, Floats, Floats]:
        """Return them, and the number of the first."""
        first, last = self._met(start, rows)
        Z, W = self.others.read(first, last) if last > first else [np.zeros((0, side.shape[1])) for side in self.others.matrices]
        return first, Z, W

    def _step(self, own: "_Side", other: "_Side", S: Floats) -> Iterator[Floats]:
        """Yield the gradient of each head at the rows of a step, and add the other side's rows of their own time to the sums."""
        heads, powers = self.powers.heads, self.powers
        (i, Q, dY), (j, K, V) = (own, other) if self.wanted == "Q" else (other, own)
        Q, K = shrink(Q, heads), K * np.repeat(self.factors, K.shape[1] // heads)
        right, ones = pulls(self.statistics, i, dY, heads), with_ones(V, heads)
        is_seen = np.arange(j, j + len(K))[None, :] <= np.arange(i, i + len(Q))[:, None] + self.offset
        d = Q.shape[1] // heads
        for head in range(heads):
            mine = slice(head * d, (head + 1) * d)
            met = Encounter(Q[:, mine], K[:, mine], right[head], ones[head], is_seen)
            yield self._gradient(met, S[head], (Q, K), head)
            others, beside = (K, ones[head]) if self.wanted == "Q" else (Q, right[head])
            if len(others):
                S[head] += powers.expand_head(others, head).T @ beside

    def _gradient(self, met: Encounter, S: Floats, sides: tuple[Floats, Floats], head: int) -> Floats:
        degree = self.powers.degree
        if self.wanted == "Q":
            return slopes_at(self.powers, head, sides[0], met.right @ S.T) + met.slopes(degree) @ met.keys
        if self.wanted == "K":
            return slopes_at(self.powers, head, sides[1], met.ones @ S.T) + met.slopes(degree).T @ met.queries
        own = self.powers.expand_head(sides[1], head) @ S[:, :-1]
        return np.asarray(own + met.powers(degree).T @ met.right[:, :-1])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        return 8 * (sides if self.wanted == "V" else columns) * 4096
