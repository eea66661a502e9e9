"""The certificate pass, and the correction that it gives for free.

With r = b − A x and RᵀR = AᵀA, one gradient pass yields the certificate of x and the step (RᵀR)⁻¹Aᵀr.  The step always lowers
the backward error; with a large residual it spoils x (error kappa² u ‖r‖ from rounding Aᵀr), so an x that is good already is
left alone unless kappa ‖r‖ ≤ ‖A‖ ‖x‖.

References
----------
Å. Björck, "Stability analysis of the method of semi-normal equations for linear least squares problems", Linear Algebra Appl.
88/89, 1987.
"""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes import Slope
from dsketch.passes.base import Flow
from dsketch.problems.linear.method import LinearAnswer, backward_error_of
from dsketch.problems.linear.system import LinearSystem
from dsketch.settings import ROUNDING, Settings

_SPREAD = 4  # for E = RᵀR − AᵀA, ‖E‖ is at most so many times ‖E x‖/‖x‖ if x does not know E (twice for random E, whatever d)
_LOST = 0.25  # of ‖r‖²: less of it, and the digits that a difference of squares has lost may be missed
_LIMIT = 4  # the most certificate passes; one is enough for an orthogonal factor, two for a Gram matrix at its limit of trust


def certify_and_correct(
    system: LinearSystem, factor: Factor, x: Floats, settings: Settings, *, squared: bool = False, rough: bool = False
) -> Flow[LinearAnswer]:
    """Return the answer near x with its certificate.  One pass, rarely two.

    Parameters
    ----------
    factor : Factor
        Of A itself.
    x : ndarray, shape (d, k)
    squared : bool
        Whether R comes from AᵀA, so that RᵀR has that matrix's rounding; what x misses at the first look tells how much it is.
    rough : bool
        Whether x is only near: where much of its residual goes, another look measures what is left, which a difference of squares loses.
    """
    best, rounding = np.inf, np.zeros(x.shape[1])
    weights = factor.scale[:, None]
    for turn in range(_LIMIT):
        slope = yield from system.gradient(x)
        measured = slope.rr
        if squared:
            rounding = np.maximum(rounding, _SPREAD * ratio(norms(slope.g / weights), norms(weights * x)))
        before = x
        x, slope, error = correct(factor, x, slope, settings.tol or ROUNDING, rounding)
        yield Converged(float(error.max(initial=0.0)), float(np.sqrt(slope.rr).max(initial=0.0)))
        if rough and not turn and (slope.rr < _LOST * measured).any():
            continue
        if error.max(initial=0.0) <= settings.goal or error.max() > best / 4:
            break
        best = error.max()
    return LinearAnswer(x, factor, True, slope, error, np.sqrt(slope.rr), move=x - before, spread=rounding)


def correct(
    factor: Factor, x: Floats, slope: Slope, enough: float, rounding: float | Floats = 0.0
) -> tuple[Floats, Slope, Floats]:
    """Return x (corrected where that helps), its slope and its backward error, without another pass.

    The slope at the new x follows from the old one and R: Aᵀr − RᵀR dx.  An orthogonal R is exact to u ‖A‖, so what is known of the
    new x is uncertain by u (‖dx‖/‖x‖ + ‖R dx‖/‖r‖) in backward error, which is added to the estimate (where ‖r‖ is more than ‖R‖‖x‖, it
    stands in its place); so is what ``rounding``, ‖RᵀR − AᵀA‖, does to RᵀR dx.  All norms are meant with columns scaled.
    """
    error = backward_error_of(factor, x, slope)
    moved = factor.shortest(x + factor.solve(factor.solve_transposed(slope.g)))
    step = factor.R @ (moved - x)
    g = slope.g - factor.R.T @ step
    rr = np.maximum(slope.rr - 2 * np.einsum("ij,ij->j", moved - x, slope.g) + norms(step) ** 2, 0.0)
    size, weights = float(np.linalg.norm(factor.scaled)), factor.scale[:, None]
    dx, length = norms(weights * (moved - x)), norms(weights * moved)
    (least, largest), residual = factor.scaled_bounds, np.sqrt(rr)
    smallest = factor.scaled_singular[-1] if factor.is_deficient else least
    doubt = ratio(largest * dx, np.hypot(residual, largest * length)) + ratio(norms(step), np.hypot(residual, smallest * length))
    doubt = ROUNDING * doubt + rounding * _uncertainty(factor, dx, length, np.sqrt(rr)) / size
    new_error = backward_error_of(factor, moved, slope._replace(g=g, rr=rr)) + doubt
    harmless = factor.scaled_condition * np.sqrt(slope.rr) <= size * norms(weights * x)
    take = (new_error < error) & ((error > enough) | harmless)
    kept = slope._replace(g=np.where(take, g, slope.g), rr=np.where(take, rr, slope.rr))
    return np.where(take, moved, x), kept, np.where(take, new_error, error)


def _uncertainty(factor: Factor, dx: Floats, length: Floats, residual: Floats) -> Floats:
    """Return by how much ‖A D⁻¹‖ times the backward error of x is uncertain if D⁻¹AᵀA dx is, by E D dx with ‖E‖ = 1.

    ‖(‖D x‖² D⁻¹RᵀR D⁻¹ + ‖r‖² I)^-½ E D dx‖ is at most ‖D dx‖/(‖D x‖ σ_min(R D⁻¹)), and at most ‖D dx‖/‖r‖.
    """
    return ratio(dx, np.maximum(length * factor.scaled_bounds[0], residual))
