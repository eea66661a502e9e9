"""The row pass that brings rows to the driver: few, for a first guess."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch.passes.rowwise import RowPass


@dataclass(frozen=True)
class Gather(RowPass):
    """Finish to [X Y] of all rows, shape (n, d + k); what is not finite is 0, as looks at all rows will name it by its number.

    Notes
    -----
    One read, n (d + k) numbers.
    """

    kind: ClassVar[str] = "gather"

    def of(self, X: Any, Y: Floats) -> Floats:
        """Return the rows."""
        rows = np.concatenate([X.toarray() if scipy.sparse.issparse(X) else X, Y], axis=1)
        return np.asarray(np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a row."""
        return 8 * (columns + sides)
