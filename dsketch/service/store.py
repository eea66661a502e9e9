"""The store of jobs: folders hold the truth, an SQLite index finds them."""

import contextlib
import errno
import fcntl
import logging
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeVar

from dsketch.service.errors import ForbiddenMove, KeyTaken, ServiceError, UnknownJob
from dsketch.service.folder import Folder, sweep
from dsketch.service.index import Index
from dsketch.service.jobs import Job, State, Step

log = logging.getLogger("dsketch.service")
T = TypeVar("T")

_BALLAST_BYTES = 256_000  # given back when the disk is full: a state needs 4 kB until it has replaced the one before


class Store:
    """Jobs under a state directory.

    Guarantees: a job that :meth:`accept` returned is never lost, whenever the process or the machine dies; the folders are written
    before the index, and opening a store makes the index agree with them, so that losing it loses nothing; one process has a store
    at a time; one thread writes at a time, and readers wait for nobody.

    Parameters
    ----------
    state : Path
        The state directory, made if need be.

    Raises
    ------
    ServiceError
        If another process has it, or it cannot be written.
    """

    def __init__(self, state: Path) -> None:
        self.state, self.jobs = state, state / "jobs"
        self._writing, self._last = threading.RLock(), 0
        try:
            self.jobs.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock: IO[str] = (state / "lock").open("a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServiceError(
                f"a state directory of its own was expected; another service has {state}. Stop that one, or choose another --state."
            ) from error
        except OSError as error:
            raise ServiceError(
                f"a state directory that can be written was expected; {state} gave: {error.strerror}. Correct it, or choose another "
                "--state."
            ) from error
        self._take_ballast()
        self._index = Index(state / "index.sqlite")
        self.rebuild()

    # ---- change ------------------------------------------------------------------------------------------------------

    def accept(self, owner: str, name: str, spec: dict[str, Any], key: str | None, digest: str) -> tuple[Job, bool]:
        """Return a new queued job, or the one that the key made before; and whether it is new.

        Raises
        ------
        KeyTaken
            If the key came with another request before.
        ServiceError
            If the disk is full.
        """
        with self._writing:
            if (known := self.known(owner, key, digest)) is not None:
                return known, False
            now = time.time()
            asked = Step(State.QUEUED, now, State.QUEUED.sentence, is_asked=True)
            job = Job(self._new_id(now), owner, name, spec, now, (asked,), key, digest)
        folder = self.folder(job.id)
        try:
            part = folder.prepare(job)  # flushes take their time; others need not wait for them
            with self._writing:
                if (known := self.known(owner, key, digest)) is not None:
                    shutil.rmtree(part, ignore_errors=True)
                    return known, False
                folder.publish(part)
                self._with_room(lambda: self._index.put(job))
        except OSError as error:
            raise ServiceError(
                f"room for a new job was expected; {self.jobs} gave: {error.strerror}. Free some space."
            ) from error
        return job, True

    def move(
        self,
        id_: str,
        state: State,
        sentence: str = "",
        *,
        since: Job | None = None,
        passes: int | None = None,
        is_fault: bool = False,
        is_asked: bool = False,
    ) -> Job:
        """Change a job's state and return the job.

        Raises
        ------
        UnknownJob, ForbiddenMove
        OSError
            If the disk is full and even the ballast is gone; nothing has changed then.
        """
        with self._writing:
            job = self.job(id_)
            if since is not None and since.history != job.history:
                raise ForbiddenMove(
                    f"job {id_} was expected to stay as it was; it has become {job.state.value}. Look at it again."
                )
            moved = job.moved(state, time.time(), sentence, passes=passes, is_fault=is_fault, is_asked=is_asked)
            self._with_room(lambda: self.folder(id_).record(moved))
            self._with_room(lambda: self._index.put(moved))
            return moved

    def remove(self, id_: str) -> None:
        """Remove a resting job and all its files.

        Raises
        ------
        UnknownJob, ForbiddenMove
        """
        with self._writing:
            job = self.job(id_)
            if not job.state.is_resting:
                raise ForbiddenMove(f"a job that rests was expected; job {id_} is {job.state.value}. Cancel it first.")
            with contextlib.suppress(FileNotFoundError):
                self.folder(id_).remove()
            self._with_room(lambda: self._index.forget(id_))

    def rebuild(self) -> int:
        """Make the index anew from the folders, and return how many jobs there are."""
        with self._writing:
            found = [job for folder in sweep(self.jobs) if (job := _read(folder)) is not None]
            self._index.replace(found)
            self._last = max((int(job.id[:12], 16) for job in found), default=0)
            return len(found)

    # ---- look --------------------------------------------------------------------------------------------------------

    def folder(self, id_: str) -> Folder:
        """Return the folder of a job."""
        return Folder(self.jobs / id_)

    def job(self, id_: str) -> Job:
        """Return a job.

        Raises
        ------
        UnknownJob
        """
        found = self._index.job(id_)
        if found is None:
            raise UnknownJob(f"a job was expected; there is none of id {id_!r}. List the jobs for their ids.")
        return found

    def known(self, owner: str, key: str | None, digest: str) -> Job | None:
        """Return the job that an owner's key made; None if there is none.

        Raises
        ------
        KeyTaken
            If it came with another request.
        """
        known = None if key is None else self._index.by_key(owner, key)
        if known is not None and known.digest != digest:
            raise KeyTaken(
                f"a new idempotency key was expected for a new request; {key!r} came with another one before (job {known.id}). Take "
                "another key."
            )
        return known

    def page(
        self, *, owner: str | None = None, state: State | None = None, after: str | None = None, limit: int = 100
    ) -> list[Job]:
        """Return jobs, newest first, those before ``after`` only."""
        return self._index.page(owner, state, after, limit)

    def restless(self) -> list[Job]:
        """Return every job that is not at rest, oldest first."""
        return self._index.in_states(state for state in State if not state.is_resting)

    def counts(self) -> dict[State, int]:
        """Return how many jobs are in each state."""
        return self._index.counts()

    def oldest_queued(self) -> float | None:
        """Return when the oldest waiting job was accepted."""
        first = self._index.first(State.QUEUED)
        return None if first is None else int(first[:12], 16) / 1000

    def close(self) -> None:
        """Close the index and give the state directory back."""
        with self._writing:
            self._index.close()
            self._lock.close()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _new_id(self, now: float) -> str:
        self._last = max(int(now * 1000), self._last + 1)  # ids sort as jobs came, also within a millisecond
        return f"{self._last:012x}{secrets.token_hex(4)}"

    def _with_room(self, act: Callable[[], T]) -> T:
        """Act; on a full disk give the ballast back and act again."""
        try:
            return act()
        except (OSError, sqlite3.OperationalError) as error:
            if not _is_full(error):
                raise
            (self.state / "ballast").unlink(missing_ok=True)
            log.warning("the disk of %s is full; the reserve for states was given back", self.state)
            try:
                return act()
            except sqlite3.OperationalError as still:
                raise OSError(errno.ENOSPC, str(still)) from still

    def _take_ballast(self) -> None:
        path = self.state / "ballast"
        if not path.exists():
            try:
                path.write_bytes(bytes(_BALLAST_BYTES))
            except OSError:
                path.unlink(missing_ok=True)

    @property
    def has_room(self) -> bool:
        """Whether the reserve for states is there, taking it again if the disk has room once more."""
        self._take_ballast()
        return (self.state / "ballast").exists()


def _is_full(error: Exception) -> bool:
    return (
        "full" in str(error)
        if isinstance(error, sqlite3.Error)
        else getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    )


def _read(folder: Folder) -> Job | None:
    try:
        job = folder.read()
        return job if job.id == folder.path.name else replace(job, id=folder.path.name)
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.error("the folder %s is no job: %s", folder.path, error)
        return None
