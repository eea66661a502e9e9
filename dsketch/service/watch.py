"""What the workers of a job do, told every few seconds while it runs: memory, tasks, and how long one has given no sign of work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dsketch.engine import Engine
from dsketch.engine.base import WorkerState

_PAUSE_SECONDS = 2.0
_MOST_WORKERS = 256  # that are told; of more the ones that have been quiet longest
_AT_WORK = 0.05  # of a processor: a worker that uses more reads or computes


class WorkerWatch:
    """Remembers when each worker was last seen at work.

    A sign of work is a finished piece, or processor time that is heard of.  A worker without a task of the job gives none and owes none.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    @property
    def has_looked(self) -> bool:
        """Whether a worker was seen yet."""
        return bool(self._seen)

    def describe(self, states: list[WorkerState], now: float) -> list[dict[str, Any]]:
        """Return the workers as they go out, those that have been quiet longest first, then by name."""
        told = [self._describe_one(state, now) for state in states]
        return sorted(told, key=lambda one: (-(one["quiet_seconds"] or 0.0), one["name"]))[:_MOST_WORKERS]

    def _describe_one(self, state: WorkerState, now: float) -> dict[str, Any]:
        done, since = self._seen.get(state.name, (-1, now))
        if not state.doing or state.done != done or (state.is_heard and state.processor >= _AT_WORK):
            since = now
        self._seen[state.name] = state.done, since
        return {
            "name": state.name,
            "doing": state.doing,
            "memory_bytes": state.memory_bytes,
            "memory_limit_bytes": state.memory_limit_bytes,
            "processor": state.processor,
            "quiet_seconds": now - since if state.doing else None,
        }


@contextmanager
def watching(engine: Engine, tell: Callable[..., None], pause_seconds: float = _PAUSE_SECONDS) -> Iterator[None]:
    """Tell what the engine's workers do, again and again until the end of the block."""
    over, watch = threading.Event(), WorkerWatch()

    def look() -> None:
        while not over.wait(pause_seconds if watch.has_looked else pause_seconds / 4):
            with suppress(Exception):  # a scheduler that goes away is told by the pass, which says more
                tell("workers", workers=watch.describe(engine.look_at_workers(), time.monotonic()))

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(pause_seconds)
