"""The pass S [A b]."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch.matrix.rows import Block
from dsketch.passes.base import Floats, Part, Pass
from dsketch.sketch.base import Sketch


@dataclass(frozen=True)
class Sketching(Pass[tuple[Floats, Floats]]):
    """Sketch A and b with the same S.

    Finishes to ``(SA, Sb)`` with shapes (m, d) and (m, k).  One read; the sketch's cost; m (d + k) numbers a part.
    """

    sketch: Sketch

    kind: ClassVar[str] = "sketch"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add S[:, rows] [A b] of the block."""
        SA, Sb = part or (
            np.zeros((self.sketch.size, block.columns)),
            np.zeros((self.sketch.size, 0 if block.b is None else block.b.shape[1])),
        )
        for start, X, Y in block.slices(self.sketch.slice_rows):
            apply = self.sketch.operator(start, start + X.shape[0])
            SA += apply(X)
            if Y.shape[1]:
                Sb += apply(Y)
        return SA, Sb

    def finish(self, part: Part) -> tuple[Floats, Floats]:
        """Return (SA, Sb)."""
        return part[0], part[1]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return m (d + k) numbers."""
        return 8 * self.sketch.size * (columns + sides)
