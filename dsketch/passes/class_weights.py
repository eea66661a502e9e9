"""How many rows each class has: what a constant alone knows of classes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.beside import Places
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.fitted import of_rows

_ROWS = 16_384


@dataclass(frozen=True)
class ClassWeights(SlicePass[Floats]):
    """Finish to Σ f w of the rows of each class, shape (classes,); its rows are those of y and what belongs to it.

    Parameters
    ----------
    places : Places
    classes : int

    Notes
    -----
    A is not read.
    """

    places: Places
    classes: int

    kind: ClassVar[str] = "class weights"

    def rows_at_once(self, columns: int) -> int:
        """Return a height that stays in the cache."""
        del columns
        return _ROWS

    def zero(self, columns: int, sides: int) -> Part:
        """Return no rows."""
        del columns, sides
        return (np.zeros(self.classes),)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows of a slice of y and what belongs to it, which are X."""
        del start, Y
        rows = of_rows(self.places, X)
        part[0][:] += np.bincount(rows.y[rows.counting].astype(np.intp), rows.whole, self.classes)

    def finish(self, part: Part) -> Floats:
        """Return the sums."""
        return np.asarray(part[0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number a class."""
        del columns, sides
        return 8 * self.classes
