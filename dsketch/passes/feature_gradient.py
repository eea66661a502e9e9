"""The gradient of polynomial attention by features, in linear time.

It goes through the sums S = Σⱼ φ(kⱼ) [vⱼ 1]ᵀ, which are all that rows of Q feel of K and V.

A row of Q has the sums φ(q)ᵀS = [W y, W].  With r = [dy; −D]/W, D = ⟨dy, y⟩, dq is the slope at q of φ(q)ᵀ(S r).  What the rows of K feel
of all rows of Q is the slope of the loss at S, G = Σᵢ φ(qᵢ) rᵢᵀ: dk is the slope at k of φ(k)ᵀ(G [v; 1]), and dv is the first numbers
of φ(k)ᵀG.  Rows are divided by powers of two, which slopes take back.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.features.taylor import Monomials
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.polynomial import FeatureRows, Powers, shrink, slice_rows, with_ones
from dsketch.passes.polynomial_gradient import STATISTICS, statistics_of, unshrink
from dsketch.passes.rowwise import PlacedRowPass


def pulls(statistics: Floats, start: int, dY: Floats, heads: int) -> Floats:
    """Return r of rows of Q from ``start`` on, shape (heads, h, p + 1).

    Parameters
    ----------
    statistics : ndarray, shape (n, 2 heads)
        W and D of all rows.
    """
    known = statistics[start : start + len(dY)]
    right = with_ones(dY, heads)
    right[:, :, -1] = -known[:, heads:].T
    right /= known[:, :heads].T[:, :, None]
    return right


def slopes_at(powers: Powers, head: int, X: Floats, slopes: Floats) -> Floats:
    """Return the slopes at the columns of a head of what has given slopes at its features."""
    d = X.shape[1] // powers.heads
    return Monomials(powers.degree).pull(np.ascontiguousarray(X[:, head * d : (head + 1) * d]), slopes)


@dataclass(frozen=True)
class FeatureStatistics(FeatureRows):
    """Finish to what is kept of rows of Q with those of dY beside them, shape (n, 5 heads)."""

    kind: ClassVar[str] = "statistics by features"

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        height = slice_rows(self.sums.shape[1])
        found = [statistics_of(self.sum_up(X), start, X, dY) for start, X, dY in block.slices(height)]
        own = (np.concatenate(found),)
        return own if part is None else self.merge(part, own)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return five numbers a row and head of a block of 4096, at least."""
        del columns, sides
        return 8 * STATISTICS * self.powers.heads * 4096


@dataclass(frozen=True)
class QuerySums(SlicePass[Floats]):
    """Finish to G = Σᵢ φ(qᵢ) rᵢᵀ of each head, shape (heads, D, p + 1), of rows of Q with those of dY beside them.

    Parameters
    ----------
    powers : Powers
    statistics : ndarray, shape (n, 2 heads)
        W and D.

    Notes
    -----
    One read; 2 n D (p + 1) flops a head, and some two a monomial.
    """

    powers: Powers
    statistics: Floats

    kind: ClassVar[str] = "sums of query features"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sums of no rows."""
        heads = self.powers.heads
        return (np.zeros((heads, self.powers.width(columns), sides // heads + 1)),)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the features of a slice, times its pulls."""
        right = pulls(self.statistics, start, Y, self.powers.heads)
        for head, features in enumerate(self.powers.expand(shrink(X, self.powers.heads))):
            part[0][head] += features.T @ right[head]

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


@dataclass(frozen=True)
class FeatureGradient(PlacedRowPass):
    """Finish to dQ, dK or dV by rows.

    Parameters
    ----------
    wanted : {"Q", "K", "V"}
    powers : Powers
    factors : ndarray, shape (heads,)
        What rows of K are multiplied with first: powers of two.
    sums : ndarray, shape (heads, D, p + 1)
        S for dQ, else G.
    statistics : ndarray, shape (n, 2 heads), or None
        W and D, for dQ.

    Notes
    -----
    One read; 2 n D (p + 1) flops a head, and some six a monomial.
    """

    wanted: str
    powers: Powers
    factors: Floats
    sums: Floats
    statistics: Floats | None

    kind: ClassVar[str] = "gradient by features"

    def slice_height(self, block: Block) -> int:
        """Return as many rows as their features leave in the cache."""
        del block
        return slice_rows(self.sums.shape[1])

    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the gradient at rows ``start …``, with what lies beside them."""
        heads = self.powers.heads
        if self.statistics is not None:
            scaled = shrink(X, heads)
            out = self._slopes(scaled, pulls(self.statistics, start, Y, heads))
            unshrink(X, heads, out)
            return out
        scaled = X * np.repeat(self.factors, X.shape[1] // heads)
        if self.wanted == "V":
            expanded = self.powers.expand(scaled)
            return np.concatenate([features @ self.sums[head][:, :-1] for head, features in enumerate(expanded)], axis=1)
        return self._slopes(scaled, with_ones(Y, heads)) * np.repeat(self.factors, X.shape[1] // heads)

    def _slopes(self, scaled: Floats, right: Floats) -> Floats:
        found = [slopes_at(self.powers, head, scaled, right[head] @ self.sums[head].T) for head in range(self.powers.heads)]
        return np.concatenate(found, axis=1)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        return 8 * (sides if self.wanted == "V" else columns) * 4096
