"""Boxes of an array, decoded chunk by chunk straight into memory that is there.

zarr-python makes fresh memory for the bytes of a chunk, for each step of its decoding and for the chunk, and copies it to where it is
wanted: twice the seconds of the decoder itself with Zarr's own codec, four times with LZ4.  Here bytes are read into memory that is used
again and decoded to where they are wanted (:mod:`dsketch.matrix.chain`).

What is not as it should be in any way is left to zarr-python, for the whole box: errors and their words are its and
:class:`~dsketch.matrix.zarr.ZarrMatrix`'s.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zarr
from zarr.buffer import default_buffer_prototype

from dsketch.matrix.base import AnyArray
from dsketch.matrix.chain import Chain, chain_of
from dsketch.matrix.compat import wait_for
from dsketch.matrix.encoded import InFile, InMemory, Stored
from dsketch.matrix.filling import Doubt, require
from dsketch.matrix.grid import Box, Piece, pieces_of
from dsketch.matrix.hands import HANDS
from dsketch.matrix.raw import open_file
from dsketch.matrix.shards import Shards


class Chunks:
    """The chunks of one array.

    Parameters
    ----------
    array : zarr.Array
        Over a store that checks what it hands out.
    chain : Chain
    root : Path or None
        The folder that holds the array's own, on a local disk.
    """

    def __init__(self, array: "zarr.Array[Any]", chain: Chain, root: Path | None) -> None:
        self._array, self._chain, self._root = array, chain, root
        self._shards = None if array.shards is None else Shards(array, chain)
        self._outer = tuple(int(size) for size in array.shards or array.chunks)

    def read(self, box: Box, out: AnyArray) -> bool:
        """Fill ``out``, of the box's shape and in this machine's order of bytes; False: zarr-python should, nothing is said of ``out``.

        Absent chunks become the fill value.
        """
        pieces = list(pieces_of(box, self._outer))
        try:
            if self._root is not None:
                HANDS.share(lambda some: self._read_files(some, out), pieces)
            elif self._shards is None:
                found = wait_for(_get_all(self._array.store, [self._key(piece.place) for piece in pieces]))
                HANDS.share(lambda some: self._decode_all(some, out), list(zip(pieces, found, strict=True)))
            else:
                return False  # zarr-python asks for as much of a shard as it needs
        except Doubt:
            return False
        return True

    def _key(self, place: tuple[int, ...]) -> str:
        return f"{self._array.path}/{self._array.metadata.encode_chunk_key(place)}".lstrip("/")

    def _read_files(self, pieces: Sequence[Piece], out: AnyArray) -> None:
        for piece in pieces:
            path = f"{self._root}/{self._key(piece.place)}"
            try:
                descriptor = open_file(self._array.store, path)
            except FileNotFoundError:
                self._decode(None, piece, out)
                continue
            except OSError as error:
                raise Doubt from error
            try:
                self._decode(InFile(descriptor), piece, out)
            finally:
                os.close(descriptor)

    def _decode_all(self, pieces: Sequence[tuple[Piece, Any]], out: AnyArray) -> None:
        for piece, found in pieces:
            self._decode(None if found is None else InMemory(memoryview(found.as_numpy_array()).cast("B")), piece, out)

    def _decode(self, stored: Stored | None, piece: Piece, out: AnyArray) -> None:
        target = out[piece.inside]
        if stored is None:
            require(self._array.fill_value is not None)
            target[...] = self._array.fill_value
        elif self._shards is not None:
            self._shards.decode(stored, piece.local, target)
        else:
            require(0 < stored.nbytes <= self._chain.most_bytes)
            self._chain.decode(stored.read(0, stored.nbytes), piece.local, target)


async def _get_all(store: Any, keys: Sequence[str]) -> list[Any]:
    """Return the objects of a store, some asked for side by side, as zarr does."""
    prototype = default_buffer_prototype()
    turns = asyncio.Semaphore(int(zarr.config.get("async.concurrency")))

    async def get(key: str) -> Any:
        async with turns:
            return await store.get(key, prototype)

    return list(await asyncio.gather(*(get(key) for key in keys)))


def chunks_of(array: "zarr.Array[Any]", root: Path | None) -> Chunks | None:
    """Return the chunks of an array, or None where only zarr-python knows how they are decoded.

    Parameters
    ----------
    array : zarr.Array
        Over a store that checks what it hands out.
    root : Path or None
        The folder of its store, on a local disk.
    """
    chain = chain_of(array)
    if chain is None or (array.shards is not None and not Shards.are_known(array)):
        return None
    return Chunks(array, chain, root)
