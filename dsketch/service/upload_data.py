"""An upload becomes a matrix: the first step of a run whose document names one, in the run's own process.

What was made once lies beside the upload and is read by the owner's later runs that ask for the same columns.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsketch._units import format_bytes
from dsketch.errors import DataError, DsketchError, MissingDataError, SpecError
from dsketch.events import Event, Note
from dsketch.ingest import Like, ingest
from dsketch.ingest.remedy import ChoiceError, SourceError, SourceNote
from dsketch.service.errors import SizeError
from dsketch.service.files import get_json, put_json
from dsketch.service.upload_names import UploadAddress, address_of, is_upload
from dsketch.service.uploads import size_of

_LOOK_SECONDS = 0.3  # the pause between two looks at what was written
_WEIGHTS = "weights"
_LOCK = ".lock"

Tell = Callable[[Event], None]


@dataclass(frozen=True)
class UploadPlace:
    """Where the uploads of a run's owner lie.

    Attributes
    ----------
    folder : Path
    most_bytes : int
        That all files of the owner may have, with what is made of them.
    """

    folder: Path
    most_bytes: int


@dataclass(frozen=True)
class Making:
    """How columns of text become columns of numbers.

    Attributes
    ----------
    drops_first : bool
        Whether the first level of each has no column: beside an intercept, without a penalty, one of them would be one too many.
    like : mapping or None
        Columns, levels and base levels of an answer whose columns new rows must have, as x says them.
    """

    drops_first: bool = False
    like: Mapping[str, Any] | None = None


def bring_in(addresses: Mapping[str, str], place: UploadPlace, tell: Tell, making: Making = Making()) -> dict[str, str]:
    """Return where the data of a run lie that are uploads, by their words, after making matrices of them.

    Parameters
    ----------
    addresses : mapping
        Of all data of the run, by word.
    place : UploadPlace
    tell : callable
        Hears progress, and notes on the source.
    making : Making

    Raises
    ------
    DsketchError
        What is wrong with a file, as :func:`dsketch.ingest` says it.
    SizeError
        If the matrix does not fit into the owner's quota.
    """
    asked = {word: address_of(address, word) for word, address in addresses.items() if is_upload(address)}
    found: dict[str, str] = {}
    for name in dict.fromkeys(one.name for one in asked.values()):
        found |= _bring_in_one({word: one for word, one in asked.items() if one.name == name}, place, tell, making)
    return found


def _bring_in_one(asked: dict[str, UploadAddress], place: UploadPlace, tell: Tell, making: Making) -> dict[str, str]:
    """Return where the data of one upload lie, by their words."""
    columns = {word: one.column for word, one in asked.items() if one.column is not None}
    targets = [word for word in columns if word != _WEIGHTS]
    if len(targets) > 1:
        raise SpecError(
            f"one target and weights were expected as columns of an upload; got {', '.join(targets)}. Upload the others alone."
        )
    name = next(iter(asked.values())).name
    target, weights = next((columns[word] for word in targets), None), columns.get(_WEIGHTS)
    made = _matrices_of(place, name, _Asked(target, weights, making), tell)
    roles = {word: "weights" if word == _WEIGHTS else "b" for word in columns}
    return {word: str(made / f"{roles.get(word, 'A')}.zarr") for word in asked}


@dataclass(frozen=True)
class _Asked:
    """What is made of one upload."""

    target: str | None
    weights: str | None
    making: Making

    def key(self, id_: str) -> str:
        """Return the name of the folder for it."""
        making = [self.making.drops_first, self.making.like] if self.making != Making() else []
        return hashlib.sha256(json.dumps([id_, self.target, self.weights, *making], sort_keys=True).encode()).hexdigest()[:16]


def _matrices_of(place: UploadPlace, name: str, asked: _Asked, tell: Tell) -> Path:
    """Return the folder with the matrix of an upload, its target and weights; made now if it is not there."""
    folder = place.folder / name
    about = get_json(folder / "about.json")
    if about is None:
        raise MissingDataError(f"an upload was expected; there is no {name}. Upload it again.")
    made = folder / "matrices" / asked.key(about["id"])
    with _lock(made):
        if not (made / "made.json").is_file():
            for left in made.glob("*"):  # of a process that was killed, whatever their names
                if left.name != _LOCK:
                    shutil.rmtree(left, ignore_errors=True)
            try:
                _make(place, folder / name, made, asked, tell)
            except BaseException:
                shutil.rmtree(made, ignore_errors=True)
                raise
    return made


def _make(place: UploadPlace, source: Path, made: Path, asked: _Asked, tell: Tell) -> None:
    target, weights, making = asked.target, asked.weights, asked.making
    try:
        done = ingest(
            source,
            made / "A.zarr",
            target=target,
            target_to=None if target is None else made / "b.zarr",
            weights=weights,
            weights_to=None if weights is None else made / "weights.zarr",
            drop_first=making.drops_first,
            like=None if making.like is None else Like.of(making.like, "the answer"),
            tell=_watch_room(place, _with_notes_for_owner(tell)),
        )
    except DsketchError as error:
        raise _error_for_owner(error, source) from error
    _require_room(place)
    shape = " × ".join(f"{length:,}" for length in done.shape)
    taken = "" if target is None else f", its target {target}"
    tell(Note(f"{source.name} is a matrix of {shape} now{taken}"))
    put_json(made / "made.json", {"columns": len(done.columns), "shape": list(done.shape)})


def _error_for_owner(error: DsketchError, source: Path) -> DsketchError:
    """Return an error for who has the file alone: without options of ingest, nor the folder of the service."""
    text = error.text(has_options=False) if isinstance(error, SourceError | ChoiceError) else str(error)
    kind = SpecError if isinstance(error, SpecError) else DataError if isinstance(error, SourceError) else type(error)
    return kind(text.replace(f"{source.parent}/", ""))


def _with_notes_for_owner(tell: Tell) -> Tell:
    """Return a listener that hears notes on the file as who has the file alone is told them."""

    def hear(event: Event) -> None:
        tell(Note(event.in_file) if isinstance(event, SourceNote) else event)

    return hear


def _watch_room(place: UploadPlace, tell: Tell) -> Tell:
    """Return a listener that also looks, now and then, whether what is written fits."""
    looked = 0.0

    def hear(event: Event) -> None:
        nonlocal looked
        tell(event)
        if time.monotonic() - looked > _LOOK_SECONDS:
            looked = time.monotonic()
            _require_room(place)

    return hear


def _require_room(place: UploadPlace) -> None:
    found = size_of(place.folder)
    if found > place.most_bytes:
        raise SizeError(
            f"at most {format_bytes(place.most_bytes)} of an owner were expected, matrices included; it would be {format_bytes(found)}. "
            "Delete an upload, leave out columns of text, or let whoever runs the service raise --max-uploaded."
        )


def remove_half_made(folder: Path) -> None:
    """Remove what processes that were killed half made of an owner's uploads; what one is making now stays."""
    for made in folder.glob("[!.]*/matrices/*"):
        if (made / "made.json").is_file():
            continue
        with contextlib.suppress(OSError), (made / _LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (made / "made.json").is_file():
                shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _lock(made: Path) -> Iterator[None]:
    """Let one process make a matrix, in a folder that is made if need be; another that asks for it waits until it is there.

    Raises
    ------
    DataError
        If the upload was removed meanwhile.
    """
    while True:
        try:
            made.parent.mkdir(exist_ok=True)
            made.mkdir(exist_ok=True)
            file = (made / _LOCK).open("a")
        except OSError as error:
            raise DataError(f"an upload was expected; its folder gave: {error.strerror}. Upload it again.") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(file.fileno(), made / _LOCK):  # removed with what was half made, while we waited
                continue
            yield
            return


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that a path names."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
