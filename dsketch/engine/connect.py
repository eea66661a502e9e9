"""Which engine a run gets: this process, or workers; distributed is imported only for the latter."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from dsketch._registry import Registry
from dsketch.engine.active import active_client, can_have_children
from dsketch.engine.base import Engine
from dsketch.engine.connector import Asked, Connector, is_word
from dsketch.engine.serial import SerialEngine
from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows

LOCAL_BYTES = 256_000_000  # a pass over fewer bytes ends before a cluster has started
_LOCAL_ROWS = 20_000  # a sweep over every pair of fewer rows ends before a cluster has started


@contextmanager
def connect_engine(
    cluster: Any,
    rows: Rows,
    *,
    workers: int | None = None,
    threads: int | None = None,
    memory: str | int | None = None,
    replicas: int = 1,
) -> Iterator[Engine]:
    """Yield an engine for ``cluster`` and release afterwards what was started for it.

    Parameters
    ----------
    cluster : None, str, Path, distributed.Client, cluster object, Keys or Engine
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
    replicas : int
        An odd number of distinct workers that compute each task and must agree; more than 1 asks for workers.

    Raises
    ------
    SpecError
        If ``cluster`` is of a kind that is not known, or there can be no replicas.
    EngineError
        If the scheduler cannot be reached or its workers cannot run dsketch.
    """
    _require_odd(replicas)
    if cluster is None:
        cluster, how, threads = _choose_engine(rows, workers, threads, memory, replicas)
    else:
        how = ""
    connector = next(connector for connector in CLUSTERS.values() if connector.takes(cluster))
    with connector.engine(cluster, Asked(how, workers, threads, memory, replicas)) as engine:
        yield engine


def _require_odd(replicas: Any) -> None:
    """Refuse what is no number of replicas."""
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 1 or replicas % 2 == 0:
        raise SpecError(f"replicas must be an odd number: 1, 3 or more, so that most of them can agree; got {replicas!r}.")


def _itself(engine: Engine, asked: Asked) -> AbstractContextManager[Engine]:
    if asked.replicas not in (1, engine.replicas):
        raise SpecError(
            f"an engine has its replicas from where it was made, this one {engine.replicas}; got replicas={asked.replicas}. Leave it out."
        )
    return nullcontext(engine)


def _serial(cluster: str, asked: Asked) -> AbstractContextManager[Engine]:
    del cluster
    if asked.replicas > 1:
        raise SpecError(
            f"replicas={asked.replicas} compares what several workers compute; this process is one. Name a cluster, or leave replicas out."
        )
    return nullcontext(SerialEngine(asked.threads))


def _on_workers(cluster: Any, asked: Asked) -> AbstractContextManager[Engine]:
    from dsketch.engine.clients import dask_engine

    return dask_engine(cluster, asked)


# The first that takes a cluster connects to it; only the last loads distributed, whose own kinds stand in dsketch.engine.clients.
CLUSTERS: Registry[Connector] = Registry(
    "kind of cluster",
    {
        "Engine": Connector(lambda cluster: isinstance(cluster, Engine), _itself),
        "serial": Connector(is_word("serial"), _serial),
        "workers": Connector(lambda _: True, _on_workers),
    },
)


def _choose_engine(
    rows: Rows, workers: int | None, threads: int | None, memory: str | int | None, replicas: int
) -> tuple[Any, str, int | None]:
    """Return what ``cluster=None`` means for these rows, words about it for the plan, and the threads."""
    may_move = not rows.A.is_local or replicas > 1
    if not workers and not threads and may_move and (client := active_client()) is not None:
        return client, ", the active Client", threads
    if not workers and not can_have_children():
        return "serial", "", threads or 1  # others run beside: of this Dask worker, or of this pool
    wants_cluster = workers or threads or replicas > 1 or (memory and not rows.A.is_local)
    return "serial" if not wants_cluster and is_small(rows) else "local", "", threads


def is_small(rows: Rows, limit_bytes: int = LOCAL_BYTES) -> bool:
    """Whether a pass over the rows ends sooner than a cluster would start."""
    return (rows.A.is_local or rows.nbytes < limit_bytes) and rows.shape[0] * min(rows.pieces, 1) < _LOCAL_ROWS
