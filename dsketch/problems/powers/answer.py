"""What a flow for powers returns, and how its errors follow from the residuals of its levels.

x comes by a chain of levels y₀ → y₁ → … → y_j = x with G y_i = y_{i−1}, G = AᵀA.  The products G y_i of *all* levels are measured in one
pass over the data; with r_i = y_{i−1} − G y_i the residual of the power is exactly

    y₀ − Gʲ x = Σ_i G^(i−1) r_i,

of which only the propagation by G^(i−1) is left to the factor.  Hence a certificate from the data in one pass, whatever the power.
A residual relative to ‖A‖^(2j)‖x‖ does not see columns in small units; so every level is judged in the columns' own units as well, as
the linear system (D⁻¹G D⁻¹)(D y_i) = D⁻¹y_{i−1} that it is, D being the norms of the columns.

References
----------
J. L. Rigal, J. Gaches, "On the compatibility of a given solution with the data of a linear system", J. ACM 14, 1967 (the normwise
backward error ‖r‖/(‖M‖‖x‖ + ‖b‖)).
R. Karlson, B. Waldén, BIT 37, 1997 (its counterpart for least squares, here with M = A Gʲ).
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.wide_range import WideColumns, power_of_two
from dsketch.settings import EPS

_NORM_VECTORS, _NORM_STEPS = 4, 2

FACTOR = "the residual of every level in the data, its propagation by A's own factor"
STAGES = "the residual of every stage and its propagation in the data; ‖A‖ by iteration from the sketch"
DATA = "every product with AᵀA in the data"


@dataclass(frozen=True)
class Stage:
    """One solve with AᵀA (or the least-squares solve that comes first, level 0) of the alternating method.

    Attributes
    ----------
    level : int
    passes : int
    moves : tuple of float
        ‖y_{i+1} − y_i‖/‖y_{i+1}‖ of each step, the largest of the sides.
    residual : float
        Log₂ of the residual at the end over the stage's target, the largest of the sides; at most 0 where the rule was met.
    end : str
        ``"rule"`` (the absolute stopping rule), ``"rounding"`` (no more progress), ``"limit"``.
    """

    level: int
    passes: int
    moves: tuple[float, ...]
    residual: float
    end: str


@dataclass(frozen=True)
class PowerAnswer:
    """What a flow found.

    Attributes
    ----------
    x : ndarray, shape (d, k)
    core : Core
        Of A if ``is_exact``, else of its sketch.
    is_exact : bool
    backward_error : ndarray, shape (k,)
        ‖reducible residual‖/(‖A‖^(2j)‖x‖ + ‖b‖); for odd powers Karlson–Waldén's estimate for M = A Gʲ; or the largest of the levels'
        own with columns scaled, if that is more.
    residual_norm : ndarray, shape (k,)
        ‖b − Gʲx‖ or ‖b − A Gʲx‖.
    relative : ndarray, shape (k,)
        The reducible part of the residual over ‖b‖.
    outside : ndarray, shape (k,)
        The part of b that lies outside the range, over ‖b‖.
    forward_error : ndarray, shape (k,)
        First-order bound on ‖x − x*‖/‖x‖ for a change of A by eps‖A‖ in each of its uses.
    measured : str
        What was measured in the data and what follows from a factor.
    levels : tuple of WideColumns
        y₀ … y_j = x, of a solve.
    stages : tuple of Stage
        Of the alternating method.
    notes : tuple of str
    """

    x: Floats
    core: Core
    is_exact: bool
    backward_error: Floats
    residual_norm: Floats
    relative: Floats
    outside: Floats
    forward_error: Floats
    measured: str
    levels: tuple[WideColumns, ...] = ()
    stages: tuple[Stage, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def factor(self) -> Factor:
        """R of A, or of its sketch."""
        return self.core.factor


def level_residuals(levels: list[WideColumns], products: list[WideColumns]) -> list[WideColumns]:
    """Return r_i = y_{i−1} − G y_i for i = 1 … j."""
    return [before.plus(product, -1.0) for before, product in zip(levels, products, strict=False)]


def propagate(core: Core, residuals: list[WideColumns]) -> WideColumns:
    """Return Σ G^(i−1) r_i by Horner's rule."""
    total = residuals[-1]
    for residual in reversed(residuals[:-1]):
        total = core.forward(total).plus(residual)
    return total


def ratio_of_logs(above: Floats, *below: Floats) -> Floats:
    """Return 2^above over the sum of 2^below; 0 where above is −∞."""
    total = below[0]
    for term in below[1:]:
        total = np.logaddexp2(total, term)
    with np.errstate(invalid="ignore"):
        return np.where(np.isneginf(above), 0.0, power_of_two(above - total))


def even_error(norm: float, residual: Floats, x: WideColumns, b: Floats, power: float) -> Floats:
    """Return the normwise backward error of Gʲx = b, from log₂ of ‖A‖, of the residual's norm and of ‖b‖."""
    return ratio_of_logs(residual, 2 * power * norm + x.norms, b)


def level_errors(core: Core, levels: list[WideColumns], residuals: list[WideColumns]) -> Floats:
    """Return the largest backward error of the levels, columns scaled, shape (k,): ‖D⁻¹r_i‖/(‖A D⁻¹‖²‖D y_i‖ + ‖D⁻¹y_{i−1}‖).

    0 where A lacks rank: a null space is known to eps of the largest unit only.

    Parameters
    ----------
    levels : list of WideColumns
        y₀ … y_j, or the last of them.
    residuals : list of WideColumns
        r_i, one less.
    """
    worst = np.zeros(levels[-1].exponents.shape)
    if core.factor.is_deficient:
        return worst
    size = 2 * float(np.log2(core.factor.scaled_singular[0]))
    for before, after, residual in zip(levels, levels[1:], residuals, strict=False):
        below = (size + core.times_units(after).norms, core.over_units(before).norms)
        worst = np.maximum(worst, ratio_of_logs(core.over_units(residual).norms, *below))
    return worst


def relative_residual(core: Core, residual: WideColumns, b: WideColumns) -> Floats:
    """Return ‖r‖/‖b‖, or the same with columns scaled (D⁻¹) if that is more, shape (k,)."""
    plain = ratio_of_logs(residual.norms, b.norms)
    if core.factor.is_deficient:
        return plain
    return np.maximum(plain, ratio_of_logs(core.over_units(residual).norms, core.over_units(b).norms))


def chain_error(core: Core, residual: WideColumns, x: WideColumns, b: WideColumns, power: int) -> Floats:
    """Return the backward error of Gʲx = b with columns scaled at both ends: ‖D⁻¹r‖/(‖D⁻¹GʲD⁻¹‖‖D x‖ + ‖D⁻¹b‖).

    The norm is estimated by two steps of subspace iteration, from below.  0 where A lacks rank.
    """
    if core.factor.is_deficient:
        return np.zeros(x.exponents.shape)
    v, size = WideColumns.of(core.factor.scaled_decomposition[1][:_NORM_VECTORS].T), np.zeros(0)
    for _ in range(_NORM_STEPS):
        w, before = core.over_units(v), v.norms
        for _ in range(power):
            w = core.forward(w)
        v = core.over_units(w)
        size = v.norms - before
    return ratio_of_logs(core.over_units(residual).norms, float(size.max()) + core.times_units(x).norms, core.over_units(b).norms)


def odd_error(core: Core, g: WideColumns, residual: Floats, x: WideColumns, power: int) -> Floats:
    """Return the Karlson–Waldén estimate for x as a minimizer of ‖M x − b‖, M = A Gʲ, relative to ‖M‖ = ‖A‖^(2j+1).

    Parameters
    ----------
    g : WideColumns, shape (d, k)
        Aᵀ(b − M x).
    residual : ndarray, shape (k,)
        Log₂ of ‖b − M x‖.
    """
    if not core.factor.rank:
        return np.zeros(x.exponents.shape)
    s, Vt = core.singular
    sizes = np.log2(s)[:, None] + core.exponent
    pieces = WideColumns.of(Vt @ g.mantissas, g.exponents)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = 2 * power * sizes + np.log2(np.abs(pieces.mantissas)) + pieces.exponents
        below = np.logaddexp2(2 * (x.norms + (2 * power + 1) * sizes), 2 * residual) / 2
        terms = np.where(np.isneginf(above), -np.inf, 2 * (above - below))
    return power_of_two(np.logaddexp2.reduce(terms, axis=0) / 2 - (2 * power + 1) * core.norm)


def forward_error(core: Core, levels: list[WideColumns], residual: Floats | None = None, outside: Floats | None = None) -> Floats:
    """Return eps times the first-order sensitivity of x to changes of A by ‖A‖, one for each of its 2j (+ 1) uses, relative to ‖x*‖.

    With A + E, x moves by −Σ_k G^(-k)(EᵀA + AᵀE) y_{j−k+1}.  For a b without special direction every term is about kappa, the whole
    2j·kappa; where b was made from a smooth x, terms grow to kappa^(2j).

    Parameters
    ----------
    levels : list of WideColumns
        y₀ … y_j.
    residual : ndarray, shape (k,), optional
        Log₂ of the least-squares residual that y₀ left, for odd powers.
    outside : ndarray, shape (k,), optional
        Log₂ of the part of b outside the range, for even ones: where A lacks rank, the range turns by E and takes some of it in.
    """
    power, size, low = len(levels) - 1, core.norm, core.smallest
    total = np.full(levels[-1].exponents.shape, -np.inf)
    for k in range(1, power + 1):
        y = levels[power - k + 1]
        total = np.logaddexp2(total, size + y.norms - (2 * k - 1) * low)
        total = np.logaddexp2(total, size + core.half(y).norms - 2 * k * low)
    if residual is not None:
        total = np.logaddexp2(total, size + levels[0].norms - (2 * power + 1) * low)
        total = np.logaddexp2(total, size + residual - (2 * power + 2) * low)
    if outside is not None:
        total = np.logaddexp2(total, size + outside - (2 * power + 1) * low)
    return relative_to_truth(EPS * ratio_of_logs(total, levels[-1].norms))


def relative_to_truth(error: Floats) -> Floats:
    """Return a bound relative to ‖x*‖ for one relative to ‖x‖, which it is while x* cannot be 0: ‖x*‖ ≥ (1 − error)‖x‖.

    >>> relative_to_truth(np.array([1e-9, 0.5, 2.0])).round(12)
    array([1.e-09, 1.e+00,    inf])
    """
    rest = np.maximum(1.0 - error, 0.0)
    return np.divide(error, rest, out=np.full_like(error, np.inf), where=rest > 0)


def distance(
    core: Core,
    levels: list[WideColumns],
    residuals: list[WideColumns],
    residual: Floats | None = None,
    outside: Floats | None = None,
) -> Floats:
    """Return a first-order bound on ‖x − x*‖/‖x*‖: that of rounding, and what the measured residuals come to.

    Parameters
    ----------
    levels : list of WideColumns
        y₀ … y_j.
    residuals : list of WideColumns
        y_{i−1} − G y_i of the last levels, in order; for odd powers first Aᵀ(b − A y₀).
    residual, outside
        As of :func:`forward_error`.
    """
    moved = core.inverse(residuals[0])
    for step in residuals[1:]:
        moved = core.inverse(moved.plus(step))
    return forward_error(core, levels, residual, outside) + relative_distance(moved, levels[-1])


def relative_distance(moved: WideColumns, x: WideColumns) -> Floats:
    """Return ‖x − x*‖/‖x*‖ at most for a first-order ``moved`` = x* − x, shape (k,); infinite where x* may be 0."""
    share = ratio_of_logs(moved.norms, x.norms)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isfinite(share), np.maximum(share, share / np.abs(1 - share)), np.inf)


def event_of(backward_error: Floats, residual_norm: Floats) -> Converged:
    """Return how far a solve has come, for listeners."""
    return Converged(float(backward_error.max(initial=0.0)), float(residual_norm.max(initial=0.0)))
