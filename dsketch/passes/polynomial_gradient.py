"""Sweeps of the gradient of polynomial attention: what a loss with the gradient dY at the rows Y has at Q, K or V, by tiles of weights.

With z = ⟨q, k⟩, W = Σ z^p and S = z^p/W: dV = Sᵀ dY, and with P = dY Vᵀ, D = rowsum(dY ∘ Y) and E = p z^{p−1} (P − D)/W, dQ = E K and
dK = Eᵀ Q.  Rows of Q, and those of K together, are divided by powers of two as in attention itself, which E K and Eᵀ Q take back.  A sweep
of its own keeps of each row of Q its W and D; another finds how much a row of K feels at most, which makes bounds sharp.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.matrix.rows import Block
from dsketch.passes.attention_gradient import Largest, Meeting, Meetings, TileGradient
from dsketch.passes.base import Part
from dsketch.passes.polynomial import PolynomialRows, raise_even, require_weights, shrink
from dsketch.passes.rowwise import PART_ROWS, RowPass

STATISTICS = 5  # numbers of a row of Q and head: W, D, the length of the row divided, of the row itself, and of that of dY


def head_lengths(X: Floats, heads: int) -> tuple[Floats, Floats]:
    """Return the lengths of rows by heads, of those divided by powers of two and of those given, each of shape (h, heads)."""
    scaled = shrink(X, heads).reshape(len(X), heads, -1)
    own = np.sqrt(np.einsum("hij,hij->hi", scaled, scaled))
    _, exponent = np.frexp(np.abs(X.reshape(scaled.shape)).max(axis=2))
    return own, np.ldexp(own, exponent)


def unshrink(X: Floats, groups: int, out: Floats) -> None:
    """Multiply what is the slope at shrunk rows by what these were multiplied with, in place."""
    _, exponent = np.frexp(np.abs(X.reshape(len(X), groups, -1)).max(axis=2, keepdims=True))
    Z = out.reshape(len(out), groups, -1)
    np.ldexp(Z, -exponent, out=Z)


def statistics_of(sums: Floats, start: int, X: Floats, dY: Floats) -> Floats:
    """Return what is kept of rows of Q, shape (h, 5 heads), from their sums, shape (heads, h, p + 1).

    Raises
    ------
    DataError
        If the weights of a row do not add up to more than 0.
    """
    require_weights(sums, start)
    weight, heads = sums[:, :, -1], len(sums)
    Y = np.moveaxis(sums[:, :, :-1] / weight[:, :, None], 0, 1)
    D = np.einsum("ihp,ihp->ih", dY.reshape(Y.shape), Y)
    return np.concatenate([weight.T, D, *head_lengths(X, heads), head_lengths(dY, heads)[1]], axis=1)


@dataclass(frozen=True)
class KeyLengths(RowPass):
    """Finish to the lengths of rows by heads, times powers of two, shape (m, heads).

    Parameters
    ----------
    factors : ndarray, shape (heads,)
    """

    factors: Floats

    kind: ClassVar[str] = "key lengths"

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the lengths of a slice."""
        del Y
        return np.asarray(head_lengths(X, len(self.factors))[1] * self.factors)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of rows of the largest block, at least."""
        del columns, sides
        return 8 * len(self.factors) * PART_ROWS


@dataclass(frozen=True)
class PolynomialStatistics(PolynomialRows):
    """Finish to what is kept of rows of Q with those of dY beside them, shape (n, 5 heads).

    Notes
    -----
    A sweep as attention itself.
    """

    kind: ClassVar[str] = "polynomial statistics"

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        ((start, X, dY),) = block.slices(block.stop - block.start)
        own = (statistics_of(self.sum_up(start, X)[0], start, X, dY),)
        return own if part is None else self.merge(part, own)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return five numbers a row and head of a block of 4096, at least."""
        del columns, sides
        return 8 * STATISTICS * self.heads * 4096


@dataclass(frozen=True)
class _Products(Meetings):
    """Tiles of products of rows that were divided by powers of two.

    Parameters
    ----------
    degree : int
        p.
    factors : ndarray, shape (heads,)
        Powers of two that bring the longest row of K to a length below 1.
    """

    degree: int
    factors: Floats

    def own_rows(self, X: Floats) -> Floats:
        """Divide rows of a block."""
        return shrink(X, self.heads) if self.wanted == "Q" else self._divide(X)

    def other_rows(self, Z: Floats) -> Floats:
        """Divide rows of a span."""
        return self._divide(Z) if self.wanted == "Q" else shrink(Z, self.heads)

    def _divide(self, K: Floats) -> Floats:
        return np.asarray(K * np.repeat(self.factors, K.shape[1] // self.heads))


def raise_below(T: Floats, degree: int) -> None:
    """Raise numbers to the power degree − 1, degree even, in place: at most degree − 2 roundings each."""
    if degree == 2:
        return
    base = scratch("odd power", (T.shape[0], T.shape[1]))
    np.copyto(base, T)
    raise_even(T, degree - 2)
    T *= base


@dataclass(frozen=True)
class PolynomialGradient(_Products, TileGradient):
    """Finish to dQ, dK or dV by rows, by :class:`PolynomialStatistics`.

    Notes
    -----
    n m weights of each head, made again; 2 n m (2 d + p) flops for dQ and dK, 2 n m (d + p) for dV.
    """

    kind: ClassVar[str] = "polynomial gradient"

    def weigh(self, start: int, met: Meeting) -> None:
        """Take z^p/W, or p z^{p−1}/W."""
        T = met.T
        if self.wanted == "V":
            raise_even(T, self.degree)
        else:
            raise_below(T, self.degree)
            T *= self.degree
        T /= self.statistic(0, start, met)
        if met.hidden is not None:
            T[met.hidden] = 0.0

    def conclude(self, X: Floats, out: Floats) -> None:
        """Multiply by what the rows were multiplied with."""
        if self.wanted == "Q":
            unshrink(X, self.heads, out)
        else:
            out *= np.repeat(self.factors, out.shape[1] // self.heads)


@dataclass(frozen=True)
class PolynomialReach(_Products, Largest):
    """Finish to the largest Σᵢ (uᵢ ‖qᵢ‖‖kⱼ‖ x^{e−1} + wᵢ x^e) over rows j of K, for two u and w each, shape (heads, 2).

    x is |z| + η‖q‖‖k‖ and e is p for dV and p − 1 for dK; rows are divided by powers of two.

    Parameters
    ----------
    statistics : ndarray, shape (n, 5 heads)
        ‖q‖, the first u, the first w, the second u, the second w.
    eta : float
        η, of which computed products are off.

    Notes
    -----
    n m weights of each head, made again; 2 n m (d + 4) flops beside.
    """

    eta: float

    kind: ClassVar[str] = "polynomial reach"

    def map(self, block: Block, part: Part | None) -> Part:
        """Take in the largest of the block's rows."""
        ((start, X, _),) = block.slices(block.stop - block.start)
        lengths = head_lengths(self._divide(X), self.heads)[1]
        felt = np.zeros((len(X), self.heads, 2))
        for met in self.meet(start, X):
            given = np.stack([self.statistic(number, start, met) for number in range(5)], axis=1)
            felt[met.own, met.head] += self._feel(met, lengths[met.own, met.head], given)
        found = (felt.max(axis=0),)
        return found if part is None else self.merge(part, found)

    def _feel(self, met: Meeting, lengths: Floats, given: Floats) -> Floats:
        """Return both sums of a tile, shape (h, 2)."""
        T = met.T
        np.abs(T, out=T)
        T += self.eta * np.multiply.outer(lengths, given[:, 0])
        if met.hidden is not None:
            T[met.hidden] = 0.0
        x = scratch("products", (T.shape[0], T.shape[1]))
        np.copyto(x, T)
        self._raise(T)
        below = lengths[:, None] * (T @ (given[:, :1] * given[:, 1::2]))
        T *= x
        return np.asarray(below + T @ given[:, 2::2])

    def _raise(self, T: Floats) -> None:
        """Raise to e − 1."""
        if self.wanted == "V":
            raise_below(T, self.degree)
        elif self.degree == 2:
            T[:] = 1.0
        else:
            raise_even(T, self.degree - 2)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return two numbers a head."""
        del columns, sides
        return 16 * self.heads
