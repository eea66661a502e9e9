"""Decoders that fill memory which is there already: the numbers of a chunk are written once, where they are wanted.

Each one fills exactly the bytes that the chunk's shape declares, never more, so that what :mod:`dsketch.matrix.decoders` promises of
bounds holds here as well.  Whatever is not as it should be (a frame of another length, a checksum that differs, several members where
one is usual) is a doubt, not an error: who is told of it decodes the chunk by zarr-python, which decides, and says what is wrong.
"""

import bz2
import importlib
import lzma
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from dsketch.matrix.decoders import zstd_size

_PIECE_BYTES = 65_536  # of a stream at once: what comes of it stays in the cache until it is copied
_CHECKSUM_BYTES = 4


class Doubt(Exception):  # noqa: N818 - a word between two modules: it never reaches a user
    """A chunk is to be decoded by zarr-python, which may find it right."""


def fill(name: str, codec: Any, data: memoryview, out: memoryview) -> None:
    """Fill memory with what bytes decode to.

    Parameters
    ----------
    name : str
        One of :data:`FILLERS`.
    codec : numcodecs codec
        With its options.
    data, out : memoryview
        Of bytes, one dimension.

    Raises
    ------
    Doubt
        If they do not decode to as many bytes as that.
    """
    try:
        FILLERS[name](codec, data, out)
    except (ArithmeticError, EOFError, OSError, RuntimeError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise Doubt from error


def require(claim: bool) -> None:
    """Go on if a claim about a chunk holds.

    Raises
    ------
    Doubt
    """
    if not claim:
        raise Doubt


def without_checksum(data: memoryview) -> memoryview:
    """Return bytes without the CRC-32C that stands behind them.

    Raises
    ------
    Doubt
        If it is not theirs, or nothing here computes it.
    """
    require(CRC32C is not None and data.nbytes >= _CHECKSUM_BYTES)
    inner, stored = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    require(CRC32C is not None and int(CRC32C(np.frombuffer(inner, np.uint8))) == int.from_bytes(stored, "little"))
    return inner


def _find_checksum() -> Callable[[Any], int] | None:
    """Return what computes a CRC-32C: the package that zarr uses."""
    try:
        found: Callable[[Any], int] = importlib.import_module("google_crc32c").value
    except ImportError:
        return None
    return found


CRC32C = _find_checksum()


def _fill_blosc(codec: Any, data: memoryview, out: memoryview) -> None:
    require(data.nbytes >= 16 and int.from_bytes(data[4:8], "little") == out.nbytes)
    require(int.from_bytes(data[12:16], "little") == data.nbytes)  # c-blosc is not told where a frame ends
    codec.decode(data, out)


def _fill_lz4(codec: Any, data: memoryview, out: memoryview) -> None:
    require(int.from_bytes(data[:4], "little") == out.nbytes)
    codec.decode(data, out)


def _fill_zstd(codec: Any, data: memoryview, out: memoryview) -> None:
    require(zstd_size(data) == out.nbytes)
    codec.decode(data, out)


def _fill_shuffle(codec: Any, data: memoryview, out: memoryview) -> None:
    require(data.nbytes == out.nbytes)
    codec.decode(data, out)


def _fill_from(stream: Any, data: memoryview, out: memoryview) -> None:
    """Fill memory from one stream, a piece at a time."""
    place = 0
    for start in range(0, data.nbytes, _PIECE_BYTES):
        require(not stream.eof)
        part = stream.decompress(data[start : start + _PIECE_BYTES], out.nbytes - place + 1)
        require(place + len(part) <= out.nbytes)
        out[place : place + len(part)] = part
        place += len(part)
    require(stream.eof and not stream.unused_data and place == out.nbytes)


FILLERS: dict[str, Callable[[Any, memoryview, memoryview], None]] = {
    "zlib": lambda _, data, out: _fill_from(zlib.decompressobj(), data, out),
    "gzip": lambda _, data, out: _fill_from(zlib.decompressobj(16 + zlib.MAX_WBITS), data, out),
    "bz2": lambda _, data, out: _fill_from(bz2.BZ2Decompressor(), data, out),
    "lzma": lambda codec, data, out: _fill_from(lzma.LZMADecompressor(codec.format, None, codec.filters), data, out),
    "blosc": _fill_blosc,
    "lz4": _fill_lz4,
    "zstd": _fill_zstd,
    "shuffle": _fill_shuffle,
}
