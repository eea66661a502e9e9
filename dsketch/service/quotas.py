"""How much an owner has used of a day, and whether there is something left."""

import contextlib
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsketch._units import format_bytes, format_seconds
from dsketch.service.errors import RateError
from dsketch.service.files import get_json, put_json
from dsketch.service.owners import Allowance, Owners

_PAUSE_SECONDS = 5.0  # between two writings: what a kill loses is less


class Quotas:
    """Counts bytes and seconds of owners by UTC days.

    Guarantees: counts outlive the service, but for the last seconds before a kill; a job that was removed is counted still.

    Parameters
    ----------
    owners : Owners
    state : Path
        The state directory.
    """

    def __init__(self, owners: Owners, state: Path) -> None:
        self.owners, self._path = owners, state / "usage.json"
        self._guard = threading.Lock()
        self._begun: dict[str, tuple[str, float]] = {}  # id of a job → owner, monotonic time until which it was counted
        self._written = 0.0
        self._day, self._used = "", dict[str, list[float]]()
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            known: Any = get_json(self._path)
            self._used = {str(owner): [float(used[0]), float(used[1])] for owner, used in known["owners"].items()}
            self._day = str(known["day"])

    def most_running(self, owner: str) -> int | None:
        """Return how many jobs of an owner run at once; None: no limit of its own."""
        return self.owners.allowance(owner).running_jobs

    def begin(self, id_: str, owner: str) -> None:
        """Count the seconds of a job from now on."""
        if not self.owners.are_declared:
            return
        with self._guard:
            self._begun[id_] = owner, time.monotonic()

    def end(self, id_: str) -> None:
        """Count them no more."""
        with self._guard:
            self._count_seconds()
            if self._begun.pop(id_, None) is not None:
                self._keep(is_now=True)

    def count_read(self, id_: str, read_bytes: int) -> None:
        """Count what a job's pass has read."""
        with self._guard:
            self._count_seconds()
            if id_ in self._begun:
                self._of(self._begun[id_][0])[0] += read_bytes
                self._keep()

    def count_of(self, owner: str, read_bytes: int) -> None:
        """Count what was read for an owner by what is no job."""
        if not self.owners.are_declared:
            return
        with self._guard:
            self._of(owner)[0] += read_bytes
            self._keep()

    def overrun(self, owner: str) -> str | None:
        """Return the sentence for an owner who has nothing left of the day; None where something is."""
        allowed = self.owners.allowance(owner)
        if allowed.bytes_a_day is None and allowed.seconds_a_day is None:
            return None
        with self._guard:
            self._count_seconds()
            read, worked = self._of(owner)
        return _sentence_of(owner, allowed, read, worked)

    def overrun_of(self, id_: str) -> str | None:
        """Return the sentence for the owner of a job that is counted."""
        with self._guard:
            owner, _ = self._begun.get(id_, (None, 0.0))
        return None if owner is None else self.overrun(owner)

    def today(self) -> dict[str, tuple[float, float]]:
        """Return bytes and seconds of today of each owner who has used some."""
        with self._guard:
            self._count_seconds()
            self._turn_day()
            return {owner: (read, worked) for owner, (read, worked) in self._used.items()}

    def require(self, owner: str) -> None:
        """Refuse an owner who has nothing left of the day.

        Raises
        ------
        RateError
        """
        if (said := self.overrun(owner)) is not None:
            raise RateError(said)

    def _of(self, owner: str) -> list[float]:
        """Return bytes and seconds of today."""
        self._turn_day()
        return self._used.setdefault(owner, [0.0, 0.0])

    def _turn_day(self) -> None:
        today = datetime.fromtimestamp(time.time(), UTC).date().isoformat()
        if today != self._day:
            self._day, self._used = today, {}

    def _count_seconds(self) -> None:
        now = time.monotonic()
        for id_, (owner, since) in self._begun.items():
            self._of(owner)[1] += now - since
            self._begun[id_] = owner, now

    def _keep(self, *, is_now: bool = False) -> None:
        now = time.monotonic()
        if is_now or now - self._written > _PAUSE_SECONDS:
            self._written = now
            with contextlib.suppress(OSError):  # a disk without room: it is written at another time
                put_json(self._path, {"day": self._day, "owners": self._used})


def _sentence_of(owner: str, allowed: Allowance, read: float, worked: float) -> str | None:
    what = ""
    if allowed.bytes_a_day is not None and read >= allowed.bytes_a_day:
        most, found = format_bytes(allowed.bytes_a_day), format_bytes(int(read))
        what = f"at most {most} read a day were expected of {owner}; today's jobs have read {found}"
    elif allowed.seconds_a_day is not None and worked >= allowed.seconds_a_day:
        what = (
            f"at most {format_seconds(allowed.seconds_a_day)} of work a day were expected of {owner}; today's jobs have worked "
            f"{format_seconds(worked)}"
        )
    return f"{what}. Go on tomorrow (UTC), or let whoever runs the service raise it in its --owners." if what else None
