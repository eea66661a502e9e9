"""Numbers of which some are missing, read as they are: a gap is NaN rather than refused.

Rows of right-hand sides and covariates are left out one by one where a target has none; for that they must be seen.  The gaps are those
that the CF conventions mark (:mod:`dsketch.matrix.conventions`), masked entries, and NaN itself.
"""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray, Cuts, Matrix
from dsketch.matrix.compat import is_in_memory
from dsketch.matrix.conventions import Conventions
from dsketch.matrix.labelled import SlicedMatrix, blank_marks, is_dataset, is_labelled
from dsketch.matrix.numbers import names_in
from dsketch.matrix.open import open_matrix
from dsketch.matrix.opener import has
from dsketch.matrix.parquet import ParquetMatrix
from dsketch.matrix.tables import digest_of_labels, with_holes
from dsketch.matrix.zarr import ZarrMatrix


class Gapped(Matrix):
    """Rows of a Zarr array as float64, NaN where a cell stands for no number.

    Parameters
    ----------
    stored : ZarrMatrix
        Of the stored numbers themselves.
    conventions : Conventions
        What they stand for.
    """

    dtype: np.dtype[np.generic] = np.dtype(np.float64)
    is_kept = False

    def __init__(self, stored: ZarrMatrix, conventions: Conventions) -> None:
        self.stored, self.conventions = stored, conventions
        self.shape, self.is_vector = stored.shape, stored.is_vector
        self.source, self.names, self.rows_digest = stored.source, stored.names, stored.rows_digest
        self.meaning = conventions.describe()

    @property
    def cuts(self) -> Cuts:
        """Those of the stored rows."""
        return self.stored.cuts

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows ``start:stop``, gaps as NaN."""
        del out
        return self.conventions.fill_gaps(self.stored.read(start, stop))

    def fingerprint(self) -> str:
        """Return that of the stored numbers, with what they stand for."""
        return f"{self.stored.fingerprint()} {self.conventions!r}"

    def describe(self) -> str:
        """Return the words of the stored rows."""
        return self.stored.describe()


def open_with_gaps(source: Any, what: str) -> Matrix:
    """Open a matrix whose gaps are read as NaN.

    Raises
    ------
    MissingDataError, DataError, SpecError
        As :func:`~dsketch.matrix.open.open_matrix`, and for sparse ones.
    """
    if isinstance(source, np.ma.MaskedArray):
        source = np.asarray(np.ma.filled(source.astype(np.float64), np.nan))
    if has(source, "iloc", "isna") and (table := _with_holes(source, what)) is not None:
        return table
    has_labels = is_labelled(source) or is_dataset(source)  # xarray speaks Arrow too: a long table, a row for each number
    if not has_labels and (table := with_holes(source, what)) is not None:
        return table
    if is_labelled(source) and is_in_memory(source):
        source = blank_marks(source)
    matrix = let_lack(open_matrix(source, what=what))
    if matrix.nonzeros is not None:
        raise DataError(f"{what} must be dense; it is {matrix.describe()}. Pass {what}.toarray(), or store it as an array.")
    if isinstance(matrix, ZarrMatrix) and matrix.conventions is not None:
        return Gapped(matrix.as_stored(), matrix.conventions)
    if matrix.source is None and not isinstance(matrix, ArrayMatrix):  # of a graph or a table: each worker would compute it again
        here = ArrayMatrix(np.ascontiguousarray(matrix.read(0, matrix.shape[0])), what=what)
        here.names, here.rows_digest = matrix.names, matrix.rows_digest
        return here
    return matrix


def let_lack(matrix: Matrix) -> Matrix:
    """Return a matrix that reads files with NaN where a value is missing; any other as it is."""
    return matrix.with_gaps() if isinstance(matrix, ParquetMatrix | SlicedMatrix) else matrix


def _with_holes(table: Any, what: str) -> Matrix | None:
    """Return a table or column of pandas that lacks values, all numbers else; None: it lacks none, or holds other things."""
    dtypes = table.dtypes if has(table, "columns") else [table.dtype]
    if not all(getattr(dtype, "kind", "O") in "biuf" for dtype in dtypes) or not np.asarray(table.isna()).any():
        return None
    made = ArrayMatrix(table.to_numpy(dtype=np.float64, na_value=np.nan), what=what)
    made.names = names_in(list(table.columns)) if has(table, "columns") else names_in([table.name])
    made.rows_digest = digest_of_labels(table.index)
    return made


def read_all(matrix: Matrix, what: str) -> Floats:
    """Return all rows as float64 in C order, gaps as NaN.

    Raises
    ------
    DataError
        If one is infinite.
    """
    rows = np.empty(matrix.shape)
    for start, stop in zip(matrix.cuts[:-1].tolist(), matrix.cuts[1:].tolist(), strict=True):
        part = rows[start:stop]
        found = matrix.read(start, stop, part if matrix.dtype == part.dtype else None)
        if not np.may_share_memory(found, part):
            part[...] = found
        if (wrong := np.isinf(part)).any():
            row, column = np.argwhere(wrong)[0].tolist()
            raise DataError(
                f"{what} must be finite or missing; row {start + row}, column {column} is {part[row, column]}. Correct it."
            )
    return rows
