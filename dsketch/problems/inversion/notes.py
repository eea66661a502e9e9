"""What is said of an answer besides its certificate."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.columns import Columns
from dsketch.problems.inversion.certificate import OUTSIDE, GradientCertificate, find_reach
from dsketch.problems.inversion.descent import DescentAnswer
from dsketch.problems.inversion.method import GradientAnswer
from dsketch.problems.inversion.system import Place

_MOST = 8  # columns that a note names
LOST = 0.1  # of the size of x: no digit of it is sure
_SHARE = 0.1  # of the largest: a column with a smaller part in a direction is not named

_ENDS = {
    "stalled": "no further progress",
    "limit": "stopped at the limit of steps",
}


def note_descent(found: DescentAnswer, place: Place, certificate: GradientCertificate) -> tuple[str, ...]:
    """Return how the steps ended, if not well, and what an unsolved end means."""
    notes = []
    if found.end in _ENDS:
        notes.append(f"{_ENDS[found.end]} after {found.steps} steps, decrement {found.decrements[-1]:.1e}")
    if not np.isfinite(certificate.reach):
        notes.append(_note_unproven(found, place, certificate))
    elif (certificate.forward_error > LOST).any():
        why = "at this tolerance" if certificate.decrement > certificate.doubt else "c to rounding does not determine x,"
        notes.append(
            f"{why} x may be off by {min(float(certificate.forward_error[0]), 1.0):.1g} of its size (columns scaled, "
            f"condition number {certificate.scaled_condition:.1e})"
        )
    return tuple(notes)


def _note_unproven(found: DescentAnswer, place: Place, certificate: GradientCertificate) -> str:
    """Return why no answer is proven nearby: rounding, the tolerance, or c itself."""
    row, kappa = place.facts.row, certificate.kappa
    if np.isfinite(find_reach(certificate.decrement, kappa)):
        return (
            f"rounding (decrement {certificate.doubt:.1e}) hides whether an exact answer lies nearby: the slack of row {row} has "
            f"{certificate.closeness:.1e} of its terms, the condition number is {certificate.scaled_condition:.1e} (columns scaled)"
        )
    if found.end == "converged" and np.isfinite(find_reach(certificate.doubt, kappa)):
        return "at this tolerance no exact answer is proven nearby; leave tol out for a proof"
    return (
        "no exact answer is proven nearby: c may be no gradient of a point in the cell of the start (slacks keep their signs there); "
        f"the slack nearest to 0 is that of row {row}"
    )


def note_rank(place: Place, certificate: GradientCertificate, columns: Columns | None) -> tuple[str, ...]:
    """Return which columns are not determined, and whether c asks for what A does not have."""
    if not place.factor.is_deficient:
        return ()
    lost = name_columns(place.factor.null * place.factor.scale[:, None], columns)
    notes = [f"A is rank-deficient: slacks do not change along directions in {lost}; x is the shortest"]
    if certificate.outside > OUTSIDE:
        notes.append(
            f"c has a part of {certificate.outside:.1e} outside the range of Aᵀ, where no g(x) is: drop the dependent columns, from c too"
        )
    return tuple(notes)


def note_bias(
    w: float, bias: float, unweighted: GradientAnswer, certificate: GradientCertificate, *, is_found: bool
) -> tuple[str, ...]:
    """Return by how much the paper's penalty moves x, if the x with it was found."""
    if not is_found:
        return (
            f"the x with w = {w:g} was not found; its loss depends on the units of columns: give them norms alike, or leave w out",
        )
    if not certificate.is_proven:
        return (f"w = {w:g} moves x by an amount that is not known: no x with g(x) = c was found",)
    return (
        f"w = {w:g} moves x by {bias:.1e} of the x with g(x) = c (columns scaled), which took {unweighted.found.steps} more steps; leave w "
        "out for that one",
    )


def note_no_scores(excess: float, rank: int, strange: int) -> tuple[str, ...]:
    """Return why no x has the scores σ*: their sum has an excess over the rank, or some are below 0 or above 1; nothing if neither."""
    why = []
    if excess:
        than = "more" if excess > 0 else "less"
        why.append(f"its sum is {abs(excess):.2g} {than} than {rank}, the rank of A, to which scores add up")
    if strange:
        why.append(f"numbers outside 0 to 1: {strange:,}")
    return (f"no x has the scores sigma: {'; '.join(why)}",) if why else ()


def note_blur(share: float) -> str:
    """Return that scores are known too badly to claim anything, to a share of their size."""
    return f"σ(x) is known to {share:.0e} of its size, too little for a claim: columns nearly depend on others, or slacks nearly cancel"


def name_columns(directions: Floats, columns: Columns | None) -> str:
    """Return the columns with the largest parts in some directions, shape (d, directions), the largest first."""
    parts = np.abs(directions).max(axis=1)
    order = [int(place) for place in np.argsort(-parts, kind="stable") if parts[place] >= _SHARE * parts.max()]
    names = [f"column {place}" if columns is None else columns.names[place] for place in order[:_MOST]]
    more = f" and {len(order) - _MOST} more" if len(order) > _MOST else ""
    return f"{', '.join(names)}{more}"
