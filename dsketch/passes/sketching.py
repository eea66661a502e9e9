"""The pass S [A b]."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass
from dsketch.sketch.base import Sketch


@dataclass(frozen=True)
class Sketching(SlicePass[tuple[Floats, Floats]]):
    """Sketch A and b with the same S.

    Finishes to ``(SA, Sb)`` with shapes (m, d) and (m, k).  One read; the sketch's cost; m (d + k) numbers a part.
    Of CSR rows, sparse sign sketches and CountSketch cost z additions a stored number; others work on all of them.
    """

    sketch: Sketch

    kind: ClassVar[str] = "sketch"
    takes_sparse: ClassVar[bool] = True

    def rows_at_once(self, columns: int) -> int:
        """Return a height at which the m × d product of a slice costs little beside the slice."""
        del columns
        return min(self.sketch.slice_rows, max(4096, 4 * self.sketch.size))

    def csr_rows_at_once(self) -> int:
        """Return as many rows as the sketch is drawn for at once."""
        return self.sketch.slice_rows

    def zero(self, columns: int, sides: int) -> Part:
        """Return zero sketches."""
        return np.zeros((self.sketch.size, columns)), np.zeros((self.sketch.size, sides))

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add S[:, rows] X and S[:, rows] Y: S is drawn once for both."""
        SA, Sb = part
        if scipy.sparse.issparse(X):
            add = self.sketch.adder(start, start + X.shape[0])
            add(SA, X)
            add(Sb, Y)
            return
        apply = self.sketch.operator(start, start + X.shape[0])
        SA += apply(X)
        if Y.shape[1]:
            Sb += apply(Y)

    def finish(self, part: Part) -> tuple[Floats, Floats]:
        """Return (SA, Sb)."""
        return part[0], part[1]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return m (d + k) numbers."""
        return 8 * self.sketch.size * (columns + sides)
