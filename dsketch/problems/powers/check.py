"""Judge any x by real products with AᵀA: one pass for the triangle (‖A‖ and the null space), j for the powers, one more for b.

The series of an exponential takes one for each term.

Nothing is shared with the solve but the passes themselves: no level, no factor, no sketch of the run is used.
"""

import math

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes import Gradient, Look
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.powers.answer import (
    DATA,
    PowerAnswer,
    chain_error,
    even_error,
    forward_error,
    odd_error,
    ratio_of_logs,
    relative_distance,
    relative_residual,
)
from dsketch.problems.powers.exponential import (
    ExponentialAnswer,
    apply_logs,
    condition_of,
    decompose_gram,
    error_bound,
    log_series,
)
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.products import multiply, residual_norms, side_norms
from dsketch.problems.powers.system import ExponentialSystem, PowerSystem
from dsketch.problems.powers.wide_range import WideColumns, power_of_two

MOST_TERMS = 200  # a judgement may take so many passes: enough for ‖A‖² up to about 150
_ENOUGH = 60.0  # a remainder below 2⁻⁶⁰ of the sum is below rounding


def _apply_power(system: LinearSystem, core: Core, x: Floats, power: int) -> Flow[list[WideColumns]]:
    """Return [Gʲx, …, Gx, x], every product in the data.  j passes."""
    levels = [WideColumns.of(x)]
    for _ in range(power):
        levels.insert(0, (yield from multiply(system, core.exponent, levels[0])))
    return levels


def check_power(system: PowerSystem, x: Floats) -> Flow[PowerAnswer]:
    """Judge x as an answer to a power."""
    if system.right is None:
        return (yield from _check_odd(system.linear, system.power, x))
    return (yield from _check_even(system.linear, system.right, system.power, x))


def _check_even(system: LinearSystem, b: Floats, power: int, x: Floats) -> Flow[PowerAnswer]:
    """Judge x as an answer to min ‖(AᵀA)ʲx − b‖.  1 + j passes."""
    R, _, _ = yield from system.triangle(0)
    core, right = Core(Factor(R)), WideColumns.of(b)
    levels = yield from _apply_power(system, core, x, power)
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
        outside=ratio_of_logs(outside, right.norms),
        forward_error=forward_error(core, levels, outside=outside) + _distance(core, reducible, levels[-1], power),
        measured=DATA,
    )


def _check_odd(system: LinearSystem, power: int, x: Floats) -> Flow[PowerAnswer]:
    """Judge x as an answer to min ‖A(AᵀA)ʲx − b‖ for the b of the system's rows.  2 + j passes."""
    R, _, _ = yield from system.triangle(0)
    core = Core(Factor(R))
    levels = yield from _apply_power(system, core, x, power)
    slope = yield Look(Gradient(levels[0].values("(AᵀA)ʲx")), system.rows)
    g, norms = WideColumns.of(slope.g), side_norms(slope)
    residual = residual_norms(slope)
    reducible = core.half_inverse(g).norms
    # What A x* cannot reach: the residual without its reducible part.
    beyond = np.sqrt(np.maximum(1 - np.minimum(ratio_of_logs(reducible, residual), 1.0) ** 2, 0.0)) * ratio_of_logs(
        residual, norms
    )
    return PowerAnswer(
        x=x,
        core=core,
        is_exact=True,
        backward_error=odd_error(core, g, residual, levels[-1], power),
        residual_norm=power_of_two(residual),
        relative=ratio_of_logs(reducible, norms),
        outside=np.minimum(beyond, 1.0),
        forward_error=forward_error(core, levels, residual) + _distance(core, g, levels[-1], power + 1),
        measured=DATA,
    )


def _distance(core: Core, residual: WideColumns, x: WideColumns, power: int) -> Floats:
    """Return how far x is from the answer by what its residual tells, and by what of x lies in the null space."""
    moved = core.inverses(residual, power)[-1]
    return relative_distance(moved.plus(x.plus(core.within(x), -1.0)), x)


def check_exponential(system: ExponentialSystem, x: Floats) -> Flow[ExponentialAnswer]:
    """Judge x by summing the series in real products with AᵀA.

    One pass a term: as many as the series has, or as exp(‖A‖²) needs for rounding; if that is more than ``MOST_TERMS``, the factor sums
    it, and the certificate says so.
    """
    terms = system.terms
    R, _, _ = yield from system.linear.triangle(0)
    core, right, start = Core(Factor(R)), WideColumns.of(system.right), WideColumns.of(x)
    t, Vt = decompose_gram(core)
    logs = log_series(t, terms)
    needed = terms if terms is not None else _terms_for(float(t[0]))
    if needed <= MOST_TERMS:
        total = term = start
        for p in range(1, needed + 1):
            found = yield from multiply(system.linear, core.exponent, term)
            term = WideColumns.of(found.mantissas / p, found.exponents)
            total = total.plus(term)
        measured = f"{needed} terms of the series in the data"
    else:
        total = apply_logs(Vt, logs, start)
        measured = f"by the factor: the series would take {needed} passes (at most {MOST_TERMS} are made)"
    residual = right.plus(total, -1.0)
    left, moved = residual.norms, apply_logs(Vt, -logs, residual)
    below = np.logaddexp2(float(logs.max()) / math.log(2.0) + start.norms, right.norms)
    bound = error_bound(t, terms, right, start, np.zeros(x.shape[1]), system.linear.shape[0])
    with np.errstate(invalid="ignore"):
        backward = np.where(np.isfinite(left), power_of_two(left - below), 0.0)
    return ExponentialAnswer(
        x=x,
        core=core,
        backward_error=backward,
        residual_norm=power_of_two(left),
        relative=power_of_two(left - np.where(np.isfinite(right.norms), right.norms, 0.0)),
        forward_error=bound + relative_distance(moved, start),
        condition=condition_of(logs),
        measured=measured,
    )


def _terms_for(size: float) -> int:
    """Return how many terms of exp(size) leave a remainder below rounding (of exp(size), not of 1)."""
    p = max(int(size), 1)
    while (p * math.log(max(size, 1e-300)) - math.lgamma(p + 1) - size) / math.log(2.0) > -_ENOUGH:
        p += 1 + p // 50
    return p
