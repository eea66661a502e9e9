"""The pass that only adds all numbers up: the time to read the data once, what every other pass is measured against."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass


@dataclass(frozen=True)
class Touch(Pass[Floats]):
    """Finish to the sums of all entries of A and of b, shape (2,).

    Notes
    -----
    One read, one addition a number, two numbers a part.  Nothing that looks at every number can be faster.
    """

    kind: ClassVar[str] = "touch"
    takes_sparse: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's sums."""
        (total,) = part or (np.zeros(2),)
        for _, X, Y in block.slices(sparse=True):
            total += (X.data if block.is_sparse else X).sum(), Y.sum()
        return (total,)

    def finish(self, part: Part) -> Floats:
        """Return the sums."""
        total: Floats = part[0]
        return total

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return two numbers."""
        del columns, sides
        return 16
