"""What runs inside a Dask worker: tasks, merges, and the share of memory for decoded blocks."""

import platform
from typing import Any

import numpy as np
import psutil
import scipy
from distributed import get_worker

from dsketch import version
from dsketch._linalg.threads import one_blas_thread
from dsketch.engine.compat import memory_limit_of
from dsketch.engine.packing import Packed, unpack
from dsketch.engine.panels import Task
from dsketch.engine.stream import run_task
from dsketch.matrix.cache import BLOCKS
from dsketch.matrix.hands import HANDS
from dsketch.matrix.rows import Rows
from dsketch.matrix.sampling import sample_blocks
from dsketch.matrix.window import window_bytes
from dsketch.passes.base import Part, Pass
from dsketch.passes.digests import digest_part

_CACHE_SHARE = 0.4  # the share of a worker's memory limit for decoded blocks; two blocks a thread and the parts have the rest
# Of the limit, that the cache and what the process held before (an interpreter with SciPy: 150 MB) may come to.  A worker is paused
# at 0.85, and one that is paused for what it keeps never goes on.
_HELD_SHARE = 0.5


def cache_bytes(dask_worker: Any) -> int:
    """Return the bytes of decoded blocks that this process may keep; set when first asked, by a plan or by a task.

    Parameters
    ----------
    dask_worker : distributed.Worker
        By this name ``Client.run`` hands it over.
    """
    if not BLOCKS.limit_bytes:
        HANDS.limit(dask_worker.state.nthreads)
        memory = memory_limit_of(dask_worker)
        BLOCKS.limit_bytes = max(cache_share(memory, psutil.Process().memory_info().rss), 1)
    return BLOCKS.limit_bytes


def cache_share(limit: int, held: int) -> int:
    """Return the bytes for decoded blocks of a worker with a memory limit, in a process that holds so much already."""
    return int(max(min(_CACHE_SHARE * limit, _HELD_SHARE * limit - held), 0))


def run_on_worker(pass_: Pass[object] | Packed, sent: Packed, task: Task, held: list[Any]) -> Part:
    """Run one task.  ``sent`` are its rows; ``held`` are persisted chunks that travel with it."""
    worker = get_worker()
    cache_bytes(worker)
    rows: Rows = unpack(sent)
    return run_task(_unpack_pass(pass_), rows.holding(held), task, window_bytes=_window_of(worker))


def sample_on_worker(
    take: Packed, sent: Packed, spans: list[tuple[int, int]], later: list[tuple[int, int, int]]
) -> list[tuple[tuple[int, int], tuple[Any, float]]]:
    """Return for each of some blocks what is taken of it and the seconds of that; blocks are kept for the pass that comes.

    What ``later`` blocks need is asked for and left on its way.
    """
    worker = get_worker()
    cache_bytes(worker)
    rows: Rows = unpack(sent)
    found = sample_blocks(rows, spans, unpack(take), later, _window_of(worker))
    return list(zip(spans, found, strict=True))


def _window_of(worker: Any) -> int:
    """Return how many bytes a task thread of a worker may have under way."""
    return window_bytes(memory_limit_of(worker) // worker.state.nthreads)


def merge_on_worker(pass_: Pass[object] | Packed, left: Part, right: Part) -> Part:
    """Merge two parts where one of them lies."""
    with one_blas_thread():
        return _unpack_pass(pass_).merge(left, right)


def _unpack_pass(pass_: Pass[object] | Packed) -> Pass[object]:
    return unpack(pass_) if isinstance(pass_, tuple) else pass_


def digest_on_worker(part: Part) -> bytes:
    """Return the digest of a part where it lies."""
    return digest_part(part)


def versions() -> dict[str, Any]:
    """Return what must agree between driver and workers."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "dsketch": version.__version__,
    }
