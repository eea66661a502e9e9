"""How a solve ended: one rule for all families, and the gravest of several verdicts."""

from collections.abc import Iterable

from dsketch._linalg.arrays import Floats
from dsketch.problems.outcome import Status

# What is said of several answers together: the first that holds of any.
GRAVEST = (
    Status.NOT_SOLVED,
    Status.SEPARATED,
    Status.UNDETERMINED,
    Status.LOCAL,
    Status.ESTIMATED,
    Status.APPROXIMATE,
    Status.LEAST_SQUARES,
    Status.MINIMUM_NORM,
    Status.ROUNDED,
    Status.SOLVED,
)


def status_of(
    backward_error: Floats,
    accepted: float,
    *,
    is_estimate: bool = False,
    is_approximate: bool = False,
    is_outside: bool = False,
    is_deficient: bool = False,
    is_rounded: bool = False,
) -> Status:
    """Return the first verdict that holds, in the order of the parameters.

    Parameters
    ----------
    backward_error : ndarray, shape (k,)
    accepted : float
        The largest that counts as solved; what is not a number does not.
    is_estimate : bool
        Whether x has an error bar instead of a certificate, so that its backward error decides nothing.
    is_approximate : bool
        Whether x answers a question near the one that was asked, likewise.
    is_outside : bool
        Whether b lies partly outside the range, where that is not what least squares is about.
    is_deficient : bool
        Whether x is one of many minimizers.
    is_rounded : bool
        Whether a residual that people would call small is out of reach.
    """
    if is_estimate:
        return Status.ESTIMATED
    if is_approximate:
        return Status.APPROXIMATE
    if not (backward_error <= accepted).all():
        return Status.NOT_SOLVED
    if is_outside:
        return Status.LEAST_SQUARES
    if is_deficient:
        return Status.MINIMUM_NORM
    return Status.ROUNDED if is_rounded else Status.SOLVED


def gravest(statuses: Iterable[Status]) -> Status:
    """Return what is said of several answers together."""
    return min(statuses, key=GRAVEST.index)
