"""The papers' approximate Newton: a Hessian whose sum over rows is sampled by leverage.

Loss and gradient are exact, so that the answer is; the Hessian is off by ε, and the error falls by about that a step: linearly.  Two
looks a step, and the leverages cost what the whole Gram matrix does: the papers count operations of another machine than one that
reads its rows from a disk, and :mod:`~dsketch.problems.nonlinear.gauss_newton` needs fewer looks and no more work in each.

References
----------
Z. Li, Z. Song, Z. Wang, J. Yin, "Local convergence of approximate Newton method for two layer nonlinear regression", arXiv 2311.15390,
2023.
Z. Song, W. Wang, J. Yin, "A unified scheme of ResNet and softmax", arXiv 2309.13482, 2023.
Y. Deng, Z. Li, Z. Song, "Attention scheme inspired softmax regression", arXiv 2304.10411, 2023.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.passes.base import Flow
from dsketch.problems.levenberg import Local, levenberg
from dsketch.problems.nonlinear.method import NonlinearAnswer, NonlinearCase, NonlinearMethod, NonlinearTask
from dsketch.problems.nonlinear.system import Evaluation, NonlinearSystem, SamplePlan
from dsketch.settings import Settings

SAMPLES = 40  # rows kept for each column: the error then falls to at most 0.4 a step, usually 0.3


@dataclass
class _Sampled:
    """A model whose matrix is a sampled one.

    Attributes
    ----------
    system : NonlinearSystem
    plan : SamplePlan
        The last.
    near : Local or None
    kept : int
        Rows kept in all.
    """

    system: NonlinearSystem
    plan: SamplePlan
    near: Local | None = None
    kept: int = 0

    def evaluate(self, x: Floats) -> Flow[Local]:
        """Return loss and gradient, and a sampled Hessian."""
        found = yield from Evaluation(self.system, self.system.sampled_curvature, self.near).evaluate(x)
        if not np.isfinite(found.value):
            return found
        self.near = found
        self.plan = yield from self.system.sample(x, found, self.plan)
        self.kept += self.plan.count
        matrix = self.plan.matrix
        if matrix is None:
            return found
        return replace(found, matrix=matrix + self.system.alpha * np.eye(len(x)), root=None)


class NewtonSampled(NonlinearMethod):
    """Exact gradient, sampled Hessian."""

    name = "newton_sampled"
    looks = 60
    is_offered = False
    aside = "converges linearly; two looks a step, and the leverages cost what JᵀJ does"
    takes = ("sketch_rows",)

    def look_share(self, case: NonlinearCase) -> float:
        """Return 1: one look is light, the other is not."""
        del case
        return 1.0

    def require(self, case: NonlinearCase) -> None:
        """Refuse a Hessian without a sum over rows.

        Raises
        ------
        SpecError
            Naming the method to take.
        """
        if not case.has_row_sums:
            raise SpecError(
                "a Hessian with a sum over rows was expected to sample from; with ReLU first it has m terms. Take method='levenberg'."
            )

    def solve(self, system: NonlinearTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        size = settings.sketch_rows or SAMPLES * system.system.columns
        model = _Sampled(system.system, SamplePlan(size, settings.seed))
        found = yield from levenberg(model, system.start, settings)
        steps = max(found.trials + 1, 1)
        # What the examination takes is what the last look found: its rows, not the sampled matrix.
        return NonlinearAnswer.of(
            found, (f"each Hessian was sampled from about {model.kept // steps} of {system.system.rows.shape[0]} rows",)
        )
