"""A NumPy array as a Matrix: small data, tests, right-hand sides that the user holds in memory."""

import hashlib

import numpy as np

from dsketch.matrix.base import AnyArray, Cuts, Matrix, as_two_dimensional, block_rows_for, check_numeric, even_cuts, trailing_of
from dsketch.matrix.masked import unmask


class ArrayMatrix(Matrix):
    """Rows in this process's memory (or in a memory map).

    Parameters
    ----------
    array : ndarray, shape (n,), (n, d) or (n, …)
        Not copied; of a subclass, the plain array (a masked entry is refused).
    first_row : int
        Global number of the array's first row; other than 0 for a :meth:`window` that travels with a task.
    rows : int, optional
        Of the whole matrix, where ``array`` is only a window of it.
    what : str
        The name that errors use.
    """

    is_raw = True
    unit_rows = 1
    is_local = True

    def __init__(self, array: AnyArray, *, first_row: int = 0, rows: int | None = None, what: str = "A") -> None:
        check_numeric(array.dtype, what)
        array = unmask(array, what, (first_row, 0))
        held, columns = as_two_dimensional(array.shape, what)
        self.shape = (held if rows is None else rows, columns)
        self.dtype = array.dtype
        self.is_vector = array.ndim == 1
        self.trailing = trailing_of(array.shape)
        self._array = array.reshape(held, columns)
        self._first_row = first_row

    @property
    def cuts(self) -> Cuts:
        """Even blocks of about 32 MB."""
        row_bytes = self.shape[1] * self.dtype.itemsize
        return even_cuts(self.shape[0], block_rows_for(self.shape[0], row_bytes, divisible=True))

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return a view of the rows ``start:stop``."""
        del out
        return self._array[start - self._first_row : stop - self._first_row]

    def window(self, start: int, stop: int) -> "ArrayMatrix":
        """Return the rows ``start:stop`` alone, for they travel with the task."""
        return ArrayMatrix(self.read(start, stop), first_row=start, rows=self.shape[0])

    def fingerprint(self) -> str:
        """Return a digest of shape, dtype and all values (they are in memory: hashing costs less than a pass)."""
        digest = hashlib.sha256(f"{self.shape}{self.dtype}".encode())
        for start in range(0, self.shape[0], 65536):
            digest.update(np.ascontiguousarray(self._array[start : start + 65536]).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return "array in memory"."""
        return "array in memory"
