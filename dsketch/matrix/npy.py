"""A ``.npy`` file as a Matrix: its bytes are the rows, read by slices and not mapped: a file that shrinks would kill the process."""

import hashlib
from pathlib import Path

import numpy as np

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray, Cuts, Matrix, as_two_dimensional, block_rows_for, check_numeric, even_cuts, trailing_of

_SAMPLE_ROWS = 16


class NpyMatrix(Matrix):
    """Rows of a ``.npy`` file.

    Parameters
    ----------
    path : str
    what : str
        The name that errors use.

    Raises
    ------
    DataError
        If it is no such file, does not hold numbers, or is shorter than its header says.
    """

    is_raw = True

    def __init__(self, path: str, *, what: str = "A") -> None:
        self.source, self._what = path, what
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)  # for the header alone; tells too short a file as well
        except Exception as error:
            raise DataError(
                f"{what} at {path} cannot be read: {type(error).__name__}: {error}. Is it whole, and written by numpy.save?"
            ) from error
        check_numeric(mapped.dtype, what)
        self.shape = as_two_dimensional(mapped.shape, what)
        self.is_vector, self.trailing = mapped.ndim == 1, trailing_of(mapped.shape)
        self._stored = mapped.dtype
        self.dtype = mapped.dtype.newbyteorder("=")
        self._offset = int(mapped.offset)
        self._is_by_columns = not mapped.flags.c_contiguous

    def __reduce__(self) -> tuple[object, ...]:
        """Travel as the path."""
        return _at, (self.source, self._what)

    @property
    def cuts(self) -> Cuts:
        """Even blocks of about 32 MB."""
        row_bytes = self.shape[1] * self.dtype.itemsize
        return even_cuts(self.shape[0], block_rows_for(self.shape[0], row_bytes, divisible=True))

    def needs_buffer(self, start: int, stop: int) -> bool:
        """Always: bytes are copied into memory."""
        del start, stop
        return True

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows ``start:stop``.

        Raises
        ------
        DataError
            If the file is shorter than it was.
        """
        rows = np.empty((stop - start, self.shape[1]), self.dtype) if out is None else out[: stop - start]
        if self._is_by_columns:
            for column in range(self.shape[1]):
                rows[:, column] = self._numbers(self._place_of(column) * self.shape[0] + start, stop - start)
        else:
            rows[...] = self._numbers(start * self.shape[1], rows.size).reshape(rows.shape)
        return rows

    def _place_of(self, column: int) -> int:
        """Return where a column stands in a file that is by columns, whose first dimension of targets runs fastest."""
        if not self.trailing:
            return column
        return int(np.ravel_multi_index(np.unravel_index(column, self.trailing), self.trailing, order="F"))

    def _numbers(self, first: int, count: int) -> AnyArray:
        try:
            found = np.fromfile(self.source or "", self._stored, count, offset=self._offset + first * self._stored.itemsize)
        except OSError as error:
            raise DataError(f"{self._what} at {self.source} cannot be read: {error}. Check the path and the disk.") from error
        if len(found) != count:
            raise DataError(
                f"{self._what} at {self.source} must have {self.shape[0]} rows; it ends before. It is truncated or was being written: copy "
                "it again from its origin."
            )
        return found

    def fingerprint(self) -> str:
        """Return a digest of shape, dtype and the first, middle and last rows."""
        digest = hashlib.sha256(f"{self.shape}{self.dtype}{Path(self.source or '').stat().st_size}".encode())
        rows = self.shape[0]
        for start in (0, rows // 2, max(rows - _SAMPLE_ROWS, 0)):
            digest.update(np.ascontiguousarray(self.read(start, min(start + _SAMPLE_ROWS, rows))).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return the path."""
        return f"{self.source} (raw)"


def _at(path: str, what: str) -> NpyMatrix:
    return NpyMatrix(path, what=what)
