"""How fast this machine does each kind of work: measured once on synthetic blocks, kept in the user's cache folder.

A rate is seconds per gigabyte of float64 rows in memory, one thread of as many as will run at once: they share caches and the way to
memory, which costs work that leaves the cache most.  It is processor time, so that what else the machine does counts little.  Between
the measured widths it is interpolated on logarithmic axes; beyond the widest, work of d flops a number grows with d.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from dsketch._atomic import write_whole
from dsketch._linalg.arrays import Floats
from dsketch._linalg.threads import one_blas_thread
from dsketch.matrix.rows import Block
from dsketch.passes import Pass
from dsketch.planning.work import Kind

WIDTHS = (8, 32, 128, 512)
_BLOCK_BYTES = 8_000_000
_SLOW_SECONDS = 0.5  # work that takes longer on a block is timed on a share of it
_SHARE = 8
_TICK = 1e-7  # of the clock, at the coarsest: no work costs nothing
_MOST_NEIGHBOURS = 7  # more of them no longer change what one has
_measuring = threading.Lock()  # plans are made side by side in a service; measurements are not


def seconds_per_gigabyte(kind: Kind, d: int) -> float:
    """Return the rate of a kind of work at width d; measures the kind if nobody has on this machine."""
    rates = _table()
    with _measuring:
        if not all(_key(kind, width) in rates for width in WIDTHS):
            rates |= _measure(kind)
            _keep(rates)
    known = np.log([rates[_key(kind, width)] for width in WIDTHS])
    beyond = max(0.0, np.log(d / WIDTHS[-1])) if kind.grows else 0.0
    return float(np.exp(np.interp(np.log(d), np.log(WIDTHS), known) + beyond))


def _key(kind: Kind, width: int) -> str:
    return f"{kind.name}/{width}"


@lru_cache(maxsize=1)
def _table() -> dict[str, float]:
    """Return what was measured before, to be added to."""
    try:
        known = json.loads(_cache_path().read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _keep(rates: dict[str, float]) -> None:
    path = _cache_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(rates, indent=1).encode())
    except OSError:
        pass  # a read-only home costs a second at the next start, nothing else


def _cache_path() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return base / "dsketch" / f"rates-3-numpy{np.__version__}-scipy{scipy.__version__}.json"


def _measure(kind: Kind) -> dict[str, float]:
    heights = {d: max(_BLOCK_BYTES // (8 * d), 4 * d) for d in WIDTHS}
    numbers = np.random.default_rng(0).standard_normal(max(d * rows for d, rows in heights.items()))
    with one_blas_thread():
        return {_key(kind, d): _rate(kind.sample(d), numbers[: d * rows].reshape(rows, d)) for d, rows in heights.items()}


def _rate(pass_: Pass[Any], A: Floats) -> float:
    """Return the seconds of a gigabyte by the better of two runs, as the first one also meets fresh memory."""
    part = A[: A.shape[0] // _SHARE]
    is_slow = _SHARE * _time_pass(pass_, part) > _SLOW_SECONDS
    rows = part if is_slow else A
    with _neighbours(pass_, rows):
        return min(_time_pass(pass_, rows) for _ in range(2)) / (rows.nbytes / 1e9)


def _time_pass(pass_: Pass[Any], A: Floats) -> float:
    """Return the processor time of this thread for a block."""
    block = Block(0, A.shape[0], A, np.ones((A.shape[0], 1)), None, False)
    began = time.thread_time()
    pass_.map(block, None)
    return max(time.thread_time() - began, _TICK)


@contextmanager
def _neighbours(pass_: Pass[Any], A: Floats) -> Iterator[None]:
    """Let the other processors do the same work on rows of their own meanwhile."""
    is_over = threading.Event()

    def work(own: Floats) -> None:
        while not is_over.is_set():
            _time_pass(pass_, own)

    count = min(len(os.sched_getaffinity(0)) - 1, _MOST_NEIGHBOURS)
    threads = [threading.Thread(target=work, args=(A.copy(),), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
