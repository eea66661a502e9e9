"""How one kind of cluster becomes an engine: by what it is known, and what connects to it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from dsketch.engine.base import Engine


class Asked(NamedTuple):
    """What was asked for beside the cluster itself.

    Attributes
    ----------
    how : str
        What a plan says of how a Client was found, if anything.
    workers, threads, memory
        Of an own LocalCluster; in this process, threads alone count.
    replicas : int
        How many workers compute each task.
    """

    how: str = ""
    workers: int | None = None
    threads: int | None = None
    memory: str | int | None = None
    replicas: int = 1


@dataclass(frozen=True)
class Connector:
    """One line of a table of clusters.

    Attributes
    ----------
    takes : callable
        Whether what a user has is of this kind.
    engine : callable
        ``engine(cluster, asked)`` gives the engine as a context, which releases at its end what was started for it.
    """

    takes: Callable[[Any], bool]
    engine: Callable[[Any, Asked], AbstractContextManager[Engine]]


def is_word(word: str) -> Callable[[Any], bool]:
    """Return the question whether a cluster is this word; arrays and the like, which compare item by item, are none."""
    return lambda cluster: isinstance(cluster, str) and cluster == word
