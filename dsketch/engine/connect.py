"""From what a user has (nothing, an address, a file, a Client, a Cluster) to an engine."""

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, Security
from distributed.comm import connect

from dsketch._units import parse_bytes
from dsketch.engine.active import active_client
from dsketch.engine.base import Engine
from dsketch.engine.dask import DaskEngine
from dsketch.engine.parent import can_have_children, not_started, require_parent
from dsketch.engine.private import SETTINGS, Keys, private_client, security
from dsketch.engine.reach import require_usable
from dsketch.engine.serial import SerialEngine
from dsketch.errors import EngineError, SpecError
from dsketch.matrix.rows import Rows

LOCAL_BYTES = 256_000_000  # below this a pass ends before a cluster has started
LOCAL_ROWS = 20_000  # of rows whose every pair is looked at: a sweep of fewer ends before a cluster has started
_CONNECT_SECONDS = 20  # a scheduler that starts in a batch job may need them; nobody waits longer gladly

# Why each: nothing of ours should spill (a spill is a bug, better seen as one); placement is ours; one task in flight a thread; a
# dying worker is not the task's fault; freed blocks go back to the system, slices and parts (below 4 MB) stay mapped for the next.
_SETTINGS = {
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
def connect_engine(
    cluster: Any, rows: Rows, *, workers: int | None = None, threads: int | None = None, memory: str | int | None = None
) -> Iterator[Engine]:
    """Yield an engine for ``cluster`` and release afterwards what was started for it.

    Parameters
    ----------
    cluster : None, str, Path, distributed.Client, cluster object or Engine
        None: for data that are stored or Dask's the active ``distributed.Client``, if there is one; else this process for data in its
        memory or below 256 MB (kernels: below 20,000 rows), and inside a task of Dask; else an own LocalCluster.
        ``"serial"``: this process.  ``"local"``: an own LocalCluster.  Otherwise an address (``tcp://host:8786``), the path of a
        scheduler file, a Client, any cluster object of the Dask family, or the keys of a private cluster.
    rows : Rows
        What will be read; decides what None means.
    workers, threads : int, optional
        Processes of an own LocalCluster (default: one a processor) and task threads of each (default 1); in this process, threads
        defaults to one a processor.  Either of them asks for an own LocalCluster.
    memory : str or int, optional
        Memory limit of each of its workers; for data in memory it is only what a plan may count on.

    Raises
    ------
    SpecError
        If ``cluster`` is of a kind that is not known.
    EngineError
        If the scheduler cannot be reached or its workers cannot run dsketch.
    """
    if cluster is None:
        cluster, how, threads = _chosen(rows, workers, threads, memory)
    else:
        how = ""
    if isinstance(cluster, Engine):
        yield cluster
    elif cluster == "serial":
        yield SerialEngine(threads)
    elif cluster == "local":
        with local_cluster(workers, threads, memory) as own, _client(own) as client:
            yield DaskEngine(client)
    elif isinstance(cluster, Keys):
        with private_client(cluster, _CONNECT_SECONDS) as client:
            yield DaskEngine(client)
    elif isinstance(cluster, Client):
        require_usable(cluster)
        yield DaskEngine(cluster, how)
    else:
        with _client(_address(cluster)) as client:
            yield DaskEngine(client)


def _chosen(rows: Rows, workers: int | None, threads: int | None, memory: str | int | None) -> tuple[Any, str, int | None]:
    """Return what ``cluster=None`` means for these rows, words about it for the plan, and the threads."""
    if not workers and not threads and not rows.A.is_local and (client := active_client()) is not None:
        return client, ", the active Client", threads
    if not workers and not can_have_children():
        return "serial", "", threads or 1  # others run beside: of this Dask worker, or of this pool
    wants_cluster = workers or threads or (memory and not rows.A.is_local)
    return "serial" if not wants_cluster and is_small(rows) else "local", "", threads


def is_small(rows: Rows, limit_bytes: int = LOCAL_BYTES) -> bool:
    """Whether a pass over the rows ends sooner than a cluster would start."""
    return (rows.A.is_local or rows.nbytes < limit_bytes) and rows.shape[0] * min(rows.pieces, 1) < LOCAL_ROWS


@contextmanager
def local_cluster(
    workers: int | None = None, threads: int | None = None, memory: str | int | None = None, *, is_private: bool = False
) -> Iterator[LocalCluster]:
    """Yield a LocalCluster of worker processes with the settings that dsketch wants.

    Parameters
    ----------
    workers, threads, memory
        As in :func:`connected`; memory defaults to an equal share of this machine's.
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
            raise not_started(error) from None
        try:
            yield cluster
        finally:
            with suppress(
                KeyError, OSError, RuntimeError
            ):  # workers that restart while they are closed must not hide what was said
                cluster.close()


def _address(cluster: Any) -> Any:
    """Return what Client takes: an address or the cluster object."""
    if hasattr(cluster, "scheduler_address"):
        return cluster
    if not isinstance(cluster, str | os.PathLike):
        raise SpecError(
            "cluster must be an address, a scheduler file, a Client or a cluster object; got "
            f"{type(cluster).__name__}. Leave it out for a local cluster."
        )
    text = os.fspath(cluster)
    return text if "://" in text or not (text.endswith(".json") or Path(text).exists()) else _address_in(Path(text))


def _address_in(file: Path) -> str:
    """Return the address that a scheduler wrote into its file."""
    try:
        return str(json.loads(file.read_text())["address"])
    except FileNotFoundError as error:
        raise EngineError(
            f"a scheduler file was expected at {file}; there is none. Start the scheduler with --scheduler-file {file} first."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"a scheduler file was expected at {file}; it cannot be read as one ({type(error).__name__}: {error}). "
            f"Start the scheduler with --scheduler-file {file} again."
        ) from error


@contextmanager
def _client(target: Any) -> Iterator[Client]:
    require_usable(target)
    try:
        if isinstance(target, str):
            with ThreadPoolExecutor(1) as thread:  # the caller's own thread may have an event loop already, as in a notebook
                thread.submit(asyncio.run, _greeted(target)).result()
        client = Client(target, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else f"nothing within {_CONNECT_SECONDS} seconds"
        raise EngineError(
            f"a Dask scheduler was expected at {target}; it did not answer ({reason}). Check the address and that it runs."
        ) from error
    with client:
        yield client


async def _greeted(address: str) -> None:
    """Return if somebody at the address speaks Dask's protocol; a Client waits for ever for one who accepts and says nothing."""
    greeting = connect(address, timeout=_CONNECT_SECONDS, **Security().get_connection_args("client"))
    await (await asyncio.wait_for(greeting, _CONNECT_SECONDS)).close()
