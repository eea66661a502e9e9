"""Causal attention with powers for weights in linear time: sums of all that came before a block, and tiles where rows meet their own time.

Row i of Q sees rows 0 … i + offset of K.  Pieces of K end where blocks of Q begin, so that a sum of pieces is what all rows of a
block see; a block then goes on by steps of a tile: its rows take the features of what is behind the tile, and the tile's weights one
by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import even_cuts
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Block, Rows
from dsketch.passes.attention import PIECES, TILE
from dsketch.passes.base import Part, Pass, SlicePass
from dsketch.passes.polynomial import Powers, divide, raise_even, shrink, with_ones
from dsketch.passes.rowwise import PlacedRowPass
from dsketch.passes.spans import Spans


def piece_rows(queries: Rows, keys: Rows, offset: int) -> Rows:
    """Return rows of K, with what is beside them, in pieces that end where blocks of Q begin, ``offset`` rows later."""
    before = even_cuts(offset, int(queries.cuts[1])) if offset else np.zeros(1, dtype=np.int64)
    cuts = np.unique(np.concatenate([before, queries.cuts + offset]))
    return Rows(Recut(keys.A, cuts), keys.b, pieces=PIECES, names=("K", "V"))


def sums_before(pieces: Floats, keys: Rows, queries: Rows, offset: int) -> Floats:
    """Return what lies before each block of Q: sums of pieces, shape (blocks, …).

    Parameters
    ----------
    pieces : ndarray, shape (pieces of K, …)
    """
    places = np.searchsorted(keys.cuts, queries.cuts[:-1] + offset)
    sums = np.concatenate([np.zeros((1, *pieces.shape[1:])), np.cumsum(pieces, axis=0)])
    return np.asarray(sums[places])


@dataclass(frozen=True)
class Piecewise(Pass[tuple[Floats, ...]]):
    """Finish to the parts of another pass, block by block: each array with one axis more, in front.

    Parameters
    ----------
    inner : SlicePass
    """

    inner: SlicePass[Any]

    kind: ClassVar[str] = "piecewise"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the part of the block."""
        own = tuple(array[None] for array in self.inner.map(block, None))
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Put one behind the other."""
        return tuple(np.concatenate(pair) for pair in zip(left, right, strict=True))

    def finish(self, part: Part) -> tuple[Floats, ...]:
        """Return the parts."""
        return tuple(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return those of one block, at least."""
        return self.inner.part_bytes(columns, sides)

    def names(self) -> str:
        """Return the kind and that of what is looked at."""
        return f"{self.kind}: {self.inner.names()}"


BEYOND = 1e15  # stands for ∞ in parts, which hold finite numbers: above every logarithm and every row number


class Step(NamedTuple):
    """Rows of Q from ``start`` on, shrunk, and the rows of K and V of their own time, those of K times powers of two."""

    start: int
    queries: Floats
    keys: Floats
    values: Floats


@dataclass(frozen=True)
class Course:
    """How blocks go through time.

    Attributes
    ----------
    others : Spans
        K, and V where it is needed.
    offset : int
    factors : ndarray, shape (heads,)
        What rows of K are multiplied with first: powers of two.
    """

    others: Spans
    offset: int
    factors: Floats

    def steps(self, start: int, X: Floats) -> Iterator[Step]:
        """Yield the steps of rows of Q."""
        heads = len(self.factors)
        K, *V = self.others.read(start + self.offset, start + self.offset + len(X))
        for low in range(0, len(X), TILE):
            now = slice(low, low + TILE)
            keys = K[now] * np.repeat(self.factors, K.shape[1] // heads)
            yield Step(start + low, shrink(X[now], heads), keys, V[0][now] if V else K[now, :0])

    def state(self) -> Iterator[Any]:
        """Yield what tells courses apart."""
        yield from self.others.state()
        yield repr(self.offset)
        yield self.factors


@dataclass(frozen=True)
class CausalFeatureRows(PlacedRowPass):
    """Finish to the rows, each φ(q)ᵀS of what is behind its tile, and the weights of its tile one by one, shape (n, heads · p).

    Parameters
    ----------
    powers : Powers
    course : Course
    starts : ndarray of int64, shape (blocks,)
        First rows of the blocks of Q.
    sums : ndarray, shape (blocks, heads, D, p + 1)
        S before each block.

    Notes
    -----
    One read of Q and, beside, of K and V; 4 n D (p + 1) flops a head, 2 n · 512 (d + p) more, and some four a monomial.
    """

    powers: Powers
    course: Course
    starts: np.ndarray
    sums: Floats

    kind: ClassVar[str] = "causal rows by features"

    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the attention of the rows of the block that begins at ``start``.

        Raises
        ------
        DataError
            If the weights of a row do not add up to more than 0.
        """
        del Y
        return divide(self.sum_up(start, X), start)

    def sum_up(self, start: int, X: Floats) -> Floats:
        """Return the sums of the rows of a block, shape (heads, h, p + 1)."""
        S = self.sums[int(np.searchsorted(self.starts, start))].copy()
        return np.concatenate([self._step(step, S) for step in self.course.steps(start, X)], axis=1)

    def _step(self, step: Step, S: Floats) -> Floats:
        """Return the sums of the rows of a step, and add its rows of K and V to those behind."""
        heads = self.powers.heads
        ones, d = with_ones(step.values, heads), step.keys.shape[1] // heads
        sums = [features @ S[head] for head, features in enumerate(self.powers.expand(step.queries))]
        for head, features in enumerate(self.powers.expand(step.keys)):
            mine = slice(head * d, (head + 1) * d)
            T = step.queries[:, mine] @ step.keys[:, mine].T
            raise_even(T, self.powers.degree)
            sums[head] += np.tril(T) @ ones[head]
            S[head] += features.T @ ones[head]
        return np.stack(sums)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        del columns, sides
        _, heads, _, width = self.sums.shape
        return 8 * 4096 * int(heads * (width - 1))


class CausalAlignment(NamedTuple):
    """Of all heads.

    Attributes
    ----------
    early, late : ndarray, shape (1,)
        The largest ln a of rows of the first tile, and of the others; ``BEYOND`` where rounding cannot tell a weight from 0.
    weight : ndarray, shape (1,)
        The least logarithm of what a sum of weights is at least.
    row : ndarray, shape (1,)
        That of the largest ``late``.
    none : ndarray, shape (1,)
        The first row without weights; ``BEYOND``: there is none.
    """

    early: Floats
    late: Floats
    weight: Floats
    row: Floats
    none: Floats


@dataclass(frozen=True)
class CausalLeast(Pass[CausalAlignment]):
    """Finish to how well rows of Q are aligned with the rows of K that they see, at least.

    Parameters
    ----------
    degree : int
        p.
    course : Course
        Of K alone.
    starts : ndarray of int64, shape (blocks,)
        First rows of the blocks of Q.
    gram : ndarray, shape (blocks, heads, d, d)
        Σ k kᵀ before each block.
    lengths : ndarray, shape (blocks, heads)
        Σ ‖k‖^p likewise.
    rounding : float
        u, of which sums over so many rows are off.

    Notes
    -----
    One read of Q and, beside, of K; 4 n d² flops a head, and 2 n · 512 d more.
    """

    degree: int
    course: Course
    starts: np.ndarray
    gram: Floats
    lengths: Floats
    rounding: float

    kind: ClassVar[str] = "least causal alignment"

    def map(self, block: Block, part: Part | None) -> Part:
        """Compare the rows of a block."""
        ((start, X, _),) = block.slices(block.stop - block.start)
        place = int(np.searchsorted(self.starts, start))
        for head in range(len(self.course.factors)):
            G, length = self.gram[place, head].copy(), float(self.lengths[place, head])
            for step in self.course.steps(start, X):
                found, G, length = self._step(step, head, G, length)
                part = found if part is None else self.merge(part, found)
        return part

    def _step(self, step: Step, head: int, G: Floats, length: float) -> tuple[Part, Floats, float]:
        """Return what holds of the rows of a step, and the moments with its rows of K."""
        d, half = len(G), self.degree // 2
        Q, K = (side[:, head * d : (head + 1) * d] for side in (step.queries, step.keys))
        squares = np.einsum("ij,ij->i", K, K)
        T = Q @ K.T
        own = np.einsum("ij,ij->i", Q, Q)
        aligned = np.einsum("ij,ij->i", Q @ G, Q) + np.tril(T * T).sum(axis=1)
        seen = np.arange(1, len(Q) + 1) + step.start + self.course.offset
        sizes = np.trace(G) + np.cumsum(squares)
        least = aligned / np.where(own > 0, own, 1.0) - 2 * self.rounding * (seen + 3 * d + 8) * sizes
        lengths = (length + np.cumsum(squares**half)) * (1 + 2 * self.rounding * (seen + self.degree * (d + 2)))
        with np.errstate(divide="ignore"):  # where least is 0, which is dropped
            root = np.where(least > 0, half * np.log(np.maximum(least, 0)), -BEYOND)
            weight = root - (half - 1) * np.log(seen)
            size = np.where(least > 0, np.maximum(np.log(lengths) - weight, 0.0), BEYOND)
        is_early = step.start + self.course.offset == 0
        largest = np.array([size.max()])
        none = np.flatnonzero(aligned == 0)
        part = (
            largest if is_early else np.zeros(1),
            np.zeros(1) if is_early else largest,
            np.array([weight.min()]),
            np.array([float(step.start + size.argmax())]),
            np.array([float(step.start + none[0]) if none.size else BEYOND]),
        )
        return part, G + K.T @ K, length + float((squares**half).sum())

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the worse."""
        return (
            np.maximum(left[0], right[0]),
            np.maximum(left[1], right[1]),
            np.minimum(left[2], right[2]),
            right[3] if right[1][0] > left[1][0] else left[3],
            np.minimum(left[4], right[4]),
        )

    def finish(self, part: Part) -> CausalAlignment:
        """Return what was found."""
        return CausalAlignment(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return five numbers."""
        del columns, sides
        return 40
