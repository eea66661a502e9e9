"""From a method's answer to a certificate, a status and the sentences that go with them."""

import numpy as np

from dsketch.errors import DataError
from dsketch.linalg.columns import norms, ratio
from dsketch.methods.base import ACCEPTED, EPS, Answer, Settings
from dsketch.methods.distance import coefficient_errors, forward_error
from dsketch.solution import LinearCertificate, Status


def resolution(rows: int) -> float:
    """Return the backward error below which a slope summed over n rows in float64 tells nothing.

    Rounding x costs u/4, each entry of Aᵀr some u ‖a‖‖r‖: at most 0.3, 0.6, 1.0 and 2.5 eps of backward error were left in what looked
    right at n = 100, 10³, 10⁴, 10⁵ (columns and residuals with a trend, in 80-bit arithmetic), a tenth of that where signs are mixed.
    """
    return EPS * float(np.clip(rows**0.25 / 8, 0.5, 4.0))


def certificate_of(answer: Answer, rows: int, *, by_column: bool = False) -> LinearCertificate:
    """Return what is known about an answer.

    Parameters
    ----------
    rows : int
        n, of the rows that were summed over.
    by_column : bool
        Whether to tell the error of each coefficient as well, d × k numbers.
    """
    factor, x = answer.factor, answer.x
    sizes = norms(factor.R)
    gradient = (
        np.full(x.shape[1], np.nan)
        if answer.slope is None
        else ratio(norms(ratio(np.abs(answer.slope.g), sizes[:, None])), np.sqrt(np.count_nonzero(sizes)) * answer.residual)
    )
    return LinearCertificate(
        backward_error=np.where(norms(x) > 0, np.maximum(answer.error, resolution(rows)), answer.error),
        residual_norm=answer.residual,
        gradient_norm=gradient,
        forward_error=forward_error(answer, rows),
        condition=factor.condition,
        scaled_condition=factor.scaled_condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        is_exact=answer.is_exact,
        coefficient_errors=coefficient_errors(answer, rows) / factor.scale[:, None] if by_column else None,
    )


def require_finite(answer: Answer) -> None:
    """Go on only with numbers.

    Raises
    ------
    DataError
        If the squares of the data overflowed, so that nothing can be said about x.
    """
    if not (np.isfinite(answer.x).all() and np.isfinite(answer.residual).all() and np.isfinite(answer.error).all()):
        raise DataError(
            "the squares of the data must be neither beyond nor below what float64 holds. Rescale A and b (units!) to entries "
            "between 1e-140 and 1e150."
        )


def notes_of(answer: Answer, certificate: LinearCertificate) -> tuple[str, ...]:
    """Return what the method decided, and a warning where the data do not determine x."""
    if answer.slope is None or not (certificate.forward_error > 0.1).any():
        return answer.notes
    if answer.error.max(initial=0.0) > ACCEPTED:
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


def status_of(answer: Answer, settings: Settings) -> Status:
    """Return how a solve ended."""
    if answer.slope is None:
        return Status.ESTIMATED
    if answer.error.max(initial=0.0) > settings.accepted:
        return Status.NOT_SOLVED
    return Status.MINIMUM_NORM if answer.factor.is_deficient else Status.SOLVED
