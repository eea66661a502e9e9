"""Passes that find the mean of the rows, and how far columns are spread about it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, SlicePass


@dataclass(frozen=True)
class Mean(Pass[Floats]):
    """Finish to the mean of the rows, shape (d,).

    One read, n d additions, d + 1 numbers a part.
    """

    kind: ClassVar[str] = "mean"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows."""
        total, count = part or (np.zeros(block.columns), np.zeros(1))
        for _, X, _ in block.slices():
            total += X.sum(axis=0)
            count += len(X)
        return total, count

    def finish(self, part: Part) -> Floats:
        """Return the mean."""
        mean: Floats = part[0] / part[1][0]
        return mean

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d + 1 numbers."""
        del sides
        return 8 * (columns + 1)


@dataclass(frozen=True)
class Spread(SlicePass[Floats]):
    """Finish to the standard deviation of each column, shape (d,).

    One read, 3 n d flops, 2 d + 1 numbers a part.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", The American Statistician, 1983.
    """

    kind: ClassVar[str] = "spread"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the moments of no rows."""
        del sides
        return np.zeros(1), np.zeros(columns), np.zeros(columns)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Join the moments of these rows."""
        del start, Y
        mean = X.mean(axis=0)
        joined = self.merge(part, (np.array([float(len(X))]), mean, np.sum((X - mean) ** 2, axis=0)))
        for mine, both in zip(part, joined, strict=True):
            mine[...] = both

    def merge(self, left: Part, right: Part) -> Part:
        """Join the moments of two sets of rows."""
        count = left[0] + right[0]
        shift = right[1] - left[1]
        return count, left[1] + shift * (right[0] / count), left[2] + right[2] + shift**2 * (left[0] * right[0] / count)

    def finish(self, part: Part) -> Floats:
        """Return the standard deviations."""
        return np.asarray(np.sqrt(part[2] / part[0][0]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 2 d + 1 numbers."""
        del sides
        return 8 * (2 * columns + 1)
