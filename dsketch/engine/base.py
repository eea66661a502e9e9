"""What an engine is: something that runs a look over all rows and returns the merged part."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import psutil

from dsketch.events import Tell
from dsketch.matrix.rows import Block, Rows
from dsketch.matrix.sampling import sample_blocks
from dsketch.passes.base import Look, Part

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """What the plan knows about the means.

    Attributes
    ----------
    count : int
        Worker processes.
    threads : int
        Task threads in all.
    memory_bytes : int
        Of the smallest worker, for one of its threads.
    where : str
        Words for people.
    """

    count: int
    threads: int
    memory_bytes: int
    where: str


@dataclass(frozen=True)
class WorkerState:
    """What a worker does at a moment.

    Attributes
    ----------
    name : str
    doing : str
        In words; empty: nothing of this engine.
    memory_bytes : int
        That its process has.
    memory_limit_bytes : int or None
    processor : float
        Share of one processor that it used lately, 1 for all of it.
    done : int
        Pieces that it has finished for this engine.
    is_heard : bool
        Whether it has given a sign of life lately.
    """

    name: str
    doing: str
    memory_bytes: int
    memory_limit_bytes: int | None
    processor: float
    done: int = 0
    is_heard: bool = True


class Engine(ABC):
    """Runs looks; see :mod:`dsketch.engine.panels` for why every engine gives the same bits.

    Attributes
    ----------
    replicas : int
        How many workers compute each task.
    notes : tuple of str
        What it decided on its way that belongs to an answer.
    """

    replicas: int = 1
    keeps_near: bool = True  # decoded blocks of own disks, not only of other machines
    notes: tuple[str, ...] = ()

    @abstractmethod
    def run(self, look: Look, tell: Tell) -> Part:
        """Return the merged part of one pass over all rows, telling :class:`~dsketch.events.Progress` on the way."""

    @abstractmethod
    def workers(self) -> Workers:
        """Describe the means."""

    def cache_bytes(self) -> int:
        """Return the decoded bytes that stay in memory from pass to pass, on all workers together; the default keeps none."""
        return 0

    def sample(
        self, rows: Rows, spans: Sequence[tuple[int, int]], take: Callable[[Block], T], *, goes_on: bool = False
    ) -> list[tuple[T, float]]:
        """Return what is taken of each of some blocks, and the seconds of reading and taking it.

        Parameters
        ----------
        rows, spans, take
            As in :func:`~dsketch.matrix.sampling.sample_blocks`; ``take`` must travel, and so must what it returns.
        goes_on : bool
            Whether a pass over these rows comes next: what it reads first may be asked of a store now.

        Raises
        ------
        DataError
            If a block cannot be read.
        """
        del goes_on
        return sample_blocks(rows, spans, take)

    def look_at_workers(self) -> list[WorkerState]:
        """Return what each worker does now; the default has one, this process.  May be asked from another thread while a pass runs."""
        return [this_process()]

    @abstractmethod
    def close(self) -> None:
        """Release what this engine started, nothing that it was given."""


@lru_cache(1)
def _process(pid: int) -> psutil.Process:
    """Return a process, the same each time: it remembers when it was last asked; a fork is another one."""
    return psutil.Process(pid)


def this_process() -> WorkerState:
    """Return what this process does; its share of a processor is that since it was last asked."""
    process = _process(os.getpid())
    return WorkerState(
        "the job's own process", "reads and computes", process.memory_info().rss, None, process.cpu_percent() / 100, is_heard=True
    )
