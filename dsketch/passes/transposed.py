"""The pass Xᵀu for vectors u with a number for every row."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch.passes.base import Floats, Part, SlicePass


@dataclass(frozen=True)
class Transposed(SlicePass[Floats]):
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

    def zero(self, columns: int, sides: int) -> Part:
        """Return a zero product."""
        del sides
        return (np.zeros((columns, self.u.shape[1])),)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the slice's Xᵀu."""
        del Y
        part[0][...] += X.T @ self.u[start : start + len(X)]

    def finish(self, part: Part) -> Floats:
        """Return the product."""
        product: Floats = part[0]
        return product

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d k numbers."""
        del sides
        return 8 * columns * self.u.shape[1]
