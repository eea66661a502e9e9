"""What happens to jobs, as it happens: a file a job for what is kept, and listeners who are woken.

Kept events have an ``id`` that counts from 1 in their job, so that a client who was cut off asks for what came after the last one it
saw.  Progress within a pass is told and not kept: the next one is never far.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from dsketch.service.job import ID, stamp

log = logging.getLogger("dsketch.service")

_KEEP_ALIVE_SECONDS = 15.0  # proxies cut connections that are silent for 30 or 60


class Hub:
    """The events of all jobs.

    Guarantees: events of a job are kept in order, each whole or not at all; a listener misses no kept event, wherever it begins;
    one that is slow delays nobody.

    Parameters
    ----------
    jobs : Path
        The folder of the jobs' folders.
    """

    def __init__(self, jobs: Path) -> None:
        self._jobs = jobs
        self._writing = threading.Lock()
        self._counts: dict[str, int] = {}
        self._live: dict[str, dict[str, Any]] = {}
        self._workers: dict[str, list[dict[str, Any]]] = {}
        self._listeners: dict[str, set[_Listener]] = {}
        self._is_closed = False

    def tell(self, job: str, event: str, **fields: Any) -> None:
        """Keep an event and wake who listens; on a full disk it is lost, for the job matters more."""
        with self._writing:
            line = {"id": self._count(job) + 1, "at": stamp(time.time()), "event": event, **fields}
            try:
                _append(self._path(job), json.dumps(line, allow_nan=False).encode() + b"\n")
            except OSError as error:
                log.warning("an event of job %s could not be kept: %s", job, error.strerror)
                return
            self._counts[job] += 1
        self._wake(job)

    def show(self, job: str, progress: dict[str, Any] | None) -> None:
        """Tell where the current pass is; None when none is under way."""
        if progress is None:
            self._live.pop(job, None)
            return
        self._live[job] = progress
        self._wake(job)

    def show_workers(self, job: str, workers: list[dict[str, Any]]) -> None:
        """Tell what each worker of a job does."""
        self._workers[job] = workers
        self._wake(job)

    def workers(self, job: str) -> list[dict[str, Any]] | None:
        """Return what each worker of a job does; None of a job that does not run, or of which nothing was told yet."""
        return self._workers.get(job)

    def current_pass(self, job: str) -> dict[str, Any] | None:
        """Return where the current pass is."""
        return self._live.get(job)

    def events_after(self, job: str, after: int = 0) -> list[dict[str, Any]]:
        """Return the kept events that came after one."""
        try:
            lines = self._path(job).read_bytes().split(b"\n")[:-1]  # what follows the last line's end is not whole yet
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[max(after, 0) :]]

    async def follow(self, job: str, after: int, is_resting: Callable[[], bool]) -> AsyncIterator[dict[str, Any]]:
        """Yield kept events after one, progress and what workers do, as they come, and an empty one when nothing came for a while.

        Ends when the job rests and everything was told, when it is removed, or when the hub is closed.
        """
        listener = _Listener(asyncio.get_running_loop())
        self._listeners.setdefault(job, set()).add(listener)
        shown: dict[str, Any] | None = None
        told: list[dict[str, Any]] | None = None
        try:
            while not self._is_closed:
                listener.awake.clear()
                rests = await asyncio.to_thread(is_resting)  # asked first: what happens after it wakes us
                for event in await asyncio.to_thread(self.events_after, job, after):
                    after = event["id"]
                    yield event
                if (now := self._live.get(job)) is not None and now is not shown:
                    shown = now
                    yield {"event": "progress", **now}
                if (workers := self._workers.get(job)) is not None and workers is not told:
                    told = workers
                    yield {"event": "workers", "workers": workers}
                if rests:
                    return
                try:
                    await asyncio.wait_for(listener.awake.wait(), _KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield {}
        finally:
            self._listeners[job].discard(listener)
            if not self._listeners[job]:
                del self._listeners[job]

    def forget(self, job: str) -> None:
        """Keep nothing of a job in memory, as nobody works on it any more, and let who listens look whether it is there still."""
        with self._writing:
            self._counts.pop(job, None)
        self._live.pop(job, None)
        self._workers.pop(job, None)
        self._wake(job)

    def close(self) -> None:
        """End all listeners."""
        self._is_closed = True
        for job in list(self._listeners):
            self._wake(job)

    def _path(self, job: str) -> Path:
        if not ID.fullmatch(job):
            raise ValueError(f"the id of a job was expected; got {job!r}.")
        return self._jobs / job / "events.jsonl"

    def _count(self, job: str) -> int:
        """Return how many events are kept, cutting off what a crash left of the last one."""
        if job not in self._counts:
            path = self._path(job)
            data = path.read_bytes() if path.exists() else b""
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with path.open("r+b") as file:
                    file.truncate(whole)
            self._counts[job] = data.count(b"\n")
        return self._counts[job]

    def _wake(self, job: str) -> None:
        for listener in list(self._listeners.get(job, ())):
            listener.wake()


class _Listener:
    """Somebody on an event loop who waits to be woken from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.awake = loop, asyncio.Event()

    def wake(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.awake.set)


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        size = file.tell()
        try:
            file.write(line)
            file.flush()
        except OSError:
            file.truncate(size)
            raise
