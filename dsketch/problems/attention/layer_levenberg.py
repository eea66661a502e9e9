"""Levenberg's method in X with Y eliminated: one sweep a step, two where the misfit asks for the exact Hessian."""

from typing import Any

from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate
from dsketch.problems.attention.layer_elimination import Elimination
from dsketch.problems.attention.layer_method import LayerCase, LayerMethod, LayerTask, note_valley, price_matrices, require_matrix
from dsketch.problems.levenberg import levenberg
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.settings import Settings

_LOOKS = 8  # the first two, and about six steps
_MOST = 500  # trials: drawn starts far off lead along valleys in which Y grows; of 30 with noise 28 had ended after 220


class LayerLevenberg(LayerMethod):
    """Gauss–Newton steps on the variable projection, Newton's once the misfit is what is left: quadratic with either."""

    name = "levenberg"
    reason = "one sweep a step"
    is_safe = True

    def unfit(self, case: LayerCase) -> str | None:
        """Return why not for many numbers."""
        if case.system.has_matrix:
            return None
        d, e, p, k = case.system.shapes
        heads = f"{case.system.heads} heads, " if case.system.heads > 1 else ""
        return f"a matrix with a row for each number of X, Y or products of a key and a value: {heads}{d} × {e}, {p} × {k} and {e} × {p}"

    def require(self, case: LayerCase) -> None:
        """Refuse more numbers than a matrix may have rows.

        Raises
        ------
        SpecError
            With both numbers.
        """
        require_matrix(case, self.name)

    def price(self, case: LayerCase) -> Estimate:
        """Return what is usual; how many looks it takes only the data tell."""
        return price_matrices(case, _LOOKS)

    def details(self, case: LayerCase) -> tuple[str, ...]:
        """Return that passes are what is usual, and how many starts there are."""
        told = (f"about {_LOOKS} sweeps from a start near the answer; how many only the data tell",)
        return (*told, f"{case.starts} starts share every reading") if case.starts > 1 else told

    def solve(self, system: LayerTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        model = Elimination(system.layer)
        found = yield from levenberg(model, system.start, settings, most=_MOST)
        return NonlinearAnswer.of(found, note_valley(system.layer, model.first, found.local.kept))
