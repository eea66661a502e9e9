"""What is said of an answer besides its certificate."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.columns import Columns
from dsketch.problems.inversion.certificate import OUTSIDE, GradientCertificate
from dsketch.problems.inversion.descent import DescentAnswer
from dsketch.problems.inversion.method import GradientAnswer
from dsketch.problems.inversion.system import Place

_MOST = 8  # columns that a note names
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
        notes.append(
            "no exact answer is proven nearby: c may be no gradient of a point in the cell of the start (slacks keep their signs there); "
            f"the slack nearest to 0 is that of row {place.facts.row}"
        )
    return tuple(notes)


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


def note_bias(w: float, bias: float, unweighted: GradientAnswer, certificate: GradientCertificate) -> tuple[str, ...]:
    """Return by how much the paper's penalty moves x."""
    if not certificate.is_proven:
        return (f"w = {w:g} moves x by an amount that is not known: no x with g(x) = c was found",)
    return (
        f"w = {w:g} moves x by {bias:.1e} of the x with g(x) = c (columns scaled), which took {unweighted.found.steps} more steps; leave w "
        "out for that one",
    )


def name_columns(directions: Floats, columns: Columns | None) -> str:
    """Return the columns with the largest parts in some directions, shape (d, directions), the largest first."""
    parts = np.abs(directions).max(axis=1)
    order = [int(place) for place in np.argsort(-parts, kind="stable") if parts[place] >= _SHARE * parts.max()]
    names = [f"column {place}" if columns is None else columns.names[place] for place in order[:_MOST]]
    more = f" and {len(order) - _MOST} more" if len(order) > _MOST else ""
    return f"{', '.join(names)}{more}"
