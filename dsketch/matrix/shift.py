"""A stored value of each column, subtracted before rows become floats: [A − 1 sᵀ, 1] instead of [A 1].

Beside an intercept both have the same slopes, but a column that varies in the last digits of its size (UNIX seconds, nanoseconds,
northings) has all of them only in the first.  x − s is exact for numbers within a factor of two of each other (P. H. Sterbenz,
"Floating-point computation", 1974), else rounded once; integers of 64 bits, of which float64 holds 53, are subtracted as integers.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import AnyArray

_FEW = 4  # one column in so many is subtracted by itself; more of them in one sweep over the slice (measured, 1 to 200 columns)
_TILE = 512  # a sweep's period has about so many numbers: rows of a few columns would be a loop each
_SIGNED = np.iinfo(np.int64)


def exact_type(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """Return the type that holds a value of a column exactly: 64-bit integers as they are, anything else as float64."""
    return dtype.newbyteorder("=") if dtype.kind in "iu" and dtype.itemsize == 8 else np.dtype(np.float64)


@dataclass(frozen=True)
class Difference:
    """What turns stored rows into their difference from a shift.

    Attributes
    ----------
    shift : ndarray, shape (d,)
        In the :func:`exact_type` of the rows; 0 for columns that stay.
    width : int
        Columns of the float64 rows, d or d + 1.
    """

    shift: AnyArray
    width: int

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """The columns that are shifted."""
        return np.flatnonzero(self.shift)

    @cached_property
    def _tile(self) -> Floats:
        row = np.concatenate([self.shift.astype(np.float64), np.zeros(self.width - len(self.shift))])
        return np.tile(row, max(_TILE // self.width, 1))

    def subtract(self, stored: AnyArray, X: Floats) -> None:
        """Make X, shape (rows, width) and C order, whose first d columns are ``stored`` as float64, the difference."""
        are_few, is_whole = _FEW * len(self.columns) <= self.width, self.shift.dtype.kind != "f"
        if is_whole and are_few:
            X[:, self.columns] = integer_difference(stored[:, self.columns], self.shift[self.columns])
        elif is_whole:
            X[:, : len(self.shift)] = integer_difference(stored, self.shift)
        elif are_few:
            for column in self.columns:
                X[:, column] -= self.shift[column]
        else:
            period = self._tile.size // self.width
            whole = len(X) // period * period
            X[:whole].reshape(-1, self._tile.size)[:] -= self._tile
            X[whole:] -= self._tile[: self.width]


def integer_difference(stored: AnyArray, shift: AnyArray) -> Floats:
    """Return ``stored`` − ``shift`` for 64-bit integers, rounded once.

    The difference is taken modulo 2⁶⁴, which is right where it fits in 64 bits with its sign; where some does not, sign and size are
    found one by one.

    Examples
    --------
    >>> integer_difference(np.array([[2**64 - 1], [0]], np.uint64), np.array([2**64 - 3], np.uint64)).ravel()
    array([ 2.00000000e+00, -1.84467441e+19])
    """
    if not stored.size:
        return np.empty(stored.shape)
    ends = zip(stored.min(axis=0).tolist(), stored.max(axis=0).tolist(), shift.tolist(), strict=True)
    if all(low - value >= _SIGNED.min and high - value <= _SIGNED.max for low, high, value in ends):
        return (stored - shift).view(np.int64).astype(np.float64)  # type: ignore[operator]  # NumPy's generic has no minus
    is_above = stored >= shift  # type: ignore[operator]
    size = np.where(is_above, stored - shift, shift - stored).view(np.uint64).astype(np.float64)  # type: ignore[operator]
    return np.where(is_above, size, -size)


def difference(stored: AnyArray, shift: AnyArray) -> Floats:
    """Return ``stored`` − ``shift`` for a few rows, shape (rows, d)."""
    X = np.array(stored, dtype=np.float64, order="C")
    Difference(shift, X.shape[1]).subtract(stored, X)
    return X
