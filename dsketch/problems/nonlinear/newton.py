"""Newton steps on the exact Hessian where it is positive definite, Gauss–Newton steps elsewhere; both damped as Levenberg's."""

from typing import Any

from dsketch.passes.base import Flow
from dsketch.problems.levenberg import levenberg
from dsketch.problems.nonlinear.method import NonlinearAnswer, NonlinearCase, NonlinearMethod, NonlinearTask
from dsketch.problems.nonlinear.system import Curvature, Evaluation
from dsketch.settings import Settings


class Newton(NonlinearMethod):
    """The exact Hessian: quadratic whatever the misfit, at three or four Gram matrices a look (with units, two looks a step)."""

    name = "newton"
    looks = 8
    is_offered = False
    aside = "sums three or four Gram matrices a look; pays where b is far from every f(x)"

    def look_share(self, case: NonlinearCase) -> float:
        """Return 3 or 4 Gram matrices; with units another look of one."""
        return 3.5 if not case.units else 2.0

    def solve(self, system: NonlinearTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        return NonlinearAnswer.of((yield from levenberg(Evaluation(system.system, Curvature.EXACT), system.start, settings)))
