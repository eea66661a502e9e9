"""What rounding may do to gradients of softmax attention; symbols are those of :mod:`dsketch.problems.attention.rounding`.

S = exp(z − λ), λ = c + log W: λ is off by what W is, η, and its parts are rounded, by 6 u (2 L + log m) together with the difference; so a
number of S is right up to e^±η', η' = η + γ L + 8 u (2 L + log m + 1) + 4 u.  With B = ‖dY‖‖v‖ at its largest, P is off by γ(p) B, and D,
of a Y that is off by (e^{2η} − 1) max‖v‖, by (e^{2η} − 1 + γ(p + 2)) B; |P − D| ≤ 2 B.  So a number of E = S ∘ (P − D) is off by S B ω,

    ω = e^{η'} (2 γ(p + 2) + e^{2η} − 1 + 10 u) + 2 (e^{η'} − 1),

and sums of E times rows by γ(tile + tiles + 6) (2 + ω) more.  Rows of S add up to 1, so a number of dQ is off by that times s B max‖k‖.
Row j of K feels Σᵢ Sᵢⱼ‖dyᵢ‖‖qᵢ‖, of which the largest is swept for, right to e^±η' and its sum's rounding: one of dK is off by that times
s max‖v‖ as much.  One of dV is off by e^{η'} − 1 and the sum's rounding, times Σᵢ Sᵢⱼ max|dyᵢ|.  If rows of Q, K, V and dY change by η of
themselves, S changes by 4 η L of itself, and the three by (12 L + 6) η, and (4 L + 1) η, of the same.
"""

from typing import NamedTuple

import numpy as np

from dsketch.passes.attention import TILE
from dsketch.problems.attention.rounding import U, gamma, logit_error, weight_error

_MOST = 300.0  # exponents up to it are summed as they are; beyond, no digit is left, and the bound is infinite


class Slack(NamedTuple):
    """Of a number of a gradient, relative to what bounds it: what rounding may do, and what changes of the rows by η do, over η.

    ``grown`` is what a sum of shares may be above what was computed of it, as a factor.
    """

    error: float
    condition: float
    grown: float


def gradient_slack(
    width: int, depth: int, logit: float, rows: int, tiles: int, *, of_values: bool, is_tame: bool, more: float = 0.0
) -> Slack:
    """Return how much may be wrong with a gradient.

    Parameters
    ----------
    width, depth : int
        d and p, columns of one head of Q and V.
    logit : float
        L.
    rows : int
        m, of K.
    tiles : int
        Of the longer side.
    of_values : bool
        Whether it is dV, which has no E.
    is_tame : bool
        Whether nothing is taken from exponents.
    more : float
        Added to η.
    """
    eta = min(weight_error(width, logit, tiles, is_tame=is_tame) + more, _MOST)
    own = eta + logit_error(width, logit) + 8 * U * (2 * logit + float(np.log(rows)) + 1) - float(np.log1p(-4 * U))
    own, unknown = min(own, _MOST), np.inf if own > _MOST else 0.0
    sums, grown = gamma(TILE + tiles + 6), float(np.expm1(own))
    above = (1 + grown) / (1 - min(sums, 0.5))
    if of_values:
        return Slack(unknown + grown + sums * (1 + grown), 4 * logit + 1, above)
    omega = (1 + grown) * (2 * gamma(depth + 2) + float(np.expm1(2 * eta)) + 10 * U) + 2 * grown
    return Slack(unknown + omega + sums * (2 + omega), 12 * logit + 6, above)


def gradient_level(width: int, depth: int, rows: int, tiles: int, *, of_values: bool) -> float:
    """Return the backward error that rounding explains whatever the logits, as long as it leaves digits at all.

    To first order the error is a constant and a slope times L, and so is the condition: their ratio is at most the sum of both ratios.
    """
    none, some = (gradient_slack(width, depth, logit, rows, tiles, of_values=of_values, is_tame=False) for logit in (0.0, 1.0))
    slope = (some.error - none.error) / (some.condition - none.condition)
    return none.error / none.condition + slope
