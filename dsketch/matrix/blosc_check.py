"""Whole Blosc frames: the decoder trusts the length in a frame's header, so we compare it with the object's.

A frame that lost its last few bytes decodes without complaint to numbers that are not the data (c-blosc is told where a frame
begins, not where it ends: with lz4 and blosclz up to eight lost bytes went unnoticed, of frames that were stored uncompressed
any number).  zstd, gzip, zlib, lz4, bz2 and lzma notice by themselves.  The bytes are at hand when they are looked at: nothing is read
twice.

References
----------
c-blosc, README_CHUNK_FORMAT: bytes 12 to 15 of the header are the compressed size, header included, little-endian.
"""

import re
from typing import Any

import zarr
from zarr.storage import WrapperStore

from dsketch.errors import DataError
from dsketch.matrix.compat import array_on

_HEADER_BYTES = 16
CHUNK_KEY = re.compile(r"(?:c[./])?(\d+)(?:[./]\d+)*")


class FrameStore(WrapperStore):  # type: ignore[misc]  # zarr publishes no types that we follow
    """A store of Blosc frames: what it hands out is as long as its header says.

    Parameters
    ----------
    store : zarr.abc.store.Store
    path : str
        Of the array within the store.
    what, source : str
        The names of matrix and place that errors use.
    """

    def __init__(self, store: Any, path: str, what: str, source: str) -> None:
        super().__init__(store)
        self._path, self._what, self._source = path, what, source

    def _with_store(self, store: Any) -> "FrameStore":
        return type(self)(store, self._path, self._what, self._source)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the object, checked if it is a whole chunk."""
        return self._whole(key, await super().get(key, prototype, byte_range), byte_range)

    def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return the same without an event loop, as newer versions of zarr ask local stores."""
        return self._whole(key, super().get_sync(key, prototype=prototype, byte_range=byte_range), byte_range)

    def _whole(self, key: str, frame: Any, byte_range: Any) -> Any:
        """Return the frame.

        Raises
        ------
        DataError
            If it is longer or shorter than its header says.
        """
        name = key.removeprefix(self._path).lstrip("/")
        chunk = CHUNK_KEY.fullmatch(name)
        if frame is None or chunk is None or byte_range is not None:
            return frame
        found, header = len(frame), frame[:_HEADER_BYTES].to_bytes()
        wanted = int.from_bytes(header[12:], "little") if found >= _HEADER_BYTES else _HEADER_BYTES
        if found != wanted or found < _HEADER_BYTES:
            raise DataError(
                f"chunk {chunk[1]} of {self._what} ({self._source}/{name}) must have {'at least ' * (found < _HEADER_BYTES)}{wanted} "
                f"bytes by its Blosc header; it has {found}. It is truncated, corrupt or was being written: copy it again from its "
                "origin."
            )
        return frame


def check_frames(array: "zarr.Array[Any]", what: str, source: str) -> "zarr.Array[Any]":
    """Return the array; if its chunks are Blosc frames, one that checks them.

    A shard is none: its index holds the lengths of its frames.
    """
    if array.shards is not None or not _ends_with_blosc(array.metadata):
        return array
    return array_on(array, FrameStore(array.store, array.path, what, source))


def _ends_with_blosc(metadata: Any) -> bool:
    """Whether the last thing done to a chunk's bytes was Blosc."""
    if metadata.zarr_format == 2:
        return getattr(metadata.compressor, "codec_id", None) == "blosc"
    last = metadata.codecs[-1].to_dict()["name"] if metadata.codecs else None
    return last in ("blosc", "numcodecs.blosc")
