"""What the metadata of a Zarr array says: address, names of columns, whether it is whole, whether chunks are the rows' own bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch.errors import DataError


def names_of(array: Any, columns: int) -> tuple[str, ...] | None:
    """Return the attribute ``columns`` that ``dsketch ingest`` writes, if it is there and fits."""
    found = array.attrs.get("columns")
    return tuple(map(str, found)) if isinstance(found, list | tuple) and len(found) == columns else None


def require_whole(array: "zarr.Array[Any]", what: str) -> None:
    """Refuse what :class:`~dsketch._results.remote.RemoteOutput` began and never brought to its end."""
    if array.attrs.get("complete") is False:
        raise DataError(
            f"{what} must be complete; {array.store_path} says that it is not: who wrote it was interrupted. Write it again."
        )


def is_raw(array: "zarr.Array[Any]") -> bool:
    """Whether a chunk's bytes are its values: little-endian, C order, no filter, no compressor."""
    metadata = array.metadata
    if metadata.zarr_format == 2:
        return (
            metadata.compressor is None
            and not metadata.filters
            and metadata.order == "C"
            and np.dtype(array.dtype).newbyteorder("<") == np.dtype(array.dtype)
        )
    codecs = metadata.codecs
    if len(codecs) != 1 or type(codecs[0]).__name__ != "BytesCodec":
        return False
    endian = codecs[0].endian
    return endian is None or str(getattr(endian, "value", endian)) == "little"


def address_of(array: Any) -> str | None:
    """Return the path or URL that opens this array or group again, or None for stores without one (memory)."""
    root = getattr(array.store, "root", None)
    if isinstance(root, Path):
        return str((root / array.path).resolve())
    filesystem = getattr(array.store, "fs", None)
    if filesystem is not None:
        path = f"{array.store.path}/{array.path}".rstrip("/")
        return str(filesystem.unstrip_protocol(path))
    return None
