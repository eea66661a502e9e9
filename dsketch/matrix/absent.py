"""Stored objects that are not there: which rows show that one may be absent, and what to say of it.

What an absent chunk reads as is its fill value.  A piece that holds anything else was stored, so the store is asked only about pieces
that hold nothing but the fill value, whatever that is: a NaN is equal to none, and where it is null (format 2) zeros come.
"""

from typing import Any

import numpy as np
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.buffer import default_buffer_prototype

from dsketch.errors import DataError, DsketchError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.compat import wait_for

_NOWHERE = 2**64 - 1  # this place in a shard's index says that the chunk was left out
_CHECKSUM_BYTES = 4
_FIRST = 256  # numbers that are looked at before all: of calls of alleles one alone is 0 more often than not
_MOST_OFFSET = 2**50  # no object has a petabyte: an index that says so is damaged


def is_filled(piece: AnyArray, fill: Any) -> bool:
    """Whether an array holds nothing but the fill value.

    >>> is_filled(np.array([[0.0, -0.0]]), None), is_filled(np.full((1, 2), np.nan), np.nan), is_filled(np.array([[0, 1]]), 0)
    (True, True, False)
    """
    if not piece.size:
        return False
    value = piece.dtype.type(0) if fill is None else fill
    return all(bool(_equals(part, value).all()) for part in (piece.flat[:_FIRST], piece))


def _equals(numbers: AnyArray, value: Any) -> Any:
    return np.isnan(numbers) if value != value else numbers == value


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
        if (size := self._size()) is None:
            return None
        found = wait_for(self._store.get(key, default_buffer_prototype(), self.request(size)))
        if found is None or len(found) != size:
            raise DataError(f"the shard {key} is shorter than its index of {size} bytes. It is truncated: copy it again.")
        return np.asarray(self._entries(found)[..., 0] != _NOWHERE)

    def find_places(self, key: str, store: Any) -> np.ndarray | None:
        """Return first byte and byte after the last of each inner chunk, shape (…, 2), 0 and 0 for one that is not there.

        None where the index cannot be read: whoever decodes the shard says why.  ``store`` keeps the index for that.
        """
        if (size := self._size()) is None:
            return None
        try:
            found = wait_for(store.keep(key, self.request(size)))
        except DsketchError:
            raise
        except Exception:  # noqa: BLE001 - stores raise whatever they like
            return None
        if found is None or len(found) != size:
            return None
        entries = self._entries(found)
        offsets, lengths = (
            np.where(entries[..., :1] != _NOWHERE, entries, 0).astype(np.uint64).transpose(-1, *range(entries.ndim - 1))
        )
        if offsets.max() > _MOST_OFFSET or lengths.max() > _MOST_OFFSET:
            return None
        return np.stack([offsets, offsets + lengths], axis=-1).astype(np.int64)

    def request(self, size: int) -> Any:
        """Return the request for the index of a shard."""
        is_first = str(getattr(self._codec.index_location, "value", self._codec.index_location)) == "start"
        return RangeByteRequest(0, size) if is_first else SuffixByteRequest(size)

    def _size(self) -> int | None:
        """Return the bytes of an index; None where its codecs are not those that we know."""
        if self._names not in (["bytes"], ["bytes", "crc32c"]):
            return None
        return 16 * int(np.prod(self._grid)) + _CHECKSUM_BYTES * (len(self._names) - 1)

    def _entries(self, found: Any) -> np.ndarray:
        """Return offset and length of each inner chunk."""
        numbers = found.to_bytes()[: 16 * int(np.prod(self._grid))]
        return np.frombuffer(numbers, f"{self._order}u8").reshape(*self._grid, 2)
