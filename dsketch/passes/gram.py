"""The pass AᵀA, Aᵀb: the normal equations, to be trusted only where the condition number allows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch.passes.base import Floats, Part, SlicePass


@dataclass(frozen=True)
class Gram(SlicePass[tuple[Floats, Floats, Floats]]):
    """Finish to ``(AᵀA, Aᵀb, bᵀb)`` with shapes (d, d), (d, k), (k, k).

    One read, n d² flops (BLAS syrk), (d + k)² numbers a part.  The relative error of the smallest eigenvalue is u·kappa².
    """

    kind: ClassVar[str] = "gram"

    def zero(self, columns: int, sides: int) -> Part:
        """Return three zero products."""
        return np.zeros((columns, columns)), np.zeros((columns, sides)), np.zeros((sides, sides))

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add XᵀX, XᵀY and YᵀY."""
        del start
        G, c, bb = part
        G += X.T @ X
        c += X.T @ Y
        bb += Y.T @ Y

    def finish(self, part: Part) -> tuple[Floats, Floats, Floats]:
        """Return the three products."""
        return part[0], part[1], part[2]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return (d + k)² numbers."""
        return 8 * (columns + sides) ** 2
