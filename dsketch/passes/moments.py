"""The pass that finds the mean of the rows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass


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
