"""Gauss–Newton steps with Levenberg's damping: one look a step."""

from typing import Any

from dsketch.passes.base import Flow
from dsketch.problems.levenberg import levenberg
from dsketch.problems.nonlinear.method import NonlinearAnswer, NonlinearCase, NonlinearMethod, NonlinearTask
from dsketch.problems.nonlinear.system import Curvature, Evaluation
from dsketch.settings import Settings


class GaussNewton(NonlinearMethod):
    """JᵀJ in place of the Hessian: quadratic near an x that fits, linear by the size of the misfit where none does."""

    name = "levenberg"
    looks = 8
    reason = "one look a step"
    is_safe = True

    def look_share(self, case: NonlinearCase) -> float:
        """Return 1."""
        del case
        return 1.0

    def solve(self, system: NonlinearTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        return NonlinearAnswer.of((yield from levenberg(Evaluation(system.system, Curvature.SQUARED), system.start, settings)))
