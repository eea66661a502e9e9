"""From a method's answer to a certificate, a status and the sentences that go with them."""

from dataclasses import dataclass, replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Bounds
from dsketch._linalg.columns import norms, ratio
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray
from dsketch.problems.linear.distance import coefficient_errors, forward_error
from dsketch.problems.linear.full_answer import FullAnswer
from dsketch.problems.linear.method import LinearAnswer
from dsketch.problems.outcome import Certificate, format_number, show_sides
from dsketch.settings import ACCEPTED, EPS


@dataclass(frozen=True, kw_only=True)
class LinearCertificate(Certificate):
    """What is known about the x of a linear system, from passes that the solve needed anyway.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        How much A must change for x to be exact, relative to ‖A‖_F with columns scaled to one norm, so that each counts in its own
        unit (Karlson–Waldén estimate, within √2 of the optimum).
    residual_norm : ndarray, shape (k,)
        ‖b − A x‖; for ridge with the penalty: √(‖b − A x‖² + alpha ‖x‖²).
    gradient_norm : ndarray, shape (k,)
        ‖Aᵀr‖ / (‖A‖_F ‖r‖), columns scaled; NaN where sketch-and-solve did not measure it.
    forward_error : ndarray, shape (k,)
        First-order bound on ‖D (x − x*)‖/‖D x*‖, D the norms of the columns (for ridge with √alpha below), for this very x: what its
        slope tells, plus what rounding may hide (:mod:`dsketch.problems.linear.distance`); near 1 or above the data, or this x, do not
        tell x*.  NaN without a slope.
    condition : float
        Ratio of the largest to the smallest singular value kept.
    scaled_condition : float
        The same with columns of norm one: what rounding feels.
    rank : int
    rank_reason : str
        The singular values that decided the rank; where columns were shifted beside an intercept, how many: condition and rank are theirs.
    is_exact : bool
        Whether condition, rank and backward error come from A's own factor rather than a sketch's.
    is_bound : bool
        Whether condition and backward error are bounds, that no factor was made for.
    coefficient_errors : ndarray, shape (d, k), or None
        The same for each coefficient: first-order bounds on |x − x*|, in the units of x; None unless asked for.
    last_places : ndarray, shape (d, k), or None
        With ``accuracy="full"``: proven bounds on |x − x*|, in units in the last place of x; rounding alone may cost ½.
    matrix : str
        What is meant by A: for an answer in features, their matrix.
    """

    gradient_norm: Floats
    scaled_condition: float
    is_exact: bool
    is_bound: bool = False
    coefficient_errors: Floats | None = None
    last_places: Floats | None = None
    matrix: str = "A"

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        return [
            f"backward    {'≤ ' * self.is_bound}{show_sides(self.backward_error)} relative to ‖{self.matrix}‖, columns scaled"
            + ("" if self.is_exact or self.is_bound else " (with the sketch's factor)"),
            f"residual    {show_sides(self.residual_norm)}   gradient {show_sides(self.gradient_norm)}   "
            f"forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {'≤ ' * self.is_bound}{format_number(self.condition)} (columns scaled "
            f"{format_number(self.scaled_condition)}); {self.rank_reason}",
            *([] if self.last_places is None else [f"digits      {_show_digits(self.last_places)} (proven)"]),
        ]


def _show_digits(last_places: Floats) -> str:
    """Return how right coefficients are, in words."""
    known = last_places[np.isfinite(last_places)]
    rest = last_places.size - known.size
    also = f"; {rest} told from 0 by no digit" if rest else ""
    most = np.ceil(100 * max(float(known.max(initial=0.0)), 0.5)) / 100
    return f"every coefficient within {most:.2f} units in its last place of the exact minimizer{also}"


def resolution(rows: int) -> float:
    """Return the backward error below which a slope summed over n rows in float64 tells nothing.

    Rounding x costs u/4, each entry of Aᵀr some u ‖a‖‖r‖: at most 0.3, 0.6, 1.0 and 2.5 eps of backward error were left in what looked
    right at n = 100, 10³, 10⁴, 10⁵ (columns and residuals with a trend, in 80-bit arithmetic), a tenth of that where signs are mixed.
    """
    return EPS * float(np.clip(rows**0.25 / 8, 0.5, 4.0))


def linear_certificate(answer: LinearAnswer, rows: int, *, by_column: bool = False) -> LinearCertificate:
    """Return what is known about an answer.

    Parameters
    ----------
    rows : int
        n, of the rows that were summed over.
    by_column : bool
        Whether to tell the error of each coefficient as well, d × k numbers.
    """
    factor, x = answer.factor, answer.x
    sizes, gradient = factor.sizes, np.full(x.shape[1], np.nan)
    if answer.slope is not None:
        long = norms(ratio(np.abs(answer.slope.g), sizes[:, None]))
        if answer.blur is not None:
            long = long + 2 * (answer.triangle.scaled_bounds[1] * answer.blur[0] + answer.blur[1])
        gradient = ratio(long, np.sqrt(np.count_nonzero(sizes)) * answer.residual_norm)
    return LinearCertificate(
        backward_error=np.where(norms(x) > 0, np.maximum(answer.backward_error, resolution(rows)), answer.backward_error),
        residual_norm=answer.residual_norm,
        gradient_norm=gradient,
        forward_error=forward_error(answer, rows),
        condition=factor.condition,
        scaled_condition=factor.scaled_condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        is_exact=answer.is_exact,
        is_bound=isinstance(factor, Bounds),
        coefficient_errors=coefficient_errors(answer, rows) / factor.scale[:, None] if by_column else None,
    )


def require_finite(answer: LinearAnswer) -> None:
    """Go on only with numbers.

    Raises
    ------
    DataError
        If the squares of the data overflowed, so that nothing can be said about x.
    """
    if not (np.isfinite(answer.x).all() and np.isfinite(answer.residual_norm).all() and np.isfinite(answer.backward_error).all()):
        raise DataError(
            "the squares of the data must be neither beyond nor below what float64 holds. Rescale A and b (units!) to entries "
            "between 1e-140 and 1e150."
        )


def linear_notes(answer: LinearAnswer, certificate: LinearCertificate) -> tuple[str, ...]:
    """Return what the method decided, and a warning where the data do not determine x."""
    if answer.slope is None or not (certificate.forward_error > 0.1).any():
        return answer.notes
    if answer.backward_error.max(initial=0.0) > ACCEPTED:
        return (
            *answer.notes,
            "at this tolerance x may differ from the minimizer by "
            f"{min(float(certificate.forward_error.max()), 1.0):.1g} of its size (columns scaled); leave tol out for all digits",
        )
    return (
        *answer.notes,
        "the fit is certified, the coefficients are not determined by the data: kappa "
        f"{certificate.scaled_condition:.1e} and the residual allow a "
        f"relative change of x up to {min(float(certificate.forward_error.max()), 1.0):.1g}; consider ridge, or fewer columns",
    )


def full_certificate(answer: FullAnswer, rows: int, shift: AnyArray | None) -> LinearCertificate:
    """Return what is proven of the exact minimizer, rounded; condition and rank say of how many shifted columns they are."""
    found = linear_certificate(answer, rows)
    count = 0 if shift is None else int(np.count_nonzero(shift))
    said = f"; {count} column{'s' * (count != 1)} shifted" if shift is not None else ""
    return replace(
        found,
        backward_error=answer.backward_error,
        forward_error=answer.forward_error,
        rank_reason=found.rank_reason + said,
        coefficient_errors=answer.errors,
        last_places=answer.last_places,
    )
