"""Conjugate gradients with a refinement: the residual is computed afresh and solved for once more.

Conjugate gradients' own residual drifts from the true one; with one refinement the answer is as accurate as a direct solver's.  On the
way the preconditioner is judged by what it does: where the steps so far forecast that another one would be done sooner, its
set-up counted, the iteration goes on with that from the y that it has.

References
----------
E. N. Epperly, A. Greenbaum, Y. Nakatsukasa, "Stable algorithms for general linear systems by preconditioning the normal equations",
arXiv 2502.17767, 2025.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.passes.base import Flow
from dsketch.problems.kernel.candidates import Candidate, choose_candidate, forecast_candidates
from dsketch.problems.kernel.forecast import draw_sample
from dsketch.problems.kernel.iteration import ConjugateGradients, Norm
from dsketch.problems.kernel.preconditioners import Preconditioner
from dsketch.problems.kernel.system import KernelSystem
from dsketch.settings import Settings

DEFAULT_TOL = 1e-10  # a relative residual beyond which nothing in a regression changes
_ROUNDS = 4  # rounding ends the refinement long before
_MARGIN = 0.5  # the recurrence aims at half the wanted residual, so that the true one meets it too
_LOOKS = (10, 40, 160)  # after so many steps the forecast is made again
_SWITCH = 1.5  # another preconditioner must promise to be done so much sooner


@dataclass(frozen=True)
class Solved:
    """A solution of the guarded system.

    Attributes
    ----------
    y : ndarray, shape (n, k)
    residual : ndarray, shape (n, k)
        β − (G + diag shift) y, from a product of its own.
    norm : float
        A lower bound of ‖K + λ I‖, mostly within a few percent.
    iterations : int
    preconditioner : Preconditioner
        The last one.
    ritz : tuple of float
        Extreme Ritz values of P⁻¹(K + λ I) in the longest run of steps.
    notes : tuple of str
    """

    y: Floats
    residual: Floats
    norm: float
    iterations: int
    preconditioner: Preconditioner
    ritz: tuple[float, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Goal:
    """When to stop.

    Attributes
    ----------
    tol : float
        Residual norm relative to ‖b‖.
    most : int
        Iterations in all.
    columns : int
        Features that fit into memory.
    seed : int
    """

    tol: float = DEFAULT_TOL
    most: int = 1000
    columns: int = 1024
    seed: int = 0

    @classmethod
    def of(cls, settings: Settings) -> "Goal":
        """Return the goal of settings that a plan has fixed."""
        return cls(tol=settings.tol or DEFAULT_TOL, columns=settings.rank or 1, seed=settings.seed)


def refine(system: KernelSystem, first: Candidate | None, goal: Goal, made: Preconditioner | None = None) -> Flow[Solved]:
    """Solve with the given preconditioner (``made`` of it already, or not), or by forecast if there is none given."""
    found = [] if first else forecast_candidates((yield from draw_sample(system, goal.seed)), goal.columns)
    taken = first or choose_candidate(found, *system.dimensions, goal.tol)
    preconditioner = made or (yield from taken.make(system, goal.seed))
    norm, beta = Norm(system), system.beta
    size = norms(system.frame * beta)
    y, r = np.zeros_like(beta), beta
    iterations, ritz, notes, smallest = 0, (1.0, 1.0), _explain(taken, found), np.inf
    kept: Solved | None = None
    for _ in range(_ROUNDS):
        while True:
            steps = ConjugateGradients(system, preconditioner, norm, r, _MARGIN * goal.tol * size, y)
            other = yield from _advance(steps, taken, found, goal, iterations)
            y, iterations = y + steps.y, iterations + steps.iterations
            ritz = max(ritz, steps.ritz(), key=lambda pair: pair[1] / pair[0])
            if other is None:
                break
            notes += (
                f"after {steps.iterations} iterations {other.name} with {other.columns} columns promised to be done sooner than "
                f"{taken.name}",
            )
            found = [candidate for candidate in found if candidate != taken]
            r, taken = steps.r, other
            preconditioner = yield from taken.make(system, goal.seed)
        r = beta - (yield from norm.product(y))
        worst = float(np.max(ratio(norms(system.frame * r), size), initial=0.0))
        if kept is None or worst < smallest:
            kept = Solved(y, r, norm.value, iterations, preconditioner, ritz, notes)
        if worst <= goal.tol or not worst < 0.5 * smallest or iterations >= goal.most:
            break
        smallest = worst
    assert kept is not None  # noqa: S101 - the loop ran
    return replace(kept, norm=norm.value, iterations=iterations)


def _advance(
    steps: ConjugateGradients, taken: Candidate, found: list[Candidate], goal: Goal, before: int
) -> Flow[Candidate | None]:
    """Advance to the end, or to where another candidate promises to be done sooner; return that one."""
    for look in (*_LOOKS, goal.most):
        yield from steps.advance(min(look, goal.most - before) - steps.iterations)
        others = [candidate for candidate in found if candidate != taken]
        if not steps.live.size or before + steps.iterations >= goal.most:
            return None
        if others:
            dimensions = steps.system.dimensions
            other = choose_candidate(others, *dimensions, goal.tol)
            if _SWITCH * other.cost(*dimensions, goal.tol) < _forecast_steps(steps, goal.most) * taken.step(*dimensions):
                return other
    return None


def _forecast_steps(steps: ConjugateGradients, most: int) -> float:
    """Return how many more steps the rate of the later half so far forecasts for the slowest side."""
    live, history = steps.live, np.array(steps.history)
    half = len(history) // 2
    gained = np.log(history[half, live] / history[-1, live]) / (len(history) - 1 - half)
    wanted = np.log(history[-1, live] / np.maximum(steps.wanted[live], np.finfo(float).tiny))
    return float(min(np.max(np.where(gained > 0, wanted / np.where(gained > 0, gained, 1.0), most)), most))


def _explain(taken: Candidate, found: list[Candidate]) -> tuple[str, ...]:
    if not found:
        return ()
    return (
        f"{taken.name} with {taken.columns} columns was chosen of {len(found)} preconditioners: a condition number of about "
        f"{taken.condition:.1e} was forecast from a sample of rows",
    )


def observe_condition(ritz: tuple[float, float]) -> float:
    """Return the condition number that Ritz values show."""
    return ritz[1] / ritz[0] if math.isfinite(ritz[1]) else math.inf
