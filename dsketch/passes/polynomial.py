"""Attention with weights that are an even power of the products: in tiles, or by the monomials of the rows, which sum K and V once for all.

With z = ⟨q, k⟩ and p even a row of the answer is Σⱼ zⱼ^p vⱼ / Σⱼ zⱼ^p, and no factor of q or of all k changes it.  So rows of Q,
and those of K together, are divided by powers of two, exactly, and nothing overflows.  With φ the weighted monomials of degree p,
⟨φ(q), φ(k)⟩ = z^p: then S = Σⱼ φ(kⱼ) [vⱼ 1]ᵀ is all that a row of Q needs to know of K and V.

References
----------
P. Kacham, V. Mirrokni, P. Zhong, "PolySketchFormer: fast transformers via sketching polynomial kernels", ICML 2024.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.features.base import RowMap
from dsketch.features.squared import SquaredSketch
from dsketch.features.taylor import Monomials
from dsketch.matrix.rows import Block
from dsketch.passes.attention import AttentionRows, no_weight
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.rowwise import PlacedRowPass
from dsketch.passes.sight import Hidden

_SLICE_BYTES = 8_000_000  # so much of the features at once: tall enough for BLAS
_SLICE_ROWS = (64, 1024)  # the fewest and the most rows of a slice


def slice_rows(features: int) -> int:
    """Return how many rows are expanded at once into so many features."""
    least, most = _SLICE_ROWS
    return min(max(_SLICE_BYTES // (8 * features), least), most)


def shrink(X: Floats, groups: int) -> Floats:
    """Return rows times a power of two for each group of columns, so that the largest number of each is in [½, 1); zeros stay."""
    Z = X.reshape(len(X), groups, X.shape[1] // groups)
    _, exponent = np.frexp(np.abs(Z).max(axis=2, keepdims=True))
    return np.asarray(np.ldexp(Z, -exponent).reshape(X.shape))


def power_of_two(sizes: Floats) -> Floats:
    """Return for each size the power of two that brings it into [½, 1)."""
    return np.asarray(np.ldexp(1.0, -np.frexp(sizes)[1]))


def with_ones(Y: Floats, heads: int) -> Floats:
    """Return the columns of each head with one of ones behind them, shape (heads, rows, p + 1)."""
    ones = np.ones((heads, len(Y), Y.shape[1] // heads + 1))
    ones[:, :, :-1] = np.moveaxis(Y.reshape(len(Y), heads, Y.shape[1] // heads), 1, 0)
    return ones


def raise_even(T: Floats, degree: int) -> None:
    """Raise numbers to an even power, in place: at most degree − 1 roundings each."""
    np.multiply(T, T, out=T)
    rest = degree // 2
    if rest == 1:
        return
    base = scratch("powers", T.shape)
    np.copyto(base, T)
    for bit in bin(rest)[3:]:
        np.multiply(T, T, out=T)
        if bit == "1":
            np.multiply(T, base, out=T)


@dataclass(frozen=True)
class PolynomialRows(AttentionRows):
    """Finish to the rows by tiles of weights.

    Parameters
    ----------
    degree : int
        p, even.
    factors : ndarray, shape (heads,)
        Powers of two that bring the longest row of K to a length below 1.
    """

    degree: int
    factors: Floats

    kind: ClassVar[str] = "polynomial attention"

    def prepare(self, X: Floats, start: int) -> Floats:
        """Return rows of Q, times powers of two."""
        del start
        return shrink(X, self.heads) * np.repeat(self.factors, X.shape[1] // self.heads)

    def weigh(self, T: Floats, hidden: Hidden, sums: Floats, top: Floats) -> None:
        """Take the power."""
        del sums, top
        raise_even(T, self.degree)
        if hidden is not None:
            T[hidden] = 0.0


@dataclass(frozen=True)
class Powers:
    """The features whose products are powers of degree p, head by head.

    Attributes
    ----------
    degree : int
        p.
    heads : int
    sketch_rows : int or None
        Of a sketch of half the power, whose products of two stand for them; None: exact.
    seed : int
        Of the sketch.
    """

    degree: int
    heads: int
    sketch_rows: int | None = None
    seed: int = 0

    @property
    def map(self) -> RowMap:
        """Of one head."""
        return Monomials(self.degree) if self.sketch_rows is None else SquaredSketch(self.degree, self.sketch_rows, self.seed)

    def width(self, columns: int) -> int:
        """Return the features of one head, for rows of the columns of all of them."""
        return self.map.width(columns // self.heads)

    def expand(self, X: Floats) -> Iterator[Floats]:
        """Yield the features of each head, in memory that the next one overwrites."""
        for head in range(self.heads):
            yield self.expand_head(X, head)

    def expand_head(self, X: Floats, head: int) -> Floats:
        """Return the features of one head, in memory that the next one overwrites."""
        d = X.shape[1] // self.heads
        out = scratch("power features", (len(X), self.map.width(d)))
        return self.map.apply(np.ascontiguousarray(X[:, head * d : (head + 1) * d]), out)

    def state(self) -> Iterator[str]:
        """Yield what tells features apart."""
        yield repr(self.heads)
        yield self.map.name
        yield self.map.fingerprint()


@dataclass(frozen=True)
class KeySums(SlicePass[Floats]):
    """Finish to S = Σⱼ φ(kⱼ) [vⱼ 1]ᵀ of each head, shape (heads, D, p + 1), of rows of K with those of V beside them.

    Parameters
    ----------
    powers : Powers
    factors : ndarray, shape (heads,)
        What rows of K are multiplied with first: powers of two.

    Notes
    -----
    One read; 2 m D (p + 1) flops a head, and some two a monomial.
    """

    powers: Powers
    factors: Floats

    kind: ClassVar[str] = "sums of key features"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sums of no rows."""
        heads = self.powers.heads
        return (np.zeros((heads, self.powers.width(columns), sides // heads + 1)),)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the features of a slice, times its values and ones."""
        del start
        heads = self.powers.heads
        ones = with_ones(Y, heads)
        scaled = X * np.repeat(self.factors, X.shape[1] // heads)
        for head, features in enumerate(self.powers.expand(scaled)):
            part[0][head] += features.T @ ones[head]

    def rows_at_once(self, columns: int) -> int:
        """Return the rows of a slice."""
        return slice_rows(self.powers.width(columns))

    def finish(self, part: Part) -> Floats:
        """Return the sums."""
        sums: Floats = part[0]
        return sums

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the sums."""
        heads = self.powers.heads
        return 8 * heads * self.powers.width(columns) * (sides // heads + 1)


def divide(sums: Floats, start: int) -> Floats:
    """Return the rows of an answer from their sums, shape (heads, h, p + 1), whose last numbers are their weights.

    Raises
    ------
    DataError
        If the weights of a row do not add up to more than 0.
    """
    require_weights(sums, start)
    return np.concatenate([each[:, :-1] / each[:, -1:] for each in sums], axis=1)


def require_weights(sums: Floats, start: int) -> None:
    """Refuse rows from ``start`` on without weights.

    Raises
    ------
    DataError
        If the weights of a row do not add up to more than 0.
    """
    is_weighed = (sums[:, :, -1] > 0).all(axis=0)
    if not is_weighed.all():
        raise no_weight(start + int(np.argmin(is_weighed)))


@dataclass(frozen=True)
class FeatureRows(PlacedRowPass):
    """Finish to φ(q)ᵀS, each row divided by its last number, shape (n, heads · p).

    Parameters
    ----------
    powers : Powers
    sums : ndarray, shape (heads, D, p + 1)
        S.

    Notes
    -----
    One read; 2 n D (p + 1) flops a head, and some two a monomial.
    """

    powers: Powers
    sums: Floats

    kind: ClassVar[str] = "rows by features"

    def slice_height(self, block: Block) -> int:
        """Return as many rows as their features leave in the cache."""
        del block
        return slice_rows(self.sums.shape[1])

    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the attention of rows ``start …`` of Q.

        Raises
        ------
        DataError
            If the weights of a row do not add up to more than 0.
        """
        del Y
        return divide(self.sum_up(X), start)

    def sum_up(self, X: Floats) -> Floats:
        """Return φ(q)ᵀS of rows of Q, shape (heads, h, p + 1)."""
        expanded = self.powers.expand(shrink(X, self.powers.heads))
        return np.stack([features @ self.sums[head] for head, features in enumerate(expanded)])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        del columns, sides
        heads, _, width = self.sums.shape
        return 8 * 4096 * int(heads * (width - 1))
