"""Zarr arrays whose chunks decode to no more than they are declared to hold, and none whose codecs make objects.

Every codec of a chain that can make more of less is replaced for reading (:mod:`dsketch.matrix.decoders`), inside shards too; metadata
stay what they are.  A chunk's file is looked at before it is read: one that is longer than any encoding of its numbers is not.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.codec import ArrayArrayCodec, BytesBytesCodec
from zarr.codecs import ShardingCodec, TransposeCodec
from zarr.storage import WrapperStore

from dsketch._units import format_bytes
from dsketch.errors import DataError
from dsketch.matrix.blosc_check import CHUNK_KEY
from dsketch.matrix.compat import array_on, codec_of_format_2, inner_store, numcodec_of, with_codecs
from dsketch.matrix.decoders import DECODERS, Bound, OverlongError, decode

# These decode to Python's objects, as many as their bytes say; pickle runs what its author wrote on the way.
_OF_OBJECTS = ("pickle", "json", "msgpack", "vlen", "categorize")


def check_codecs(array: "zarr.Array[Any]", what: str) -> None:
    """Refuse codecs that make objects, wherever their name came from (each format's metadata, consolidated ones, a URL).

    Raises
    ------
    DataError
    """
    for name in _names(array.metadata.to_dict()):
        if name.removeprefix("numcodecs.").lower().startswith(_OF_OBJECTS):
            why = ", which would run code" if "pickle" in name.lower() else ", which makes objects"
            raise DataError(f"{what} was expected in codecs of numbers; it asks for {name}{why}. Store it with another codec.")


def _names(document: Any) -> Iterable[str]:
    """Yield the names of all codecs, those inside of shards too."""
    chains = [document[key] for key in ("codecs", "index_codecs", "filters", "compressor") if document.get(key)]
    for codec in (codec for chain in chains for codec in (chain if isinstance(chain, list | tuple) else [chain])):
        yield str(codec.get("name") or codec.get("id"))
        yield from _names(codec.get("configuration") or {})


def bound_decoding(array: "zarr.Array[Any]") -> "zarr.Array[Any]":
    """Return the array for reading, with bounds on what its chunks are made of and decode to."""
    try:
        return with_codecs(array_on(array, _of_size(array)), _chain(array))
    except NotImplementedError:  # another implementation of all codecs at once
        return array


def _chain(array: "zarr.Array[Any]") -> tuple[Any, ...]:
    if array.metadata.zarr_format == 3:
        return _bound_chain(array.metadata.codecs)
    codec = codec_of_format_2(array)
    shape, itemsize = array.chunks, np.dtype(array.dtype).itemsize
    stages = [*(codec.filters or ()), *([codec.compressor] if codec.compressor else [])]
    made = [
        BoundedCodec(stage, Bound.of(shape, itemsize, is_exact=place == 0)) if stage.codec_id in DECODERS else stage
        for place, stage in enumerate(stages)
    ]
    has_filters = len(codec.filters or ())
    return (
        replace(
            codec,
            filters=tuple(made[:has_filters]) or None,
            compressor=made[has_filters] if codec.compressor else None,
        ),
    )


def _bound_chain(codecs: Iterable[Any]) -> tuple[Any, ...]:
    """Return a chain of format 3: numbers to numbers, numbers to bytes, bytes to bytes, as they are encoded."""
    made: list[Any] = []
    is_exact = not any(isinstance(codec, ArrayArrayCodec) and not isinstance(codec, TransposeCodec) for codec in codecs)
    for codec in codecs:
        name = codec.to_dict()["name"].removeprefix("numcodecs.") if isinstance(codec, BytesBytesCodec) else ""
        if isinstance(codec, ShardingCodec):
            made.append(replace(codec, codecs=_bound_chain(codec.codecs)))
        elif name in DECODERS:
            made.append(BoundedBytes(codec, name, is_exact))
        else:
            made.append(codec)
        is_exact = is_exact and not isinstance(codec, BytesBytesCodec)
    return tuple(made)


class BoundedCodec:
    """A codec of format 2 that decodes to no more than its bound."""

    def __init__(self, codec: Any, bound: Bound) -> None:
        self.codec, self.bound, self.codec_id = codec, bound, codec.codec_id

    def decode(self, data: Any, out: Any = None) -> Any:
        """Return the decoded bytes; ``out`` is what zarr hands none over for."""
        del out
        return decode(self.codec_id, self.codec, data, self.bound)


@dataclass(frozen=True)
class BoundedBytes(BytesBytesCodec):  # type: ignore[misc]  # zarr publishes no types that we follow
    """A codec of format 3 that decodes to no more than its chunk."""

    codec: Any
    name: str
    is_exact: bool
    is_fixed_size = False

    def evolve_from_array_spec(self, array_spec: Any) -> "BoundedBytes":
        """Return the codec for an array."""
        return replace(self, codec=self.codec.evolve_from_array_spec(array_spec))

    def to_dict(self) -> Any:
        """Return the codec's own document."""
        return self.codec.to_dict()

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Return what the codec says."""
        return int(self.codec.compute_encoded_size(input_byte_length, chunk_spec))

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        bound = Bound.of(chunk_spec.shape, chunk_spec.dtype.to_native_dtype().itemsize, is_exact=self.is_exact)
        found = decode(self.name, numcodec_of(self.codec, self.name), chunk_bytes.as_numpy_array(), bound)
        return chunk_spec.prototype.buffer.from_array_like(np.frombuffer(found, np.uint8))

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)


def _of_size(array: "zarr.Array[Any]") -> Any:
    """Return the array's store; a local one with a look at the length of files."""
    root = getattr(array.store, "root", None)
    if not isinstance(root, Path):
        root = getattr(inner_store(array.store), "root", None)
    if not isinstance(root, Path):
        return array.store
    shape = array.shards or array.chunks
    return SizeStore(array.store, root, array.path, Bound.of(shape, np.dtype(array.dtype).itemsize, is_exact=False).size)


class SizeStore(WrapperStore):  # type: ignore[misc]
    """A local store that reads no chunk longer than any encoding of its numbers.

    Parameters
    ----------
    store : zarr.abc.store.Store
    root : Path
        Its folder.
    path : str
        Of the array within the store.
    most_bytes : int
        Of a chunk's file.
    """

    def __init__(self, store: Any, root: Path, path: str, most_bytes: int) -> None:
        super().__init__(store)
        self._root, self._path, self._most_bytes = root, path, most_bytes

    def _with_store(self, store: Any) -> "SizeStore":
        return type(self)(store, self._root, self._path, self._most_bytes)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the object."""
        self._check(key, byte_range)
        return await super().get(key, prototype, byte_range)

    def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return the same without an event loop, as newer versions of zarr ask local stores."""
        self._check(key, byte_range)
        return super().get_sync(key, prototype=prototype, byte_range=byte_range)

    def _check(self, key: str, byte_range: Any) -> None:
        if byte_range is not None or not CHUNK_KEY.fullmatch(key.removeprefix(self._path).lstrip("/")):
            return
        try:
            found = (self._root / key).stat().st_size
        except OSError:
            return  # reading will say why
        if found > self._most_bytes:
            raise OverlongError(f"its file alone has {format_bytes(found)}")
