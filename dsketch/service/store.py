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

from dsketch._atomic import write_flushed
from dsketch.service.errors import ForbiddenMove, KeyTaken, ServiceError, UnknownJob
from dsketch.service.folder import Folder, sweep
from dsketch.service.formats import make_private, require_known_format
from dsketch.service.index import Index
from dsketch.service.job import Job, State, StateChange
from dsketch.service.listing import Look, Order

log = logging.getLogger("dsketch.service")
T = TypeVar("T")

_PROBE_BYTES = 16_384  # a new job needs about this
_BALLAST_BYTES = 256_000  # it is given back when the disk is full: a state needs 4 kB until it has replaced the one before


class Store:
    """Jobs under a state directory.

    Guarantees: a job that :meth:`accept` returned is never lost, whenever the process or the machine dies; the folders are written
    before the index, and opening a store makes the index agree with them, so that losing it loses nothing; one process has a store
    at a time; one thread writes at a time, and readers wait for nobody; a folder that is no job, or a copy of one, is left out and
    named in the log, and keeps nobody from opening the store.

    Parameters
    ----------
    state : Path
        The state directory, made if need be.

    Raises
    ------
    ServiceError
        If another process has it, it cannot be written, or a later version wrote it in a format of its own.
    """

    def __init__(self, state: Path) -> None:
        self.state, self.jobs = state, state / "jobs"
        self._writing, self._last = threading.RLock(), 0
        self._since: dict[str, float] = {}  # monotonic, of the last change of state in this process
        self.left_out: dict[str, str] = {}
        try:
            make_private(state)
            self.jobs.mkdir(exist_ok=True, mode=0o700)
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
        try:
            require_known_format(state)
            self._take_ballast()
            self._index = Index(state / "index.sqlite")
            self.rebuild()
        except ServiceError:
            self._lock.close()
            raise
        except (OSError, sqlite3.Error) as error:
            self._lock.close()
            raise ServiceError(
                f"a state directory that can be written was expected; {state} gave: {error}. Correct it, or choose another --state."
            ) from error

    # ---- change ------------------------------------------------------------------------------------------------------

    def accept(
        self,
        owner: str,
        name: str,
        spec: dict[str, Any],
        key: str | None,
        digest: str,
        records: Folder | None = None,
        tags: tuple[str, ...] = (),
    ) -> tuple[Job, bool]:
        """Return a new queued job, or the one that the key made before; and whether it is new.

        With the ``records`` of another job it replays what that one has recorded, if it asks for the same run.

        Raises
        ------
        KeyTaken
            If the key came with another request before.
        ServiceError
            If the disk is full.
        """
        with self._writing:
            if (known := self.find_by_key(owner, key, digest)) is not None:
                return known, False
            now = time.time()
            asked = StateChange(State.QUEUED, now, State.QUEUED.sentence, is_asked=True)
            job = Job(self._new_id(now), owner, name, spec, now, (asked,), key, digest, tags)
        folder = self.folder(job.id)
        try:
            part = folder.prepare(job, records)  # flushes take their time; others need not wait for them
            with self._writing:
                if (known := self.find_by_key(owner, key, digest)) is not None:
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
            worked = self._elapsed(job) if job.state.is_active else None
            moved = job.with_state(
                state, time.time(), sentence, passes=passes, is_fault=is_fault, is_asked=is_asked, worked=worked
            )
            self._with_room(lambda: self.folder(id_).record(moved))
            self._with_room(lambda: self._index.put(moved))
            self._since[id_] = time.monotonic()
            return moved

    def tag(self, id_: str, tags: tuple[str, ...]) -> Job:
        """Give a job these tags in place of those that it has, and return it.

        Raises
        ------
        UnknownJob
        ServiceError
            If the disk is full.
        """
        with self._writing:
            job = replace(self.job(id_), tags=tags)
            try:
                self._with_room(lambda: self.folder(id_).keep_tags(job))
                self._with_room(lambda: self._index.put(job))
            except OSError as error:
                raise ServiceError(
                    f"room for the tags of a job was expected; {self.jobs} gave: {error.strerror}. Free some space."
                ) from error
            return job

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
            gone: Path | None = None
            with contextlib.suppress(FileNotFoundError):
                gone = self.folder(id_).hide()
            self._with_room(lambda: self._index.forget(id_))
            self._since.pop(id_, None)
        if gone is not None:
            shutil.rmtree(gone, ignore_errors=True)  # an answer may be many files: nobody waits for them

    def rebuild(self) -> int:
        """Make the index anew from the folders, and return how many jobs there are."""
        with self._writing:
            self.left_out = {}
            read = [(folder, job) for folder in sweep(self.jobs) if (job := self._read(folder)) is not None]
            # Of two with one key the one whose folder has its own name is the first; a copy has another's.
            read.sort(key=lambda pair: pair[0].path.name != pair[1].id)
            found = [replace(job, id=folder.path.name) for folder, job in read]
            self.left_out |= self._with_room(lambda: self._index.replace(found))
            for name, why in sorted(self.left_out.items()):
                log.error("the folder %s is left out: %s", self.jobs / name, why)
            self._last = max((int(job.id[:12], 16) for job in found), default=0)
            return len(found) - len(self.left_out.keys() & {job.id for job in found})

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

    def find_by_key(self, owner: str, key: str | None, digest: str) -> Job | None:
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

    def seconds(self, job: Job) -> float:
        """Return how long processes have worked on a job since somebody last asked for it."""
        return job.seconds(job.history[-1].at + self._elapsed(job))

    def passes(self, job: Job) -> int:
        """Return how many passes of a job are recorded by now."""
        return max(job.history[-1].passes, self.folder(job.id).passes)

    def grown(self, order: Order) -> dict[str, float]:
        """Return by id what each job under way has done by now of what an order is about; of an order by what stays, nothing."""
        if not order.is_growing:
            return {}
        amount = self.passes if order.column == "passes" else self.seconds
        return {job.id: amount(job) for job in self._index.in_states(state for state in State if state.is_active)}

    def page(self, look: Look | None = None, **more: Any) -> list[Job]:
        """Return the jobs of a look, or of one with these words: newest first, unless it says otherwise."""
        return self._index.page(look or Look(**more))

    def restless(self) -> list[Job]:
        """Return every job that is not at rest, oldest first."""
        return self._index.in_states(state for state in State if not state.is_resting)

    def counts(self, owner: str | None = None, search: str = "", tags: tuple[str, ...] = ()) -> dict[State, int]:
        """Return how many jobs are in each state, of all or of some."""
        return self._index.counts(owner, search, tags)

    def tally(self) -> dict[str, dict[State, int]]:
        """Return how many jobs each owner has in each state."""
        return self._index.tally()

    def owners(self) -> int:
        """Return how many owners have jobs."""
        return self._index.owners()

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

    def _elapsed(self, job: Job) -> float:
        """Return the seconds in the job's present state; of one that an earlier process left, until its last sign."""
        since = self._since.get(job.id)
        if since is not None:
            return time.monotonic() - since
        return max(min(self.folder(job.id).last_sign(), time.time()) - job.history[-1].at, 0.0)

    def _read(self, folder: Folder) -> Job | None:
        try:
            return folder.read()
        except Exception as error:  # noqa: BLE001 - whatever somebody's folder holds, the others are served
            self.left_out[folder.path.name] = f"it is no job ({type(error).__name__}: {error})"
            return None

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

    def trouble(self) -> str | None:
        """Return why no job could be taken now, found by writing a file and removing it; None if one could.

        The reserve for states must be there; it is taken again if the disk has room once more.
        """
        probe = self.jobs / ".probe"
        try:
            write_flushed(probe, bytes(_PROBE_BYTES))
        except OSError as error:
            return "the disk of the state directory is full" if _is_full(error) else f"the state directory gave: {error.strerror}"
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        self._take_ballast()
        return None if (self.state / "ballast").exists() else "the disk of the state directory is full"


def _is_full(error: Exception) -> bool:
    return (
        "full" in str(error)
        if isinstance(error, sqlite3.Error)
        else getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    )
