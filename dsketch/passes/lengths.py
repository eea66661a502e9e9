"""The pass that finds how long rows are, and how large what stands beside them."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass


class Sizes(NamedTuple):
    """Of rows X, in groups of columns, and of Y beside them.

    Attributes
    ----------
    longest : ndarray, shape (groups,)
        The largest ‖x‖ of each group.
    largest : ndarray, shape (k,)
        The largest |y| of each column.
    total : ndarray, shape (k,)
        Σ|y| of each column.
    """

    longest: Floats
    largest: Floats
    total: Floats


@dataclass(frozen=True)
class Lengths(SlicePass[Sizes]):
    """Finish to the sizes of rows.

    Parameters
    ----------
    groups : int
        Into so many groups of consecutive columns X is cut.

    Notes
    -----
    One read, 2 n (d + k) flops; groups + 2k numbers a part.
    """

    groups: int = 1

    kind: ClassVar[str] = "lengths"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sizes of no rows."""
        del columns
        return np.zeros(self.groups), np.zeros(sides), np.zeros(sides)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the sizes of a slice."""
        del start
        longest, largest, total = part
        Z = X.reshape(len(X), self.groups, -1)
        np.maximum(longest, np.einsum("igj,igj->ig", Z, Z).max(axis=0), out=longest)
        if Y.shape[1]:
            size = np.abs(Y)
            np.maximum(largest, size.max(axis=0), out=largest)
            total += size.sum(axis=0)

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger sizes; add the sums."""
        return np.maximum(left[0], right[0]), np.maximum(left[1], right[1]), left[2] + right[2]

    def finish(self, part: Part) -> Sizes:
        """Return the sizes."""
        return Sizes(np.sqrt(part[0]), part[1], part[2])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return groups + 2k numbers."""
        del columns
        return 8 * (self.groups + 2 * sides)
