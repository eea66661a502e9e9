"""Where a run computes: one value, handed on from a verb to whoever needs an engine."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict

from dsketch.engine.base import Engine
from dsketch.engine.connect import connect_engine
from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows


class ClusterChoices(TypedDict, total=False):
    """The keywords of :class:`Cluster`, as verbs take them."""

    cluster: Any
    memory_limit: str | int | None
    workers: int | None
    threads: int | None
    replicas: int


@dataclass(frozen=True)
class Cluster:
    """The machines that were asked for; nothing is started before :meth:`engine`.

    Attributes
    ----------
    cluster : optional
        What :func:`dsketch.engine.connect_engine` takes.
    memory_limit : str or int, optional
        Per worker.
    workers, threads : int, optional
        Of an own LocalCluster.
    replicas : int
        How many workers compute each task.
    """

    cluster: Any = None
    memory_limit: str | int | None = None
    workers: int | None = None
    threads: int | None = None
    replicas: int = 1

    @classmethod
    def of(cls, choices: ClusterChoices) -> "Cluster":
        """Return the cluster that keywords mean.

        Raises
        ------
        SpecError
            For any other keyword.
        """
        known = sorted(field.name for field in fields(cls))
        if unknown := sorted(set(choices) - set(known)):
            raise SpecError(f"the options of a cluster are {', '.join(known)}; got {', '.join(unknown)}.")
        return cls(**choices)

    def at(self, cluster: Any) -> "Cluster":
        """Return the same at another place; None: at the same."""
        return self if cluster is None else replace(self, cluster=cluster)

    def engine(self, rows: Rows) -> AbstractContextManager[Engine]:
        """Return the engine for these rows, as a context that releases what was started for it."""
        own: dict[str, Any] = {"workers": self.workers, "threads": self.threads, "memory": self.memory_limit}
        return connect_engine(self.cluster, rows, **own, replicas=self.replicas)
