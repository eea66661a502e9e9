"""A matrix with a trap: real Zarr data, whose reader dies, waits or complains at a row that the test chooses.

The trap is a folder that all processes see.  A test arms it when a pass starts; the first process that then reads the chosen row
springs it, once, by renaming a file (atomic, so two workers cannot both spring it).  Nothing here sleeps or measures time.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dsketch.events import Event, PassStarted
from dsketch.matrix.base import AnyArray, Cuts, Matrix
from dsketch.matrix.raw import RawRows

Action = Callable[["Trap"], None]


def die(trap: "Trap") -> None:
    """Kill this process as the kernel's out-of-memory killer would."""
    del trap
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_release(trap: "Trap") -> None:
    """Say who waits, then wait until the test opens the other end of the pipe (see :class:`Pipes`)."""
    with (trap.folder / "announce").open("w") as announce:
        announce.write(f"{os.getpid()}\n")
    (trap.folder / "release").read_text()


class Trap(Matrix):
    """``inner`` with a trap at one row.

    Parameters
    ----------
    inner : Matrix
    folder : Path
        Seen by all processes; holds the trap's state and a log of reads.
    row : int
        The read that includes this row springs the trap.
    action : callable
        What happens then.
    """

    def __init__(self, inner: Matrix, folder: Path, row: int, action: Action = die) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.inner, self.folder, self.row, self.action = inner, folder, row, action
        self.shape, self.dtype, self.source = inner.shape, inner.dtype, inner.source
        self.is_raw = inner.is_raw
        self.is_vector = inner.is_vector

    @property
    def cuts(self) -> Cuts:
        """Those of the data."""
        return self.inner.cuts

    def needs_buffer(self, start: int, stop: int) -> bool:
        """As the data says."""
        return self.inner.needs_buffer(start, stop)

    def fingerprint(self) -> str:
        """Return that of the data: a trap changes nothing in it."""
        return self.inner.fingerprint()

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Step into the trap, then read."""
        self._step(start, stop)
        return self.inner.read(start, stop, out)

    def open_rows(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray | RawRows:
        """Step into the trap, then open."""
        self._step(start, stop)
        return self.inner.open_rows(start, stop, out)

    def _step(self, start: int, stop: int) -> None:
        """Log the read; spring the trap if it is armed and the row is here."""
        with (self.folder / "reads").open("a") as log:  # one short line with O_APPEND: whole, whoever writes beside
            log.write(f"{self._label()} {os.getpid()} {start} {stop}\n")
        if start <= self.row < stop and self._claims():
            self.action(self)

    def arm(self) -> None:
        """Let the next read of the row spring the trap."""
        (self.folder / "armed").touch()

    def has_sprung(self) -> bool:
        """Whether somebody ran into it."""
        return (self.folder / "sprung").exists()

    def reads(self, number: int) -> Counter[tuple[int, int]]:
        """Return how often each span of rows was read in a pass; pass 0 is what came before the first."""
        return Counter((start, stop) for label, _, start, stop in self._log() if label == number)

    def readers(self, number: int) -> set[int]:
        """Return the ids of the processes that read in a pass."""
        return {process for label, process, _, _ in self._log() if label == number}

    def read_by_the_caught(self, number: int) -> set[tuple[int, int]]:
        """Return the spans that the first process to read the trapped row had read in a pass."""
        log = [(process, start, stop) for label, process, start, stop in self._log() if label == number]
        caught = next(process for process, start, stop in log if start <= self.row < stop)
        return {(start, stop) for process, start, stop in log if process == caught}

    def _log(self) -> list[list[int]]:
        path = self.folder / "reads"
        return [[int(word) for word in line.split()] for line in path.read_text().splitlines()] if path.exists() else []

    def _claims(self) -> bool:
        try:
            (self.folder / "armed").rename(self.folder / "sprung")
        except FileNotFoundError:
            return False
        return True

    def _label(self) -> str:
        label = self.folder / "pass"
        return label.read_text() if label.exists() else "0"


class ArmedBy:
    """A listener that arms a trap when a pass of a kind starts (the ``nth`` of that kind).

    Parameters
    ----------
    trap : Trap
    kind : str
    nth : int
    """

    def __init__(self, trap: Trap, kind: str, nth: int = 1) -> None:
        self.trap, self.kind, self.left = trap, kind, nth

    def __call__(self, event: Event) -> None:
        """Note the pass; arm the trap if it is the one."""
        if isinstance(event, PassStarted):
            unfinished = self.trap.folder / "pass.new"
            unfinished.write_text(f"{event.number}")
            unfinished.replace(self.trap.folder / "pass")  # readers see the old or the new number, never none
            if event.kind == self.kind:
                self.left -= 1
                if not self.left:
                    self.trap.arm()


class Pipes:
    """The test's side of :func:`wait_for_release`.

    Parameters
    ----------
    trap : Trap
        With that action.
    """

    def __init__(self, trap: Trap) -> None:
        self.folder = trap.folder
        for name in ("announce", "release"):
            os.mkfifo(self.folder / name)

    def caught(self) -> int:
        """Wait until a process is in the trap; return its id."""
        return int((self.folder / "announce").read_text())

    def release(self) -> None:
        """Let it go on."""
        (self.folder / "release").write_text("go")


def killing_all(workers: list[int]) -> Callable[[int], None]:
    """Return an action for :func:`while_caught` that kills all workers at once, of whom the caught one must be one."""

    def kill(caught: int) -> None:
        assert caught in workers
        for worker in workers:
            os.kill(worker, signal.SIGKILL)

    return kill


def while_caught(pipes: Pipes, action: Callable[[int], None]) -> threading.Thread:
    """Start a thread that waits for a process in the trap and then does ``action`` with its id."""
    thread = threading.Thread(target=lambda: action(pipes.caught()), daemon=True)
    thread.start()
    return thread
