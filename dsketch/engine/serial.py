"""The engine in this process: no cluster, no copies; one thread by default, more run tasks side by side."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil

from dsketch._linalg.threads import one_blas_thread
from dsketch.engine.base import Engine, Workers
from dsketch.engine.panels import merge_parts, tasks_of
from dsketch.engine.stream import run_task
from dsketch.events import Progress, Tell
from dsketch.passes.base import Look, Part


class SerialEngine(Engine):
    """Runs a pass in this process.

    Guarantees: the bits of any other engine, for any number of threads; nothing is started that outlives a pass.

    Parameters
    ----------
    threads : int or None
        Tasks at once; None means one for each processor.
    """

    def __init__(self, threads: int | None = 1) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))

    def run(self, look: Look, tell: Tell) -> Part:
        """Return the merged part of one pass."""
        tasks, total, done = tasks_of(look.rows, self.threads), look.rows.nbytes, 0
        lock = threading.Lock()

        def read(count: int) -> None:
            nonlocal done
            with lock:
                done += count
                tell(Progress(done, total))

        with one_blas_thread():
            if self.threads == 1:
                return merge_parts(look.pass_, (run_task(look.pass_, look.rows, task, read) for task in tasks))
            with ThreadPoolExecutor(self.threads, thread_name_prefix="dsketch") as pool:
                return merge_parts(look.pass_, pool.map(lambda task: run_task(look.pass_, look.rows, task, read), tasks))

    def workers(self) -> Workers:
        """Describe this process."""
        memory = psutil.virtual_memory().available // self.threads
        return Workers(1, self.threads, int(memory), f"this process, {self.threads} thread{'s' * (self.threads > 1)}")

    def close(self) -> None:
        """Do nothing: nothing was started."""
