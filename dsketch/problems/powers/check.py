"""Judge any x by real products with AᵀA: one pass for the triangle (‖A‖ and the null space), j for the powers, one more for b.

Nothing is shared with the solve but the passes themselves: no level, no factor, no sketch of the run is used.
"""

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.factor import Factor
from dsketch.passes import Gradient, Look
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.powers.answer import (
    DATA,
    PowerAnswer,
    apart,
    chain_error,
    even_error,
    forward_error,
    odd_error,
    ratio,
    relative_residual,
)
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.products import product, residual_norms, side_norms
from dsketch.problems.powers.wide_range import WideColumns, power_of_two

Floats = NDArray[np.float64]


def raised_levels(system: LinearSystem, core: Core, x: Floats, power: int) -> Flow[list[WideColumns]]:
    """Return [Gʲx, …, Gx, x], every product in the data.  j passes."""
    levels = [WideColumns.of(x)]
    for _ in range(power):
        levels.insert(0, (yield from product(system, core.exponent, levels[0])))
    return levels


def check_even(system: LinearSystem, b: Floats, power: int, x: Floats) -> Flow[PowerAnswer]:
    """Judge x as an answer to min ‖(AᵀA)ʲx − b‖.  1 + j passes."""
    R, _, _ = yield from system.triangle(0)
    core, right = Core(Factor(R)), WideColumns.of(b)
    levels = yield from raised_levels(system, core, x, power)
    left = right.plus(levels[0], -1.0)
    reducible, outside = core.within(left), core.outside(right)
    return PowerAnswer(
        x=x,
        core=core,
        is_exact=True,
        backward_error=np.maximum(
            even_error(core.norm, reducible.norms, levels[-1], right.norms, power),
            chain_error(core, reducible, levels[-1], right, power),
        ),
        residual_norm=power_of_two(left.norms),
        relative=relative_residual(core, reducible, right),
        outside=ratio(outside, right.norms),
        forward_error=forward_error(core, levels, outside=outside) + _apart(core, reducible, levels[-1], power),
        measured=DATA,
    )


def check_odd(system: LinearSystem, power: int, x: Floats) -> Flow[PowerAnswer]:
    """Judge x as an answer to min ‖A(AᵀA)ʲx − b‖ for the b of the system's rows.  2 + j passes."""
    R, _, _ = yield from system.triangle(0)
    core = Core(Factor(R))
    levels = yield from raised_levels(system, core, x, power)
    slope = yield Look(Gradient(levels[0].values("(AᵀA)ʲx")), system.rows)
    g, norms = WideColumns.of(slope.g), side_norms(slope)
    residual = residual_norms(slope)
    reducible = core.half_inverse(g).norms
    # What A x* cannot reach: the residual without its reducible part.
    beyond = np.sqrt(np.maximum(1 - np.minimum(ratio(reducible, residual), 1.0) ** 2, 0.0)) * ratio(residual, norms)
    return PowerAnswer(
        x=x,
        core=core,
        is_exact=True,
        backward_error=odd_error(core, g, residual, levels[-1], power),
        residual_norm=power_of_two(residual),
        relative=ratio(reducible, norms),
        outside=np.minimum(beyond, 1.0),
        forward_error=forward_error(core, levels, residual) + _apart(core, g, levels[-1], power + 1),
        measured=DATA,
    )


def _apart(core: Core, residual: WideColumns, x: WideColumns, power: int) -> Floats:
    """Return how far x is from the answer by what its residual tells, and by what of x lies in the null space."""
    moved = core.inverses(residual, power)[-1]
    return apart(moved.plus(x.plus(core.within(x), -1.0)), x)
