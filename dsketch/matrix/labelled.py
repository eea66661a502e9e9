"""Arrays with labels (xarray) and arrays behind slices (h5py): what is lazy stays lazy, what the attributes say is heard."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from dsketch.errors import DataError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray, Cuts, Matrix, as_two_dimensional, block_rows_for, check_numeric, even_cuts, trailing_of
from dsketch.matrix.compat import is_in_memory
from dsketch.matrix.conventions import MARKS, marks_of
from dsketch.matrix.dask import DaskMatrix
from dsketch.matrix.labels import labels_of, row_labels_of
from dsketch.matrix.numbers import names_in
from dsketch.matrix.retrying import add_retries
from dsketch.matrix.tables import digest_of_labels
from dsketch.matrix.untouched import stored_below
from dsketch.matrix.zarr import ZarrMatrix

_SAMPLE_ROWS = 16


def is_dask_array(source: Any) -> bool:
    """Whether it is a ``dask.array.Array``; this file needs no import of Dask."""
    return is_lazy(source) and hasattr(type(source), "blocks")


def is_lazy(source: Any) -> bool:
    """Whether it is a collection of Dask's, or holds one: an ``xarray.DataArray`` in memory has the method but no graph."""
    return hasattr(type(source), "__dask_graph__") and source.__dask_graph__() is not None


def is_labelled(source: Any) -> bool:
    """Whether it is an ``xarray.DataArray``, or a ``Variable``, which has no coordinates."""
    return all(hasattr(type(source), name) for name in ("dims", "attrs", "data", "to_numpy"))


def is_on_disk(source: Any) -> bool:
    """Whether it is an ``h5py.Dataset``."""
    return all(hasattr(type(source), name) for name in ("read_direct", "shape", "dtype", "chunks"))


def is_elsewhere(source: Any) -> bool:
    """Whether it is lazy or lies in a file, so that reading all of it is not ours to do."""
    return is_lazy(source) or is_on_disk(source) or (is_labelled(source) and not is_in_memory(source))


def open_labelled(source: Any, *, missing: str, what: str) -> Matrix:
    """Return an ``xarray.DataArray``, its first dimension the rows, with the labels of its columns as names.

    One that shows all of a Zarr array is read from there.

    Raises
    ------
    DataError
        If its attributes say that its numbers are packed, or one of them stands for none.
    """
    require_unpacked(source.attrs, what)
    matrix = _numbers_of(source, missing, what)
    known = getattr(source, "coords", {})
    labels = [known[dim].to_numpy() if dim in known else None for dim in source.dims]
    matrix.labels = labels_of(source)
    matrix.row_labels = row_labels_of(source) if source.dims else None
    matrix.rows_digest = None if not labels or labels[0] is None else digest_of_labels(labels[0])
    if len(labels) == 2 and labels[1] is not None:
        matrix.names = names_in(labels[1].tolist())
    return matrix


def _numbers_of(source: Any, missing: str, what: str) -> Matrix:
    """Return the numbers alone, from where they lie."""
    if (stored := stored_below(source)) is not None:
        return ZarrMatrix(add_retries(stored), missing=missing, what=what)
    if is_lazy(source):
        return DaskMatrix(blank_marks(source).data, what=what)
    if not is_in_memory(source):
        return SlicedMatrix(source, what=what)
    values = np.asanyarray(source.data)
    _refuse_fill(values, source.attrs, 0, what)
    return ArrayMatrix(values, what=what)


def is_dataset(source: Any) -> bool:
    """Whether it is an ``xarray.Dataset``."""
    return all(hasattr(type(source), name) for name in ("data_vars", "to_dataarray", "sizes"))


def open_dataset(source: Any, *, missing: str, what: str) -> Matrix:
    """Return an ``xarray.Dataset`` whose variables lie along one dimension, the rows; each is a column.

    Raises
    ------
    DataError
        If a variable is packed, or the dimensions are others.
    """
    if len(source.sizes) != 1:
        raise DataError(
            f"{what} as a Dataset must have one dimension, its rows; it has {', '.join(map(str, source.sizes)) or 'none'}. Say dim=, or "
            "pass one of its variables."
        )
    return open_labelled(stack_variables(source, str(next(iter(source.sizes))), what), missing=missing, what=what)


def stack_variables(source: Any, dim: str, what: str) -> Any:
    """Return the variables of a Dataset side by side as a DataArray, ``dim`` first.

    Raises
    ------
    DataError
        If one does not lie along ``dim``, is packed, or has other dimensions than the first.
    """
    shapes = {str(name): tuple(map(str, variable.dims)) for name, variable in source.data_vars.items()}
    wrong = [name for name, dims in shapes.items() if dim not in dims or {*dims} != {*next(iter(shapes.values()))}]
    if wrong or not shapes:
        found = f"{wrong[0]!r} has {', '.join(shapes[wrong[0]]) or 'none'}" if wrong else "it has no variables"
        raise DataError(
            f"{what} as a Dataset must have variables of the same dimensions, {dim} among them; {found}. Drop it, or pass one variable."
        )
    for name, variable in source.data_vars.items():
        require_unpacked(variable.attrs, f"{name} of {what}")
    word = "variable" if "variable" not in source.sizes else "variable_"
    return source.map(blank_marks).to_dataarray(dim=word).transpose(dim, word, ...)


class SlicedMatrix(Matrix):
    """Rows of an array that is read by slices: ``h5py.Dataset``, or an ``xarray.DataArray`` of a file.

    Nothing but the rows asked for is in memory.  It is read by this process alone (a file handle cannot travel); rows for a worker
    travel with the task.

    Parameters
    ----------
    source : h5py.Dataset or xarray.DataArray, shape (n,) or (n, d)
    may_lack : bool
        Whether a number that the attributes say is none is read as NaN, rather than refused.
    what : str
        The name that errors use.

    Raises
    ------
    DataError
        If it does not hold numbers, or its attributes say that they are packed.
    """

    is_local = True

    def __init__(self, source: Any, *, may_lack: bool = False, what: str = "A") -> None:
        try:
            shape, dtype = tuple(source.shape), np.dtype(source.dtype)
        except Exception as error:
            raise DataError(
                f"{what} must be in an open file; its shape cannot be read ({error}). Open the file again."
            ) from error
        check_numeric(dtype, what)
        require_unpacked(source.attrs, what)
        self.shape = as_two_dimensional(shape, what)
        self.may_lack = may_lack and bool(marks_of(source.attrs, dtype))
        self.dtype = np.dtype(np.float64) if self.may_lack else dtype.newbyteorder("=")
        self.is_vector = len(shape) == 1
        self.trailing = trailing_of(shape)
        self._array, self._what = source, what
        chunks = getattr(source, "chunks", None)
        self._chunk_rows = int(chunks[0]) if chunks and isinstance(chunks[0], int) else None

    def __reduce__(self) -> Any:
        """Travel as the rows themselves, where a pass needs all of them."""
        return _in_memory, (self.read(0, self.shape[0]), self._what)

    @property
    def cuts(self) -> Cuts:
        """Blocks of whole chunks near 32 MB."""
        row_bytes = self.shape[1] * self.dtype.itemsize
        rows = self._chunk_rows or self.shape[0]
        return even_cuts(self.shape[0], block_rows_for(rows, row_bytes, divisible=self._chunk_rows is None))

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows ``start:stop``.

        Raises
        ------
        DataError
            If they cannot be read, or one of their numbers stands for none.
        """
        del out
        try:
            values = np.asanyarray(self._array[start:stop])
        except Exception as error:
            raise DataError(
                f"rows {start}:{stop} of {self._what} cannot be read: {type(error).__name__}: {error}. Is the file open, and whole?"
            ) from error
        if self.may_lack:
            values = blank_numbers(values, self._array.attrs)
        else:
            _refuse_fill(values, self._array.attrs, start, self._what)
        values = values.reshape(stop - start, -1) if self.trailing else values
        whole: AnyArray = ArrayMatrix(values.astype(self.dtype, copy=False), what=self._what).read(0, stop - start)
        return whole

    def window(self, start: int, stop: int) -> Matrix:
        """Return the rows ``start:stop`` alone, for they travel with the task."""
        return ArrayMatrix(np.ascontiguousarray(self.read(start, stop)), first_row=start, rows=self.shape[0], what=self._what)

    def with_gaps(self) -> "SlicedMatrix":
        """Return the same rows with NaN where the attributes say that a number is none."""
        return SlicedMatrix(self._array, may_lack=True, what=self._what)

    def fingerprint(self) -> str:
        """Return a digest of shape, dtype and the first, middle and last rows."""
        digest = hashlib.sha256(f"{self.shape}{self.dtype}".encode())
        rows = self.shape[0]
        for start in (0, rows // 2, max(rows - _SAMPLE_ROWS, 0)):
            digest.update(np.ascontiguousarray(self.read(start, min(start + _SAMPLE_ROWS, rows))).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return what it is and its name."""
        return f"{type(self._array).__name__} {self._array.name or ''}".rstrip() + ", read by slices"


def _in_memory(values: AnyArray, what: str) -> ArrayMatrix:
    return ArrayMatrix(values, what=what)


def require_unpacked(attributes: Mapping[str, Any], what: str) -> None:
    """Refuse integers that stand for other numbers."""
    for name, nothing in (("scale_factor", 1.0), ("add_offset", 0.0)):
        found = attributes.get(name)
        if found is not None and float(np.ravel(found)[0]) != nothing:
            raise DataError(
                f"numbers were expected; {what} has the attribute {name}={np.ravel(found)[0]}, so they are packed. Decode them first, for "
                "example with xarray.decode_cf."
            )


def _refuse_fill(values: Any, attributes: Mapping[str, Any], start: int, what: str) -> None:
    """Refuse a number that the attributes say is none."""
    for name, mark in marks_of(attributes, values.dtype):
        hit = np.argwhere(values == mark)
        if hit.size:
            row, column = int(hit[0][0]) + start, int(hit[0][1]) if values.ndim > 1 else 0
            raise DataError(
                f"{what} must be finite; row {row}, column {column} holds the {name} {mark}, which stands for a missing value. Remove "
                "or impute such rows before solving."
            )


def blank_numbers(values: AnyArray, attributes: Mapping[str, Any]) -> AnyArray:
    """Return numbers with NaN where attributes say that one is none; the same array where they name no such number.

    >>> blank_numbers(np.array([1, -9, 3]), {"_FillValue": -9})
    array([ 1., nan,  3.])
    """
    marks = marks_of(attributes, values.dtype)
    if not marks:
        return values
    found = np.array(values, dtype=values.dtype if values.dtype.kind == "f" else np.float64)
    for _, mark in marks:
        found[values == mark] = np.nan
    return found


def blank_marks(source: Any) -> Any:
    """Return an ``xarray.DataArray`` or ``Variable`` with NaN where its attributes say that a number is none; lazily, if it is lazy."""
    marks = marks_of(source.attrs, np.dtype(source.dtype))
    if not marks:
        return source
    found = source.astype(np.float64) if np.dtype(source.dtype).kind != "f" else source
    for _, mark in marks:
        found = found.where(source != mark)
    found.attrs = {name: value for name, value in source.attrs.items() if name not in MARKS}
    return found
