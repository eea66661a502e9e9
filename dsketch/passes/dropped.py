"""The light pass behind a proof where the Hessian lacks rank: how far rows move along the directions that its factor has dropped."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.matrix.beside import Places
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.linked import row_lengths

_FAR = 1e300  # stands for ∞: a part stays finite


class Movement(NamedTuple):
    """What rows do along dropped directions.

    Attributes
    ----------
    moved : float
        The largest ‖Nᵀa‖/(‖Tᵀa‖ + floor) of a row; 1e300 if a row is not 0 in a column of ``empty``.
    longest : float
        The largest ‖Tᵀa‖.
    """

    moved: float
    longest: float


@dataclass(frozen=True)
class Dropped(SlicePass[Movement]):
    """Finish to how far rows move along dropped directions, beside how long they are in the metric that was kept.

    Parameters
    ----------
    places : Places
    kept : ndarray, shape (d, outputs, r)
        T.  Lengths of several outputs are Frobenius norms: no direction of length 1 in the metric moves η by more.
    dropped : ndarray, shape (d, outputs, q)
        N.
    empty : ndarray, shape (e,)
        Columns that are to be 0 in every row.
    floor : float
        Above 0, so that a row that is next to nothing counts for nothing.

    Notes
    -----
    One read; 2 n d · outputs · (r + q) flops.  Rows with weight 0 are left out.
    """

    places: Places
    kept: Floats
    dropped: Floats
    empty: NDArray[np.intp]
    floor: float

    kind: ClassVar[str] = "dropped"
    takes_sparse: ClassVar[bool] = True

    def zero(self, columns: int, sides: int) -> Part:
        """Return what no rows give."""
        del columns, sides
        return (np.zeros(2),)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Look at the rows of a slice."""
        del start
        weight = self.places.weight(Y)
        counts = np.ones(X.shape[0], dtype=bool) if weight is None else weight > 0
        kept, dropped = _lengths(X, self.kept)[counts], _lengths(X, self.dropped)[counts]
        moved = np.nan_to_num(dropped / (kept + self.floor), nan=_FAR, posinf=_FAR).max(initial=0.0)
        if self.empty.size and counts[X[:, self.empty].nonzero()[0]].any():
            moved = _FAR
        np.maximum(part[0], np.minimum([moved, kept.max(initial=0.0)], _FAR), out=part[0])

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger of each."""
        return (np.maximum(left[0], right[0]),)

    def finish(self, part: Part) -> Movement:
        """Return the largest of all."""
        return Movement(*part[0].tolist())

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return two numbers."""
        del columns, sides
        return 16


def _lengths(X: Any, V: Floats) -> Floats:
    """Return the Frobenius norm of Vᵀa of each row, shape (rows,)."""
    return row_lengths(X @ V.reshape(V.shape[0], -1))
