"""What is known of an x from few rows: how far above the least residual it is, measured on all rows.

With g = Aᵀ(b − A x) − p∘x of all rows and R of A with its penalty, ‖A(x − x*)‖² = gᵀ(RᵀR)⁻¹g = ‖R⁻ᵀg‖², and by Pythagoras ‖A x − b‖²
is that much above the minimum (the penalty's rows counted with A's).  By A's own R the measure is exact up to rounding, about κ eps of
the residual; by a sketch's, (1 − δ)²AᵀA ≼ RᵀR ≼ (1 + δ)²AᵀA bounds it from both sides.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor
from dsketch.passes import Slope
from dsketch.problems.leverage.sampled_method import SampledAnswer
from dsketch.problems.leverage.sampled_system import modelled_queries
from dsketch.problems.linear.distance import doubt_of_fit, forward_error
from dsketch.problems.linear.method import LinearAnswer
from dsketch.problems.linear.statistics.rounding import is_rounding, size_of, terms_of
from dsketch.problems.outcome import Certificate, format_number, show_sides


@dataclass(frozen=True, kw_only=True)
class SampledCertificate(Certificate):
    """What is known of an x that was solved for on few rows.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        ‖A(x − x*)‖ / ‖A x* − b‖: how much b must change, relative to its least residual, for x to be exact; √ε is allowed.
    residual_norm : ndarray, shape (k,)
        √(‖A x − b‖² + alpha ‖x‖²), of all rows.
    excess, excess_low, excess_high : ndarray, shape (k,)
        What is measured of ε: ‖A x − b‖² over its minimum, less 1; and its bar, which is what rounding may hide where A's own factor tells.
    epsilon : float
        What was asked for.
    rows_drawn : int
        0 where x came from elsewhere.
    rows_wanted : float
        In the mean.
    dimension, total : float
        Sum of the scores by the factor (the rank, with a penalty the statistical dimension), and over the rows; NaN from elsewhere.
    modelled_queries : float
        √(n s): rows that a quantum computer would ask for, up to logarithms; a model, nothing that was run.
    """

    excess: Floats
    excess_low: Floats
    excess_high: Floats
    epsilon: float
    rows_drawn: int
    rows_wanted: float
    dimension: float
    total: float
    modelled_queries: float

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        bar = f"{format_number(float(self.excess_low.min()))} to {format_number(float(self.excess_high.max()))}"
        lines = [
            f"above       the least residual² by {show_sides(self.excess)} of it ({bar}); {self.epsilon:g} was allowed",
            f"residual    {show_sides(self.residual_norm)}   forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {format_number(self.condition)}; {self.rank_reason}",
        ]
        return [*lines, self._sample_line()] if self.rows_drawn else lines

    def _sample_line(self) -> str:
        return (
            f"rows        {self.rows_drawn:,} drawn, {self.rows_wanted:.6g} wanted; scores add up to {self.total:.6g}, "
            f"{self.dimension:.6g} by the factor; modelled quantum queries {self.modelled_queries:,.0f}"
        )


@dataclass(frozen=True)
class Excess:
    """How far ‖A x − b‖² is above its minimum, relative to that, with the bar; shape (k,) each."""

    measured: Floats
    low: Floats
    high: Floats


def excess_of(factor: Factor, x: Floats, slope: Slope, distortion: float, rows: int) -> Excess:
    """Return the excess of x on ``rows`` rows; 0 where the residual itself is nothing but rounding."""
    length = norms(factor.solve_transposed(slope.g))
    given = size_of(slope) if slope.has_moments else np.sqrt(slope.rr)  # where nothing is left of b its size is that of A x
    is_fit = is_rounding(np.sqrt(slope.rr), np.hypot(given, terms_of(factor.R, x)))
    doubt = doubt_of_fit(LinearAnswer(x, factor, distortion == 0, slope, length, np.sqrt(slope.rr)), rows)
    low, high = (1 - distortion) * np.maximum(length - doubt, 0.0), (1 + distortion) * (length + doubt)
    return Excess(*(np.where(is_fit, 0.0, _relative(told**2, slope.rr)) for told in (length, low, high)))


def _relative(above: Floats, squares: Floats) -> Floats:
    """Return above/(squares − above); infinite where nothing would be left."""
    return ratio(above, np.maximum(squares - above, 0.0))


def sampled_certificate(answer: SampledAnswer, rows: int, epsilon: float) -> SampledCertificate:
    """Return what is known of a method's answer on ``rows`` rows."""
    sample, scores = answer.sample, answer.sample.scores
    return _certificate(
        answer.x,
        scores.factor,
        answer.slope,
        scores.distortion,
        rows,
        epsilon,
        rows_drawn=len(sample.drawn.numbers),
        rows_wanted=sample.wanted,
        dimension=scores.dimension,
        total=sample.drawn.total,
    )


def checked_certificate(x: Floats, factor: Factor, slope: Slope, rows: int, epsilon: float) -> SampledCertificate:
    """Return what is known of any x by A's own factor."""
    nan = float("nan")
    return _certificate(x, factor, slope, 0.0, rows, epsilon, rows_drawn=0, rows_wanted=nan, dimension=nan, total=nan)


def _certificate(
    x: Floats,
    factor: Factor,
    slope: Slope,
    distortion: float,
    rows: int,
    epsilon: float,
    *,
    rows_drawn: int,
    rows_wanted: float,
    dimension: float,
    total: float,
) -> SampledCertificate:
    excess, residual = excess_of(factor, x, slope, distortion, rows), np.sqrt(slope.rr)
    told = LinearAnswer(x, factor, distortion == 0, slope, np.sqrt(excess.measured), residual, distortion=distortion)
    return SampledCertificate(
        backward_error=told.backward_error,
        residual_norm=residual,
        forward_error=forward_error(told, rows),
        condition=factor.condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        excess=excess.measured,
        excess_low=excess.low,
        excess_high=excess.high,
        epsilon=epsilon,
        rows_drawn=rows_drawn,
        rows_wanted=rows_wanted,
        dimension=dimension,
        total=total,
        modelled_queries=modelled_queries(rows, rows_wanted),
    )
