"""The engine in this process: no cluster, no copies; one thread by default, more run tasks side by side."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psutil

from dsketch._linalg.threads import one_blas_thread
from dsketch.engine.base import Engine, Workers
from dsketch.engine.kept import Kept
from dsketch.engine.panels import blocks_beside, merge_parts, rows_in, tasks_of
from dsketch.engine.stream import run_task
from dsketch.events import Progress, Tell
from dsketch.matrix.cache import BLOCKS
from dsketch.matrix.rows import Block, Rows
from dsketch.matrix.sampling import sample_blocks
from dsketch.matrix.window import window_bytes
from dsketch.passes.base import Look, Part

T = TypeVar("T")

_KEPT_SHARE = 0.25  # of the memory that is free, for decoded blocks
_MOST_KEPT = 1_000_000_000  # larger data are for workers of their own


class SerialEngine(Engine):
    """Runs a pass in this process.

    Guarantees: the bits of any other engine, for any number of threads; nothing is started that outlives a pass.

    Parameters
    ----------
    threads : int or None
        Tasks at once; None means one for each processor.
    """

    keeps_near = False  # each pass decodes anew what lies here

    def __init__(self, threads: int | None = 1) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))
        self.kept = Kept()

    def run(self, look: Look, tell: Tell) -> Part:
        """Return the merged part of one pass."""
        rows, window = self._keep(look.rows), window_bytes(self.workers().memory_bytes)
        tasks, total, done = tasks_of(rows, self.threads), rows.nbytes, 0
        lock = threading.Lock()

        def read(count: int) -> None:
            nonlocal done
            with lock:
                done += count
                tell(Progress(done, total))

        with one_blas_thread():
            if self.threads == 1:
                return merge_parts(look.pass_, (run_task(look.pass_, rows, task, read, window) for task in tasks))
            with ThreadPoolExecutor(self.threads, thread_name_prefix="dsketch") as pool:
                return merge_parts(look.pass_, pool.map(lambda task: run_task(look.pass_, rows, task, read, window), tasks))

    def sample(
        self, rows: Rows, spans: Sequence[tuple[int, int]], take: Callable[[Block], T], *, goes_on: bool = False
    ) -> list[tuple[T, float]]:
        """Return what is taken of blocks, which are kept for the pass that comes; as much as a window holds is asked for."""
        rows = self._keep(rows)
        if not (goes_on and rows.A.is_remote):
            return super().sample(rows, spans, take)
        window = window_bytes(self.workers().memory_bytes)
        later = blocks_beside(tasks_of(rows, self.threads), spans, rows_in(rows, window))
        return sample_blocks(rows, spans, take, later, window)

    def cache_bytes(self) -> int:
        """Return the decoded bytes that this process keeps from pass to pass: set when first asked."""
        if not BLOCKS.limit_bytes:
            BLOCKS.limit_bytes = max(min(_MOST_KEPT, int(_KEPT_SHARE * psutil.virtual_memory().available)), 1)
        return BLOCKS.limit_bytes

    def _keep(self, rows: Rows) -> Rows:
        """Return rows whose decoded blocks are kept, where they come from a store on another machine."""
        if not rows.A.is_remote:
            return rows
        self.cache_bytes()
        return self.kept.name(rows)

    def workers(self) -> Workers:
        """Describe this process."""
        memory = psutil.virtual_memory().available // self.threads
        return Workers(1, self.threads, int(memory), f"this process, {self.threads} thread{'s' * (self.threads > 1)}")

    def close(self) -> None:
        """Do nothing: nothing was started."""
