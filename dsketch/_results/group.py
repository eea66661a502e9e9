"""A Zarr group whose arrays are filled block by block: what xarray opens, with names of dimensions."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import zarr

from dsketch.matrix.retrying import store_at


class Field(NamedTuple):
    """An array of a group: its name, shape, dtype, and the names of its dimensions."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    dimensions: tuple[str, ...]


def open_group(
    address: str, fields: Iterable[Field], rows: int, attributes: dict[str, Any], *, goes_on: bool
) -> "dict[str, zarr.Array[Any]]":
    """Return the arrays of a group, made anew, or those that an earlier run began to fill.

    Parameters
    ----------
    rows : int
        Of a chunk, which has all of the other dimensions.
    goes_on : bool
        Whether arrays that are there and fit are taken as they are.
    """
    fields = list(fields)
    begun = _find_begun(address, fields, rows) if goes_on else None
    if begun is not None:
        return begun
    group = zarr.create_group(store_at(address, read_only=False), attributes=attributes, zarr_format=3, overwrite=True)
    return {
        field.name: group.create_array(
            field.name,
            shape=field.shape,
            chunks=(rows, *(max(size, 1) for size in field.shape[1:])),
            dtype=field.dtype,
            compressors=None,
            fill_value=0,
            dimension_names=field.dimensions,
            config={"write_empty_chunks": True},  # an absent chunk must mean damage, never zeros
        )
        for field in fields
    }


def _find_begun(address: str, fields: list[Field], rows: int) -> "dict[str, zarr.Array[Any]] | None":
    found = {}
    for field in fields:
        try:
            array = zarr.open_array(address, path=field.name, mode="r+", config={"write_empty_chunks": True})
        except (FileNotFoundError, ValueError):
            return None
        if (array.shape, array.chunks[0], np.dtype(array.dtype).name) != (field.shape, rows, field.dtype):
            return None
        found[field.name] = array
    return found
