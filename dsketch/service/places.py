"""Which data a job may open: what lies under declared folders and URL prefixes, and nothing that a link or a URL leads out to."""

import json
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from dsketch.errors import MissingDataError
from dsketch.matrix.open import require_folder
from dsketch.service.errors import PlaceError
from dsketch.service.rooted import RootedStore

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MOST_LINKS = 40  # on the way to a file, as the system has it
_MOST_ENTRIES = 5_000_000  # the links of an array with more files could not be looked at in reasonable time
METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


@dataclass(frozen=True)
class Roots:
    """The places that are declared.

    Parameters
    ----------
    folders : tuple of Path
        To read under; a relative path of a spec is taken under the first one.
    prefixes : tuple of str
        URL prefixes to read under, such as ``s3://bucket/data``.
    outputs : tuple of Path
        Folders to write results under.
    shared : tuple of Path
        Folders of which ``folders`` are an owner's part: whether anything is elsewhere below them is not even looked at.

    Notes
    -----
    A path is resolved before it is compared, so that neither ``..`` nor a link leads out.  :meth:`screen` then looks at every entry of
    the array, because a chunk may be a link too: it says early what is wrong.  What decides is the store that :meth:`open` gives: it
    asks where a file lies whenever it opens one (:mod:`dsketch.service.rooted`), in this process and in workers.
    """

    folders: tuple[Path, ...] = ()
    prefixes: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()

    @classmethod
    def of(cls, reads: Iterable[str], writes: Iterable[str] = ()) -> "Roots":
        """Return the places that the words of a command line declare: folders and URL prefixes, mixed."""
        given = tuple(reads)
        return cls(
            tuple(Path(place).resolve() for place in given if not _is_url(place)),
            tuple(place.rstrip("/") for place in given if _is_url(place)),
            tuple(Path(place).resolve() for place in writes),
        )

    def admit(self, address: str, what: str = "A") -> str:
        """Return the address of data in its full form.

        Raises
        ------
        PlaceError
            If it lies outside the declared places.
        MissingDataError
            If it is a path and there is nothing.
        """
        if _is_url(address):
            return self._admit_url(address, what)
        path = _under(address, self.folders, self.shared)
        if path is None:
            raise self._elsewhere(address, what)
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a name is too long
            raise MissingDataError(f"{what} was expected at {path}; there is nothing. Check the path.")
        return str(path)

    def writable(self, address: str) -> str:
        """Return the full form of a path to write a result to.

        Raises
        ------
        PlaceError
            If no declared folder holds it.
        """
        path = None if _is_url(address) else _under(address, self.outputs)
        if path is None or path in self.outputs:
            places = ", ".join(map(str, self.outputs)) or "none"
            raise PlaceError(
                f"a path to write under a declared folder was expected for out; got {address} (declared: {places}). Leave it out, and "
                "fetch x from the job."
            )
        return str(path)

    def screen(self, address: str, what: str = "A") -> None:
        """Look at an array before it is opened.

        Raises
        ------
        PlaceError
            If a link in it leads out of the declared places, it holds what is neither file nor folder, or it asks for a codec
            that runs what it decodes.
        """
        if _is_url(address) or not Path(address).is_dir():
            return
        for place, entry in enumerate(_entries(Path(address))):
            if place > _MOST_ENTRIES:
                raise PlaceError(
                    f"{what} was expected to have at most {_MOST_ENTRIES} files; {address} has more. Store it in larger chunks."
                )
            if entry.is_symlink() and not _is_below(Path(entry.path).resolve(), self.folders):
                raise PlaceError(
                    f"{what} was expected to lie under declared places; {entry.path} links out of them. Store a copy."
                )
            if not entry.is_symlink() and not entry.is_dir() and not entry.is_file():
                raise PlaceError(
                    f"{what} was expected to be files and folders; {entry.path} is something else (a pipe, a device). Remove it."
                )
            if entry.name in METADATA and entry.is_file():
                _refuse_running_codecs(Path(entry.path), what)

    def open(self, address: str, what: str = "A") -> "str | RootedStore":
        """Return what to open data from, a full address as :meth:`admitted` gives it: a URL itself, files by a store that watches.

        Raises
        ------
        MissingDataError, DataError
            If there is no folder.
        """
        if _is_url(address):
            return address
        require_folder(Path(address), what)
        return RootedStore(Path(address), self.folders, what)

    def _admit_url(self, address: str, what: str) -> str:
        plain = address.rstrip("/")
        path = plain.partition("://")[2]
        is_plain = (
            unquote(plain) == plain and posixpath.normpath(path) == path and not re.search(r"[?#@\\\s]|::|:[0-9]*[^0-9/:]", path)
        )
        if is_plain and any(plain == prefix or plain.startswith(f"{prefix}/") for prefix in self.prefixes):
            return plain
        raise self._elsewhere(address, what)

    def _elsewhere(self, address: str, what: str) -> PlaceError:
        names = ", ".join([*map(str, self.folders), *self.prefixes]) or "none"
        return PlaceError(
            f"{what} was expected under a declared place; {address} lies elsewhere. Use one of these, or ask for another --data-root: "
            f"{names}."
        )


def _is_url(address: str) -> bool:
    return _URL.match(address) is not None or "::" in address


def _under(address: str, folders: tuple[Path, ...], shared: tuple[Path, ...] = ()) -> Path | None:
    """Return a path in full if one of the folders holds it."""
    if not folders:
        return None
    try:
        path = folders[0] / address  # an absolute address replaces the folder
        path = path.resolve() if _stays_out(path, folders, shared) else Path()
    except (OSError, ValueError, RuntimeError):  # too long, a null character, a circle of links
        return None
    return path if _is_below(path, folders) else None


def _stays_out(path: Path, folders: tuple[Path, ...], shared: tuple[Path, ...]) -> bool:
    """Whether a path, link by link, passes no place of another owner: what is there or not must not decide what is said of it."""
    if not shared:
        return True
    done, left, links = Path(path.anchor), [*reversed(path.parts[1:])], 0
    while left and links < _MOST_LINKS:
        step = done / left.pop()
        if step.name == "..":
            done = done.parent
            continue
        if (
            _is_below(step, shared)
            and not _is_below(step, folders)
            and not any(folder.is_relative_to(step) for folder in folders)
        ):
            return False
        if step.is_symlink():
            links += 1
            target = step.readlink()
            done = Path(target.anchor) if target.is_absolute() else done
            left += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            done = step
    return not left


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _entries(path: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield everything below a folder, without following links."""
    with os.scandir(path) as found:
        for entry in found:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path))


def _refuse_running_codecs(path: Path, what: str) -> None:
    """Refuse metadata that name a pickle codec: decoding it would run whatever the array's author wrote."""
    try:
        named = _codec_names(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return  # not JSON: opening it will say so
    if any("pickle" in word.lower() for word in named):
        raise PlaceError(
            f"{what} was expected in a plain codec; {path} asks for pickle, which would run code. Store it with another."
        )


def _codec_names(value: object) -> Iterator[str]:
    """Yield the texts under id, name and kind of codec, wherever they stand."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("id", "name") and isinstance(item, str):
                yield item
            else:
                yield from _codec_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _codec_names(item)
