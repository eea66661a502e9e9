"""What lies below a prefix of an object store, a level at a time, as :mod:`dsketch.service.browse` shows folders.

Guarantees: nothing outside of the declared prefixes is asked for; of metadata some kilobytes an entry are read, and no chunk; the inside
of an array is not listed, whose chunks may be millions; few listings are under way at a time, and one too many is told so at once.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.matrix.access import package_for
from dsketch.service.errors import RateError

_AT_ONCE = 4  # each holds one of the server's threads while the store is asked
_places = threading.BoundedSemaphore(_AT_ONCE)


def list_level(address: str, names: int, metadata_bytes: int) -> tuple[dict[str, int | None], bool, "Level"]:
    """Return the names on a level with their bytes, None of those that have something below them; whether there were more; and the level.

    Parameters
    ----------
    address : str
        A URL below a declared prefix.
    names : int
        That are kept at the most.
    metadata_bytes : int
        That are read of an entry's metadata.

    Raises
    ------
    MissingDataError, DataError
        If there is nothing, or the store does not answer.
    SpecError
        If a package for it is not installed.
    RateError
        If too many are listed already.
    """
    if not _places.acquire(blocking=False):
        raise RateError(
            f"at most {_AT_ONCE} listings of object stores at a time were expected; all are taken. Ask again in a moment."
        )
    try:
        level = Level(address, metadata_bytes)
        found = {} if level.is_array else level.names()
        return dict(sorted(found.items())[:names]), len(found) > names, level
    finally:
        _places.release()


class Level:
    """A prefix of an object store.

    Parameters
    ----------
    address : str
        Without a slash at its end.
    metadata_bytes : int
        That are read of an entry's metadata.
    """

    def __init__(self, address: str, metadata_bytes: int) -> None:
        self._address, self._most = address, metadata_bytes
        try:
            import fsspec
        except ImportError as error:
            raise SpecError(f"a listing of {address} needs fsspec, which is not installed. {package_for(address)}.") from error
        try:
            self._system, self._root = fsspec.core.url_to_fs(address, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise SpecError(f"{address} cannot be listed: {error}. Check the URL, or {package_for(address)}.") from error

    @property
    def is_array(self) -> bool:
        """Whether the level is the inside of an array."""
        told = self.metadata([""])[""]
        return any(said.get("node_type") == "array" or name == ".zarray" for name, said in told.items())

    def names(self) -> dict[str, int | None]:
        """Return the names on the level, with the bytes of objects, None of prefixes.

        Raises
        ------
        MissingDataError, DataError
        """
        found = self._ask(lambda: self._system.ls(self._root, detail=True))
        told = {}
        for one in found:
            path = str(one["name"]).rstrip("/")
            if path != self._root.rstrip("/"):
                told[path.rpartition("/")[2]] = None if one["type"] == "directory" else int(one.get("size") or 0)
        return told

    def metadata(self, names: list[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """Return what the metadata of entries say, by entry and name of the file; nothing of those that have none."""
        files = ("zarr.json", ".zarray", ".zgroup")
        places = [(name, file, "/".join(part for part in (self._root, name, file) if part)) for name in names for file in files]
        paths = [path for _, _, path in places]
        if not paths:
            return {}
        texts = self._ask(
            lambda: self._system.cat_ranges(paths, [0] * len(paths), [self._most + 1] * len(paths), on_error="return")
        )
        told: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}
        for (name, file, _), text in zip(places, texts, strict=True):
            if isinstance(text, bytes) and text:
                told[name][file] = _said(text if len(text) <= self._most else b"")
        return told

    def _ask(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except FileNotFoundError as error:
            raise MissingDataError(f"something was expected at {self._address}; there is nothing. Check the address.") from error
        except Exception as error:  # whatever a client of a store may raise
            said = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise DataError(
                f"a listing of {self._address} was expected; the store gave: {said[0][:200]}. Check what the service may read there."
            ) from error


def _said(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
