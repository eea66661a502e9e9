"""From what a user has of Dask (an address, a file, a Client, keys, a cluster object, or nothing yet) to an engine on its workers.

Whoever imports this file imports distributed.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from distributed import Client

from dsketch._registry import Registry
from dsketch.engine.base import Engine
from dsketch.engine.compat import greet
from dsketch.engine.connector import Asked, Connector, is_word
from dsketch.engine.dask import DaskEngine
from dsketch.engine.local import local_cluster
from dsketch.engine.private import Keys, private_client
from dsketch.engine.reach import require_usable
from dsketch.errors import EngineError, SpecError

_CONNECT_SECONDS = 20  # a scheduler that starts in a batch job may need so long; nobody waits longer gladly


def dask_engine(cluster: Any, asked: Asked) -> AbstractContextManager[Engine]:
    """Return the engine on a cluster, as a context that releases at its end what was started for it.

    Parameters
    ----------
    cluster : "local", Keys, distributed.Client, address, path of a scheduler file, or cluster object
    asked : Asked

    Raises
    ------
    SpecError, EngineError
        As :func:`dsketch.engine.connect_engine`.
    """
    connector = next(connector for connector in ON_WORKERS.values() if connector.takes(cluster))
    return connector.engine(cluster, asked)


@contextmanager
def _on_own(cluster: str, asked: Asked) -> Iterator[DaskEngine]:
    del cluster
    with local_cluster(asked.workers, asked.threads, asked.memory) as own, _client(own) as client:
        yield DaskEngine(client, replicas=asked.replicas)


@contextmanager
def _on_private(keys: Keys, asked: Asked) -> Iterator[DaskEngine]:
    with private_client(keys, _CONNECT_SECONDS) as client:
        yield DaskEngine(client, replicas=asked.replicas)


@contextmanager
def _of_client(client: Client, asked: Asked) -> Iterator[DaskEngine]:
    require_usable(client)
    yield DaskEngine(client, asked.how, asked.replicas)


@contextmanager
def _at(cluster: Any, asked: Asked) -> Iterator[DaskEngine]:
    with _client(_address(cluster)) as client:
        yield DaskEngine(client, replicas=asked.replicas)


# The first that takes a cluster connects to it.
ON_WORKERS: Registry[Connector] = Registry(
    "kind of cluster",
    {
        "local": Connector(is_word("local"), _on_own),
        "Keys": Connector(lambda cluster: isinstance(cluster, Keys), _on_private),
        "Client": Connector(lambda cluster: isinstance(cluster, Client), _of_client),
        "address, scheduler file or cluster object": Connector(lambda _: True, _at),
    },
)


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
                thread.submit(asyncio.run, greet(target, _CONNECT_SECONDS)).result()
        client = Client(target, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else f"nothing within {_CONNECT_SECONDS} seconds"
        raise EngineError(
            f"a Dask scheduler was expected at {target}; it did not answer ({reason}). Check the address and that it runs."
        ) from error
    with client:
        yield client
