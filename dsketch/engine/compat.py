"""What we need of distributed beyond what it documents: the only place that knows, so that a new version is met here.

Each function names what it stands on, in all versions from 2025.1 on unless said, and what would take its place.
``tests/engine/test_compat.py`` holds that each does what we need.
"""

import asyncio
import multiprocessing
from typing import Any

from distributed import Client, Scheduler, Security, as_completed
from distributed.comm import connect, normalize_address, resolve_address
from distributed.protocol import pickle

_MEMORY_TOPIC = "worker-restart-memory"

# ---- what tasks have done ----------------------------------------------------------------------------------------------


def wait_for_any(coming: as_completed, seconds: float) -> bool:
    """Return whether a future has finished, waiting for one; ``next_batch`` waits as long as it takes.

    Stands on ``as_completed.thread_condition``.  To be replaced by a ``timeout`` of ``next_batch`` that keeps the futures.
    """
    with coming.thread_condition:
        if not coming.has_ready():
            coming.thread_condition.wait(seconds)
    return bool(coming.has_ready())


def has_pending(coming: as_completed) -> bool:
    """Whether a future that was added has neither finished nor failed.

    Stands on ``as_completed.lock`` and ``as_completed.futures``, a dict of futures.
    """
    with coming.lock:
        futures = list(coming.futures)
    return any(future.status == "pending" for future in futures)


# ---- what the scheduler knows ------------------------------------------------------------------------------------------


def describe_workers(client: Client) -> list[dict[str, Any]]:
    """Return what the scheduler knows of each worker, its ``address`` with it, asked of the scheduler itself.

    Stands on the handler ``Scheduler.identity``, which since 2025.4 lists all workers only if told so.  The documented
    ``Client.scheduler_info`` returns a cache that a timer of the client overwrites, at times in between, with a description that lists no
    workers.
    """
    try:
        identity = client.sync(client.scheduler.identity, n_workers=-1)
    except TypeError:  # before distributed 2025.4 the call lists all workers and takes no argument
        identity = client.sync(client.scheduler.identity)
    return [{**info, "address": address} for address, info in identity["workers"].items()]


def list_ended_for_memory(client: Client) -> list[dict[str, Any]]:
    """Return what nannies reported of workers that they ended for their memory, each with its ``rss``.

    Stands on the topic ``worker-restart-memory`` of the scheduler's log, which nannies write to.
    """
    return [message for _, message in client.get_events(_MEMORY_TOPIC) or ()]


def memory_limit_of(dask_worker: Any) -> int:
    """Return a worker's memory limit in bytes, 0 if it has none.

    Stands on ``Worker.memory_manager.memory_limit``.
    """
    return getattr(dask_worker.memory_manager, "memory_limit", None) or 0


# ---- who is there ------------------------------------------------------------------------------------------------------


async def greet(address: str, seconds: float) -> None:
    """Return if somebody at an address speaks Dask's protocol; a Client waits for ever for one who accepts and says nothing.

    Stands on ``distributed.comm.connect`` and ``Security.get_connection_args``.

    Raises
    ------
    OSError, TimeoutError
        If nobody does, within so many seconds.
    """
    greeting = connect(address, timeout=seconds, **Security().get_connection_args("client"))
    await (await asyncio.wait_for(greeting, seconds)).close()


def needs_certificates(address: str) -> bool:
    """Whether an address is of a scheduler that speaks TLS, its scheme given or the default of Dask's configuration.

    Stands on ``distributed.comm.normalize_address``.
    """
    return address.startswith("tls://") or ("://" not in address and normalize_address(address).startswith("tls://"))


def certificates() -> Any:
    """Return the TLS context of Dask's configuration, or None if it names no certificates.

    Stands on ``Security.get_connection_args``.

    Raises
    ------
    OSError, ValueError
        If they cannot be read.
    """
    return Security().get_connection_args("client").get("ssl_context")


def is_served_by(loop: asyncio.AbstractEventLoop, address: str) -> bool:
    """Whether a scheduler at an address lives in this event loop of this process.

    Stands on ``Scheduler._instances``, ``Scheduler.loop.asyncio_loop`` (of tornado) and ``distributed.comm.resolve_address``.  False
    where they are gone: connecting then waits for its time to end.
    """
    return any(
        _is_at(scheduler, address) and getattr(scheduler.loop, "asyncio_loop", None) is loop
        for scheduler in list(getattr(Scheduler, "_instances", ()))
    )


def _is_at(scheduler: Any, address: str) -> bool:
    try:
        return bool(scheduler.address in (address, resolve_address(address)))
    except (OSError, ValueError):  # it does not run yet, or the address is none: connecting says so
        return False


def is_importing_its_parent() -> bool:
    """Whether this process is a child that has come here while it imports its parent's main script.

    Stands on ``multiprocessing.Process._inheriting``, by which multiprocessing itself refuses to start children then.
    """
    return bool(getattr(multiprocessing.current_process(), "_inheriting", False))


# ---- what travels ------------------------------------------------------------------------------------------------------


def to_bytes(value: Any, buffers: list[Any]) -> bytes:
    """Return a value as Dask pickles it (functions of scripts and notebooks by their code); memory of arrays is added to ``buffers``.

    Stands on ``distributed.protocol.pickle.dumps`` with its ``buffer_callback``.
    """
    return bytes(pickle.dumps(value, buffer_callback=buffers.append))


def from_bytes(body: bytes, buffers: Any) -> Any:
    """Return the value of :func:`to_bytes`; stands on ``distributed.protocol.pickle.loads``."""
    return pickle.loads(body, buffers=buffers)
