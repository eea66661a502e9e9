"""The pass AᵀA, Aᵀb: the normal equations, to be trusted only where the condition number allows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch.matrix.rows import Block
from dsketch.passes.base import Floats, Part, Pass, heavy_rows


@dataclass(frozen=True)
class Gram(Pass[tuple[Floats, Floats, Floats]]):
    """Finish to ``(AᵀA, Aᵀb, bᵀb)`` with shapes (d, d), (d, k), (k, k).

    One read, n d² flops (BLAS syrk), (d + k)² numbers a part.  The relative error of the smallest eigenvalue is u·kappa².
    """

    kind: ClassVar[str] = "gram"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's products."""
        d, k = block.columns, 0 if block.b is None else block.b.shape[1]
        part = part or (np.zeros((d, d)), np.zeros((d, k)), np.zeros((k, k)))
        for _, X, Y in block.slices(heavy_rows(d)):
            for total, product in zip(part, (X.T @ X, X.T @ Y, Y.T @ Y), strict=True):
                total += product
        return part

    def finish(self, part: Part) -> tuple[Floats, Floats, Floats]:
        """Return the three products."""
        return part[0], part[1], part[2]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return (d + k)² numbers."""
        return 8 * (columns + sides) ** 2
