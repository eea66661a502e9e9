"""Which objects of a store, or which bytes of them, rows of a Zarr array are decoded from."""

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from typing import Any

import numpy as np
from zarr.abc.store import RangeByteRequest
from zarr.buffer import default_buffer_prototype

from dsketch.errors import DsketchError
from dsketch.matrix.absent import ShardIndex
from dsketch.matrix.ahead import PIECE_BYTES, WHOLE_BYTES, AheadStore, Wanted
from dsketch.matrix.compat import wait_for
from dsketch.matrix.window import Asked


class Keys:
    """What reads of an array's rows ask of its store.

    Parameters
    ----------
    array : zarr.Array
    store : AheadStore
        That its chunks are read through.
    piece_rows : int
        Rows of what is decoded at once: of a chunk, a shard, or a chunk within a large shard.
    is_plain : bool
        Whether the bytes of a chunk are its numbers.

    Attributes
    ----------
    has_ranges : bool
        Whether rows within a chunk are read by themselves: their bytes lie together.
    """

    def __init__(self, array: Any, store: AheadStore, piece_rows: int, *, is_plain: bool) -> None:
        self.store = store
        self._array, self._piece_rows, self._is_plain = array, piece_rows, is_plain
        self._outer = tuple(int(size) for size in array.shards or array.chunks)
        self._bytes = int(np.prod(self._outer, dtype=object) * np.dtype(array.dtype).itemsize)
        self.has_ranges = is_plain and self._outer[1:] == array.shape[1:]
        self._index = ShardIndex(array) if piece_rows < self._outer[0] else None
        self._places: tuple[str, np.ndarray | None] | None = None

    def is_whole(self, start: int, stop: int) -> bool:
        """Whether rows are read by whole chunks, shards, or chunks within shards."""
        return not self.has_ranges or (
            start % self._outer[0] == 0 and (stop % self._outer[0] == 0 or stop == self._array.shape[0])
        )

    def read(self, start: int, stop: int) -> Iterator[tuple[int, int, int, Any]]:
        """Yield number, first row and row behind the last of each chunk, and the bytes of these rows, None, or the error that was met.

        Raises
        ------
        DsketchError
            If the store stayed away.
        """
        parts = []
        for number, low, high, first in self._parts(start, stop):
            key = self.key((number, *(0 for _ in self._outer[1:])))
            parts.append(
                (
                    number,
                    low,
                    high,
                    self.store.get(key, default_buffer_prototype(), RangeByteRequest(*self._span(low, high, first))),
                )
            )
        for (number, low, high, _), found in zip(parts, wait_for(_gather([part[-1] for part in parts])), strict=True):
            if isinstance(found, DsketchError):
                raise found
            yield number, low, high, found if found is None or isinstance(found, Exception) else found.as_numpy_array()

    def ask(self, start: int, stop: int, until: int) -> Iterator[Asked]:
        """Yield what a read of rows ``start:stop`` asks for; no row from ``until`` on will be read."""
        is_whole = self.is_whole(start, stop)
        for number, low, high, first in self._parts(start, stop):
            end = min(first + self._outer[0], until)
            for place in itertools.product(*self._beside()):
                key = self.key((number, *place))
                if self._index is not None:
                    yield from self._inner(key, low, high, first)
                elif not is_whole:
                    yield self._range(key, low, high, first, end)
                else:
                    size = self._bytes if self._is_plain else None
                    yield Asked(self.store, Wanted(key, self._bytes, size=size), end)

    def _parts(self, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield number, first row and row behind the last of some rows in each chunk or shard, and where that begins."""
        for number in range(start // self._outer[0], (stop - 1) // self._outer[0] + 1):
            first = number * self._outer[0]
            yield number, max(start, first), min(stop, first + self._outer[0], self._array.shape[0]), first

    def traffic(self) -> tuple[int, int]:
        """Return about how many requests, and of how many bytes, bring the whole array; compressed chunks count as the middle one."""
        grid = [-(-size // step) for size, step in zip(self._array.shape, self._outer, strict=True)]
        objects = int(np.prod(grid, dtype=object))
        size = self._bytes if self._is_plain else self._size_of(tuple(count // 2 for count in grid))
        each = -(-size // PIECE_BYTES) + (not self._is_plain) if self._bytes > WHOLE_BYTES else 1
        return int(objects * each), int(objects * size)

    def _size_of(self, number: tuple[int, ...]) -> int:
        """Return the bytes of a chunk as it is stored; if nobody says, as it decodes."""
        try:
            return int(wait_for(self.store.getsize(self.key(number))))
        except Exception:  # noqa: BLE001 - reading will say what is wrong
            return self._bytes

    def key(self, number: tuple[int, ...]) -> str:
        """Return the key of a chunk or shard."""
        return f"{self._array.path}/{self._array.metadata.encode_chunk_key(number)}".lstrip("/")

    def _span(self, low: int, high: int, first: int) -> tuple[int, int]:
        """Return the bytes of rows ``low:high`` in a raw chunk that begins at a row."""
        row_bytes = self._bytes // self._outer[0]
        return (low - first) * row_bytes, (high - first) * row_bytes

    def _beside(self) -> list[range]:
        """Return the numbers of chunks along all dimensions but the first."""
        return [range(-(-size // step)) for size, step in zip(self._array.shape[1:], self._outer[1:], strict=True)]

    def _range(self, key: str, low: int, high: int, first: int, end: int) -> Asked:
        """Return rows of a chunk, with those behind them that one request brings as well."""
        row_bytes = max(self._bytes // self._outer[0], 1)
        high = max(high, min(end, low + PIECE_BYTES // row_bytes))
        start, stop = self._span(low, high, first)
        return Asked(self.store, Wanted(key, stop - start, start, stop, self._bytes), high)

    def _inner(self, key: str, low: int, high: int, first: int) -> Iterator[Asked]:
        """Yield the runs of bytes of the inner chunks of some rows."""
        places = self._places_of(key)
        if places is None:
            return
        step = self._piece_rows
        spans = places[(low - first) // step : -(-(high - first) // step)].reshape(-1, 2)
        spans = spans[spans[:, 1] > 0]
        edges = np.flatnonzero(spans[1:, 0] != spans[:-1, 1]) + 1
        for run in np.split(spans, edges):
            if len(run):
                start, stop = int(run[0, 0]), int(run[-1, 1])
                yield Asked(self.store, Wanted(key, stop - start, start, stop), high)

    def _places_of(self, key: str) -> np.ndarray | None:
        """Return where the inner chunks of a shard lie, (…, 2): first byte, and byte after the last or 0; None where nobody can say."""
        if self._index is None:
            return None
        if self._places is None or self._places[0] != key:
            self._places = (key, self._index.find_places(key, self.store))
        return self._places[1]


async def _gather(requests: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Return answers, or the errors that were met."""
    return list(await asyncio.gather(*requests, return_exceptions=True))
