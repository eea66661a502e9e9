"""One BLAS thread while any of our work runs: more would change the last bits from machine to machine.

What is large between passes is cut into tiles whose shapes depend on the data alone; tiles run side by side, each on one BLAS thread, so
that bits do not depend on how many run at once.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")
_lock = threading.Lock()
_state: dict[str, Any] = {"users": 0, "limiter": None}
_here = threading.local()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _take_control() -> None:
    """Let this thread set limits: threadpoolctl from 3.7 on ignores all but the first thread that set one, as long as it lives."""
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS of this process to one thread; nested and concurrent uses count, the last one out restores."""
    with _lock:
        if _state["users"] == 0:
            _take_control()
            _state["limiter"] = _controller().limit(limits=1, user_api="blas")
        _state["users"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["users"] -= 1
            if _state["users"] == 0:
                _take_control()
                _state["limiter"].restore_original_limits()


@contextmanager
def side_by_side(threads: int | None = None) -> Iterator[None]:
    """Let :func:`run_all` of this thread run so many pieces at once (None: one for each processor), each on one BLAS thread."""
    before = getattr(_here, "pool", None)
    count = len(os.sched_getaffinity(0)) if threads is None else threads
    with one_blas_thread(), ThreadPoolExecutor(count, thread_name_prefix="dsketch-tiles") as pool:
        _here.pool = pool if count > 1 else None
        try:
            yield
        finally:
            _here.pool = before


def run_all(work: Callable[[Any], T], pieces: Iterable[Any]) -> list[T]:
    """Return what ``work`` makes of each piece, in their order; side by side where :func:`side_by_side` says so.

    >>> run_all(abs, [-1, 2])
    [1, 2]
    """
    pool: ThreadPoolExecutor | None = getattr(_here, "pool", None)
    return [work(piece) for piece in pieces] if pool is None else list(pool.map(work, pieces))
