"""The paper's stages, each by rounds of conjugate gradients, with one look at the true residual a round.

They contract by ε = the sketch's distortion a step, as the heavy ball of :mod:`~dsketch.problems.powers.alternating` does, in rounds of
at most 15 steps.  When to prefer it, and its passes: :mod:`dsketch.problems.powers.staged`.

References
----------
M. R. Hestenes, E. Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res. NBS 49, 1952.
"""

from typing import TypeVar

from dsketch._linalg.arrays import Floats
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.problems.linear import conjugate_gradient
from dsketch.problems.powers.answer import Stage
from dsketch.problems.powers.stage import StageTask, Watch
from dsketch.problems.powers.staged import StagedMethod

T = TypeVar("T")

_PATIENCE = 1  # one look without progress ends a stage: a round gains 10⁶ or nothing
_ROUND_TOL = 1e-6  # the relative residual at which a round ends


class AlternatingCG(StagedMethod):
    """Stages by conjugate gradients."""

    name = "alternating_cg"

    def run_stage(self, task: StageTask[T], y: Floats) -> Flow[tuple[Floats, T, Stage]]:
        """Return y with its last look and the record of the stage, from a start y."""
        watch = Watch(task, _PATIENCE)
        while True:
            seen = yield from task.look(y)
            yield seen.event
            if not watch.goes_on(y, seen):
                return watch.result()
            half, over = task.factor.solve_transposed(seen.residual), float(seen.over.max())
            tol = max(_ROUND_TOL, 0.25 / over)
            counted = _Counted(conjugate_gradient.run_conjugate_gradient(task.system, task.unscaled, half, task.epsilon, tol))
            step = task.factor.solve((yield from counted.flow()))
            watch.passes += counted.passes
            y = y + step
            watch.note_step(step, y)


class _Counted:
    """A flow that counts its looks."""

    def __init__(self, flow: Flow[Floats]) -> None:
        self._flow, self.passes = flow, 0

    def flow(self) -> Flow[Floats]:
        """Yield the looks of the flow and return what it returns."""
        try:
            look = next(self._flow)
            while True:
                self.passes += isinstance(look, Look)
                look = self._flow.send((yield look))
        except StopIteration as end:
            result: Floats = end.value
            return result
