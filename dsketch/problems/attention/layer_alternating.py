"""The paper's way: Newton steps in X with Y held and in Y with X held, by turns.

The loss is quadratic in Y, so that a Newton step in Y is its minimizer; in X the Hessian is exact where it is positive definite, else JᵀJ,
with Levenberg's damping.  Convergence is linear, as X and Y do not know of each other.

References
----------
Y. Gao, Z. Song, W. Wang, J. Yin, "A fast optimization view: reformulating single layer attention in LLM based on tensor and SVM trick, and
solving it in matrix multiplication time", arXiv 2309.07418, 2023.
"""

from typing import Any

from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate
from dsketch.problems.attention.layer_elimination import Elimination
from dsketch.problems.attention.layer_method import LayerCase, LayerMethod, LayerTask, note_valley, price_matrices, require_matrix
from dsketch.problems.levenberg import levenberg
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.settings import Settings

_LOOKS = 60  # of two sweeps each


class LayerAlternating(LayerMethod):
    """Two blocks of unknowns by turns; to compare with."""

    name = "alternating_newton"
    is_offered = False
    aside = "linear convergence, two sweeps a step; to compare with"

    def require(self, case: LayerCase) -> None:
        """Refuse more numbers than a matrix may have rows.

        Raises
        ------
        SpecError
            With both numbers.
        """
        require_matrix(case, self.name)

    def price(self, case: LayerCase) -> Estimate:
        """Return what is usual."""
        return price_matrices(case, 2 * _LOOKS)

    def solve(self, system: LayerTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        model = Elimination(system.layer, is_exact=True, holds_y=True)
        found = yield from levenberg(model, system.start, settings)
        return NonlinearAnswer.of(found, note_valley(system.layer, model.first, found.local.kept))
