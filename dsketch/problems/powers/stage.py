"""One stage of the alternation: solve AᵀA y = t with the sketch's R as preconditioner, watching the true residual.

Every step looks at A once: r = t − AᵀA y is measured, not updated, so a stage needs no refinement rounds and its last look is its
certificate.

*Gradient descent* (the paper's).  Its unit step needs m > 39.5 d rows in the form z ← z − Hᵀ(Hz − c), which also takes two products a
step, and m > 11.7 d in the form z ← z − (Hz − c): the largest eigenvalue of H = R⁻ᵀAᵀA R⁻¹ must stay below √2 or 2.  The heavy ball with
momentum ε² and step (1 − ε²)² contracts by ε = the sketch's distortion at any size.

*Conjugate gradients* contract by the same ε, in rounds of at most 15 steps, each with one look at the true residual.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; I. K. Ozaslan, M. Pilanci, O. Arikan,
"Iterative Hessian sketch with momentum", ICASSP 2019.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.problems.linear import conjugate_gradient
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown
from dsketch.problems.powers.answer import Stage

Floats = NDArray[np.float64]

_DIVERGED = 1e3  # growth of the preconditioned residual against the first one
# Looks without halving the best preconditioned residual that tell the end of progress.  The heavy ball swings about zero within an
# envelope of εᵏ: five steps outlast a swing 500 times deeper than it.  A round of conjugate gradients gains 10⁶ or nothing.
_STEPS, _ROUNDS = 5, 1
_LONGEST = 120  # looks: log(kappa/u)/log(1/ε) is below 80 at kappa 1e15 and ε = 0.41
_ROUND_TOL = 1e-6  # of a round of conjugate gradients
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
    reached : Converged
        Backward error and residual of this stage's own system, for listeners.
    more : object
        What the caller wants to have of the last look.
    """

    residual: Floats
    over: Floats
    reached: Converged
    more: T


@dataclass(frozen=True)
class Task(Generic[T]):
    """What a stage is to do.

    Attributes
    ----------
    level : int
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
    factor: Factor
    unscaled: Factor
    epsilon: float
    look: Callable[[Floats], Flow[Seen[T]]]


class _Watch(Generic[T]):
    """Keeps the best iterate, and says when to stop."""

    def __init__(self, task: Task[T], patience: int) -> None:
        self.task, self.patience = task, patience
        self.passes, self.idle, self.first, self.best = 0, 0, np.inf, np.inf
        self.moves: list[float] = []
        self.kept: tuple[Floats, T] | None = None
        self.ratio, self.end = np.inf, "limit"

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
            self.kept, self.best, self.ratio = (y, seen.more), min(self.best, size), over
        if over <= 1:
            self.kept, self.ratio, self.end = (y, seen.more), over, "rule"
        elif self.idle >= self.patience:
            self.end = "rounding"
        return self.end == "limit" and self.passes < _LONGEST

    def moved(self, step: Floats, y: Floats) -> None:
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
            over = float(np.log2(self.ratio))
        return y, more, Stage(self.task.level, self.passes, tuple(self.moves), over, self.end)


def descend(system: LinearSystem, task: Task[T], y: Floats) -> Flow[tuple[Floats, T, Stage]]:
    """Return y with its last look, by the heavy ball from a start y.

    Raises
    ------
    Breakdown
        If the residual grows: some eigenvalue lies outside the interval that the sketch promised.
    """
    del system
    momentum, damping = task.epsilon**2, (1 - task.epsilon**2) ** 2
    watch, old = _Watch(task, _STEPS), y
    while True:
        seen = yield from task.look(y)
        yield seen.reached
        if not watch.goes_on(y, seen):
            return watch.result()
        step = damping * task.factor.solve(task.factor.solve_transposed(seen.residual)) + momentum * (y - old)
        y, old = y + step, y
        watch.moved(step, y)


def conjugate(system: LinearSystem, task: Task[T], y: Floats) -> Flow[tuple[Floats, T, Stage]]:
    """Return y with its last look, by rounds of conjugate gradients from a start y."""
    watch = _Watch(task, _ROUNDS)
    while True:
        seen = yield from task.look(y)
        yield seen.reached
        if not watch.goes_on(y, seen):
            return watch.result()
        half, over = task.factor.solve_transposed(seen.residual), float(seen.over.max())
        counted = _Counted(conjugate_gradient.inner(system, task.unscaled, half, task.epsilon, max(_ROUND_TOL, 0.25 / over)))
        step = task.factor.solve((yield from counted.flow()))
        watch.passes += counted.passes
        y = y + step
        watch.moved(step, y)


INNERS = {"alternating": descend, "alternating_cg": conjugate}


class _Counted:
    """A flow that counts its looks."""

    def __init__(self, flow: Flow[Floats]) -> None:
        self._flow, self.passes = flow, 0

    def flow(self) -> Flow[Floats]:
        """Yield the looks of the flow and return what it returns."""
        try:
            look = next(self._flow)
            while True:
                self.passes += isinstance(look, Look)
                look = self._flow.send((yield look))
        except StopIteration as end:
            result: Floats = end.value
            return result
