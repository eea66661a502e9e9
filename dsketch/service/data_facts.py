"""What a matrix below the declared places is like, from its metadata alone: what a form says of data that somebody chooses.

Guarantees: no chunk is read, nothing outside of the declared folders is opened, and metadata of more than some megabytes are refused.
"""

import math
from pathlib import Path
from typing import Any

import zarr

from dsketch.errors import DataError
from dsketch.matrix.csr import is_csr
from dsketch.matrix.open import open_place
from dsketch.matrix.stored import names_of
from dsketch.service.places import METADATA, Roots
from dsketch.service.rooted import RootedStore

_MOST_BYTES = 4_000_000  # of one file of metadata: 5,000 names of columns are some 100 kB
MOST_COLUMNS = 1_000  # whose names go out


class _MetadataStore(RootedStore):
    """A store that holds nothing but metadata."""

    def _read(self, key: str, prototype: Any, byte_range: Any) -> Any:
        if Path(key).name not in METADATA:
            return None
        if (self._size(key) or 0) > _MOST_BYTES:
            raise DataError(
                f"metadata of at most {_MOST_BYTES:,} bytes were expected; {self.root / key} is larger. Plan the run: it reads them."
            )
        return super()._read(key, prototype, byte_range)


def tell_data(roots: Roots, place: str, what: str = "place") -> dict[str, Any]:
    """Return shape, dtype, chunks, bytes and names of columns of a Zarr array or CSR group.

    Parameters
    ----------
    roots : Roots
        Of who asks.
    place : str
        Its path, relative to the first root or in full.
    what : str
        The name that errors use for it.

    Raises
    ------
    PlaceError, MissingDataError, DataError
        If it lies elsewhere, there is nothing, or it is no matrix of this machine.
    """
    address = roots.admit(place, what)
    if "://" in address:
        raise DataError(f"data of this machine were expected; {address} is in an object store. Plan the run: it looks there.")
    path = Path(address)
    if not path.is_dir():
        raise DataError(f"a Zarr array was expected; {address} is a file. Ingest it first.")
    found = open_place(_MetadataStore(path, roots.folders, what), address, what)
    try:
        facts = _tell_array(found) if isinstance(found, zarr.Array) else _tell_group(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"a matrix was expected; the metadata of {address} do not fit together. Write it again.") from error
    if facts is None:
        raise DataError(f"a matrix was expected; {address} is a group of others. Choose one of its arrays.")
    return {"address": address, **facts}


def _tell_array(array: "zarr.Array[Any]") -> dict[str, Any]:
    shape = [int(size) for size in array.shape]
    names = names_of(array, shape[1]) if len(shape) == 2 else None
    return _facts("array", shape, array, math.prod(shape) * array.dtype.itemsize, names)


def _tell_group(group: "zarr.Group") -> dict[str, Any] | None:
    if not is_csr(group):
        return None
    shape = [int(size) for size in group.attrs["shape"]]
    entries, places, starts = (group[name] for name in ("data", "indices", "indptr"))
    size = sum(math.prod(part.shape) * part.dtype.itemsize for part in (entries, places, starts))
    return _facts("csr", shape, entries, size, names_of(group, shape[1]))


def _facts(kind: str, shape: list[int], array: "zarr.Array[Any]", size: int, names: tuple[str, ...] | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "shape": shape,
        "dtype": str(array.dtype)[:40],
        "chunks": [int(step) for step in array.chunks],
        "bytes": size,
        "columns": [name[:200] for name in (names or ())[:MOST_COLUMNS]],
        "named": len(names or ()),
    }
