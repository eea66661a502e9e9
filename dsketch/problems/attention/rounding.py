"""What rounding may do to attention, derived step by step; u is half the distance of 1 from the next float64.

A product of d terms, summed in any order, is off by at most γ(d) = d u/(1 − d u) of the sum of their sizes.  With L at least s‖q‖‖k‖ for
all rows, a computed logit (s q is rounded, then d terms) is off by γ(d + 1) L.  Where the largest logit so far is taken from it, each of
the two is below (1 + γ) L, so the difference, rounded once, is off by 2 u (1 + γ) L more.  An exponential of NumPy is right to 2 units in
the last place, 4 u.  Where sums are shrunk as the largest logit grows, each of the tiles multiplies by an exponential (5 u with the
product), whose arguments are rounded too, by u 2 (1 + γ) L together, as they telescope.  Weights are positive, so sums over a tile and
over tiles are off by γ(tile + tiles + 1) of themselves, and of Σ w|v| ≤ W max|v|.

So numerator and denominator are each those of weights that are changed by a factor within e^±η, and their quotient differs from the exact
row by at most (e^{2η} − 1) max|v|, rounded once more.
"""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.attention import TILE
from dsketch.settings import EPS

U = EPS / 2
_EXP = 4 * U  # what the exponential of NumPy may be off by, relatively: 2 units in the last place


def gamma(terms: float) -> float:
    """Return what the rounding of so many operations in a row comes to; infinite where float64 has no answer."""
    return terms * U / (1 - terms * U) if terms * U < 1 else float("inf")


def tiles_of(rows: int, height: int, tile: int = TILE) -> int:
    """Return the tiles of a sweep over so many rows in spans of a height."""
    whole, rest = divmod(rows, height)
    return whole * -(-height // tile) + -(-rest // tile)


def logit_error(columns: int, logit: float) -> float:
    """Return what a computed logit may be off by, absolutely: ‖q‖ and ‖k‖ are themselves known to γ(d + 2)."""
    return gamma(2 * columns + 4) * logit


def weight_error(columns: int, logit: float, tiles: int, *, is_tame: bool) -> float:
    """Return η: a weight, and a sum of weights, is right up to a factor within e^±η.

    Parameters
    ----------
    columns : int
        d, of one head.
    logit : float
        L.
    tiles : int
        Of the other side.
    is_tame : bool
        Whether nothing is taken from exponents.
    """
    exponent = logit_error(columns, logit) + (0.0 if is_tame else 5 * U * logit)
    shrinking = 0 if is_tame else tiles
    return float(exponent - np.log1p(-min(_EXP + shrinking * (_EXP + U) + gamma(TILE + tiles + 1), 0.5)))


def mean_error(eta: float, rows: int, values: Floats) -> Floats:
    """Return what a weighted mean may be off by, relative to the largest |v| of its column, shape of ``values``.

    Parameters
    ----------
    eta : float
        Of weights.
    rows : int
        m: so many products may be rounded to nothing, each by less than the least normal number.
    values : ndarray, shape (k,)
        The largest |v| of each column.
    """
    lost = rows * float(np.finfo(float).tiny)
    return np.where(values > 0, np.expm1(min(2 * eta + U, 700.0)) + relative(np.full(values.shape, lost), values), 0.0)


def rounding_level(columns: int, tiles: int) -> float:
    """Return the backward error that rounding explains whatever the logits, as long as it leaves digits at all.

    η of :func:`weight_error` grows with L by γ(2 d + 4) + 5 u and :func:`mean_condition` by 4, so twice the one over the other is at most
    half that slope beside twice what is left of it without logits.
    """
    return 2 * weight_error(columns, 0.0, tiles, is_tame=False) + (gamma(2 * columns + 4) + 5 * U) / 2 + U


def mean_condition(logit: float) -> float:
    """Return κ: relative changes by η of the rows of Q, K and V move a weighted mean by at most κ η of the largest |v|, to first order.

    Logits change by 2 η L, and a mean of values whose weights change by that much of themselves moves by twice as much of the largest.
    """
    return 1 + 4 * logit


def relative(error: Floats, size: Floats) -> Floats:
    """Return errors relative to sizes: 0 where both are 0, infinite where only the size is, or where float64 cannot hold it."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.where(error == 0, 0.0, np.where(np.isfinite(size), error / size, np.inf)))
