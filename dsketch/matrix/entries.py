"""CSR rows in memory, a slice at a time: as they are for passes that take them, without a copy where none is needed."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dsketch.errors import DataError
from dsketch.matrix.base import Sparse

# Entries of a slice: 3 MB.  From 2¹⁷ on the 0.1 ms that SciPy needs to make a slice no longer shows beside its products (1 ns an entry);
# sketches and Gram matrices of a slice, ten to a hundred times as large at worst, stay small.
SLICE_ENTRIES = 2**18


def edges(rows: Sparse, height: int, entries: int | None) -> Iterator[tuple[int, int]]:
    """Yield ``(low, high)`` of consecutive slices with at most ``height`` rows and, if more than one row, at most ``entries`` entries."""
    low, stop = 0, rows.shape[0]
    while low < stop:
        high = min(low + height, stop)
        if entries is not None:
            fitting = int(np.searchsorted(rows.indptr, rows.indptr[low] + entries, side="right")) - 1
            high = min(high, max(fitting, low + 1))
        yield low, high
        low = high


def float_rows(rows: Sparse, low: int, high: int, roots: NDArray[np.float64] | None, intercept: bool) -> Sparse:
    """Return rows ``low:high`` as float64, times ``roots`` (shape (high - low, 1), or None), with a column of ones behind if asked.

    Entries are a view where nothing has to be done to them.
    """
    pointers = rows.indptr[low : high + 1]
    first, last = int(pointers[0]), int(pointers[-1])
    pointers = pointers - first
    values, columns = rows.data[first:last].astype(np.float64, copy=False), rows.indices[first:last]
    if roots is not None:
        values = values * np.repeat(roots[:, 0], np.diff(pointers))
    if intercept:
        values, columns, pointers = _with_ones(values, columns, pointers, roots, rows.shape[1])
    return scipy.sparse.csr_array((values, columns, pointers), shape=(high - low, rows.shape[1] + intercept), copy=False)


def _with_ones(
    values: NDArray[np.float64],
    columns: NDArray[np.integer],
    pointers: NDArray[np.integer],
    roots: NDArray[np.float64] | None,
    column: int,
) -> tuple[NDArray[np.float64], NDArray[np.integer], NDArray[np.integer]]:
    """Return the three vectors with an entry 1 (times the row's root) at the end of every row."""
    pointers = pointers + np.arange(len(pointers), dtype=pointers.dtype)
    is_new = np.zeros(int(pointers[-1]), bool)
    is_new[pointers[1:] - 1] = True
    more_values, more_columns = np.empty(is_new.size), np.empty(is_new.size, columns.dtype)
    more_values[~is_new], more_columns[~is_new] = values, columns
    more_values[is_new], more_columns[is_new] = 1.0 if roots is None else roots[:, 0], column
    return more_values, more_columns, pointers


def require_finite_entries(what: str, rows: Sparse, start: int) -> None:
    """Refuse a NaN or an infinity.

    Raises
    ------
    DataError
        With the global row (``start`` is the first one's), the column and the value.
    """
    if rows.data.dtype.kind != "f" or np.isfinite(rows.data).all():
        return
    place = int(np.flatnonzero(~np.isfinite(rows.data))[0])
    row = start + int(np.searchsorted(rows.indptr, place, side="right")) - 1
    raise DataError(
        f"{what} must be finite; row {row}, column {rows.indices[place]} is {rows.data[place]}. "
        "Remove or impute such rows before solving (weight 0 does not hide a NaN)."
    )
