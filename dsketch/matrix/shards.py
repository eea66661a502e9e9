"""Shards: objects of many chunks with an index at one end, decoded chunk by chunk.

References
----------
Zarr, "Sharding codec (version 1.0)": two little-endian uint64 an inner chunk in C order, offset and length, both 2⁶⁴ − 1 where there is
no such chunk; then a CRC-32C where the index codecs say so.
"""

from math import prod
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch.matrix.base import AnyArray
from dsketch.matrix.chain import Chain
from dsketch.matrix.encoded import Stored
from dsketch.matrix.filling import CRC32C, require, without_checksum
from dsketch.matrix.grid import Box, pieces_of

_NOWHERE = 2**64 - 1  # this place in the index says that the chunk was left out


class Shards:
    """The shards of one array.

    Parameters
    ----------
    array : zarr.Array
    chain : Chain
        Of inner chunks.
    """

    def __init__(self, array: "zarr.Array[Any]", chain: Chain) -> None:
        codec = array.metadata.codecs[0]
        self._chain, self._fill_value = chain, array.fill_value
        self._grid = tuple(int(outer) // inner for outer, inner in zip(array.shards or (), chain.shape, strict=True))
        names = _index_codecs(codec)
        self._has_checksum = names[-1:] == ["crc32c"]
        self._index_bytes = 16 * prod(self._grid) + 4 * self._has_checksum
        self._is_index_first = str(getattr(codec.index_location, "value", codec.index_location)) == "start"

    @staticmethod
    def are_known(array: "zarr.Array[Any]") -> bool:
        """Whether the index of an array's shards is one that we read."""
        codec = array.metadata.codecs[0]
        is_big = "big" in str(codec.index_codecs[0].to_dict())
        names = _index_codecs(codec)
        return not is_big and (names == ["bytes"] or (names == ["bytes", "crc32c"] and CRC32C is not None))

    @property
    def most_bytes(self) -> int:
        """More than any shard has."""
        return prod(self._grid) * self._chain.most_bytes + self._index_bytes

    def decode(self, stored: Stored, part: Box, out: AnyArray) -> None:
        """Fill ``out`` with a part of a shard, of which no more is read.

        Raises
        ------
        Doubt
            If anything is not as it should be.
        """
        index = self._index(stored)
        for piece in pieces_of(part, self._chain.shape):
            offset, length = (int(number) for number in index[piece.place])
            target = out[piece.inside]
            if (offset, length) == (_NOWHERE, _NOWHERE):
                require(self._fill_value is not None)
                target[...] = self._fill_value
                continue
            require(offset + length <= stored.nbytes and 0 < length <= self._chain.most_bytes)
            self._chain.decode(stored.read(offset, offset + length), piece.local, target)

    def _index(self, stored: Stored) -> NDArray[np.uint64]:
        require(stored.nbytes >= self._index_bytes)
        start = 0 if self._is_index_first else stored.nbytes - self._index_bytes
        data = stored.read(start, start + self._index_bytes)
        return np.array(np.frombuffer(without_checksum(data) if self._has_checksum else data, "<u8")).reshape(*self._grid, 2)


def _index_codecs(codec: Any) -> list[str]:
    return [one.to_dict()["name"] for one in codec.index_codecs]
