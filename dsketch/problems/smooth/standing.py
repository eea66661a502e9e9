"""Where an x stands: its decrement, what rounding may hide of it, and what both prove, by a factor that was taken at x or near it.

From there to x the Hessian changes by a factor of e^(κ‖x − x₀‖) at most, so that the decrement and ℓ grow by the root of that.
"""

from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.backward import backward_error_by
from dsketch._linalg.factor import Factor
from dsketch.passes.linked import Local
from dsketch.problems.smooth.face import lacks_look
from dsketch.problems.smooth.metric import Metric, Proof, prove
from dsketch.problems.smooth.system import Model, flat
from dsketch.settings import EPS

_BLIND = (
    1e-6  # rounding of slopes, in the unit in which curvatures change, beyond which a flat direction cannot be told from a slope
)


class Standing(NamedTuple):
    """Decrement, κ and reach of an x by a factor that was taken near it: λ and ℓ grow by e^(drift/2) at most.

    The reach is ∞ as long as nobody has looked at the rows along what the factor drops.
    """

    decrement: float
    inflated: float
    length: float
    proof: Proof


def standing(model: Model, x: Floats, local: Local, metric: Metric, decrement: float) -> Standing:
    """Return what is known of x, its gradient and a factor that was taken near it.

    Parameters
    ----------
    decrement : float
        ‖R⁻ᵀg‖.
    """
    factor, far = metric.factor, metric.distance(x)
    length = metric.length
    stretch = length * far if far else 0.0
    c = model.loss.concordance(local.low - stretch, local.high + stretch) if np.isfinite(stretch) else np.inf
    drift = c * stretch if stretch else 0.0
    growth = float(np.exp(min(drift / 2, 700.0)))
    whole = decrement + rounding_of(model, x, local, metric)
    proof = prove(model.loss, whole * growth, length * growth, local.low, local.high)
    if hides_slope(model, local, factor):
        proof = Proof(np.inf, np.inf)
    elif lacks_look(model, local, metric):
        proof = Proof(proof.kappa, np.inf)
    return Standing(decrement, decrement * growth, length * growth, proof)


def hides_slope(model: Model, local: Local, factor: Factor) -> bool:
    """Whether the loss may still fall along directions that the factor has dropped, of which the decrement knows nothing.

    Of dependent columns the gradient in these directions is rounding. It is none where curvatures have vanished and slopes have
    not: far from the minimizer rows of many losses are straight lines, and their Hessian is 0. A column whose curvature is 0 must
    have the slope 0, and they must not all have vanished; any other direction one that dropped singular values, at most the
    tolerance, and the sums over rows explain. Slopes that are so large beside their curvatures that this says nothing are not
    trusted. Where curvatures are constant, what is flat stays flat.
    """
    concordance = model.loss.concordance(local.low, local.high)
    if concordance == 0.0 or not factor.is_deficient:
        return False
    if local.curvature == 0.0:
        return True
    gradient, is_flat = flat(local.gradient)[:, 0], ~factor.scaled.any(axis=0)
    if gradient[is_flat].any():
        return True
    s, Vt = factor.scaled_decomposition
    size, chain = float(np.sqrt(local.ratio)), np.sqrt(2.0 * np.sqrt(max(local.rows, 1.0)) * gradient.size)
    if concordance * size * EPS > _BLIND * np.sqrt(local.weight):
        return True
    hidden = float(np.linalg.norm(Vt[factor.rank :] @ (gradient / factor.scale)))
    return bool(hidden > (factor.rank_tolerance * s[0] + EPS * chain) * size)


def rounding_of(model: Model, x: Floats, local: Local, metric: Metric) -> float:
    """Return how far rounding may move the decrement.

    Slopes are rounded, and η before them, once for each row: what H^(−½)Aᵀ makes of it is at most √Σr²/h, or ℓ Σ abs r, and the η of a
    row, times √h.  Sums over rows are rounded on the way, by about u √L times their size for a chain of L = 2√n additions
    (:mod:`dsketch.problems.linear.distance`), and H^(−½) stretches what that does to a column, in its unit, by 1/σ at most.
    """
    factor = metric.factor
    if not factor.rank:
        return 0.0
    least, slopes, rows = float(factor.scaled_singular[factor.rank - 1]), _size_of_slopes(local), max(local.rows, 1.0)
    units = float(np.max(np.tile(metric.lengths, x.shape[1]) / factor.scale))
    once = min(np.sqrt(local.ratio), metric.length * np.sqrt(rows) * slopes)
    spread = min(np.sqrt(local.ratio), metric.longest * units * slopes)
    fitted = float((factor.scale[:, None] * np.abs(flat(x))).sum())
    if "offset" in model.places.names:
        fitted += max(abs(local.low), abs(local.high)) * float(np.sqrt(local.curvature))
    chain = np.sqrt(2.0 * np.sqrt(rows))
    with np.errstate(over="ignore"):
        lost = (
            rows * np.finfo(float).tiny / factor.scale
        )  # products that may have been rounded to nothing, in the unit of a column
        return float(EPS * (once + 2.0 * fitted + chain * spread / least) + np.linalg.norm(lost) / least)


def _size_of_slopes(local: Local) -> float:
    """Return √Σr²: unknown, and ∞, where weights have brought the squares near the least that float64 holds."""
    if local.squares > np.finfo(float).tiny / EPS:
        return float(np.sqrt(local.squares))
    return np.inf if local.ratio > 0 else 0.0


def backward_of(local: Local, factor: Factor, x: Floats) -> Floats:
    """Return the backward error of x as an answer to the tangent problem, shape (1,), columns scaled."""
    return backward_error_by(factor, flat(x), flat(local.gradient), np.array([local.ratio]))
