"""``open_wide``: a wide store of which each column is looked at by itself, from a path, an array, or a VCF-Zarr store.

Which axis the samples lie along is said by the option ``samples``, or by the name of a dimension, never guessed from lengths.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store

from dsketch.errors import DataError, SpecError
from dsketch.matrix.alleles import MISSING_CALL, NO_ALLELE
from dsketch.matrix.base import Matrix
from dsketch.matrix.conventions import Conventions, conventions_of
from dsketch.matrix.labelled import blank_marks, blank_numbers, is_labelled, is_on_disk, require_unpacked
from dsketch.matrix.labels import row_labels_of
from dsketch.matrix.open import open_place, require_folder
from dsketch.matrix.retrying import add_retries
from dsketch.matrix.transposed import Transposed
from dsketch.matrix.untouched import stored_below
from dsketch.settings import Option

SAMPLES = Option(
    "samples",
    str,
    "auto",
    "Along which axis of G the n samples lie: rows (n × m), columns (m × n); auto: the axis that is named samples, else rows.",
    choices=("auto", "rows", "columns"),
    label="Axis of the samples",
)
_VCF = ("call_dosage", "call_DS", "call_genotype")  # of a VCF-Zarr store, the first that is there


def open_wide(source: Any, *, samples: str = "auto", what: str = "G") -> Transposed:
    """Open the columns of a wide matrix as rows, m × n.

    Parameters
    ----------
    source : path, URL, zarr.Array, zarr.Group, store or ndarray
        Of shape (n, m), or (m, n); a VCF-Zarr store, or its ``call_genotype`` (variants, samples, ploidy), ``call_dosage`` or ``call_DS``.
    samples : {"auto", "rows", "columns"}
        Along which axis the n samples lie; auto: the one named ``samples``, else the first.

    Raises
    ------
    MissingDataError, DataError, SpecError
        If there is nothing, it is no such array, or ``samples`` is none of these.
    """
    if samples not in SAMPLES.choices:
        raise SpecError(f"samples must be one of {', '.join(SAMPLES.choices)}; got {samples!r}.")
    if isinstance(source, Matrix):
        return _itself(source, what)
    array = _open(source, what)
    labels = source if is_labelled(source) else None
    names = tuple(map(str, source.dims)) if is_labelled(source) else _dimensions(array)
    axis = 1 - _samples_axis(names, samples, len(array.shape), what)
    if len(array.shape) == 3:
        array = _require_calls(array, axis, what)
    elif len(array.shape) != 2:
        raise DataError(f"{what} must have two dimensions; its shape is {array.shape}. Reshape it to samples × columns.")
    if 0 in array.shape:
        raise DataError(f"{what} must have at least one row and one column; its shape is {array.shape}. Check its source.")
    matrix = Transposed(array, axis, _meaning(array, names, what), what)
    if labels is not None:
        matrix.row_labels = row_labels_of(labels.transpose(labels.dims[axis], ...))
    return matrix


def _itself(matrix: Matrix, what: str) -> Transposed:
    """Return columns that are opened already; other matrices, which are read by rows, are refused."""
    if isinstance(matrix, Transposed):
        return matrix
    matrix.read(0, 1)  # of what stands in for data that are not there, this says so
    raise SpecError(
        f"{what} must be a path or URL, a zarr.Array or Group, or a NumPy array; got {matrix.describe()}. Give its source."
    )


def _open(source: Any, what: str) -> Any:
    if isinstance(source, str | os.PathLike):
        address = os.fspath(source)
        if "://" not in address:
            address = str(Path(address).absolute())
            require_folder(Path(address), what)
        source = open_place(address, address, what)
    elif isinstance(source, Store):
        source = open_place(source, str(getattr(source, "root", source)), what)
    if is_labelled(source):
        require_unpacked(source.attrs, what)
        stored = stored_below(source)
        source = blank_marks(source).to_numpy() if stored is None else stored
    if isinstance(source, zarr.Group):
        source = _call_of(source, what)
    if isinstance(source, zarr.Array):
        return add_retries(source)
    if is_on_disk(source):
        require_unpacked(source.attrs, what)
        return blank_numbers(source[()], source.attrs)
    if isinstance(source, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(source.astype(np.float64), np.nan))
    try:
        array = np.asarray(source)
    except Exception as error:
        raise SpecError(
            f"{what} must be a path or URL, a zarr.Array or Group, or a NumPy array; got {type(source).__name__}. Store it as Zarr."
        ) from error
    return array[:, None] if array.ndim == 1 else array


def _call_of(group: zarr.Group, what: str) -> Any:
    """Return the array of a VCF-Zarr store that holds what is regressed on."""
    for name in _VCF:
        if isinstance(found := group.get(name), zarr.Array):
            return found
    held = ", ".join(sorted(group.array_keys())) or "no arrays"
    raise DataError(
        f"{what} must be a Zarr array, or a VCF-Zarr store with {', '.join(_VCF)}; {group.store_path} is a group with {held}. Add the "
        "array's name to the path."
    )


def _dimensions(array: Any) -> tuple[str | None, ...]:
    """Return the names of the dimensions of an array; () where it has none."""
    if isinstance(array, np.ndarray):
        return ()
    found = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return tuple(found) if isinstance(found, list | tuple) else ()


def _samples_axis(names: tuple[str | None, ...], samples: str, dimensions: int, what: str) -> int:
    """Return the axis of the samples."""
    if samples != "auto":
        if dimensions == 3 and samples == "rows":
            raise SpecError(f"calls of alleles lie as variants × samples × ploidy in {what}; got samples='rows'. Leave it out.")
        return 0 if samples == "rows" else 1
    if "samples" in names[:2]:
        return names.index("samples")
    return 1 if dimensions == 3 else 0


def _require_calls(array: Any, axis: int, what: str) -> Any:
    """Return the array of calls of alleles, or of one number for each sample of each variant."""
    is_calls, is_single = np.dtype(array.dtype).kind == "i", array.shape[2] == 1
    if axis != 0 or not (is_calls or is_single):
        raise DataError(
            f"{what} of three dimensions must be calls of alleles, integers of variants × samples × ploidy, or have one number for each "
            f"sample, as DS of one alternate allele has; its shape is {array.shape}, its dtype {array.dtype}. Store what shall be "
            "regressed on as variants × samples: the sum over the last dimension, or one of it."
        )
    return array


def _meaning(array: Any, names: tuple[str | None, ...], what: str) -> Conventions | None:
    """Return what stored numbers stand for: the CF attributes; of integers of VCF-Zarr, −1 and −2 are missing."""
    found = None if isinstance(array, np.ndarray) else conventions_of(array, what)
    dtype = np.dtype(array.dtype).newbyteorder("=")
    if found is None and dtype.kind == "i" and "variants" in names:
        return Conventions(dtype, marks=(("a missing call", MISSING_CALL), ("no call", NO_ALLELE)))
    return found
