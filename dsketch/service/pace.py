"""How far jobs are that run: the passes that they have made, when they were last heard of, how long they will still take."""

import threading
import time
from dataclasses import dataclass
from typing import Any

_HEARD = ("planned", "pass_started", "pass_finished")


@dataclass
class _Run:
    """What is known of a job that runs."""

    heard_at: float
    done: tuple[Any, Any] = (None, None)  # pass and bytes, as last told
    expected: int | None = None
    planned_seconds: float | None = None  # of a pass
    made: int = 0
    made_seconds: float = 0.0
    last: int = 0  # number of the last pass that ended


class Paces:
    """The paces of all jobs that run; told by their processes, asked by whoever looks."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._guard = threading.Lock()

    def hear(self, job: str, kind: str, fields: dict[str, Any], now: float | None = None) -> None:
        """Take in what a job's process tells."""
        now = time.monotonic() if now is None else now
        with self._guard:
            run = self._runs.setdefault(job, _Run(now))
            done = (fields.get("number"), fields.get("done_bytes"))
            if kind in _HEARD or (kind == "progress" and done != run.done):
                run.heard_at, run.done = now, done
            run.expected = fields.get("expected_passes", run.expected)
            if kind == "planned":
                plan = fields["plan"]
                run.expected = plan["passes"]
                run.planned_seconds = plan["seconds"] / plan["passes"] if plan["seconds"] and plan["passes"] else None
            elif kind == "pass_finished":
                run.last = fields["number"]
                if not fields["replayed"]:
                    run.made, run.made_seconds = run.made + 1, run.made_seconds + fields["seconds"]

    def forget(self, job: str) -> None:
        """Keep nothing of a job on which nobody works any more."""
        with self._guard:
            self._runs.pop(job, None)

    def tell(self, job: str, current: dict[str, Any] | None, now: float | None = None) -> dict[str, Any]:
        """Return expected passes, seconds left and quiet seconds of a job, by where its current pass is; None for what nobody knows."""
        now = time.monotonic() if now is None else now
        with self._guard:
            run = self._runs.get(job)
            if run is None:
                return {"expected_passes": None, "seconds_left": None, "quiet_seconds": None}
            return {
                "expected_passes": run.expected,
                "seconds_left": _seconds_left(run, current),
                "quiet_seconds": max(now - run.heard_at, 0.0),
            }


def _seconds_left(run: _Run, current: dict[str, Any] | None) -> float | None:
    """Return the rest of the current pass and, for each that is still to come, what those made took, or else the plan says."""
    if run.expected is None:
        return None
    number, of_pass, whole = run.last, 0.0, None
    if current is not None and current.get("number"):
        number, rate = current["number"], current.get("gigabytes_per_second")
        if current.get("seconds_left") is None:
            return None
        of_pass, whole = current["seconds_left"], current["total_bytes"] / 1e9 / rate if rate else None
    a_pass = run.made_seconds / run.made if run.made else whole if whole is not None else run.planned_seconds
    ahead = max(run.expected - number, 0)
    if ahead and a_pass is None:
        return None
    return float(of_pass + ahead * (a_pass or 0.0))
