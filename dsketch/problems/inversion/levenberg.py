"""Levenberg steps for leverage scores, begun where a potential is low that has its least value at the answer.

With u = log abs(A x − b) let Φ = ½ log det Σ aaᵀ e^(−2u) + Σσ*u.  Its gradient in u is σ* − σ and its second derivative 2(Σ − P∘P) ≽ 0:
Φ is convex in u, so that an x with σ(x) = σ* has the least Φ of all, and every other with these scores has slacks in constant ratios to
its own (one ratio for rows that P connects).  In x it is not convex, but it grows to ∞ where a slack falls to 0, which ‖σ − σ*‖ does not.
So far from the answer steps go down Φ, two looks each, by its Hessian 3Q − 2T₃T₃ᵀ − Σσ*qqᵀ where that is positive definite and
2(Q − T₃T₃ᵀ), to which it tends, where it is not.
"""

from typing import Any

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.passes.slack_leverage import pairs
from dsketch.problems.inversion.descent import descend
from dsketch.problems.inversion.system import GradientSystem, Place
from dsketch.problems.nonlinear.gauss_newton import GaussNewton
from dsketch.problems.nonlinear.method import NonlinearAnswer, NonlinearTask
from dsketch.settings import EPS, Settings

# Of the size of the decrement.  Near the answer steps down the potential are quadratic too, and cost two looks in place of three; begun at
# 1e-2 Levenberg's took up to 26 (n = 3,000 to 100,000, d = 10, to 99 % of the way to the boundary), at 1e-4 up to 5.
_NEAR = 1e-4
_NEAR_RANGE = (
    1e-2  # where b is so near the range of A that the potential is nearly flat along a scale of all slacks, and its steps drift
)
_MOST = 40  # steps down the potential
_DEFINITE = 1e-3  # of the largest eigenvalue


class Levenberg(GaussNewton):
    """Steps down the potential while far away, then Levenberg's: three looks each."""

    reason = "three looks a step"

    def solve(self, system: NonlinearTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        begun = yield from _lower(system)
        found = yield from super().solve(NonlinearTask(system.system, begun), settings)
        return found


def _lower(task: NonlinearTask) -> Flow[Floats]:
    """Return a point where the potential is low."""
    if task.system.alpha:
        return task.start
    potential = GradientSystem(task.system.rows, np.zeros(len(task.start)))
    edge = yield from potential.approach(task.start)
    if not edge.facts.is_inside:
        return task.start
    is_flat = edge.facts.apart**2 <= _DEFINITE * task.system.rows.shape[0]
    near = Settings(tol=_NEAR_RANGE if is_flat else _NEAR)
    found = yield from descend(potential, edge, _step, near, has_cube=True, most=_MOST)
    return found.place.x


def _step(here: Place) -> Flow[tuple[Floats, float]]:
    yield from ()
    sums = here.sums
    exact = here.hessian - sums.pulled
    values = sl.eigvalsh(exact)
    if values[0] > _DEFINITE * values[-1]:
        return here.newton_step(exact)
    laplacian = 2 * (sums.weighted - pairs(sums.cube, sums.cube))
    if np.trace(laplacian) <= len(laplacian) * EPS * np.trace(sums.weighted):  # scores of 1 whatever x: no way leads down
        return np.zeros(len(here.x)), 0.0
    return here.newton_step(laplacian + _DEFINITE * float(np.trace(laplacian)) / len(laplacian) * np.eye(len(laplacian)))
