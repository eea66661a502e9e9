"""Threads that decode chunks side by side: as many in a process as it has been given, however many of its tasks read.

They live as long as the process, so that the memory into which they read and decode is met by them alone and fresh only once
(:mod:`dsketch._linalg.scratch`).  Decoders let other threads run while they work.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


class Hands:
    """The threads of this process that decode; started when first needed."""

    def __init__(self) -> None:
        self.count = len(os.sched_getaffinity(0))
        self._own = threading.local()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin anew, as a process does that was forked: it has none of its parent's threads."""
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def limit(self, count: int) -> None:
        """Use so many threads from now on; those that work go on to their end."""
        with self._lock:
            if count != self.count:
                self.count, self._pool = count, None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let this thread decode by itself meanwhile: what it takes is what one thread takes."""
        self._own.is_alone = True
        try:
            yield
        finally:
            self._own.is_alone = False

    def share(self, work: Callable[[Sequence[T]], None], pieces: Sequence[T]) -> None:
        """Do some work on all pieces, consecutive ones by one thread.

        Raises
        ------
        Exception
            The first that the work raised, by the order of pieces, when all threads are done.
        """
        if getattr(self._own, "is_alone", False):
            work(pieces)
            return
        with self._lock:
            count = min(self.count, len(pieces))
            pool = self._pool = self._pool or ThreadPoolExecutor(self.count, thread_name_prefix="dsketch-decode")
        edges = [number * len(pieces) // count for number in range(count + 1)]
        futures = [pool.submit(work, pieces[low:high]) for low, high in pairwise(edges)]
        errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error


HANDS = Hands()  # of this process; an engine that has fewer processors of its own than the machine says so
os.register_at_fork(after_in_child=HANDS.begin_anew)
