"""The paper's stages, each by gradient descent with momentum.

The paper's unit step needs m > 39.5 d rows in the form z ← z − Hᵀ(Hz − c), which also takes two products a step, and m > 11.7 d in the
form z ← z − (Hz − c): the largest eigenvalue of H = R⁻ᵀAᵀA R⁻¹ must stay below √2 or 2.  The heavy ball with momentum ε² and step
(1 − ε²)² contracts by ε = the sketch's distortion at any size.  When to prefer it, and its passes:
:mod:`dsketch.problems.powers.staged`.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; I. K. Ozaslan, M. Pilanci, O. Arikan,
"Iterative Hessian sketch with momentum", ICASSP 2019.
"""

from typing import TypeVar

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.problems.iterations import heavy_ball
from dsketch.problems.powers.answer import Stage
from dsketch.problems.powers.stage import StageTask, Watch
from dsketch.problems.powers.staged import StagedMethod

T = TypeVar("T")

_PATIENCE = (
    5  # looks: the heavy ball swings about zero within an envelope of εᵏ, and these outlast a swing 500 times deeper than it
)


class Alternating(StagedMethod):
    """Stages by the heavy ball."""

    name = "alternating"

    def run_stage(self, task: StageTask[T], y: Floats) -> Flow[tuple[Floats, T, Stage]]:
        """Return y with its last look and the record of the stage, from a start y.

        Raises
        ------
        Breakdown
            If the residual grows: some eigenvalue lies outside the interval that the sketch promised.
        """
        watch = Watch(task, _PATIENCE)

        def descent(y: Floats) -> Flow[Floats | None]:
            seen = yield from task.look(y)
            yield seen.event
            if not watch.goes_on(y, seen):
                return None
            return task.factor.solve(task.factor.solve_transposed(seen.residual))

        def is_last(step: Floats, y: Floats) -> bool:
            watch.note_step(step, y)
            return False

        yield from heavy_ball(descent, y, task.epsilon, is_last)
        return watch.result()
