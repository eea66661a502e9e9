"""Bytes on their way: what blocks to come will ask of a store is requested before they do, however small or large its chunks are.

Decoding asks a store for keys; here keys are announced some blocks ahead, their bytes come side by side over as many connections as
are of use (:mod:`dsketch.matrix.slots`), and whoever decodes finds them.  Objects above 12 MB come in ranges, so that one chunk of 256 MB
fills all connections too.

Nothing depends on it but time: bytes that were not announced are read when they are asked for.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.buffer import default_buffer_prototype
from zarr.storage import WrapperStore

from dsketch.errors import DsketchError
from dsketch.matrix.slots import is_patient

PIECE_BYTES = 8_000_000  # of a request: at 30 ms to the first byte and 25 MB/s behind it, 91 % of a connection
WHOLE_BYTES = PIECE_BYTES * 3 // 2  # objects up to this come by one request


@dataclass(frozen=True)
class Wanted:
    """What will be asked for: an object, or a part of it.

    Attributes
    ----------
    key : str
    likely_bytes : int
        How many it will be; of compressed chunks what they decode to.
    start : int
    stop : int or None
        Byte after the last; None: to the end.
    size : int or None
        Of the whole object, where it is known before.
    """

    key: str
    likely_bytes: int
    start: int = 0
    stop: int | None = None
    size: int | None = None

    def covers(self, start: int, stop: int | None) -> bool:
        """Whether bytes ``start:stop`` are among these; ``stop`` None: to the end."""
        return self.start <= start and (self.stop is None or (stop is not None and stop <= self.stop))

    def place_of(self, asked: Any) -> slice | None:
        """Return where in these bytes a request of a store finds its answer; None if it does not."""
        if asked is None:
            return slice(None) if self.covers(0, None) else None
        if isinstance(asked, RangeByteRequest):
            return slice(asked.start - self.start, asked.end - self.start) if self.covers(asked.start, asked.end) else None
        if isinstance(asked, OffsetByteRequest):
            return slice(asked.offset - self.start, None) if self.covers(asked.offset, None) else None
        return slice(-asked.suffix, None) if isinstance(asked, SuffixByteRequest) and self.covers(0, None) else None


class AheadStore(WrapperStore):  # type: ignore[misc]  # zarr publishes no types that we follow
    """A store that answers with what was announced, and asks for the rest.

    Guarantees: the answer is what the store within would say.  What failed on its way is asked for again by whoever needs it, but for a
    store that stayed away however often it was asked.
    """

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._coming: dict[str, list[tuple[Wanted, asyncio.Task[Any]]]] = {}
        self._kept: tuple[str, Any, Any] | None = None

    def _with_store(self, store: Any) -> "AheadStore":
        return type(self)(store)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the object or a part of it, or None."""
        kept = self._kept
        if kept is not None and kept[:2] == (key, byte_range):
            return prototype.buffer.from_bytes(kept[2])
        for wanted, task in self._coming.get(key, ()):
            place = wanted.place_of(byte_range)
            if place is None:
                continue
            found = await task
            if found is None:
                return None
            if isinstance(found, DsketchError):
                raise found
            if not isinstance(found, Exception):
                return prototype.buffer.from_bytes(memoryview(found)[place])
        return await self._store.get(key, prototype, byte_range)

    async def keep(self, key: str, byte_range: Any) -> Any:
        """Return a part of an object, None for an absent one, and go on answering with it: each block asks for the index of its shard."""
        found = await self._store.get(key, default_buffer_prototype(), byte_range)
        if found is not None:
            self._kept = (key, byte_range, found.to_bytes())
        return found

    async def announce(self, wanted: Iterable[Wanted], piece_bytes: int) -> None:
        """Begin to ask for what is not on its way already, in this order; objects that are large by so many bytes at once."""
        token = is_patient.set(True)  # tasks inherit it
        for one in wanted:
            self._coming.setdefault(one.key, []).append((one, asyncio.create_task(self._fetch(one, piece_bytes))))
        is_patient.reset(token)

    async def forget(self, wanted: Sequence[Wanted]) -> None:
        """Drop what was announced, come or not."""
        for key in {one.key for one in wanted}:
            known = self._coming.pop(key, [])
            for _, task in (pair for pair in known if pair[0] in wanted):
                task.cancel()
            if kept := [pair for pair in known if pair[0] not in wanted]:
                self._coming[key] = kept

    async def let_go(self, wanted: Wanted) -> list[asyncio.Task[Any]]:
        """Return the tasks of something announced, which go on; this store knows of them no longer."""
        known = self._coming.pop(wanted.key, [])
        if kept := [pair for pair in known if pair[0] != wanted]:
            self._coming[wanted.key] = kept
        return [task for other, task in known if other == wanted]

    async def take_over(self, wanted: Wanted, task: asyncio.Task[Any]) -> None:
        """Answer with what another store has announced."""
        self._coming.setdefault(wanted.key, []).append((wanted, task))

    async def getsize(self, key: str) -> int:
        """Return the bytes of the object; of itself the class would read all of it."""
        return int(await self._store.getsize(key))

    async def _fetch(self, wanted: Wanted, piece_bytes: int) -> Any:
        """Return the bytes, None for an absent object, or the error that was met."""
        try:
            if wanted.likely_bytes <= WHOLE_BYTES or not await _has_ranges(self._store, wanted.key):
                return await self._read(wanted.key, wanted.start, wanted.stop)
            size = wanted.stop or wanted.size or int(await self._store.getsize(wanted.key))
            return await self._read_pieces(wanted, size, piece_bytes)
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - stores raise whatever they like
            return error

    async def _read_pieces(self, wanted: Wanted, stop: int, piece_bytes: int) -> Any:
        """Return bytes that come side by side; the last request goes to the end of the object, wherever that is."""
        count = max(-(-(stop - wanted.start) // piece_bytes), 1)
        edges = [wanted.start + (stop - wanted.start) * number // count for number in range(count + 1)]
        ends = [*edges[1:-1], wanted.stop]
        tasks = [asyncio.create_task(self._read(wanted.key, low, high)) for low, high in zip(edges[:-1], ends, strict=True)]
        try:
            parts = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        if all(part is None for part in parts):
            return None
        if any(part is None or len(part) != high - low for part, low, high in zip(parts, edges[:-1], edges[1:], strict=True)):
            return ValueError(
                f"pieces of {wanted.key} are not {stop - wanted.start} bytes"
            )  # read again, as a whole: that says why
        return b"".join(parts)

    async def _read(self, key: str, start: int, stop: int | None) -> Any:
        part: Any = None
        if stop is not None:
            part = RangeByteRequest(start, stop)
        elif start:
            part = OffsetByteRequest(start)
        found = await self._store.get(key, default_buffer_prototype(), part)
        return None if found is None else found.as_numpy_array()


async def _has_ranges(store: Any, key: str) -> bool:
    """Whether a store answers a request for a part of an object with that part."""
    return bool(await store.has_ranges(key)) if hasattr(store, "has_ranges") else True
