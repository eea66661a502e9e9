"""The pass that finds how long rows are, and how large what stands beside them."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass


class Sizes(NamedTuple):
    """Of rows X and Y beside them, each in groups of consecutive columns.

    Attributes
    ----------
    longest : ndarray, shape (groups,)
        The largest ‖x‖ of each group.
    largest : ndarray, shape (k,)
        The largest |y| of each column.
    total : ndarray, shape (k,)
        Σ|y| of each column.
    beside : ndarray, shape (groups,)
        The largest ‖y‖ of each group; 0 where it was not asked for.
    moment : ndarray, shape (groups,)
        Σ‖x‖‖y‖ of each group, likewise.
    """

    longest: Floats
    largest: Floats
    total: Floats
    beside: Floats
    moment: Floats


@dataclass(frozen=True)
class Lengths(SlicePass[Sizes]):
    """Finish to the sizes of rows.

    Parameters
    ----------
    groups : int
        Into so many groups X and Y are cut.
    of_both : bool
        Whether lengths of Y are asked for too, whose squares must then be float64 numbers.

    Notes
    -----
    One read, 4 n (d + k) flops; 3 groups + 2k numbers a part.
    """

    groups: int = 1
    of_both: bool = False

    kind: ClassVar[str] = "lengths"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sizes of no rows."""
        del columns
        return np.zeros(self.groups), np.zeros(sides), np.zeros(sides), np.zeros(self.groups), np.zeros(self.groups)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the sizes of a slice."""
        del start
        longest, largest, total, beside, moment = part
        x = self._squares(X)
        np.maximum(longest, x.max(axis=0), out=longest)
        if Y.shape[1]:
            size = np.abs(Y)
            np.maximum(largest, size.max(axis=0), out=largest)
            total += size.sum(axis=0)
        if Y.shape[1] and self.of_both:
            y = self._squares(Y)
            np.maximum(beside, y.max(axis=0), out=beside)
            moment += np.einsum("ig,ig->g", np.sqrt(x), np.sqrt(y))

    def _squares(self, X: Floats) -> Floats:
        """Return ‖x‖² of each group, shape (rows, groups)."""
        Z = X.reshape(len(X), self.groups, -1)
        return np.asarray(np.einsum("igj,igj->ig", Z, Z))

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger sizes; add the sums."""
        return (
            np.maximum(left[0], right[0]),
            np.maximum(left[1], right[1]),
            left[2] + right[2],
            np.maximum(left[3], right[3]),
            left[4] + right[4],
        )

    def finish(self, part: Part) -> Sizes:
        """Return the sizes."""
        return Sizes(np.sqrt(part[0]), part[1], part[2], np.sqrt(part[3]), part[4])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 3 groups + 2k numbers."""
        del columns
        return 8 * (3 * self.groups + 2 * sides)
