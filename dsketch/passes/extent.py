"""The pass that finds between which numbers A w lies."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass


class Bounds(NamedTuple):
    """Of A w, for each column of w: ``low``, ``high``, and ``size``, the largest abs(a)ᵀabs(w); shape (k,)."""

    low: Floats
    high: Floats
    size: Floats


@dataclass(frozen=True)
class Extent(SlicePass[Bounds]):
    """Finish to the least and the largest entry of each column of A w.

    Parameters
    ----------
    w : ndarray, shape (d, k)

    Notes
    -----
    One read, 4 n d k flops, 3 k numbers a part.
    """

    w: Floats

    kind: ClassVar[str] = "extent"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the extent of no rows."""
        del columns, sides
        k = self.w.shape[1]
        return np.full(k, 1e308), np.full(k, -1e308), np.zeros(k)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Widen it by these rows."""
        del start, Y
        Z = X @ self.w
        np.minimum(part[0], Z.min(axis=0), out=part[0])
        np.maximum(part[1], Z.max(axis=0), out=part[1])
        np.maximum(part[2], (np.abs(X) @ np.abs(self.w)).max(axis=0), out=part[2])

    def merge(self, left: Part, right: Part) -> Part:
        """Return the extent of both."""
        return np.minimum(left[0], right[0]), np.maximum(left[1], right[1]), np.maximum(left[2], right[2])

    def finish(self, part: Part) -> Bounds:
        """Return the bounds."""
        return Bounds(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 3 k numbers."""
        del columns, sides
        return 24 * int(self.w.shape[1])
