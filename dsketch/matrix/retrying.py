"""Stores that fail and come back: what passes is tried again after growing pauses, and named as what it is when it stays.

An object store answers 503 while it is busy, 500 while one of its machines goes, and lets a connection break now and then; of a million
requests some always do.  A request is tried :data:`PAUSES` + 1 times.  What will not pass (a key that is not there, no access, no such
host) is not tried again.  The S3 client tries some of these itself, others (an HTTP server, a 500 in the middle of a body) nobody does.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.buffer import default_buffer_prototype
from zarr.storage import FsspecStore, StorePath, WrapperStore

from dsketch.errors import DataError
from dsketch.matrix.compat import array_on, fsspec_settings, get_each, inner_store, set_each
from dsketch.matrix.direct import direct_for
from dsketch.matrix.slots import REQUESTS, SLOTS

PAUSES = (
    0.25,
    1.0,
    3.0,
    9.0,
)  # seconds; a restarting server needs some, and nobody gladly waits longer than a quarter of a minute
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # RFC 9110 and 6585: another time the answer may be another
# By name, for the packages that they are of may not be installed: aiohttp, botocore, urllib3, http.client.
_BROKEN = frozenset(
    {"ClientConnectionError", "ClientPayloadError", "ConnectionError", "HTTPClientError", "IncompleteRead", "ResponseParserError"}
)
_BUSY = re.compile("answered (429|503)")  # of what passes: too many requests, and what S3 calls "slow down"
_LOCAL = frozenset({"file", "local", "memory"})
_PROTOCOL = re.compile("::|://")
_RANGES: dict[str, bool] = {}  # whether the HTTP server at a place knows ranges
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()  # to ask it
_TIMES = ("once", "twice", "three times", "four times", "five times")

T = TypeVar("T")


def persist(call: Callable[[], T], place: str) -> T:
    """Return what a call returns that speaks to a store, tried again while its failures are of the passing kind.

    Raises
    ------
    DataError
        If they stay; any other exception as it is.
    """
    for pause in (*PAUSES, None):
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - stores raise whatever they like; what does not pass is raised again
            _require_passing(error, place, pause)
        time.sleep(pause or 0)
    raise AssertionError  # the last one raised or returned


def store_at(address: str, *, read_only: bool = True) -> Any:
    """Return what Zarr opens for an address: a store that tries again for a URL of another machine, else the address itself."""
    if "://" not in address or _PROTOCOL.split(address)[0] in _LOCAL:
        return address
    return RetryingStore(FsspecStore.from_url(address, _options_for(address), read_only=read_only))


def _options_for(address: str) -> dict[str, Any]:
    """Return how the client of a URL is made: that of S3 keeps 10 connections by itself, fewer than we have requests."""
    if _PROTOCOL.split(address)[0] not in ("s3", "s3a"):
        return {}
    said = fsspec_settings().get("s3", {}).get("config_kwargs", {})
    return {"config_kwargs": {"max_pool_connections": REQUESTS, **said}}


def add_retries(found: Any) -> Any:
    """Return an array or group that somebody opened as one that tries again, if it lies on another machine."""
    store = getattr(found, "store", None)
    if not isinstance(found, zarr.Array | zarr.Group) or isinstance(store, RetryingStore) or not is_remote(store):
        return found
    if isinstance(found, zarr.Group):
        return zarr.Group(zarr.AsyncGroup(metadata=found.metadata, store_path=StorePath(RetryingStore(store), found.path)))
    return array_on(found, RetryingStore(store))


class RetryingStore(WrapperStore):  # type: ignore[misc]  # zarr publishes no types that we follow
    """A store whose passing failures are waited for.

    Guarantees: what it says of a key is the store's own word, and never a failure taken for an absent key; objects are read and written
    whole, so that a request may be made twice.
    """

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._direct = direct_for(_innermost(store))

    def __getattr__(self, name: str) -> Any:
        """Return what else the store knows: its file system and path."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._store, name)

    def __str__(self) -> str:
        return self._place("")

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the object, or None; of a store that knows no ranges and answers with all, the part that was asked for."""
        # s3fs asks for the size of a whole object before it reads it, twice the requests; not for what begins at its first byte.
        asked = OffsetByteRequest(0) if byte_range is None and self._place("").startswith("s3") else byte_range

        async def get() -> Any:
            async with SLOTS:
                found = None if self._direct is None else await self._direct.read(f"{_innermost(self._store).path}/{key}", asked)
                return await self._store.get(key, prototype, asked) if found is None else prototype.buffer.from_bytes(found)

        try:
            found = await self._kept(key, get)
        except FileNotFoundError:
            return None
        return found if found is None else _only(found, byte_range)

    async def has_ranges(self, key: str) -> bool:
        """Whether the store answers a request for a part of an object, which has more than a byte, with that part; asked once a process."""
        place = self._place("")
        if not place.startswith("http"):
            return True
        async with _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if place not in _RANGES:
                async with SLOTS:
                    first = await self._kept(
                        key, lambda: self._store.get(key, default_buffer_prototype(), RangeByteRequest(0, 1))
                    )
                if first is None:
                    return True
                _RANGES[place] = len(first) == 1
            return _RANGES[place]

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """Return parts of objects."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def _get_many(self, requests: Iterable[tuple[str, Any, Any]]) -> AsyncIterator[tuple[str, Any]]:
        async for found in get_each(self, requests):
            yield found

    async def exists(self, key: str) -> bool:
        """Whether the key is there; HTTP file systems say no for any failure, so a no is asked for again by reading."""
        return bool(await self._kept(key, lambda: self._store.exists(key))) or await self._read(key) is not None

    async def getsize(self, key: str) -> int:
        """Return the bytes of the object."""
        try:
            return int(await self._kept(key, lambda: self._store.getsize(key)))
        except FileNotFoundError:
            if (found := await self._read(key)) is None:
                raise
            return len(found)

    async def set(self, key: str, value: Any) -> None:
        """Write the object."""
        await self._kept(key, lambda: self._store.set(key, value))

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        """Write the object if there is none."""
        await self._kept(key, lambda: self._store.set_if_not_exists(key, value))

    async def _set_many(self, values: Iterable[tuple[str, Any]]) -> None:
        await set_each(self, values)

    async def delete(self, key: str) -> None:
        """Delete the object."""
        await self._kept(key, lambda: self._store.delete(key))

    async def delete_dir(self, prefix: str) -> None:
        """Delete all below a prefix."""
        await self._kept(prefix, lambda: self._store.delete_dir(prefix))

    async def clear(self) -> None:
        """Delete all."""
        await self._kept("", self._store.clear)

    async def is_empty(self, prefix: str) -> bool:
        """Whether nothing lies below a prefix."""
        return bool(await self._kept(prefix, lambda: self._store.is_empty(prefix)))

    async def list(self) -> AsyncIterator[str]:
        """Yield all keys."""
        for key in await self._kept("", lambda: _list_keys(self._store.list())):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield all keys below a prefix."""
        for key in await self._kept(prefix, lambda: _list_keys(self._store.list_prefix(prefix))):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names right below a prefix."""
        for key in await self._kept(prefix, lambda: _list_keys(self._store.list_dir(prefix))):
            yield key

    async def _read(self, key: str) -> Any:
        return await self.get(key, default_buffer_prototype())

    async def _kept(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """Return what a request returns; as :func:`persist`, in zarr's event loop."""
        for pause in (*PAUSES, None):
            try:
                return await call()
            except Exception as error:  # noqa: BLE001 - likewise
                _require_passing(error, self._place(key), pause)
                if _BUSY.match(failure(error) or ""):
                    SLOTS.slow_down()
            await asyncio.sleep(pause or 0)
        raise AssertionError

    def _place(self, key: str) -> str:
        inner = _innermost(self._store)
        return str(inner.fs.unstrip_protocol(f"{inner.path.rstrip('/')}/{key}".rstrip("/")))


def _only(found: Any, byte_range: Any) -> Any:
    """Return of all bytes the part that was asked for, where a store does not do so itself."""
    if isinstance(byte_range, RangeByteRequest) and len(found) > byte_range.end - byte_range.start:
        return found[byte_range.start : byte_range.end]
    return found[-byte_range.suffix :] if isinstance(byte_range, SuffixByteRequest) and len(found) > byte_range.suffix else found


async def _list_keys(keys: AsyncIterator[T]) -> "list[T]":
    return [key async for key in keys]


def _innermost(store: Any) -> Any:
    while isinstance(store, WrapperStore):
        store = inner_store(store)
    return store


def is_remote(store: Any) -> bool:
    """Whether a store speaks to another machine by fsspec, through whatever it is wrapped in."""
    inner = _innermost(store)
    return isinstance(inner, FsspecStore) and not set(np.atleast_1d(inner.fs.protocol)) & _LOCAL


# ---- what passes -------------------------------------------------------------------------------------------------------


def _require_passing(error: Exception, place: str, pause: float | None) -> None:
    """Raise the error if it will not pass, or as what it is if there is no pause left."""
    if (what := failure(error)) is None:
        raise error
    if pause is None:
        raise DataError(
            f"an answer about {place} was expected; the store {what} {_TIMES[len(PAUSES)]}, with growing pauses between "
            f"({type(error).__name__}: {error}). Try again when the store is well; a run with a journal goes on where it was."
        ) from error


def failure(error: BaseException) -> str | None:
    """Return in words what a store did if it may pass ("answered 503"), or None for what another try would not change."""
    chain = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) or _is_unknown_host(cause) for cause in chain):
        return None
    for cause in chain:
        if (status := _status(cause)) is not None:
            return f"answered {status}" if status in _PASSING else None
    names = {kind.__name__ for cause in chain for kind in type(cause).__mro__}
    if any(name.endswith("TimeoutError") for name in names):
        return "did not answer in time"
    return "broke the connection or took none" if names & _BROKEN else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an exception carries: as aiohttp and its like have it, or as botocore."""
    response = getattr(error, "response", None)
    told = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
    found = getattr(error, "status", None) or told
    return found if isinstance(found, int) else None


def _is_unknown_host(error: BaseException) -> bool:
    return isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
