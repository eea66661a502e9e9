"""A Parquet file of numbers as a Matrix: its row groups are the blocks, decoded anew in each pass.

Good for a file that is looked at once or twice.  ``dsketch ingest`` makes Zarr of it, which passes read several times faster, and knows
what to do with text, categories and missing values.
"""

import hashlib
from typing import Any

import numpy as np

from dsketch.errors import DataError, DsketchError, SpecError
from dsketch.matrix.base import BLOCK_BYTES, AnyArray, Cuts, Matrix
from dsketch.matrix.numbers import join_columns
from dsketch.matrix.tables import arrow_columns, join_with_gaps

_SAMPLE_ROWS = 16


class ParquetMatrix(Matrix):
    """Rows of a Parquet file.

    Parameters
    ----------
    path : str
    may_lack : bool
        Whether a null is read as NaN, and all numbers as float64; False: it is refused.
    what : str
        The name that errors use.

    Raises
    ------
    SpecError
        If pyarrow is not installed.
    DataError
        If it is no such file, or a column holds no numbers.
    """

    def __init__(self, path: str, *, may_lack: bool = False, what: str = "A") -> None:
        self.source, self._what, self._may_lack = path, what, may_lack
        self._file = _open(path, what)
        schema = self._file.schema_arrow
        empty = join_columns(arrow_columns(schema.empty_table()), 0, what)  # tells of columns that hold no numbers
        self.dtype = np.dtype(np.float64) if may_lack or empty.dtype.kind == "b" else empty.dtype
        self.shape = (int(self._file.metadata.num_rows), len(schema.names))
        self.names = tuple(schema.names)
        groups = range(self._file.metadata.num_row_groups)
        self._ends = np.cumsum([0, *(self._file.metadata.row_group(group).num_rows for group in groups)]).astype(np.int64)
        self._last: tuple[int, int, AnyArray] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Travel as the path."""
        return _at, (self.source, self._what, self._may_lack)

    def with_gaps(self) -> "ParquetMatrix":
        """Return the same rows with NaN where a value is missing."""
        return ParquetMatrix(self.source or "", may_lack=True, what=self._what)

    @property
    def cuts(self) -> Cuts:
        """Whole row groups, joined up to 32 MB."""
        row_bytes = max(self.shape[1] * self.dtype.itemsize, 1)
        cuts = [0]
        for low, high in zip(self._ends, self._ends[1:], strict=False):
            if low > cuts[-1] and (high - cuts[-1]) * row_bytes > BLOCK_BYTES:
                cuts.append(int(low))
        return np.unique([*cuts, int(self._ends[-1])]).astype(np.int64)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows ``start:stop``, of the row groups that hold them.

        Raises
        ------
        DataError
            If they cannot be decoded, or a value is missing.
        """
        del out
        first = int(np.searchsorted(self._ends, start, side="right")) - 1
        last = int(np.searchsorted(self._ends, stop, side="left"))
        found = self._last
        if found is None or found[:2] != (first, last):
            found = (first, last, self._decode(first, last))
            self._last = found  # one assignment: another thread sees the old rows or the new ones
        return found[2][start - self._ends[first] : stop - self._ends[first]]

    def _decode(self, first: int, last: int) -> AnyArray:
        rows = int(self._ends[last] - self._ends[first])
        try:
            file = _open(self.source or "", self._what, self._file.metadata)  # one a read: readers are not shared by threads
            table = file.read_row_groups(list(range(first, last)), use_threads=False)
            columns = arrow_columns(table)
            whole = join_with_gaps(columns) if self._may_lack else join_columns(columns, rows, self._what, int(self._ends[first]))
        except DsketchError:
            raise
        except Exception as error:
            raise DataError(
                f"row groups {first}:{last} of {self._what} ({self.source}) cannot be decoded: {type(error).__name__}: {error}. Is the "
                "file whole?"
            ) from error
        return whole.astype(self.dtype, copy=False)

    def fingerprint(self) -> str:
        """Return a digest of names, shape, dtype, the groups' statistics, and the first and last rows."""
        digest = hashlib.sha256(f"{self.shape}{self.dtype}{self.names}{self._ends.tolist()}".encode())
        groups = range(self._file.metadata.num_row_groups)
        digest.update(repr([self._file.metadata.row_group(group).to_dict() for group in groups]).encode())
        for start in (0, max(self.shape[0] - _SAMPLE_ROWS, 0)):
            digest.update(np.ascontiguousarray(self.read(start, min(start + _SAMPLE_ROWS, self.shape[0]))).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return the path and how it is read."""
        return f"{self.source} (Parquet, {len(self._ends) - 1} row groups)"


def _open(path: str, what: str, metadata: Any = None) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise SpecError(f"{what} at {path} is read by pyarrow, which is not installed. pip install 'dsketch[ingest]'.") from error
    try:
        return parquet.ParquetFile(path, metadata=metadata)
    except Exception as error:
        raise DataError(
            f"{what} at {path} cannot be opened: {type(error).__name__}: {error}. Is it whole, and a Parquet file?"
        ) from error


def _at(path: str, what: str, may_lack: bool) -> ParquetMatrix:
    return ParquetMatrix(path, may_lack=may_lack, what=what)
