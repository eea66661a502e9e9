"""Powers by A's own factor R: 2j (odd: 2j + 1) triangular solves, so that the passes do not grow with the power.

Once R is found AᵀA = RᵀR is known to working accuracy, columnwise, and (AᵀA)ʲx = b is a chain of triangular solves with a d × d
factor; for min ‖A(AᵀA)ʲx − b‖ the right-hand side rides along in the QR.  The solves are applied one at a time, so that the error of
x grows like 2j·kappa·u; a power that is formed by squaring has kappa^(2j)·u.  This is an answer to the first open question of Song, Yin
and Zhang, whose alternation pays passes for every level, wherever n d² flops can be paid.  One pass, the certificate of all levels
at once, besides those that find R.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
"""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.problems.linear.method import backward_error_of
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.powers.answer import (
    FACTOR,
    PowerAnswer,
    distance,
    even_error,
    level_errors,
    level_residuals,
    odd_error,
    propagate,
    ratio_of_logs,
    relative_residual,
)
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.products import (
    multiply_levels,
    multiply_levels_with_slope,
    residual_after,
    residual_norms,
    side_norms,
)
from dsketch.problems.powers.wide_range import WideColumns, power_of_two


def factored_even(system: LinearSystem, b: Floats, power: int, factor: Factor) -> Flow[PowerAnswer]:
    """Answer min ‖(AᵀA)ʲx − b‖.

    Parameters
    ----------
    system : LinearSystem
        A alone.
    b : ndarray, shape (d, k)
    power : int
        j ≥ 1.
    factor : Factor
        R of A.
    """
    core, right = Core(factor), WideColumns.of(b)
    levels = core.inverses(core.within(right), power)
    found = yield from multiply_levels(system, core, levels[1:])
    residuals = level_residuals(levels, found)
    reducible = propagate(core, residuals)
    x, left = levels[-1], core.outside(right)
    return PowerAnswer(
        x=x.values("x"),
        core=core,
        is_exact=True,
        backward_error=np.maximum(
            even_error(core.norm, reducible.norms, x, right.norms, power), level_errors(core, levels, residuals)
        ),
        residual_norm=power_of_two(np.logaddexp2(2 * reducible.norms, 2 * left) / 2),
        relative=relative_residual(core, reducible, right),
        outside=ratio_of_logs(left, right.norms),
        forward_error=distance(core, levels, residuals, outside=left),
        measured=FACTOR,
        levels=tuple(levels),
    )


def factored_odd(system: LinearSystem, z: Floats, power: int, factor: Factor) -> Flow[PowerAnswer]:
    """Answer min ‖A(AᵀA)ʲx − b‖ for the b of the system's rows; ``z`` with min ‖R y − z‖ the least-squares problem."""
    core = Core(factor)
    y = factor.least_squares(z)
    levels = core.inverses(WideColumns.of(y), power)
    found, slope = yield from multiply_levels_with_slope(system, core, levels[1:], y)
    residuals = level_residuals(levels, found)
    moved = propagate(core, residuals)
    g, residual = residual_after(core, slope, moved)
    x, norms = levels[-1], side_norms(slope)
    return PowerAnswer(
        x=x.values("x"),
        core=core,
        is_exact=True,
        backward_error=np.maximum.reduce(
            [odd_error(core, g, residual, x, power), backward_error_of(factor, y, slope), level_errors(core, levels, residuals)]
        ),
        residual_norm=power_of_two(residual),
        relative=ratio_of_logs(core.half(moved).norms, norms),
        outside=np.minimum(ratio_of_logs(residual_norms(slope), norms), 1.0),
        forward_error=distance(core, levels, [WideColumns.of(slope.g), *residuals], residual),
        measured=FACTOR,
        levels=tuple(levels),
    )
