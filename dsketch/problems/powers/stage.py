"""One stage of the alternation: solve AᵀA y = t with the sketch's R as preconditioner, watching the true residual.

Every step looks at A once: r = t − AᵀA y is measured, not updated, so a stage needs no refinement rounds and its last look is its
certificate.  How the steps are made belongs to the methods; when they end, to the :class:`Watch`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown
from dsketch.problems.powers.answer import Stage

_DIVERGED = 1e3  # a preconditioned residual that has grown so much against the first one ends the stage
_LONGEST = 120  # the most looks at a stage: log(kappa/u)/log(1/ε) is below 80 at kappa 1e15 and ε = 0.41
T = TypeVar("T")


@dataclass(frozen=True)
class Seen(Generic[T]):
    """What a look at y shows.

    Attributes
    ----------
    residual : ndarray, shape (d, k)
        t − AᵀA y, or Aᵀ(b − A y).
    over : ndarray, shape (k,)
        The residual over the stage's target; at most 1 where the rule is met.
    event : Converged
        Backward error and residual of this stage's own system, for listeners.
    more : object
        What the caller wants to have of the last look.
    """

    residual: Floats
    over: Floats
    event: Converged
    more: T


@dataclass(frozen=True)
class StageTask(Generic[T]):
    """What a stage is to do.

    Attributes
    ----------
    level : int
    system : LinearSystem
        Whose AᵀA it is.
    factor : Factor
        R of the sketch, in the units of ``look``.
    unscaled : Factor
        R of the sketch in the units of A.
    epsilon : float
        The sketch's distortion.
    look : callable
        Looks at the data at y.
    """

    level: int
    system: LinearSystem
    factor: Factor
    unscaled: Factor
    epsilon: float
    look: Callable[[Floats], Flow[Seen[T]]]


class RunStage(Protocol):
    """How a method solves one stage."""

    def __call__(self, task: StageTask[T], y: Floats) -> Flow[tuple[Floats, T, Stage]]:
        """Return y with its last look and the record of the stage, from a start y."""


class Watch(Generic[T]):
    """Keeps the best iterate, and says when to stop.

    Parameters
    ----------
    task : StageTask
    patience : int
        Looks without halving the best preconditioned residual that tell the end of progress.
    """

    def __init__(self, task: StageTask[T], patience: int) -> None:
        self.task, self.patience = task, patience
        self.passes, self.idle, self.first, self.best = 0, 0, np.inf, np.inf
        self.moves: list[float] = []
        self.kept: tuple[Floats, T] | None = None
        self.over, self.end = np.inf, "limit"

    def goes_on(self, y: Floats, seen: Seen[T]) -> bool:
        """Note an iterate and its residual; return whether to go on."""
        self.passes += 1
        size = float(np.linalg.norm(self.task.factor.solve_transposed(seen.residual)))
        over = float(seen.over.max(initial=0.0))
        self.first = min(self.first, size) if self.passes == 1 else self.first
        if not size <= _DIVERGED * self.first:
            raise Breakdown(
                f"stage {self.task.level} of the alternation diverged: the sketch's distortion is larger than the promised "
                f"{self.task.epsilon:.2f}"
            )
        self.idle = 0 if size < self.best / 2 or self.passes == 1 else self.idle + 1
        if self.kept is None or size < self.best:
            self.kept, self.best, self.over = (y, seen.more), min(self.best, size), over
        if over <= 1:
            self.kept, self.over, self.end = (y, seen.more), over, "rule"
        elif self.idle >= self.patience:
            self.end = "rounding"
        return self.end == "limit" and self.passes < _LONGEST

    def note_step(self, step: Floats, y: Floats) -> None:
        """Note the relative size of a step."""
        sizes = norms(y)
        self.moves.append(float(np.max(norms(step) / np.where(sizes > 0, sizes, 1.0), initial=0.0)))

    def result(self) -> tuple[Floats, T, Stage]:
        """Return the best iterate, what its look gave, and the record of the stage.

        Raises
        ------
        Breakdown
            If there is none: no residual was a number.
        """
        if self.kept is None:
            raise Breakdown(f"stage {self.task.level} of the alternation overflowed")
        y, more = self.kept
        with np.errstate(divide="ignore"):
            over = float(np.log2(self.over))
        return y, more, Stage(self.task.level, self.passes, tuple(self.moves), over, self.end)
