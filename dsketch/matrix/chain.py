"""What was done to the numbers of a chunk before they were stored, undone straight into memory that is there.

The last thing to be undone writes to where the numbers are wanted, if these lie together there and were stored in this machine's bytes and
in C order; else it writes to memory that is used again, and the numbers are copied once.  Chains of other codecs than those of
:data:`~dsketch.matrix.filling.FILLERS` and a few filters are zarr-python's (:func:`chain_of` says None).
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, TransposeCodec

from dsketch._linalg.scratch import scratch
from dsketch.matrix.base import AnyArray
from dsketch.matrix.compat import codec_of_format_2, numcodec_of
from dsketch.matrix.decoders import DECODERS, Bound, decode
from dsketch.matrix.filling import CRC32C, FILLERS, Doubt, fill, require, without_checksum
from dsketch.matrix.grid import Box

_CHECKSUM = "crc32c"
# Filters of format 2 that make an array of as many numbers, each from its own and those before it.
_FILTERS = frozenset({"delta", "fixedscaleoffset", "astype", "bitround", "quantize", "shuffle"})


Stage = tuple[str, Any]


@dataclass(frozen=True)
class Chain:
    """How the bytes of a chunk become its numbers.

    Attributes
    ----------
    shape : tuple of int
        Of a chunk.
    dtype : dtype
        Of the numbers as they were before they were packed, in the order of bytes that they were stored in.
    axes : tuple of int
        The dimensions of a chunk in the order in which they were stored, the slowest first.
    stages : tuple of (str, codec)
        From bytes to bytes, the first to be undone first.
    filters : tuple of codecs
        Of format 2, the first to be undone first.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    axes: tuple[int, ...]
    stages: tuple[Stage, ...] = ()
    filters: tuple[Any, ...] = ()

    @property
    def nbytes(self) -> int:
        """Of the numbers of a chunk."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def most_bytes(self) -> int:
        """More than any encoding of a chunk has."""
        return Bound.of(self.shape, self.dtype.itemsize, is_exact=False).size

    def decode(self, data: memoryview, part: Box, out: AnyArray) -> None:
        """Fill ``out`` with a part of a chunk.

        Parameters
        ----------
        data : memoryview
            Of bytes: the chunk as it is stored.
        part : tuple of slice
            Of the chunk.
        out : ndarray
            Of the part's shape, in this machine's order of bytes.

        Raises
        ------
        Doubt
            If anything is not as it should be.
        """
        if self._is_plain and out.flags.c_contiguous and out.shape == self.shape:
            self._unpack(data, out.reshape(-1).view(np.uint8).data)
            return
        out[...] = self._numbers(data)[part]

    @property
    def _is_plain(self) -> bool:
        return self.dtype.isnative and not self.filters and self.axes == tuple(range(len(self.shape)))

    def _numbers(self, data: memoryview) -> AnyArray:
        """Return the chunk in memory that the next one overwrites."""
        stored = tuple(self.shape[axis] for axis in self.axes)
        flat = self._filtered(data) if self.filters else self._unpacked(data)
        require(flat.nbytes == self.nbytes)
        numbers: AnyArray = flat.view(self.dtype).reshape(stored).transpose(np.argsort(self.axes))
        return numbers

    def _unpacked(self, data: memoryview) -> AnyArray:
        if not self.stages:
            return np.frombuffer(data, np.uint8)
        flat: AnyArray = scratch("chunk", (1, self.nbytes), np.uint8)[0]
        self._unpack(data, flat.data)
        return flat

    def _unpack(self, data: memoryview, out: memoryview) -> None:
        """Undo what was done to bytes, the last step into ``out``."""
        last = len(self.stages) - 1
        for place, (name, codec) in enumerate(self.stages):
            if name == _CHECKSUM:
                data = without_checksum(data)
            elif place == last:
                fill(name, codec, data, out)
                return
            else:
                data = _between(name, codec, data, Bound(self.most_bytes, is_exact=False))
        require(data.nbytes == out.nbytes)
        out[:] = data

    def _filtered(self, data: memoryview) -> AnyArray:
        """Return what filters make of a chunk; their codecs have no use for memory that is there."""
        for name, codec in self.stages:
            data = _between(name, codec, data, Bound(self.most_bytes, is_exact=False))
        found: Any = data
        try:
            for codec in self.filters:
                found = codec.decode(found)
        except Exception as error:
            raise Doubt from error
        return np.ascontiguousarray(found).reshape(-1).view(np.uint8)


def _between(name: str, codec: Any, data: memoryview, bound: Bound) -> memoryview:
    """Return what one step in the middle makes of bytes."""
    try:
        return memoryview(decode(name, codec, data, bound) if name in DECODERS else codec.decode(data)).cast("B")
    except Exception as error:
        raise Doubt from error


def chain_of(array: "zarr.Array[Any]") -> Chain | None:
    """Return how the chunks of an array are decoded, the inner ones of a sharded one; None where only zarr-python knows."""
    dtype, shape = np.dtype(array.dtype), tuple(int(size) for size in array.chunks)
    if not all(shape):
        return None
    if array.metadata.zarr_format == 2:
        return _chain_of_format_2(array, shape, dtype)
    codecs = array.metadata.codecs
    if array.shards is not None:
        if len(codecs) != 1 or not isinstance(codecs[0], ShardingCodec):
            return None
        codecs = codecs[0].codecs
    return _chain_of_format_3(tuple(codecs), shape, dtype)


def _chain_of_format_2(array: "zarr.Array[Any]", shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Chain | None:
    codec = codec_of_format_2(array)
    filters, compressor = tuple(reversed(codec.filters or ())), codec.compressor
    names = {one.codec_id for one in filters}
    if not names <= _FILTERS or (compressor is not None and compressor.codec_id not in FILLERS):
        return None
    axes = tuple(range(len(shape)))
    stages = () if compressor is None else ((compressor.codec_id, compressor),)
    if names == {"shuffle"}:  # bytes to bytes
        stages, filters = (*stages, *(("shuffle", one) for one in filters)), ()
    return Chain(shape, dtype, axes[::-1] if array.metadata.order == "F" else axes, stages, filters)


def _chain_of_format_3(codecs: tuple[Any, ...], shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Chain | None:
    axes = tuple(range(len(shape)))
    place = 0
    while place < len(codecs) and isinstance(codecs[place], TransposeCodec):
        axes = tuple(axes[axis] for axis in codecs[place].order)
        place += 1
    if place == len(codecs) or not isinstance(codecs[place], BytesCodec):
        return None
    endian = codecs[place].endian
    is_big = str(getattr(endian, "value", endian)) == "big"
    stages = [_stage_of(codec) for codec in reversed(codecs[place + 1 :])]
    if any(stage is None for stage in stages):
        return None
    return Chain(shape, dtype.newbyteorder(">" if is_big else "<"), axes, tuple(stage for stage in stages if stage is not None))


def _stage_of(codec: Any) -> Stage | None:
    """Return a codec from bytes to bytes of format 3 with its name, or None."""
    if isinstance(codec, Crc32cCodec):
        return None if CRC32C is None else (_CHECKSUM, None)
    name = str(codec.to_dict()["name"]).removeprefix("numcodecs.")
    is_known = name in FILLERS and name != "shuffle"  # which may not know here how long a number is
    return (name, numcodec_of(codec, name)) if is_known else None
