"""``open_targets``: b of any number of dimensions as :class:`~dsketch.matrix.targets.Targets`."""

import os
from contextlib import suppress
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store

from dsketch._units import format_bytes
from dsketch.errors import DataError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.compat import is_in_memory
from dsketch.matrix.dask_targets import DaskTargets
from dsketch.matrix.files import opener_of, split_member
from dsketch.matrix.gaps import let_lack
from dsketch.matrix.labelled import (
    blank_marks,
    blank_numbers,
    is_dask_array,
    is_dataset,
    is_labelled,
    is_lazy,
    is_on_disk,
    require_unpacked,
    stack_variables,
)
from dsketch.matrix.labels import label_targets, labels_of
from dsketch.matrix.masked import array_of_list
from dsketch.matrix.numbers import names_in
from dsketch.matrix.open import absolute_address, open_matrix, open_place
from dsketch.matrix.opener import has
from dsketch.matrix.retrying import add_retries
from dsketch.matrix.tables import digest_of_labels, is_foreign, with_holes
from dsketch.matrix.targets import ArrayTargets, Targets, ZarrTargets
from dsketch.matrix.untouched import stored_below

_IN_MEMORY_BYTES = 1_000_000_000  # the most that is brought into memory of what lies elsewhere


def open_targets(source: Any, *, missing: str = "error", what: str = "b") -> Targets:
    """Open b where it lies; nothing is read yet.

    Parameters
    ----------
    source : path, URL, zarr.Array or store, array_like, Targets
        Of shape (n, ...); arrays of dask are computed where they are read, and of
        xarray too, or read from the Zarr array that they show; what else has ``__array__`` comes into memory.
    missing : {"error", "fill", "drop"}
        As :class:`~dsketch.matrix.targets.ZarrTargets` has it.
    what : str
        The name that errors use.

    Raises
    ------
    MissingDataError
        If there is nothing at the path.
    DataError
        If it is no array of numbers, or has no rows.
    SpecError
        If ``source`` is of a kind that is not known, or too large to bring into memory.
    """
    if missing not in ("error", "fill", "drop"):
        raise SpecError(f"missing must be 'error', 'fill' or 'drop'; got {missing!r}.")
    found = source if isinstance(source, Targets) else _open(source, missing, what)
    if has(source, "index", "iloc"):
        found.rows_digest = digest_of_labels(source.index)
    if not all(found.shape) or not found.shape:
        raise DataError(f"{what} must have rows and targets; its shape is {found.shape}. Check the source of the data.")
    return found


def _open(source: Any, missing: str, what: str) -> Targets:
    if is_labelled(source) or is_dataset(source):
        return _open_labels(source, missing, what)
    if has(source, "columns", "__array__"):
        names = source.column_names if has(source, "column_names") else source.columns  # columns of Arrow are numbers
        found = ArrayTargets(_table_values(source), may_lack=missing == "drop", what=what)
        found.labels = label_targets(names_in(list(names)), found.shape[1])
        return found
    return _plain(source, missing, what)


def _table_values(table: Any) -> np.ndarray:
    """Return the numbers of a table, NaN where a nullable column has none."""
    values = np.asarray(table)
    if values.dtype.kind == "O" and has(table, "iloc"):
        with suppress(TypeError, ValueError):  # text, which is refused by its type then
            values = table.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _open_labels(source: Any, missing: str, what: str) -> Targets:
    """Return an array of xarray, its first dimension the rows; one that shows all of a Zarr array is read from there."""
    if is_dataset(source):
        source = stack_variables(source, str(next(iter(source.sizes), "")), what)
    require_unpacked(source.attrs, what)
    stored = stored_below(source)
    has_array = is_lazy(source) or is_in_memory(source)
    if stored is None and not has_array:
        _require_small(source, what)
    inner = blank_marks(source) if stored is None else stored
    found = _plain(inner.data if stored is None and has_array else inner, missing, what)
    found.labels, found.dimensions = labels_of(source), tuple(map(str, source.dims))
    if source.dims and source.dims[0] in (known := getattr(source, "coords", {})):
        found.rows_digest = digest_of_labels(known[source.dims[0]].to_numpy())
    return found


def _plain(source: Any, missing: str, what: str) -> Targets:
    if isinstance(source, str | os.PathLike):
        if opener_of(split_member(os.fspath(source))[0]) is not None:
            matrix = open_matrix(source, missing="error", what=what, has_targets=True)
            return _of_matrix(let_lack(matrix) if missing == "drop" else matrix, missing, what)
        address = absolute_address(source, what)
        source = open_place(address, address, what)
    elif isinstance(source, Store):
        source = open_place(source, str(getattr(source, "root", source)), what)
    if isinstance(source, zarr.Group):
        raise DataError(f"{what} must be a Zarr array; {source.store_path} is a group. Add the array's name to the path.")
    if isinstance(source, zarr.Array):
        return ZarrTargets(add_retries(source), missing=missing, what=what)
    if is_on_disk(source):
        require_unpacked(source.attrs, what)
        _require_small(source, what)
        return ArrayTargets(blank_numbers(source[()], source.attrs), may_lack=missing == "drop", what=what)
    if is_dask_array(source):
        return DaskTargets(source, may_lack=missing == "drop", what=what)
    if is_foreign(source):
        if missing == "drop" and (table := with_holes(source, what)) is not None:
            return _of_matrix(table, missing, what)
        return _of_matrix(open_matrix(source, what=what), missing, what)
    return ArrayTargets(_in_memory(source, what), may_lack=missing == "drop", what=what)


def _of_matrix(matrix: Matrix, missing: str, what: str) -> Targets:
    """Return what another room reads, a file or a table of Arrow, in memory; holes where none may be are refused there."""
    if matrix.nbytes > _IN_MEMORY_BYTES:
        raise _too_large(what, matrix.describe(), matrix.nbytes)
    n = matrix.shape[0]
    trailing = () if matrix.is_vector else matrix.trailing or matrix.shape[1:]
    found = ArrayTargets(np.asarray(matrix.read(0, n)).reshape(n, *trailing), may_lack=missing == "drop", what=what)
    found.source = matrix.source
    found.labels = label_targets(matrix.names, matrix.shape[1]) if len(trailing) == 1 else None
    return found


def _too_large(what: str, name: str, size: int) -> SpecError:
    return SpecError(
        f"{what} of at most {format_bytes(_IN_MEMORY_BYTES)} comes into memory; this {name} has {format_bytes(size)}. Store it as Zarr and "
        "give its path."
    )


def _in_memory(source: Any, what: str) -> np.ndarray:
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, list | tuple):
        return np.asarray(array_of_list(source, what))
    if not hasattr(source, "__array__"):
        raise SpecError(
            f"{what} must be a path or URL of a Zarr array, a zarr.Array, or an array; got {type(source).__name__}. Convert it first."
        )
    _require_small(source, what)
    return np.asarray(source)


def _require_small(source: Any, what: str) -> None:
    """Refuse to bring an array into memory that is too large for that."""
    size = getattr(source, "nbytes", 0)
    if not isinstance(source, np.ndarray) and isinstance(size, int | np.integer) and size > _IN_MEMORY_BYTES:
        raise _too_large(what, type(source).__name__, int(size))
