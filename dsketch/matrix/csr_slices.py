"""CSR rows in memory, a slice at a time: as they are for passes that take them, without a copy where none is needed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray, Sparse
from dsketch.matrix.shift import difference

Indices = NDArray[np.integer]

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


def float_rows(
    rows: Sparse,
    low: int,
    high: int,
    roots: NDArray[np.float64] | None,
    intercept: bool,
    shift: AnyArray | None = None,
) -> Sparse:
    """Return rows ``low:high`` as float64, times ``roots`` (shape (high - low, 1), or None), with a column of ones behind if asked.

    A column that is shifted has a number in every row: what is not stored becomes −s, at the row's end.  Entries are a view where
    nothing has to be done to them.
    """
    pointers = rows.indptr[low : high + 1]
    first, last = int(pointers[0]), int(pointers[-1])
    pointers = pointers - first
    values, columns = rows.data[first:last], rows.indices[first:last]
    behind, labels = np.ones((high - low, int(intercept))), np.array([rows.shape[1]] * intercept, columns.dtype)
    if shift is not None and (places := _places(columns, pointers, shift)) is not None:
        near = difference(values[places], shift[np.flatnonzero(shift)])
        values = values.astype(np.float64)
        values[places] = near
    elif shift is not None:
        values, columns, pointers, full = _without(values, columns, pointers, shift)
        behind = np.concatenate([full, behind], axis=1)
        labels = np.concatenate([np.flatnonzero(shift).astype(columns.dtype), labels])
    values = values.astype(np.float64, copy=False)
    if roots is not None:
        values = values * np.repeat(roots[:, 0], np.diff(pointers))
        behind = behind * roots
    if labels.size:
        values, columns, pointers = _with_behind(values, columns, pointers, behind, labels)
    return csr_of(values, columns, pointers, rows.shape[1] + intercept)


def csr_of(values: AnyArray, columns: Indices, pointers: Indices, width: int) -> Sparse:
    """Return the csr_array of three vectors that fit, as they are: SciPy's constructor would copy a view of something larger."""
    made = scipy.sparse.csr_array((len(pointers) - 1, width), dtype=values.dtype)
    made.data, made.indices, made.indptr = values, columns, pointers
    return made


def turn(X: Any) -> Any:
    """Return Xᵀ of a csr_array or an array, as a view: SciPy's own transposition would copy entries that are a view of something larger."""
    if not scipy.sparse.issparse(X):
        return X.T
    made = scipy.sparse.csc_array(X.shape[::-1], dtype=X.dtype)
    made.data, made.indices, made.indptr = X.data, X.indices, X.indptr
    return made


def _places(columns: Indices, pointers: Indices, shift: AnyArray) -> Indices | None:
    """Return where the entries of the shifted columns are, shape (rows, their number), if each row has each of them once and in order."""
    chosen = np.flatnonzero(shift)
    found = np.flatnonzero((shift != 0)[columns])
    if found.size != (len(pointers) - 1) * len(chosen):
        return None
    places = found.reshape(-1, len(chosen))
    is_there = (places[:, 0] >= pointers[:-1]).all() and (places[:, -1] < pointers[1:]).all()
    return places if is_there and (columns[places] == chosen).all() else None


def _without(stored: AnyArray, columns: Indices, pointers: Indices, shift: AnyArray) -> tuple[AnyArray, Indices, Indices, Floats]:
    """Return the three vectors without the entries of shifted columns, and those columns less their shift, shape (rows, their number)."""
    chosen, rows = np.flatnonzero(shift), np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    place = np.full(len(shift), -1)
    place[chosen] = np.arange(len(chosen))
    place = place[columns]
    mine = place >= 0
    full = np.zeros((len(pointers) - 1) * len(chosen), shift.dtype)
    np.add.at(full, rows[mine] * len(chosen) + place[mine], stored[mine])  # entries of one place count as their sum
    left = np.concatenate([[0], np.cumsum(np.bincount(rows[~mine], minlength=len(pointers) - 1))]).astype(pointers.dtype)
    return stored[~mine], columns[~mine], left, difference(full.reshape(-1, len(chosen)), shift[chosen])


def _with_behind(
    values: Floats, columns: Indices, pointers: Indices, behind: Floats, labels: Indices
) -> tuple[Floats, Indices, Indices]:
    """Return the three vectors with the entries ``behind``, shape (rows, q), in the columns ``labels`` at the end of every row."""
    more = len(labels)
    pointers = pointers + more * np.arange(len(pointers), dtype=pointers.dtype)
    is_new = np.zeros(int(pointers[-1]), bool)
    is_new[(pointers[1:, None] - more) + np.arange(more, dtype=pointers.dtype)] = True
    more_values, more_columns = np.empty(is_new.size), np.empty(is_new.size, columns.dtype)
    more_values[~is_new], more_columns[~is_new] = values, columns
    more_values[is_new], more_columns[is_new] = behind.ravel(), np.tile(labels, len(behind))
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
