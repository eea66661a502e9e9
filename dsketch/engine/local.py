"""An own cluster: worker processes on this machine, with the settings that dsketch wants."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dask
from distributed import LocalCluster

from dsketch._units import parse_bytes
from dsketch.engine.parent import explain_no_start, require_parent
from dsketch.engine.private import SETTINGS, security

# Why each: no profile (it looks at the frames of all threads every 10 ms, and CPython 3.11.7 was seen to lock up where a thread started
# just then, as gh-106883 tells); nothing of ours should spill (a spill is a bug, better seen as one); placement is ours; one task in flight
# a thread; a dying worker is not the task's fault; freed blocks go back to the system, slices and parts (below 4 MB) stay mapped.
_SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.85,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": 30,
    "distributed.scheduler.worker-ttl": "15 minutes",
    "distributed.admin.low-level-log-length": 100,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 16 * 2**20,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 4 * 2**20,
    "distributed.comm.timeouts.connect": "20s",
}


@contextmanager
def local_cluster(
    workers: int | None = None, threads: int | None = None, memory: str | int | None = None, *, is_private: bool = False
) -> Iterator[LocalCluster]:
    """Yield a LocalCluster of worker processes with the settings that dsketch wants.

    Parameters
    ----------
    workers, threads, memory
        As in :func:`dsketch.engine.connect_engine`; memory defaults to an equal share of this machine's.
    is_private : bool
        Whether only who holds its :class:`~dsketch.engine.private.Keys` may reach it; it has no dashboard then.

    Raises
    ------
    EngineError
        If this process cannot start workers (:mod:`dsketch.engine.parent`).
    """
    require_parent()
    count = workers or len(os.sched_getaffinity(0))
    limit = "auto" if memory is None else parse_bytes(memory)
    with dask.config.set({**_SETTINGS, **(SETTINGS if is_private else {})}):
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=threads or 1,
                memory_limit=limit,
                processes=True,
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False} if is_private else None,
                security=security() if is_private else None,
                preload=[*dask.config.get("distributed.worker.preload"), "dsketch.engine.interrupt"],
                silence_logs=50,
            )
        except (OSError, RuntimeError) as error:
            raise explain_no_start(error) from None
        try:
            yield cluster
        finally:
            with suppress(
                KeyError, OSError, RuntimeError
            ):  # workers that restart while they are closed must not hide what was said
                cluster.close()
