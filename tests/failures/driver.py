"""Drivers to be killed: ``python -m tests.failures.driver A b journal method point`` is one.

``python -m tests.failures.driver`` alone has imported all that a driver needs and starts one, by a fork, for each line of words that it
reads; when the driver is dead it prints how it ended.  Each is a process that has done nothing before.

Points: ``after:K`` the K-th pass was recorded; ``in:K`` the K-th pass has read some rows; ``writing:K`` record K is written but
not yet in place; ``never``.  The process kills itself at exactly that point with SIGKILL, so no handler and no buffer survives.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import dsketch
from dsketch.events import Event, PassFinished, PassStarted, Progress
from tests.failures.scale import shrink


class Killer:
    """A listener that ends the process at the point."""

    def __init__(self, point: str) -> None:
        self.kind, _, number = point.partition(":")
        self.number, self.current = int(number or 0), 0
        if self.kind == "writing":
            self._sync, os.fsync = os.fsync, self.sync

    def __call__(self, event: Event) -> None:
        """Look at the event; die if it is the one."""
        if isinstance(event, PassStarted):
            self.current = event.number
        if self.current == self.number and (
            (isinstance(event, PassFinished) and self.kind == "after") or (isinstance(event, Progress) and self.kind == "in")
        ):
            os.kill(os.getpid(), signal.SIGKILL)

    def sync(self, descriptor: int) -> None:
        """Flush as asked, then die if that was the record: it lies beside its place under another name."""
        self._sync(descriptor)
        if f".pass-{self.number:04d}.npz" in Path(f"/proc/self/fd/{descriptor}").readlink().name:
            os.kill(os.getpid(), signal.SIGKILL)


def main(A: str, b: str, journal: str, method: str, point: str, cluster: str = "serial") -> None:
    """Solve, or go on if the journal has begun."""
    shrink()
    dsketch.lstsq(A, b, journal=journal, method=method, cluster=cluster, progress=Killer(point))


def start_many(act: Callable[..., None] = main) -> None:
    """Read words, start a driver that acts on them, print its exit code (negative: the signal that ended it); and so on."""
    for line in sys.stdin:
        if (driver := os.fork()) == 0:
            act(*json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1]), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    if sys.argv[1:]:
        main(*sys.argv[1:])
    else:
        start_many()
