"""The Zarr array below an array of xarray or Dask that is an untouched view of it: it is read from there, not by way of a graph.

Untouched means: all of it, in its own order, and nothing computed but what the array's own attributes say (packed numbers, marks of
missing cells), which :mod:`dsketch.matrix.conventions` does too.  Anything else (a slice, arithmetic, other chunks made by
``rechunk``, a function that is not known) is not, and the array is read as it is.
"""

from typing import Any

import numpy as np
import zarr

from dsketch.matrix.compat import backend_of, below_graph
from dsketch.matrix.conventions import conventions_of

# What decodes by ``scale_factor``, ``add_offset``, ``_FillValue`` and ``missing_value``, by the names of xarray's functions.
_DECODERS = frozenset({"_apply_mask", "_scale_offset_decoding"})
_DEEPEST = 8  # wrappers


def stored_below(source: Any) -> "zarr.Array[Any] | None":
    """Return the Zarr array of which a DataArray, Variable or dask array shows all numbers as they are meant; None if there is none.

    Nothing is read.
    """
    data = below_graph(source) if hasattr(type(source), "__dask_graph__") and source.__dask_graph__() is not None else source
    is_decoded = False
    for _ in range(_DEEPEST):
        if data is None or isinstance(data, zarr.Array):
            break
        inner, how = backend_of(data)
        if how is not None and how not in _DECODERS:
            return None
        is_decoded = is_decoded or how is not None
        data = inner
    return data if isinstance(data, zarr.Array) and _is_same(source, data, is_decoded=is_decoded) else None


def _is_same(source: Any, stored: "zarr.Array[Any]", *, is_decoded: bool) -> bool:
    """Whether the stored array, read by its conventions, has the source's numbers."""
    if tuple(source.shape) != tuple(stored.shape) or np.dtype(stored.dtype).kind not in "biuf":
        return False
    meaning = conventions_of(stored, "A")
    if meaning is None:
        return not is_decoded and np.dtype(source.dtype) == np.dtype(stored.dtype)
    if meaning.bounds is not None or meaning.stored != np.dtype(stored.dtype).newbyteorder("="):
        return False  # xarray looks at no bounds; integers of the other sign it decodes its own way
    return is_decoded
