"""What processes use, seen from outside: peak memory (all, and without pages of mapped files) and processor time."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

_EVERY_SECONDS = 0.01


class Watch:
    """Samples the memory of some processes until the block ends.

    Parameters
    ----------
    pids : sequence of int

    Attributes
    ----------
    rss, private : int
        Peak of the sum over the processes, bytes; private leaves out pages of mapped files, which the system can take back.
    largest_private : int
        Peak of the largest single process.
    idle : int
        Sum of all memory when the block began.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self.processes = [psutil.Process(pid) for pid in pids]
        self.rss = self.private = self.largest_private = 0
        self.idle = sum(process.memory_info().rss for process in self.processes)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            try:
                infos = [process.memory_info() for process in self.processes]
            except psutil.NoSuchProcess:
                return
            own = [info.rss - getattr(info, "shared", 0) for info in infos]
            self.rss = max(self.rss, sum(info.rss for info in infos))
            self.private = max(self.private, sum(own))
            self.largest_private = max(self.largest_private, *own)
            if self._done.wait(_EVERY_SECONDS):
                return


def high_water(pid: int) -> int:
    """Return the most memory that a process ever had, mapped files counted (VmHWM), or 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def processor_seconds(pids: Sequence[int]) -> float:
    """Return the processor time that the processes have used since they began."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return float(sum(time.user + time.system for time in times))
