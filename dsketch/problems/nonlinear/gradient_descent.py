"""The papers' first-order mode: gradient steps of length 1/L, columns scaled; the loss never rises.

L is the largest eigenvalue of JᵀJ at the start, and is doubled wherever a step does not lower the loss.  A look costs no Gram matrix
after the first; the error falls by 1 − 1/κ² a step, κ the condition number of J, so that few digits are reached where κ is large.

References
----------
Z. Song, W. Wang, J. Yin, "A unified scheme of ResNet and softmax", arXiv 2309.13482, 2023.
Y. Nesterov, "Introductory lectures on convex optimization", Kluwer 2004, section 1.2.3.
"""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.problems.levenberg import BLIND, Local
from dsketch.problems.nonlinear.method import NonlinearAnswer, NonlinearCase, NonlinearMethod, NonlinearTask
from dsketch.problems.nonlinear.system import Curvature, Evaluation
from dsketch.settings import Settings

MOST_STEPS = 1000
_DOUBLINGS = 60  # a step that short changes no digit


class GradientDescent(NonlinearMethod):
    """Steps of length 1/L down the gradient."""

    name = "gradient_descent"
    looks = 300
    is_offered = False
    aside = "gains a factor 1 − 1/κ² a look"

    def look_share(self, case: NonlinearCase) -> float:
        """Return a light look's share."""
        return 1.0 if case.units else min(1.0, 8.0 / case.workload.d)

    def solve(self, system: NonlinearTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start until the gradient is small, a step changes nothing, or a thousand are taken."""
        del start
        model, x = Evaluation(system.system, Curvature.SQUARED), system.start
        here = yield from model.evaluate(x)
        if not np.isfinite(here.value):
            return NonlinearAnswer(x, here, 0, "outside")
        scale, L = here.scale, float(here.spectrum[0].max(initial=0.0)) or 1.0
        model.curvature, first, doublings = Curvature.NONE, L, 0
        for step in range(MOST_STEPS):
            yield Converged(_slope(here, scale, L), here.residual)
            if _slope(here, scale, L) <= max(settings.goal, here.floor / (here.residual or 1.0)):
                return NonlinearAnswer(x, here, step, "converged", _tell(L, first))
            trial = x - here.gradient / (L * scale**2)
            there = yield from model.evaluate(trial)
            is_blind = bool(here.gradient @ (x - trial) <= BLIND * here.size)
            if _is_better(here, there, scale, is_blind):
                x, here, doublings = trial, there, 0
            elif doublings < _DOUBLINGS and not is_blind:
                L, doublings = 2 * L, doublings + 1
            else:
                return NonlinearAnswer(x, here, step + 1, "rounding", _tell(L, first))
        return NonlinearAnswer(x, here, MOST_STEPS, "limit", _tell(L, first))


def _is_better(here: Local, there: Local, scale: Floats, is_blind: bool) -> bool:
    """Whether a step lowered the loss, or where that is rounding the gradient."""
    if not is_blind:
        return there.value < here.value
    sizes = [float(np.linalg.norm(local.gradient / scale)) for local in (there, here)]
    return bool(np.isfinite(there.value)) and sizes[0] < sizes[1]


def _slope(here: Local, scale: Floats, L: float) -> float:
    """Return the gradient relative to J and the residual, columns scaled."""
    size = float(np.sqrt(L)) * here.residual
    return float(np.linalg.norm(here.gradient / scale)) / size if size > 0 else 0.0


def _tell(L: float, first: float) -> tuple[str, ...]:
    return (f"the step length 1/L was cut {round(np.log2(L / first))} times by half",) if first < L else ()
