"""Files that owners have sent, each owner's in a private folder of the state directory, within a quota.

::

    uploads/OWNER/NAME/about.json      written last: without it the file is half sent, and removed at the next start
                       NAME            the bytes as they came
                       matrices/KEY/   what a job has made of it (:mod:`dsketch.service.upload_data`)

OWNER is a digest: no name of an owner becomes a path.
"""

import contextlib
import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from dsketch._units import format_bytes
from dsketch.errors import MissingDataError, SpecError
from dsketch.service.errors import ForbiddenMove, KeyTaken, RateError, ServiceError, SizeError, UnknownJob
from dsketch.service.files import get_json, put_json
from dsketch.service.job import stamp
from dsketch.service.upload_look import look_apart
from dsketch.service.upload_names import address_of, clean_name

log = logging.getLogger("dsketch.service")

_COMING = ".coming"


@dataclass(frozen=True)
class UploadLimits:
    """What an owner may send.

    Attributes
    ----------
    file_bytes : int
        Of a file.
    owner_bytes : int
        Of all files of an owner with the matrices made of them; also of a file when it is unpacked.
    files : int
        Of an owner.
    """

    file_bytes: int = 100_000_000
    owner_bytes: int = 1_000_000_000
    files: int = 100


@dataclass(frozen=True)
class UploadUse:
    """What an owner's uploads take, with the matrices made of them."""

    bytes: int
    files: int


class Uploads:
    """The files of all owners.

    Guarantees: a file is there whole or not at all; nobody meets a file of another owner; a quota holds whatever is sent at a time, as an
    owner sends one file after the other.

    Parameters
    ----------
    place : Path
    limits : UploadLimits
    """

    def __init__(self, place: Path, limits: UploadLimits) -> None:
        self._place, self.limits = place, limits
        self._guard = threading.Lock()
        self._senders: set[str] = set()

    def folder(self, owner: str) -> Path:
        """Return an owner's folder; it may not be there."""
        return self._place / hashlib.sha256(owner.encode()).hexdigest()[:32]

    def sweep(self) -> list[Path]:
        """Remove what was half sent when the service ended, and return the folders of all owners."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            folders = list(self._place.iterdir())
            for owner in folders:
                for entry in owner.iterdir():
                    if not (entry / "about.json").is_file():
                        shutil.rmtree(entry, ignore_errors=True)
            return folders
        return []

    # ---- send --------------------------------------------------------------------------------------------------------

    def begin(self, owner: str, given: str, declared: int | None) -> "Coming":
        """Return a file that is about to come, which has to be closed.

        Raises
        ------
        SpecError
            If it is of no format that is taken.
        SizeError
            If the quota has no room for it.
        RateError
            If another file of this owner is coming.
        ServiceError
            If the disk refuses.
        """
        name = clean_name(given)
        with self._guard:
            if owner in self._senders:
                raise RateError("one file at a time was expected; another one of yours is coming. Send it when that is there.")
            self._senders.add(owner)
        try:
            left = self._room(owner)
            self.require_room(declared or 0, left)
            with _on_disk():
                return Coming(self, owner, name, left)
        except BaseException:
            self.give_back(owner)
            raise

    def give_back(self, owner: str) -> None:
        """Let an owner send the next file."""
        with self._guard:
            self._senders.discard(owner)

    def _room(self, owner: str) -> int:
        """Return how many bytes a further file of an owner may have.

        Raises
        ------
        SizeError
            If it has as many files as it may.
        """
        most = self.limits
        if len(self._names(owner)) >= most.files:
            raise SizeError(f"at most {most.files} files of an owner were expected; all are taken. Delete one.")
        return min(most.file_bytes, most.owner_bytes - size_of(self.folder(owner)))

    def require_room(self, size: int, left: int) -> None:
        """Refuse a file that is larger than what is left for it.

        Raises
        ------
        SizeError
        """
        most = self.limits
        if size <= left:
            return
        if size > most.file_bytes:
            raise SizeError(
                f"a file of at most {format_bytes(most.file_bytes)} was expected; it is larger. Write it as Zarr below a data root."
            )
        raise SizeError(
            f"at most {format_bytes(most.owner_bytes)} of an owner were expected; {format_bytes(max(left, 0))} are left. Delete an upload."
        )

    def keep(self, coming: "Coming") -> tuple[dict[str, Any], bool]:
        """Keep a file that has come whole, and return what is known of it; whether it was not there before.

        Raises
        ------
        DataError, SizeError
            If it is not what its name says, or too large when it is unpacked.
        KeyTaken
            If there is another one of the name.
        """
        known = self._about(coming.owner, coming.name)
        if known is not None:
            if known["sha256"] == coming.sha256:
                return self._tell(known), False
            raise KeyTaken(
                f"a free name was expected; {coming.name} is there with other bytes. Delete it, or choose another name."
            )
        seen = look_apart(coming.path, self.limits.owner_bytes)
        folder = self.folder(coming.owner) / coming.name
        about = {
            "id": uuid4().hex,
            "owner": coming.owner,
            "name": coming.name,
            "bytes": coming.count,
            "sha256": coming.sha256,
            "at": time.time(),
            **seen,
        }
        with _on_disk():
            folder.mkdir()
            try:
                os.link(coming.path, folder / coming.name)
                put_json(folder / "about.json", about)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        log.info("%s uploaded %s of %d bytes", coming.owner, coming.name, coming.count)
        return self._tell(about), True

    # ---- look --------------------------------------------------------------------------------------------------------

    def describe(self, owner: str) -> dict[str, Any]:
        """Return an owner's files, newest first, and its quota."""
        known = [about for name in self._names(owner) if (about := self._about(owner, name)) is not None]
        known.sort(key=lambda about: (-about["at"], about["name"]))
        used = size_of(self.folder(owner))
        return {"uploads": [self._tell(about) for about in known], "used_bytes": used, **self.quota()}

    def use(self, owner: str) -> "UploadUse":
        """Return what an owner's files take."""
        return UploadUse(size_of(self.folder(owner)), len(self._names(owner)))

    def quota(self) -> dict[str, int]:
        """Return what any owner may send."""
        return {
            "most_file_bytes": self.limits.file_bytes,
            "most_bytes": self.limits.owner_bytes,
            "most_files": self.limits.files,
        }

    def admit(self, owner: str, address: str, what: str) -> str:
        """Return the address of an upload that is an owner's.

        Raises
        ------
        SpecError, MissingDataError
            If it is none, or has no such column.
        """
        asked = address_of(address, what)
        about = self._about(owner, asked.name)
        if about is None:
            raise MissingDataError(
                f"{what} was expected among your uploads; there is no {asked.name}. Upload it, or correct the name."
            )
        are_told = len(about["columns"]) == about["column_count"]
        if asked.column is not None and are_told and asked.column not in about["columns"]:
            there = (", ".join(map(repr, about["columns"][:8])) or "none") + (", …" if about["column_count"] > 8 else "")
            raise SpecError(f"{what}: a column of {asked.name} was expected; got {asked.column!r}. Choose one of {there}.")
        with contextlib.suppress(OSError):
            os.utime(self.folder(owner) / asked.name / "about.json")  # used now: kept from now on
        return address

    # ---- remove ------------------------------------------------------------------------------------------------------

    def remove(self, owner: str, name: str, is_read: Callable[[str, str], bool]) -> None:
        """Remove a file with what was made of it; ``is_read`` says whether a job is about to read an owner's file.

        Raises
        ------
        UnknownJob
            If there is none.
        ForbiddenMove
            If a job that waits or runs reads it.
        """
        if self._about(owner, name) is None:
            raise UnknownJob(f"an upload was expected; there is no {name!r} of yours. List the uploads for their names.")
        if is_read(owner, name):
            raise ForbiddenMove(
                f"an upload that no job needs was expected; a job that waits or runs reads {name}. Cancel it first."
            )
        with _on_disk():
            (self.folder(owner) / name / "about.json").unlink()
        shutil.rmtree(self.folder(owner) / name, ignore_errors=True)
        log.info("%s removed the upload %s", owner, name)

    def remove_unused(self, before: float, is_read: Callable[[str, str], bool]) -> list[str]:
        """Remove what no job has asked for since a time, and return the names."""
        removed = []
        for mark in self._place.glob("*/[!.]*/about.json"):
            about = _read_about(mark)
            owner = None if about is None else about.get("owner")
            if mark.stat().st_mtime >= before or not isinstance(owner, str) or is_read(owner, mark.parent.name):
                continue
            mark.unlink()
            shutil.rmtree(mark.parent, ignore_errors=True)
            removed.append(mark.parent.name)
        return removed

    def _names(self, owner: str) -> list[str]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sorted(mark.parent.name for mark in self.folder(owner).glob("[!.]*/about.json"))
        return []

    def _about(self, owner: str, name: str) -> dict[str, Any] | None:
        return _read_about(self.folder(owner) / name / "about.json")

    def _tell(self, about: dict[str, Any]) -> dict[str, Any]:
        names = ("name", "bytes", "sha256", "columns", "column_count", "rows")
        return {**{name: about[name] for name in names}, "address": f"upload:{about['name']}", "created": stamp(about["at"])}


class Coming:
    """A file that is being sent; it is gone when it is closed, unless it was kept."""

    def __init__(self, uploads: Uploads, owner: str, name: str, left: int) -> None:
        self._uploads, self.owner, self.name, self._left = uploads, owner, name, left
        self._folder = uploads.folder(owner) / f"{_COMING}-{uuid4().hex}"
        self._folder.mkdir(parents=True, mode=0o700)
        self.path = self._folder / name
        self._file = self.path.open("xb")
        self._digest, self.count = hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        """Of what has come."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Take a piece.

        Raises
        ------
        SizeError
            If it is one too many.
        """
        self.count += len(piece)
        self._uploads.require_room(self.count, self._left)
        self._digest.update(piece)
        with _on_disk():
            self._file.write(piece)

    def keep(self) -> tuple[dict[str, Any], bool]:
        """Keep it, now that it has come whole; as :meth:`Uploads.keep`."""
        with _on_disk():
            self._file.close()
        return self._uploads.keep(self)

    def close(self) -> None:
        """Remove what is no upload."""
        with contextlib.suppress(OSError):
            self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._uploads.give_back(self.owner)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; each file once, whatever its names."""
    sizes: dict[int, int] = {}
    for place, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(OSError):
                found = (Path(place) / file).lstat()
                sizes[found.st_ino] = found.st_size
    return sum(sizes.values())


def _read_about(path: Path) -> dict[str, Any] | None:
    """Return what is known of a file; None where there is none, or its description is damaged."""
    try:
        found: dict[str, Any] | None = get_json(path)
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def _on_disk() -> Iterator[None]:
    """Say in a sentence that the disk refuses.

    Raises
    ------
    ServiceError
    """
    try:
        yield
    except OSError as error:
        raise ServiceError(f"room for an upload was expected; the disk gave: {error.strerror}. Free some space.") from error
