"""The pass that adds up the weights: what a mean of squares is divided by."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass


@dataclass(frozen=True)
class TotalWeight(Pass[float]):
    """Finish to Σ w, the number of rows where there are no weights.

    Notes
    -----
    Reads no row of A: meant to stand beside a pass that does.
    """

    kind: ClassVar[str] = "weight"
    takes_sparse: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's weights."""
        (total,) = part or (np.zeros(1),)
        return (total + (block.stop - block.start if block.weights is None else block.weights.sum(dtype=np.float64)),)

    def finish(self, part: Part) -> float:
        """Return the sum."""
        return float(part[0][0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return one number."""
        del columns, sides
        return 8
