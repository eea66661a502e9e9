"""Whose turn it is: a fair line for each owner, priorities within it; no thread, no clock.

The next job is taken from the owner with the fewest running jobs, among those from the one who was served longest ago; of that
owner's jobs the one of the highest priority, then the oldest.  Nobody's priorities can push another owner back.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class QueuedJob:
    """A job in line.

    Attributes
    ----------
    id, owner : str
    priority : int
    ready_at : float
        Not before this time (a job whose cluster failed waits a little).
    """

    id: str
    owner: str
    priority: int = 0
    ready_at: float = 0.0

    @property
    def rank(self) -> tuple[int, str]:
        """Smaller goes first among the jobs of an owner."""
        return -self.priority, self.id


class Queue:
    """The jobs in line, and who runs how many.

    Parameters
    ----------
    most : int
        Jobs that run at once.
    most_of : callable
        Returns how many of an owner's may; None: no limit of its own.
    """

    def __init__(self, most: int, most_of: Callable[[str], int | None] = lambda _: None) -> None:
        self.most, self._most_of = most, most_of
        self._waiting: dict[str, QueuedJob] = {}
        self._running: dict[str, str] = {}  # id → owner
        self._served: dict[str, int] = {}  # owner → number of the last turn
        self._turns = 0

    def add(self, job: QueuedJob) -> None:
        """Put a job in line."""
        self._waiting[job.id] = job

    def remove(self, id_: str) -> bool:
        """Take a job out of the line; whether it was there."""
        return self._waiting.pop(id_, None) is not None

    def take(self, now: float) -> QueuedJob | None:
        """Return the next job to run, now counted as running; None if none may run."""
        ready = [job for job in self._may_run() if job.ready_at <= now]
        if not ready or self.is_full:
            return None
        owner = min({job.owner for job in ready}, key=lambda name: (self.running(name), self._served.get(name, 0), name))
        job = min((job for job in ready if job.owner == owner), key=lambda job: job.rank)
        del self._waiting[job.id]
        self._running[job.id] = owner
        self._turns += 1
        self._served[owner] = self._turns
        return job

    @property
    def is_full(self) -> bool:
        """Whether as many run as may."""
        return len(self._running) >= self.most

    def finish(self, id_: str) -> None:
        """Count a job as running no more."""
        self._running.pop(id_, None)

    def running(self, owner: str) -> int:
        """Return how many jobs of an owner run."""
        return sum(name == owner for name in self._running.values())

    def waiting(self, owner: str) -> int:
        """Return how many jobs of an owner wait."""
        return sum(job.owner == owner for job in self._waiting.values())

    def ahead(self, id_: str) -> int | None:
        """Return how many jobs of the same owner go before this one; None if it is not in line."""
        mine = self._waiting.get(id_)
        if mine is None:
            return None
        return sum(job.owner == mine.owner and job.rank < mine.rank for job in list(self._waiting.values()))

    def next_time(self) -> float | None:
        """Return when the next job that waits for a time is ready; None if none waits for that alone."""
        return min((job.ready_at for job in self._may_run()), default=None)

    def _may_run(self) -> list[QueuedJob]:
        """Return the jobs in line of owners who may have another one running."""
        most = {owner: self._most_of(owner) for owner in {job.owner for job in self._waiting.values()}}
        free = {owner for owner, allowed in most.items() if allowed is None or self.running(owner) < allowed}
        return [job for job in self._waiting.values() if job.owner in free]
