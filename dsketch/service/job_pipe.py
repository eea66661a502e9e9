"""The line between the process of a job and the service: JSON, a message each."""

import json
import threading
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from dsketch import events
from dsketch._jsonable import plain
from dsketch.engine import Keys
from dsketch.errors import EngineError
from dsketch.service.hidden import hide_addresses

_TOLD_SECONDS = 0.25  # the pause between two signs of progress


class Link:
    """The line to the service: events go up, the address of the cluster comes down."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._sending = pipe, threading.Lock()
        self._pass: events.PassStarted | None = None
        self._began = self._told = 0.0

    def tell(self, event: str, /, **fields: Any) -> None:
        """Send a line."""
        with self._sending:
            self._pipe.send_bytes(hide_addresses(json.dumps(plain({"event": event, **fields}), allow_nan=False)).encode())

    def cluster(self) -> str | Keys:
        """Ask for the address of the cluster, or the keys of a private one.

        Raises
        ------
        EngineError
            If there is none.
        """
        self.tell("wants_cluster")
        answer = json.loads(self._pipe.recv_bytes())
        if answer["address"] is None:
            raise EngineError(answer["message"])
        return Keys(**answer["address"]) if isinstance(answer["address"], dict) else str(answer["address"])

    def hear(self, event: events.Event) -> None:
        """Pass an event of the run on; progress a few times a second at the most."""
        now = time.monotonic()
        if isinstance(event, events.PassStarted):
            self._pass, self._began, self._told = event, now, 0.0
            self.tell("pass_started", **asdict(event))
        elif isinstance(event, events.Progress):
            if now - self._told >= _TOLD_SECONDS:
                self._told = now
                self.tell("progress", **self._progress(event, now))
        elif isinstance(event, events.PassFinished):
            self.tell("pass_finished", **asdict(event), gigabytes_per_second=_speed(event.read_bytes, event.seconds))
        elif isinstance(event, events.Converged):
            self.tell("converged", **asdict(event))
        else:
            self.tell("note", text=event.text)

    def _progress(self, event: events.Progress, now: float) -> dict[str, Any]:
        seconds = now - self._began
        left = (event.total_bytes - event.done_bytes) * seconds / event.done_bytes if event.done_bytes else None
        begun = {} if self._pass is None else {name: getattr(self._pass, name) for name in ("number", "kind", "expected_passes")}
        return {**begun, **asdict(event), "gigabytes_per_second": _speed(event.done_bytes, seconds), "seconds_left": left}


def _speed(count: int, seconds: float) -> float | None:
    return count / 1e9 / seconds if seconds > 0 else None
