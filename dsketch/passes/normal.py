"""The pass AᵀA v: the curvature, one read for the product there and back."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.csr_slices import turn
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass


@dataclass(frozen=True)
class Normal(Pass[Floats]):
    """Apply AᵀA to a few vectors.

    Parameters
    ----------
    v : ndarray, shape (d, k)

    Notes
    -----
    Finishes to AᵀA v, shape (d, k).  One read, 4 n d k flops, d k numbers a part.
    """

    v: Floats

    kind: ClassVar[str] = "normal"
    takes_sparse: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's Xᵀ(X v)."""
        (total,) = part or (np.zeros(self.v.shape),)
        if self.v.shape[1] == 1:
            v = np.ascontiguousarray(self.v[:, 0])
            for _, X, _ in block.slices(sparse=True):
                total[:, 0] += turn(X) @ (X @ v) if block.is_sparse else (X @ v) @ X
        else:
            for _, X, _ in block.slices(sparse=True):
                total += turn(X) @ (X @ self.v)
        return (total,)

    def finish(self, part: Part) -> Floats:
        """Return AᵀA v."""
        total: Floats = part[0]
        return total

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d k numbers."""
        del sides
        return 8 * columns * int(self.v.shape[1])
