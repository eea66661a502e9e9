"""The paper's own sequence: one sketch, and for every level a preconditioned solve with AᵀA; passes grow with the power.

1. One sketch SA = QR, used by all levels.  Its size lets every one of the j stages fail with probability δ/j at most.
2. Odd powers begin with u = argmin ‖Au − b‖ and go on with b = u.
3. For k = 1 … j solve AᵀA y_k = y_{k−1}; x = y_j.

A fixed relative tolerance τ per level would leave a relative residual up to τ·kappa^(2(j−1)).  The rule is therefore absolute,

    ‖r_k‖ ≤ ε ‖b‖ / (j ‖A‖^(2(k−1))),

so that Σ ‖A‖^(2(k−1))‖r_k‖ ≤ ε‖b‖ without knowing kappa.  In relative terms it asks for 2(k−1) log kappa more at level k: the work is
quadratic in j through log kappa.  Where rounding ends a stage first, the normwise backward error stays small all the same.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor, solve_small
from dsketch.passes import Gradient, Look, Slope
from dsketch.passes.base import Flow
from dsketch.problems.linear.method import backward_error_of, require_full_rank
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.powers.answer import (
    STAGES,
    PowerAnswer,
    Stage,
    distance,
    even_error,
    event_of,
    level_errors,
    ratio_of_logs,
    relative_residual,
)
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.products import (
    estimate_norm,
    multiply,
    propagate_in_data,
    residual_after,
    residual_norms,
    side_norms,
)
from dsketch.problems.powers.stage import RunStage, Seen, StageTask
from dsketch.problems.powers.system import PowerSystem
from dsketch.problems.powers.wide_range import WideColumns, power_of_two
from dsketch.settings import Settings
from dsketch.sketch import Sketch
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_ITERATING, LEAST_ROWS, distortion

# A failed embedding is seen (the steps grow, or progress stops) and costs passes, never accuracy.
FAILURE = 1e-3


def rows_for_stages(columns: int, stages: int, failure: float = FAILURE) -> int:
    """Return the sketch size at which the distortion is at most 1/√12 in each of the stages with probability 1 − δ/j.

    The singular values of SU lie in 1 ± (√(d/m) + t) but for a probability 2 exp(−m t²/2) (Davidson and Szarek 2001, Theorem II.13);
    with t = √(2 log(2j/δ)/m) both terms together are 1/√12 at m = 12 (√d + √(2 log(2j/δ)))².

    Examples
    --------
    >>> rows_for_stages(100, 1), rows_for_stages(100, 16)
    (2336, 2560)
    """
    tail = math.sqrt(2 * math.log(2 * stages / failure))
    return 8 * math.ceil((FOR_ITERATING * (math.sqrt(columns) + tail) ** 2 + LEAST_ROWS) / 8)


def size_shared_sketch(settings: Settings, columns: int, stages: int) -> tuple[int, float]:
    """Return the rows of the sketch for all stages, and the distortion that the iteration counts on."""
    if settings.sketch_rows is not None:
        return settings.sketch_rows, distortion(columns, settings.sketch_rows)
    return rows_for_stages(columns, stages), 1 / math.sqrt(FOR_ITERATING)


def _draw_shared_sketch(system: LinearSystem, settings: Settings, stages: int) -> tuple[Sketch, float]:
    """Return the sketch for all stages and the distortion that the iteration counts on."""
    columns = system.shape[1]
    size, epsilon = size_shared_sketch(settings, columns, stages)
    return draw_sketch(replace(settings, sketch_rows=size), columns, FOR_ITERATING), epsilon


@dataclass(frozen=True)
class Alternation:
    """What all stages share.

    Attributes
    ----------
    system : LinearSystem
    core : Core
        Of the sketch.
    epsilon : float
        Its distortion.
    norm : float
        Log₂ of ‖A‖.
    stages : int
        Among which tolerance and failure are split.
    goal : float
        ε of the rule.
    run_stage : callable
        How a stage is solved.
    """

    system: LinearSystem
    core: Core
    epsilon: float
    norm: float
    stages: int
    goal: float
    run_stage: RunStage

    def solve_level(self, level: int, target: WideColumns, b: Floats) -> Flow[tuple[WideColumns, WideColumns, Stage]]:
        """Return y with G y ≈ target, its residual, and the record of the stage.

        Parameters
        ----------
        b : ndarray, shape (k,)
            Log₂ of ‖b‖.
        """
        # In the units of the target's mantissas and of A · 2^-e: every number is of moderate size.
        e, factor = self.core.exponent, Factor(self.core.R)
        goal = math.log2(self.goal / self.stages) + b - 2 * (level - 1) * self.norm

        def look(y: Floats) -> Flow[Seen[WideColumns]]:
            found = yield from multiply(self.system, e, WideColumns(y, target.exponents))
            residual = target.plus(found.shift(-2 * e), -1.0)
            size = np.logaddexp2(2 * self.norm + WideColumns.of(y, target.exponents - 2 * e).norms, target.norms)
            event = event_of(ratio_of_logs(residual.norms, size), power_of_two(residual.norms))
            units = level_errors(self.core, [target, WideColumns.of(y, target.exponents - 2 * e)], [residual]) / self.goal
            return Seen(residual.over(target.exponents), np.maximum(ratio_of_logs(residual.norms, goal), units), event, residual)

        start = factor.solve(factor.solve_transposed(target.mantissas))
        task = StageTask(level, self.system, factor, self.core.factor, self.epsilon, look)
        y, residual, stage = yield from self.run_stage(task, start)
        return WideColumns.of(y, target.exponents - 2 * e), residual, stage

    def climb(
        self, start: WideColumns, b: Floats, power: int
    ) -> Flow[tuple[list[WideColumns], list[WideColumns], tuple[Stage, ...]]]:
        """Return the levels from ``start`` on, their residuals and the records of the stages."""
        levels, residuals, records = [start], list[WideColumns](), list[Stage]()
        for level in range(1, power + 1):
            y, residual, stage = yield from self.solve_level(level, levels[-1], b)
            levels.append(y)
            residuals.append(residual)
            records.append(stage)
        return levels, residuals, tuple(records)

    def least_squares(self, start: Floats) -> Flow[tuple[Floats, Slope, Stage]]:
        """Return y near the minimizer of ‖A y − b‖, its slope, and the record of stage 0."""
        factor, share = self.core.factor, math.log2(self.goal / self.stages)

        def look(y: Floats) -> Flow[Seen[Slope]]:
            found: Slope = yield Look(Gradient(y), self.system.rows)
            reducible = WideColumns.of(factor.solve_transposed(found.g)).norms
            event = event_of(backward_error_of(factor, y, found), power_of_two(residual_norms(found)))
            return Seen(found.g, ratio_of_logs(reducible, share + side_norms(found)), event, found)

        return (yield from self.run_stage(StageTask(0, self.system, factor, factor, self.epsilon, look), start))


def alternate(system: PowerSystem, settings: Settings, run_stage: RunStage) -> Flow[PowerAnswer]:
    """Answer stage by stage.

    Raises
    ------
    Breakdown
        If the sketch lacks rank, or a stage diverges.
    """
    if system.right is None:
        return (yield from _alternate_odd(system.linear, system.power, settings, run_stage))
    return (yield from _alternate_even(system.linear, system.right, system.power, settings, run_stage))


def _alternate_even(system: LinearSystem, b: Floats, power: int, settings: Settings, run_stage: RunStage) -> Flow[PowerAnswer]:
    """Answer min ‖(AᵀA)ʲx − b‖ stage by stage.

    Raises
    ------
    Breakdown
        If the sketch lacks rank, or a stage diverges.
    """
    sketch, epsilon = _draw_shared_sketch(system, settings, power)
    SA, _ = yield from system.sketch(sketch)
    start = Factor.of(SA)
    require_full_rank(start)
    core, right = Core(start), WideColumns.of(b)
    norm = yield from estimate_norm(system, core)
    alternation = Alternation(system, core, epsilon, norm, power, settings.goal, run_stage)
    levels, residuals, stages = yield from alternation.climb(right, right.norms, power)
    left, x = (yield from propagate_in_data(system, core, residuals)), levels[-1]
    return PowerAnswer(
        x=x.values("x"),
        core=core,
        is_exact=False,
        backward_error=np.maximum(even_error(norm, left.norms, x, right.norms, power), level_errors(core, levels, residuals)),
        residual_norm=power_of_two(left.norms),
        relative=relative_residual(core, left, right),
        outside=np.zeros(b.shape[1]),
        forward_error=distance(core, levels, residuals),
        measured=STAGES,
        levels=tuple(levels),
        stages=stages,
    )


def _alternate_odd(system: LinearSystem, power: int, settings: Settings, run_stage: RunStage) -> Flow[PowerAnswer]:
    """Answer min ‖A(AᵀA)ʲx − b‖ stage by stage, least squares first.

    Raises
    ------
    Breakdown
        If the sketch lacks rank, or a stage diverges.
    """
    sketch, epsilon = _draw_shared_sketch(system, settings, power + 1)
    SA, Sb = yield from system.sketch(sketch)
    start, guess = solve_small(SA, Sb)
    require_full_rank(start)
    core = Core(start)
    norm = yield from estimate_norm(system, core)
    alternation = Alternation(system, core, epsilon, norm, power + 1, settings.goal, run_stage)
    y, slope, stage = yield from alternation.least_squares(guess)
    norms = side_norms(slope)
    levels, residuals, stages = yield from alternation.climb(WideColumns.of(y), norms - norm, power)
    moved, x = (yield from propagate_in_data(system, core, residuals)), levels[-1]
    _, left = residual_after(core, slope, moved)
    chain = core.half(moved).norms - math.log2(1 - epsilon)
    first = np.maximum(backward_error_of(start, y, slope), level_errors(core, levels, residuals))
    return PowerAnswer(
        x=x.values("x"),
        core=core,
        is_exact=False,
        # A changes once for the least-squares stage (Karlson and Waldén) and once for the chain.
        backward_error=first + even_error(norm, chain, x, norms, power + 0.5),
        residual_norm=power_of_two(left),
        relative=ratio_of_logs(chain, norms),
        outside=np.minimum(ratio_of_logs(residual_norms(slope), norms), 1.0),
        forward_error=distance(core, levels, [WideColumns.of(slope.g), *residuals], left),
        measured=STAGES,
        levels=tuple(levels),
        stages=(stage, *stages),
    )
