"""What an engine is: something that runs a look over all rows and returns the merged part."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dsketch.events import Tell
from dsketch.matrix.rows import Block, Rows, sample_blocks
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

    def sample(self, rows: Rows, spans: Sequence[tuple[int, int]], take: Callable[[Block], T]) -> list[tuple[T, float]]:
        """Return what is taken of each of some blocks, and the seconds of reading and taking it.

        Parameters
        ----------
        rows : Rows
        spans : sequence of (int, int)
            First row and row behind the last of each block.
        take : callable
            It must travel, and so must what it returns.

        Raises
        ------
        DataError
            If a block cannot be read.
        """
        return sample_blocks(rows, spans, take)

    @abstractmethod
    def close(self) -> None:
        """Release what this engine started, nothing that it was given."""
