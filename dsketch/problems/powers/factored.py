"""R once, then 2j (odd: 2j + 1) triangular solves: the passes do not grow with the power.

After one look at the data AᵀA = RᵀR is known to working accuracy, columnwise, and (AᵀA)ʲx = b is a chain of triangular solves with a d × d
factor; for min ‖A(AᵀA)ʲx − b‖ the right-hand side rides along in the QR.  The solves are applied one at a time, so that the error of
x grows like 2j·kappa·u; a power that is formed by squaring has kappa^(2j)·u.  This is an answer to the first open question of Song, Yin
and Zhang, whose alternation pays passes for every level, wherever n d² flops can be paid.  Passes: 1 + 1 (triangle) or 2 + 1 (a sketch
and the whitened Gram matrix), the last one being the certificate of all levels at once.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, SIAM J. Sci. Comput. 34, 2012 (the triangle).
Y. Fan, Y. Guo, T. Lin, arXiv 2111.11148, 2021 (the whitened Gram matrix).
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch.passes.base import Flow
from dsketch.problems.linear.method import backward_error_of, require_full_rank
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.whitened import lower_factor
from dsketch.problems.method import Breakdown
from dsketch.problems.powers.answer import (
    FACTOR,
    PowerAnswer,
    distance,
    even_error,
    level_errors,
    level_residuals,
    odd_error,
    propagated,
    ratio,
    relative_residual,
)
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.products import products, products_and_slope, residual_after, residual_norms, side_norms
from dsketch.problems.powers.wide_range import WideColumns, power_of_two
from dsketch.settings import Settings
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_WHITENING

Floats = NDArray[np.float64]
_WEAKEST_SKETCH = 10.0  # cond(A R₀⁻¹): a good sketch leaves 3 to 9; the Gram matrix of it then holds R to u·10²
# system, settings → factor of A, z with min ‖R y − z‖ the least-squares problem (of no columns without b)
Route = Callable[[LinearSystem, Settings], Flow[tuple[Factor, Floats]]]


def by_triangle(system: LinearSystem, settings: Settings) -> Flow[tuple[Factor, Floats]]:
    """Return the factor by a tall-skinny QR.  One pass."""
    R, z, _ = yield from system.triangle(settings.seed)
    return Factor(R), z


def by_whitening(system: LinearSystem, settings: Settings) -> Flow[tuple[Factor, Floats]]:
    """Return the factor by a sketch and the Gram matrix of A R₀⁻¹.  Two passes, all BLAS-3.

    Raises
    ------
    Breakdown
        If the sketch lacks rank, or whitened A so weakly that the factor would lose digits: here nothing corrects it afterwards.
    """
    SA, _ = yield from system.sketch(draw_sketch(settings, system.shape[1], FOR_WHITENING, nonzeros=4))
    start = Factor.of(SA)
    require_full_rank(start)
    W, c = yield from system.whitened(start)
    L = lower_factor(W)
    if (left := float(np.linalg.cond(L))) > _WEAKEST_SKETCH:
        raise Breakdown(f"the sketch did not whiten A: cond(A R⁻¹) is {left:.1e}, about 3 was expected")
    d = system.shape[1]
    full = householder(np.concatenate([L.T @ start.whitener.matrix, sl.solve_triangular(L, c, lower=True)], axis=1))
    return Factor(full[:, :d]), full[:, d:]


ROUTES: dict[str, Route] = {"factored": by_triangle, "factored_whitened": by_whitening}


def factored_even(system: LinearSystem, b: Floats, power: int, settings: Settings, route: Route) -> Flow[PowerAnswer]:
    """Answer min ‖(AᵀA)ʲx − b‖.

    Parameters
    ----------
    system : LinearSystem
        A alone.
    b : ndarray, shape (d, k)
    power : int
        j ≥ 1.
    """
    factor, _ = yield from route(system, settings)
    core, right = Core(factor), WideColumns.of(b)
    levels = core.inverses(core.within(right), power)
    found = yield from products(system, core, levels[1:])
    residuals = level_residuals(levels, found)
    reducible = propagated(core, residuals)
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
        outside=ratio(left, right.norms),
        forward_error=distance(core, levels, residuals, outside=left),
        measured=FACTOR,
        levels=tuple(levels),
    )


def factored_odd(system: LinearSystem, power: int, settings: Settings, route: Route) -> Flow[PowerAnswer]:
    """Answer min ‖A(AᵀA)ʲx − b‖ for the b of the system's rows."""
    factor, z = yield from route(system, settings)
    core = Core(factor)
    y = factor.least_squares(z)
    levels = core.inverses(WideColumns.of(y), power)
    found, slope = yield from products_and_slope(system, core, levels[1:], y)
    residuals = level_residuals(levels, found)
    moved = propagated(core, residuals)
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
        relative=ratio(core.half(moved).norms, norms),
        outside=np.minimum(ratio(residual_norms(slope), norms), 1.0),
        forward_error=distance(core, levels, [WideColumns.of(slope.g), *residuals], residual),
        measured=FACTOR,
        levels=tuple(levels),
    )
