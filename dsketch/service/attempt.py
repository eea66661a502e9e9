"""One attempt at a job: a process of its own, watched until it has ended, and killed when it must.

The process is forked from a server that has imported everything (about 20 ms) and holds nothing of the service: no socket, no
lock, no thread.  Whatever it does to itself, memory, signals, an endless read, ends with SIGKILL here.
"""

import json
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from typing import Any

import psutil

from dsketch._units import format_bytes, format_seconds
from dsketch.errors import EngineError
from dsketch.service.job_process import lead
from dsketch.service.job_work import JobWork
from dsketch.service.upload_data import remove_half_made

_LOOK_SECONDS = 0.2  # the pause between two looks at memory and time
_PARTING_SECONDS = 5.0  # a process that said its last word has so long to go

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["dsketch.service.job_process"])


def warm() -> None:
    """Start the server that processes are forked from, so that the first job need not wait for its imports."""
    forkserver.ensure_running()


@dataclass(frozen=True)
class Ending:
    """How an attempt ended.

    Attributes
    ----------
    kind : str
        ``ended``: the process said so; ``failed``: it said why not; ``passing``: the same, and it may be better later; ``died``: it
        said nothing; ``over``: beyond a limit; ``stopped``: by :meth:`Attempt.stop`.
    message : str
    fields : dict
        What came with the last word.
    """

    kind: str
    message: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


class Attempt:
    """An attempt.

    Parameters
    ----------
    hear : callable
        Is handed every line that the process tells, kind and fields.
    cluster : callable
        Returns the address of the cluster, or its keys; may take its time and raise EngineError.
    """

    def __init__(self, hear: Callable[[str, dict[str, Any]], None], cluster: Callable[[], str | dict[str, str]]) -> None:
        self._hear, self._cluster = hear, cluster
        self._seconds: float | None = None
        self._spent = 0.0
        self._memory_bytes: int | None = None
        self._planning: float | None = None  # None: no limit, or planned already
        self._planning_began = 0.0
        self._guard = threading.Lock()
        self._process: ForkServerProcess | None = None
        self._stopped: str | None = None
        self.pid: int | None = None

    def stop(self, why: str) -> None:
        """End the attempt now; it will say that it was stopped, unless it had ended already."""
        with self._guard:
            self._stopped = self._stopped or why
            if self._process is not None:
                self._process.kill()

    def go(self, work: JobWork, seconds: float | None = None, spent: float = 0.0, planning: float | None = None) -> Ending:
        """Start the process and return how it ended; the process is gone then.

        Parameters
        ----------
        work : JobWork
        seconds : float or None
            After which it is ended.
        spent : float
            Of these, in earlier attempts.
        planning : float or None
            After which it is ended if it has no plan yet; the time in which workers start does not count.
        """
        self._seconds, self._spent, self._memory_bytes = seconds, spent, work.memory_bytes
        self._planning, self._planning_began = planning, time.monotonic()
        ours, theirs = _CONTEXT.Pipe()
        with ours:
            with theirs, self._guard:
                if self._stopped is not None:
                    return Ending("stopped", self._stopped)
                self._process = _CONTEXT.Process(target=lead, args=(theirs, work), daemon=True)
                self._process.start()
                self.pid = self._process.pid
            try:
                return self._watch(ours, self._process)
            finally:
                self._process.kill()
                self._process.join()
                with self._guard:
                    self._process.close()
                    self._process = None
                if work.uploads is not None:
                    remove_half_made(work.uploads.folder)

    def _watch(self, pipe: Any, process: ForkServerProcess) -> Ending:
        deadline = None if self._seconds is None else time.monotonic() + max(self._seconds - self._spent, 0.0)
        while True:
            ready = wait([pipe, process.sentinel], timeout=_LOOK_SECONDS)
            if pipe in ready and (ending := self._hear_lines(pipe)) is not None:
                return ending
            if process.sentinel in ready and pipe not in ready:
                break
            if (over := self._overrun(process, deadline)) is not None:
                process.kill()
                return over
        process.join()
        if self._stopped is not None:
            return Ending("stopped", self._stopped)
        return Ending("died", _obituary(process.exitcode))

    def _hear_lines(self, pipe: Any) -> Ending | None:
        """Hear what lies in the pipe; the ending, if it was the last word or the line is cut."""
        try:
            while pipe.poll():
                line = json.loads(pipe.recv_bytes())
                kind = line.pop("event")
                if kind == "ended":
                    return Ending("ended", fields=line)
                if kind == "failed":
                    return Ending("passing" if line.pop("is_passing") else "failed", line["message"], line)
                if kind == "wants_cluster":
                    pipe.send_bytes(json.dumps(self._address()).encode())
                    self._planning_began = time.monotonic()
                else:
                    if kind == "progress":  # of an upload that becomes a matrix; a plan takes its time after that
                        self._planning_began = time.monotonic()
                    self._planning = None if kind == "planned" else self._planning
                    self._hear(kind, line)
        except (EOFError, OSError):
            process = self._process
            if process is not None:
                process.join(_PARTING_SECONDS)
            if self._stopped is not None:
                return Ending("stopped", self._stopped)
            return Ending("died", _obituary(None if process is None else process.exitcode))
        return None

    def _address(self) -> dict[str, Any]:
        try:
            return {"address": self._cluster()}
        except EngineError as error:
            return {"address": None, "message": str(error)}

    def _overrun(self, process: ForkServerProcess, deadline: float | None) -> Ending | None:
        if deadline is not None and time.monotonic() > deadline:
            return Ending(
                "over",
                "the job was expected to end within its time limit; its "
                f"{format_seconds(self._seconds or 0)} are over. Ask for more with limits.seconds, up to the service's "
                "--max-seconds, and resume it with the passes it has.",
            )
        if self._planning is not None and time.monotonic() - self._planning_began > self._planning:
            return Ending(
                "over",
                f"a plan was expected within {format_seconds(self._planning)}; there is none yet. Ask for less, or let whoever runs the "
                "service raise --max-planning.",
            )
        limit = self._memory_bytes
        if limit is None or process.pid is None:
            return None
        try:
            used = psutil.Process(process.pid).memory_info().rss
        except psutil.Error:
            return None  # it has just ended
        if used <= limit:
            return None
        return Ending(
            "over",
            f"the job was expected to stay within {format_bytes(limit)} of memory; its process has {format_bytes(used)}. Ask for "
            "more with limits.memory, up to the service's --max-memory.",
        )


def _obituary(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was killed by {signal.Signals(-code).name}, not by the service (out of memory?)"
    return f"its process ended without a word (exit code {code})"
