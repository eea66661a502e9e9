"""What is known of leverage scores: what they add up to, and how far rounding, or a sketch, may have moved each.

Householder QR gives the R of A + δA with ‖δA D⁻¹‖_F ≤ 2 eps ‖A D⁻¹‖_F, D the norms of the columns, so that RᵀR is AᵀA with E between
its roots, ‖E‖ ≤ 2 √d 2 eps κ to first order, and every quadratic form aᵢᵀ(RᵀR)⁻¹aᵢ, a score, is changed by that much of itself: small
scores keep their digits.  Whitening a row changes its length by d u κ of itself (:mod:`dsketch._linalg.whitener`), the score by twice
that.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.factor import Factor
from dsketch.passes.writing import Written
from dsketch.problems.leverage.method import LeverageAnswer
from dsketch.problems.outcome import Certificate, format_number
from dsketch.settings import EPS, QR_LEVEL


@dataclass(frozen=True, kw_only=True)
class LeverageCertificate(Certificate):
    """What is known of scores.

    Attributes
    ----------
    total : float
        Their sum.
    expected_total : float
        What exact ones add up to, by the factor alone: the rank, with a penalty the statistical dimension.
    largest : float
        The largest of them.
    spread : tuple of float
        Least, middle and largest ratio to the exact scores over ``compared`` rows; 1, 1, 1 where all are exact.
    compared : int
    backward_error : ndarray, shape (1,)
        |total − expected_total| relative to the rank; where given scores are judged, the least relative change of A, columns scaled, that
        explains the one that is farthest off: ``forward_error`` over κ.
    forward_error : ndarray, shape (1,)
        Bound on the relative error of any score by rounding, of first order; for a sketch the largest that the compared rows had; where
        given scores are judged, the largest that they have.
    """

    total: float
    expected_total: float
    largest: float
    spread: tuple[float, float, float]
    compared: int

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        low, middle, high = self.spread
        against = f": {low:.2f} to {high:.2f} of the exact scores, {middle:.2f} in the middle, over {self.compared} rows"
        return [
            f"sum         {self.total:.12g}, {self.expected_total:.12g} by the factor; the largest score is {self.largest:.6g}",
            f"error       ≤ {format_number(float(self.forward_error[0]))} of a score{against if self.compared else ''}",
            f"condition   {format_number(self.condition)}; {self.rank_reason}",
        ]


def rounding_level(columns: int) -> float:
    """Return (4 √d + d) eps: what rounding changes a score by, relatively, for each unit of the condition number."""
    return float(2 * np.sqrt(columns) * QR_LEVEL + columns * EPS)


def score_error(factor: Factor) -> float:
    """Return a bound on the relative error of any exact score by rounding; at most 1."""
    return float(min(rounding_level(len(factor.R)) * factor.scaled_condition, 1.0))


def leverage_certificate(answer: LeverageAnswer, expected: float, written: Written) -> LeverageCertificate:
    """Return what is known once the rows are made."""
    factor, total = answer.factor, float(written.total[0])
    error = score_error(factor) if answer.is_exact else max(answer.spread[2] - 1.0, 1.0 - answer.spread[0])
    return LeverageCertificate(
        backward_error=np.array([abs(total - expected) / max(factor.rank, 1)]),
        residual_norm=np.zeros(1),
        forward_error=np.array([error]),
        condition=factor.condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        total=total,
        expected_total=expected,
        largest=float(written.largest[0]),
        spread=answer.spread,
        compared=answer.compared,
    )


def accepted_gap(factor: Factor, rows: int) -> float:
    """Return how far the sum of right scores may be from its value, relative to the rank: their error in the mean, and that of the sum."""
    return score_error(factor) + EPS * float(np.sqrt(rows))
