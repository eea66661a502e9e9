"""What is said of an answer besides its certificate: where it came from, and which directions the data leave open."""

from collections.abc import Sequence

import numpy as np

from dsketch.matrix.columns import Columns
from dsketch.problems.nonlinear.certificate import NonlinearCertificate
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.problems.nonlinear.system import Examination
from dsketch.problems.outcome import Status

_MOST = 8  # starts, or columns, that a note names
_SHARE = 0.1  # of the largest: a column with a smaller part in a direction is not named

ENDS = {
    "converged": "converged",
    "rounding": "at rounding",
    "stalled": "no further progress",
    "limit": "stopped at the limit of steps",
    "outside": "no loss there",
}


def note_starts(answers: Sequence[NonlinearAnswer], best: int) -> tuple[str, ...]:
    """Return the loss of each start and how its steps ended; nothing for one that ended well."""
    if len(answers) == 1:
        end = answers[0].end
        return () if end in ("converged", "rounding") else (f"{ENDS[end]} after {answers[0].steps} steps",)
    told = [
        f"{number}: {answer.local.value:.3e} ({ENDS[answer.end]}, {answer.steps} steps)" for number, answer in enumerate(answers)
    ]
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return (f"the best of {len(answers)} starts is number {best}; losses {', '.join(told[:_MOST])}{more}",)


def note_blur(certificate: NonlinearCertificate, accepted: float) -> tuple[str, ...]:
    """Return that rounding of f alone is what keeps a stationary point from being called one."""
    error = float(certificate.backward_error.max())
    if certificate.is_zero or not certificate.gradient_norm <= accepted < error < 0.5:
        return ()
    return (
        f"the gradient is 0 to {certificate.gradient_norm:.1e}, but rounding of f may hide {error:.1e} of the data, and {accepted:.1e} "
        f"count as right: tol={2 * error:.0e} takes this x",
    )


def note_kink(status: Status, units: int) -> tuple[str, ...]:
    """Return where a two-layer problem may have ended that is not stationary."""
    if status is not Status.NOT_SOLVED or not units:
        return ()
    return ("ReLU has kinks: a minimum may lie where a unit or a row turns on, with a gradient that is not 0 on either side",)


def note_rank(
    found: Examination, certificate: NonlinearCertificate, columns: Columns | None, *, is_symmetry: bool
) -> tuple[str, ...]:
    """Return which columns are not determined, and a warning at a saddle."""
    notes = []
    if found.factor.is_deficient:
        lost = name_columns(found, columns)
        if is_symmetry:
            notes.append(
                f"f does not change along {found.factor.null.shape[1]} direction(s), in which A v is constant: x is the shortest; they "
                f"lie in {lost}"
            )
        else:
            notes.append(f"J lacks rank at x ({found.factor.rank_reason}): not determined are {lost}")
    if certificate.is_saddle:
        notes.append(
            f"x is a saddle: along the least eigenvalue {certificate.least_eigenvalue:.1e} the loss falls; try other starts"
        )
    return tuple(notes)


def name_columns(found: Examination, columns: Columns | None) -> str:
    """Return the columns in which the directions lie that J does not feel, those with the largest part first."""
    parts = np.abs(found.factor.null * found.factor.scale[:, None]).max(axis=1)
    order = [int(place) for place in np.argsort(-parts, kind="stable") if parts[place] >= _SHARE * parts.max()]
    names = [f"column {place}" if columns is None else columns.names[place] for place in order[:_MOST]]
    more = f" and {len(order) - _MOST} more" if len(order) > _MOST else ""
    return f"{', '.join(names)}{more}"
