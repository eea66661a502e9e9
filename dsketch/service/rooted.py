"""A store of local files that looks, whenever it opens one, whether it lies below a declared folder.

Guarantees: no byte of a file elsewhere is read, whatever links lead there and whoever exchanges folders, files and links meanwhile: a
file is first held without being opened (``O_PATH``: not even a pipe or a device notices), the system is asked where what is held lies,
and what is held is then read, not what the name has come to mean.  The store says no in the process that reads, a worker's too.

A hard link is no way out of a folder but a file in it; Linux lets nobody make one to a file that he may not write
(``fs.protected_hardlinks``).
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterable
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.buffer import default_buffer_prototype

from dsketch.errors import DataError
from dsketch.service.errors import PlaceError

_NOTHING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class RootedStore(Store):  # type: ignore[misc]  # zarr publishes no types that we follow
    """Files below a folder, to read.

    Parameters
    ----------
    root : Path
        The array or group.
    folders : tuple of Path
        Every file that is opened lies below one of them at that moment.
    what : str
        The name that errors use.
    """

    supports_writes = supports_deletes = supports_partial_writes = False
    supports_listing = True

    def __init__(self, root: Path, folders: tuple[Path, ...], what: str = "A") -> None:
        super().__init__(read_only=True)
        self.root, self.folders, self.what = root, folders, what

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RootedStore) and (self.root, self.folders) == (other.root, other.folders)

    def __str__(self) -> str:
        return f"file://{self.root.as_posix()}"

    def with_read_only(self, read_only: bool = True) -> "RootedStore":
        """Return the store; it cannot be written."""
        if not read_only:
            raise DataError(f"{self.what} was expected to be read only; it is opened to be written. Open it with mode='r'.")
        return type(self)(self.root, self.folders, self.what)

    # ---- files ---------------------------------------------------------------------------------------------------------

    def open_file(self, path: str | Path) -> int:
        """Return a file descriptor to read from.

        Raises
        ------
        PlaceError
            If the file lies elsewhere, or is a pipe, a socket or a device.
        OSError
            If there is nothing, it is a folder, or it may not be read.
        """
        held = self._hold(path)
        try:
            mode = os.fstat(held).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(str(path))
            if not stat.S_ISREG(mode):
                raise PlaceError(
                    f"{self.what} was expected to be files and folders; {path} is something else (a pipe, a device). Remove it."
                )
            return os.open(f"/proc/self/fd/{held}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(held)

    def stat_of(self, path: str | Path) -> os.stat_result:
        """Return what the system says of a file or folder.

        Raises
        ------
        PlaceError
            If it lies elsewhere.
        OSError
            If there is nothing.
        """
        held = self._hold(path)
        try:
            return os.fstat(held)
        finally:
            os.close(held)

    def list_names(self, folder: Path, most: int) -> tuple[list[str], bool]:
        """Return the names in a folder, no more than ``most``, and whether there are others.

        Raises
        ------
        PlaceError
            If it lies elsewhere.
        OSError
            If it is no folder, or may not be read.
        """
        held = self._hold(folder)
        try:
            with os.scandir(f"/proc/self/fd/{held}") as entries:
                names = [entry.name for entry in islice(entries, most + 1)]
        finally:
            os.close(held)
        return names[:most], len(names) > most

    def _hold(self, path: str | Path) -> int:
        """Return a descriptor that holds what a path leads to, unopened, if that lies below a declared folder."""
        held = os.open(path, os.O_PATH | os.O_CLOEXEC)
        place = Path(f"/proc/self/fd/{held}").readlink()
        if not any(place.is_relative_to(folder) for folder in self._places):
            os.close(held)
            raise PlaceError(
                f"{self.what} was expected to lie under declared places; {path} links out of them. Store a copy, or ask for another "
                "--data-root."
            )
        return held

    @cached_property
    def _places(self) -> tuple[Path, ...]:
        """The declared folders as this host has them: a worker's may be reached by links of its own."""
        return tuple(folder.resolve() for folder in self.folders)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out where folders lie on this host."""
        return {name: value for name, value in self.__dict__.items() if name != "_places"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take everything else as it is."""
        self.__dict__.update(state)

    def _read(self, key: str, prototype: Any, byte_range: Any) -> Any:
        try:
            descriptor = self.open_file(self.root / key)
        except _NOTHING:
            return None
        with os.fdopen(descriptor, "rb") as file:
            start, stop = _span(byte_range, os.fstat(descriptor).st_size)
            file.seek(start)
            return (prototype or default_buffer_prototype()).buffer.from_bytes(file.read(max(stop - start, 0)))

    def _list_entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            held = self._hold(folder)
        except _NOTHING:
            return []
        try:
            with os.scandir(f"/proc/self/fd/{held}") as entries:
                return list(entries)
        except NotADirectoryError:
            return []
        finally:
            os.close(held)

    # ---- zarr's words for it -------------------------------------------------------------------------------------------

    def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return an object, a part of one, or None."""
        return self._read(key, prototype, byte_range)

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return an object, a part of one, or None."""
        return await asyncio.to_thread(self._read, key, prototype, byte_range)

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """Return several."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is such a file; one elsewhere is an error."""
        return self._size(key) is not None

    async def getsize(self, key: str) -> int:
        """Return the bytes of an object."""
        size = self._size(key)
        if size is None:
            raise FileNotFoundError(key)
        return size

    def _size(self, key: str) -> int | None:
        try:
            descriptor = self.open_file(self.root / key)
        except _NOTHING:
            return None
        size = os.fstat(descriptor).st_size
        os.close(descriptor)
        return size

    async def list(self) -> AsyncIterator[str]:
        """Yield all keys."""
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the keys below a folder."""
        for entry in self._list_entries(self.root / prefix):
            key = f"{prefix.rstrip('/')}/{entry.name}".lstrip("/")
            if entry.is_dir(follow_symlinks=False):
                async for inner in self.list_prefix(key):
                    yield inner
            else:
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names in a folder."""
        for entry in self._list_entries(self.root / prefix):
            yield entry.name

    async def set(self, key: str, value: Any) -> None:
        """Refuse."""
        del key, value
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse."""
        del key
        self._check_writable()

    async def set_partial_values(self, key_start_values: Any) -> None:
        """Refuse."""
        del key_start_values
        self._check_writable()


def _span(byte_range: Any, size: int) -> tuple[int, int]:
    """Return where a part of an object begins and ends."""
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, min(byte_range.end, size)
    if isinstance(byte_range, OffsetByteRequest):
        return byte_range.offset, size
    if isinstance(byte_range, SuffixByteRequest):
        return max(size - byte_range.suffix, 0), size
    return 0, size
