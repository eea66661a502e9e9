"""Decoders that stop at a declared size.

A few bytes can decode to as many as memory holds: 3 MB of zlib to 3 GB of zeros, nested once more a thousand times that.  What a chunk
must decode to is known before, from shape and dtype, so no more than that is ever made.  Streams (zlib, gzip, bz2, lzma) are stopped
there; frames with a size in their head (Blosc, LZ4, mostly Zstandard) are compared before anything is decoded.  Good data cost nothing:
each byte is decoded once, into memory that is needed anyway.

References
----------
Y. Collet, M. Kucherawy, "Zstandard Compression and the application/zstd Media Type", RFC 8878, 2021: frames and blocks, section 3.1.1.
c-blosc, README_CHUNK_FORMAT: bytes 4 to 7 of the header are the decoded size, little-endian.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from dsketch._units import format_bytes

_NUMBER_BYTES = 16  # the size of the longest number that a filter can store (long double)
_EXTRA_BYTES = 65_536  # heads, checksums and padding of whatever stands around the numbers
_ZSTD_FRAME, _ZSTD_SKIPPED, _ZSTD_REPEATED = 0xFD2FB528, 0x184D2A50, 1  # RFC 8878: magic numbers, the block of one byte repeated


class OverlongError(ValueError):
    """A chunk goes on behind its declared size; the text says what was found."""


@dataclass(frozen=True)
class Bound:
    """What bytes may decode to.

    Attributes
    ----------
    size : int
        Bytes.
    is_exact : bool
        Whether they must be as many as that.
    """

    size: int
    is_exact: bool

    @classmethod
    def of(cls, shape: tuple[int, ...], itemsize: int, *, is_exact: bool) -> "Bound":
        """Return the bound of a chunk; not exact before filters that may store longer numbers, and between nested codecs."""
        count = prod(shape)
        return cls(count * itemsize if is_exact else count * _NUMBER_BYTES + _EXTRA_BYTES, is_exact)

    def check(self, found: int | None, kind: str) -> None:
        """Refuse a size that is known before anything is decoded; None: it is not.

        Raises
        ------
        OverlongError
        """
        if found is not None and found > self.size:
            raise OverlongError(f"{kind} says {format_bytes(found)}")


def decode(name: str, codec: Any, data: Any, bound: Bound) -> Any:
    """Return what bytes decode to.

    Parameters
    ----------
    name : str
        One of :data:`DECODERS`.
    codec : numcodecs codec
        With its options.
    data : bytes-like
    bound : Bound

    Raises
    ------
    OverlongError
        If it is more than the bound.
    """
    view = memoryview(data)
    return DECODERS[name](codec, view if view.format == "B" and view.ndim == 1 else view.cast("B"), bound)


def _streams(make: Callable[[], Any], data: memoryview, bound: Bound, *, is_single: bool = False) -> bytes:
    """Decode a stream, or several behind each other."""
    parts: list[bytes] = []
    rest: Any = data
    room = bound.size
    while True:
        stream = make()
        while not stream.eof:
            part = stream.decompress(rest, room + 1)
            rest, room = getattr(stream, "unconsumed_tail", b""), room - len(part)
            parts.append(part)
            if room < 0:
                raise OverlongError(f"{format_bytes(data.nbytes)} of it go on to decode behind them")
            if not part and not rest and not stream.eof:
                raise EOFError("the compressed stream has no end")
        rest = stream.unused_data
        if is_single or not rest.strip(b"\0"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _zlib(codec: Any, data: memoryview, bound: Bound) -> bytes:
    del codec
    return _streams(zlib.decompressobj, data, bound, is_single=True)


def _gzip(codec: Any, data: memoryview, bound: Bound) -> bytes:
    del codec
    return _streams(lambda: zlib.decompressobj(16 + zlib.MAX_WBITS), data, bound)


def _bz2(codec: Any, data: memoryview, bound: Bound) -> bytes:
    del codec
    return _streams(bz2.BZ2Decompressor, data, bound)


def _lzma(codec: Any, data: memoryview, bound: Bound) -> bytes:
    return _streams(lambda: lzma.LZMADecompressor(codec.format, None, codec.filters), data, bound)


def _blosc(codec: Any, data: memoryview, bound: Bound) -> Any:
    bound.check(int.from_bytes(data[4:8], "little"), "its Blosc header")
    return codec.decode(data)


def _lz4(codec: Any, data: memoryview, bound: Bound) -> Any:
    bound.check(int.from_bytes(data[:4], "little"), "its LZ4 header")
    return codec.decode(data)


def _zstd(codec: Any, data: memoryview, bound: Bound) -> Any:
    """Decode frames whose heads state their sizes; others were tried before, in a buffer of the size that they may have."""
    found = zstd_size(data)
    bound.check(found, "its Zstandard header")
    if found is None:
        try:
            codec.decode(data, out=np.empty(bound.size, np.uint8))
        except RuntimeError as error:
            if "too small" in str(error):
                raise OverlongError(f"{format_bytes(data.nbytes)} of it go on to decode behind them") from error
            if "expected to decompress" not in str(error):
                raise
    return codec.decode(data)


def zstd_size(data: memoryview) -> int | None:
    """Return the sum of the sizes that the heads of all frames state, or None where one is silent or no frame."""
    total, place = 0, 0
    while place < data.nbytes:
        magic = int.from_bytes(data[place : place + 4], "little")
        if magic & 0xFFFFFFF0 == _ZSTD_SKIPPED:
            place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
            continue
        if magic != _ZSTD_FRAME or place + 5 > data.nbytes:
            return None
        flags = data[place + 4]
        kind, is_single = flags >> 6, flags >> 5 & 1
        length, start = (is_single, 2, 4, 8)[kind], place + 6 - is_single + (0, 1, 2, 4)[flags & 3]
        if not length:
            return None
        total += int.from_bytes(data[start : start + length], "little") + 256 * (kind == 1)
        place = _behind_blocks(data, start + length) + 4 * (flags >> 2 & 1)
    return total


def _behind_blocks(data: memoryview, place: int) -> int:
    """Return where the blocks of a Zstandard frame end."""
    while place < data.nbytes:
        head = int.from_bytes(data[place : place + 3], "little")
        place += 3 + (1 if head >> 1 & 3 == _ZSTD_REPEATED else head >> 3)
        if head & 1:
            break
    return place


DECODERS: dict[str, Callable[[Any, memoryview, Bound], Any]] = {
    "zlib": _zlib,
    "gzip": _gzip,
    "bz2": _bz2,
    "lzma": _lzma,
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
}
