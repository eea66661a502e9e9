"""From a method's answer to a certificate, a status and the sentences that go with them."""

import numpy as np

from dsketch.errors import DataError
from dsketch.linalg.columns import norms, ratio
from dsketch.methods.base import EPS, ROUNDING, Answer, Settings
from dsketch.solution import LinearCertificate, Status


def certificate_of(answer: Answer) -> LinearCertificate:
    """Return what is known about an answer."""
    factor, x = answer.factor, answer.x
    s = factor.singular[0]
    size = float(np.sqrt(np.sum(s * s)))
    kappa = float(ratio(s[:1], s[factor.rank - 1 : factor.rank])[0]) if factor.rank else 1.0  # infinite beyond units of 1e308
    gradient = (
        np.full(x.shape[1], np.nan)
        if answer.slope is None
        else ratio(ratio(norms(answer.slope.g), answer.residual), np.full(x.shape[1], size))
    )
    spread = norms(factor.scaled)
    tangent = ratio(answer.residual, float(np.sqrt(np.sum(spread * spread))) * norms(factor.scale[:, None] * x))
    forward = ROUNDING * factor.scaled_condition * (1 + factor.scaled_condition * tangent)
    return LinearCertificate(
        # An x rounded to float64 has a backward error of about u/4 whatever the gradient says.
        backward_error=np.where(norms(x) > 0, np.maximum(answer.error, EPS / 8), answer.error),
        residual_norm=answer.residual,
        gradient_norm=gradient,
        forward_error=forward,
        condition=kappa,
        scaled_condition=factor.scaled_condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        is_exact=answer.is_exact,
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
