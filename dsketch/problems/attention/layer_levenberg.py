"""Levenberg's method in X with Y eliminated: one sweep a step, two where the misfit asks for the exact Hessian."""

from typing import Any

from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate
from dsketch.problems.attention.layer_elimination import Elimination
from dsketch.problems.attention.layer_method import LayerCase, LayerMethod, LayerTask, price_looks
from dsketch.problems.levenberg import levenberg
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.settings import Settings

_LOOKS = 10  # the first two, about six steps, and the examination, which has two sweeps


class LayerLevenberg(LayerMethod):
    """Gauss–Newton steps on the variable projection, Newton's once the misfit is what is left: quadratic with either."""

    name = "levenberg"
    reason = "one sweep a step"
    is_safe = True

    def price(self, case: LayerCase) -> Estimate:
        """Return what is usual; how many looks it takes only the data tell."""
        return price_looks(case, _LOOKS)

    def details(self, case: LayerCase) -> tuple[str, ...]:
        """Return that passes are what is usual, and how many starts there are."""
        told = (f"about {_LOOKS} sweeps from a start near the answer; how many only the data tell",)
        return (*told, f"{case.starts} starts share every reading") if case.starts > 1 else told

    def solve(self, system: LayerTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        return NonlinearAnswer.of((yield from levenberg(Elimination(system.layer), system.start, settings)))
