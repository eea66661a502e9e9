"""Passes that find the polynomial attention of few rows of Q, which all workers have, by every weight."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.features.squared import SquaredSketch
from dsketch.passes.attention import TILE
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.polynomial import raise_even, shrink, with_ones


@dataclass(frozen=True)
class ProbedRows(SlicePass[Floats]):
    """Finish to Σⱼ⟨q, kⱼ⟩^p [vⱼ 1] of given rows, shape (heads, r, p + 1), from rows of K with those of V beside them.

    Parameters
    ----------
    queries : ndarray, shape (r, heads · d)
    degree : int
        p, even.
    factors : ndarray, shape (heads,)
        What rows of K are multiplied with first: powers of two.

    Notes
    -----
    One read, 2 m r (d + p) flops.
    """

    queries: Floats
    degree: int
    factors: Floats

    kind: ClassVar[str] = "probed rows"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sums of no rows."""
        del columns
        heads = len(self.factors)
        return (np.zeros((heads, len(self.queries), sides // heads + 1)),)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the weights of a slice, times its values and ones."""
        del start
        heads = len(self.factors)
        ones, d = with_ones(Y, heads), X.shape[1] // heads
        Q = shrink(self.queries, heads)
        for head, factor in enumerate(self.factors):
            mine = slice(head * d, (head + 1) * d)
            T = (Q[:, mine] * factor) @ X[:, mine].T
            raise_even(T, self.degree)
            part[0][head] += T @ ones[head]

    def finish(self, part: Part) -> Floats:
        """Return the sums."""
        sums: Floats = part[0]
        return sums

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the sums."""
        del columns
        return 8 * len(self.queries) * (sides + len(self.factors))


@dataclass(frozen=True)
class CausalProbes(SlicePass[Floats]):
    """Finish to Σⱼ w [vⱼ 1] over the rows of K that given rows of Q see, by exact weights and by sketched ones, (2, heads, r, p + 1).

    Sketched are those of rows of K before the tile of the row of Q, as in :class:`~dsketch.passes.causal.CausalFeatureRows`.

    Parameters
    ----------
    queries : ndarray, shape (r, heads · d)
    numbers : ndarray of int64, shape (r,)
        Of the rows of Q.
    offset : int
        Row i sees rows 0 … i + offset of K.
    degree : int
        p, even.
    sketch_rows, seed : int
        Of the sketch of half the power.
    factors : ndarray, shape (heads,)
        What rows of K are multiplied with first: powers of two.

    Notes
    -----
    One read, 2 m r (d + 2 p + sketch rows) flops a head.
    """

    queries: Floats
    numbers: np.ndarray
    offset: int
    degree: int
    sketch_rows: int
    seed: int
    factors: Floats

    kind: ClassVar[str] = "causal probes"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sums of no rows."""
        del columns
        heads = len(self.factors)
        return (np.zeros((2, heads, len(self.queries), sides // heads + 1)),)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the weights of a slice, times its values and ones."""
        heads = len(self.factors)
        ones, d = with_ones(Y, heads), X.shape[1] // heads
        Q, half = shrink(self.queries, heads), SquaredSketch(self.degree, self.sketch_rows, self.seed).half
        places = np.arange(start, start + len(X))[None, :] - self.offset
        is_seen, is_near = places <= self.numbers[:, None], places >= (self.numbers // TILE * TILE)[:, None]
        for head, factor in enumerate(self.factors):
            q, k = (np.ascontiguousarray(side[:, head * d : (head + 1) * d]) for side in (Q, X * factor))
            T = q @ k.T
            raise_even(T, self.degree)
            made = np.where(is_near, T, (half.apply(q) @ half.apply(k).T) ** 2)
            part[0][0, head] += (T * is_seen) @ ones[head]
            part[0][1, head] += (made * is_seen) @ ones[head]

    def finish(self, part: Part) -> Floats:
        """Return the sums."""
        sums: Floats = part[0]
        return sums

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the sums."""
        del columns
        return 16 * len(self.queries) * (sides + len(self.factors))
