"""The pass that finds the polynomial attention of few rows of Q, which all workers have, by every weight."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
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
