"""Stored objects that are not there: which rows show that one may be absent, and what to say of it.

What an absent chunk reads as is its fill value.  A piece that holds anything else was stored, so the store is asked only about pieces
that hold nothing but the fill value, whatever that is: a NaN is equal to none, and where it is null (format 2) zeros come.
"""

from typing import Any

import numpy as np
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.buffer import default_buffer_prototype

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.compat import wait_for

_NOWHERE = 2**64 - 1  # this place in a shard's index says that the chunk was left out
_CHECKSUM_BYTES = 4


def is_filled(piece: AnyArray, fill: Any) -> bool:
    """Whether an array holds nothing but the fill value.

    >>> is_filled(np.array([[0.0, -0.0]]), None), is_filled(np.full((1, 2), np.nan), np.nan), is_filled(np.array([[0, 1]]), 0)
    (True, True, False)
    """
    if not piece.size:
        return False
    value = piece.dtype.type(0) if fill is None else fill
    if value != value:
        return bool(piece.flat[0] != piece.flat[0]) and bool(np.isnan(piece).all())
    return bool(piece.flat[0] == value) and bool((piece == value).all())


def remedy(fill: Any, *, is_mark: bool) -> str:
    """Return what to do about an absent chunk, whose fill value may be a mark for "missing"."""
    if fill is None:
        return "Copy it again from its origin: its fill value is null, so that nothing can stand for it"
    if is_mark:
        return (
            f"If the data was lost, copy it again; if the writer left out chunks of missing values (the fill value is {fill}), leave "
            "out or impute their rows"
        )
    return (
        f"If the data was lost, copy it again; if the writer left out chunks equal to the fill value {fill}, allow them with "
        "missing='fill' (on the command line --missing fill; for an estimator open the data with dsketch.open_matrix(path, "
        "missing='fill'))"
    )


class ShardIndex:
    """Which inner chunks a shard holds, by the index that stands at one of its ends.

    Parameters
    ----------
    array : zarr.Array
        A sharded one.

    References
    ----------
    Zarr, "Sharding codec (version 1.0)": two little-endian uint64 an inner chunk in C order, offset and length, both 2⁶⁴ − 1 where
    there is no such chunk; then a CRC-32C where the index codecs say so.
    """

    def __init__(self, array: "Any") -> None:
        self._store, self._codec = array.store, array.metadata.codecs[0]
        self._grid = tuple(outer // inner for outer, inner in zip(array.shards, array.chunks, strict=True))
        codecs = [codec.to_dict() for codec in self._codec.index_codecs]
        self._names = [codec["name"] for codec in codecs]
        self._order = ">" if codecs and "big" in str(codecs[0].get("configuration")) else "<"

    def find_chunks(self, key: str) -> np.ndarray | None:
        """Return a boolean for each inner chunk of the shard at a key, or None where its index cannot be read.

        Raises
        ------
        DataError
            If the shard is shorter than its index.
        """
        if self._names not in (["bytes"], ["bytes", "crc32c"]):
            return None
        wanted = 16 * int(np.prod(self._grid))
        size = wanted + _CHECKSUM_BYTES * (len(self._names) - 1)
        is_first = str(getattr(self._codec.index_location, "value", self._codec.index_location)) == "start"
        request = RangeByteRequest(0, size) if is_first else SuffixByteRequest(size)
        found = wait_for(self._store.get(key, default_buffer_prototype(), request))
        if found is None or len(found) != size:
            raise DataError(f"the shard {key} is shorter than its index of {size} bytes. It is truncated: copy it again.")
        offsets = np.frombuffer(found.to_bytes()[:wanted], f"{self._order}u8").reshape(*self._grid, 2)
        return np.asarray(offsets[..., 0] != _NOWHERE)
