"""A Zarr group of arrays that are filled block by block: what xarray opens, with names of dimensions, whole or not there."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import zarr

from dsketch.errors import DataError, MissingDataError
from dsketch.matrix.retrying import store_at
from dsketch.problems.outcome import ArrayOf

_FILLED = {"write_empty_chunks": True}  # an absent chunk must mean damage, never zeros


def begin_group(address: str, arrays: Sequence[ArrayOf], attributes: dict[str, Any], *, goes_on: bool) -> "zarr.Group":
    """Return a group with raw arrays, made anew, or the one that an earlier run began to fill.

    Parameters
    ----------
    goes_on : bool
        Whether a group that is there, with just these arrays, is taken as it is.
    """
    if goes_on and _is_begun(address, arrays):
        return zarr.open_group(store_at(address, read_only=False), mode="r+")
    group = zarr.create_group(store_at(address, read_only=False), attributes=attributes, zarr_format=3, overwrite=True)
    for array in arrays:
        group.create_array(
            array.name,
            shape=array.shape,
            chunks=array.chunks or "auto",
            dtype=array.dtype,
            compressors=None,
            fill_value=np.nan if np.dtype(array.dtype).kind == "f" else 0,
            dimension_names=array.dimensions,
            attributes={"long_name": array.help},
            config=_FILLED,
        )
    return group


def _is_begun(address: str, arrays: Iterable[ArrayOf]) -> bool:
    try:
        group = zarr.open_group(store_at(address), mode="r")
        return all(_is_same(array_in(group, array.name), array) for array in arrays)
    except (FileNotFoundError, ValueError, KeyError):
        return False


def _is_same(found: "zarr.Array[Any]", array: ArrayOf) -> bool:
    is_cut_so = not array.chunks or found.chunks == array.chunks
    return bool(found.shape == array.shape and is_cut_so and np.dtype(found.dtype).name == array.dtype)


def array_in(group: "zarr.Group", name: str) -> "zarr.Array[Any]":
    """Return an array of a group, whose chunks are written whatever they hold.

    Raises
    ------
    KeyError
        If there is none.
    """
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise KeyError(name)
    array: zarr.Array[Any] = found.with_config(_FILLED)
    return array


def consolidate(group: "zarr.Group") -> None:
    """Write what readers of many arrays look for first: the metadata of all of them in one place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # format 3 does not know of it yet, and zarr says so; xarray warns where it is not there
        zarr.consolidate_metadata(group.store, path=group.path)


def open_group(address: str, names: Iterable[str]) -> "tuple[dict[str, zarr.Array[Any]], dict[str, Any]]":
    """Return the arrays of these names at a place, opened, and what the group says about itself.

    Raises
    ------
    MissingDataError, DataError
        If one is not there, or they are not complete.
    """
    try:
        group = zarr.open_group(store_at(address), mode="r")
        arrays = {name: array_in(group, name) for name in names}
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise MissingDataError(f"a Zarr group of answers was expected at {address}; there is none. Check the path.") from error
    if group.attrs.get("complete") is False:
        raise DataError(
            f"answers must be complete; {address} says that they are not: who wrote them was interrupted. Solve again."
        )
    return arrays, group.attrs.asdict()


def attributes_at(address: str) -> dict[str, Any] | None:
    """Return what a Zarr group at a path or URL says about itself; None where there is none."""
    try:
        return zarr.open_group(store_at(address), mode="r").attrs.asdict()
    except Exception:  # noqa: BLE001 - stores raise whatever they like; what is wrong is said where the answer is opened
        return None


def is_written(address: str, key: str) -> bool:
    """Whether the answers of this very run lie at a place, all of them; never of a run without a key."""
    if not key:
        return False
    try:
        found = zarr.open_group(store_at(address), mode="r").attrs
    except (FileNotFoundError, ValueError):
        return False
    return found.get("run") == key and found.get("complete") is not False
