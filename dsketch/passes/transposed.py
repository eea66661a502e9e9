"""The pass Xᵀu for vectors u with a number for every row."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass


@dataclass(frozen=True)
class Transposed(Pass[Floats]):
    """Finish to Xᵀu, shape (d, k).

    Parameters
    ----------
    u : ndarray, shape (n, k)
        Travels to every worker; each block takes its own rows of it by their global numbers.

    Notes
    -----
    One read, 2 n d k flops, d k numbers a part.  The counterpart of :class:`~dsketch.passes.rowwise.Rowwise`.
    """

    u: Floats

    kind: ClassVar[str] = "transposed"
    takes_sparse: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's Xᵀu."""
        (product,) = part or (np.zeros((block.columns, self.u.shape[1])),)
        for start, X, _ in block.slices(sparse=True):
            product += X.T @ self.u[start : start + X.shape[0]]
        return (product,)

    def finish(self, part: Part) -> Floats:
        """Return the product."""
        product: Floats = part[0]
        return product

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d k numbers."""
        del sides
        return 8 * columns * int(self.u.shape[1])
