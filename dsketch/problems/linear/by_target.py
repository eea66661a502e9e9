"""Ridge with a penalty of its own for each target: one triangle of A, a factor for each distinct penalty, one reading for all corrections.

R and Qᵀb of the rows alone are a sufficient statistic for every penalty: below them stand √p eᵢᵀ and 0.  Targets of one penalty share
a factor, so that m distinct penalties cost m QRs of 2 d rows; b is read as often as for one penalty.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.matrix.base import AnyArray
from dsketch.passes import Reduced, Slope
from dsketch.passes.base import Flow
from dsketch.passes.triangle import join_rows_below
from dsketch.problems.linear.certificate import LinearCertificate
from dsketch.problems.linear.method import LinearAnswer
from dsketch.problems.linear.polish import correct
from dsketch.problems.linear.stored_errors import stored_errors
from dsketch.problems.linear.system import LinearSystem, penalize
from dsketch.settings import ROUNDING, Settings

_LIMIT = 4  # the most certificate passes, as of one penalty


class Group(NamedTuple):
    """Targets of one penalty: their ``places`` among all, and ``penalty``, shape (d,)."""

    places: NDArray[np.intp]
    penalty: Floats


@dataclass(frozen=True)
class GroupedAnswer(LinearAnswer):
    """The answers of groups as one; ``factor`` is that of the worst condition.

    Attributes
    ----------
    groups : tuple of (ndarray, LinearAnswer)
        The places of the targets of each, and its own answer.
    """

    groups: tuple[tuple[NDArray[np.intp], LinearAnswer], ...] = ()

    def errors_by_coefficient(self, rows: int, shift: AnyArray | None) -> Floats:
        """Return first-order bounds on |x − x*|, each group's by its own factor."""
        return gather_sides([(places, _errors_of(own, rows, shift)) for places, own in self.groups])


def _errors_of(answer: LinearAnswer, rows: int, shift: AnyArray | None) -> Floats:
    own = getattr(answer, "errors_by_coefficient", None)
    return stored_errors(answer, rows, shift) if own is None else np.asarray(own(rows, shift))


def groups_of(penalty: Floats) -> list[Group]:
    """Return the targets of each distinct penalty, shape (d, k).

    >>> [(group.places.tolist(), group.penalty.tolist()) for group in groups_of(np.array([[1.0, 2.0, 1.0]]))]
    [([0, 2], [1.0]), ([1], [2.0])]
    """
    distinct, which = np.unique(penalty, axis=1, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=distinct.shape[1]))[:-1]
    return [Group(places, distinct[:, number]) for number, places in enumerate(np.split(order, ends))]


def solve_by_target(system: LinearSystem, settings: Settings) -> Flow[GroupedAnswer]:
    """Return the answer of a system whose penalty has a column for each target, by the triangle of A.  Passes: 1 + 1, rarely one more."""
    plain, groups = LinearSystem(system.rows, np.zeros(system.shape[1])), groups_of(system.penalty)
    R, z, _ = yield from plain.triangle(settings.seed)
    starts = [_start(R, z[:, group.places], group.penalty) for group in groups]
    answers, best = [], np.inf
    x = gather_sides([(group.places, start[1]) for group, start in zip(groups, starts, strict=True)])
    for _ in range(_LIMIT):
        slope = yield from plain.gradient(x)
        answers = [
            _correct_group(factor, x[:, places], penalize(pick(slope, places), penalty, x[:, places]), settings)
            for (places, penalty), (factor, _) in zip(groups, starts, strict=True)
        ]
        joined = join_answers(groups, answers)
        x, error = joined.x, float(joined.backward_error.max(initial=0.0))
        yield Converged(error, float(joined.residual_norm.max(initial=0.0)))
        if error <= settings.goal or error > best / 4:
            break
        best = error
    return join_answers(groups, answers)


def _start(R: Floats, z: Floats, penalty: Floats) -> tuple[Factor, Floats]:
    """Return the factor of R above the penalty's rows, and the minimizer."""
    found = join_rows_below(Reduced(R, z, np.zeros(z.shape[1])), np.diag(np.sqrt(penalty)), np.zeros_like(z))
    factor = Factor(found.R)
    return factor, factor.least_squares(found.z)


def _correct_group(factor: Factor, x: Floats, slope: Slope, settings: Settings) -> LinearAnswer:
    moved, slope, error = correct(factor, x, slope, settings.tol or ROUNDING)
    return LinearAnswer(moved, factor, True, slope, error, np.sqrt(slope.rr), move=moved - x)


def pick(slope: Slope, places: NDArray[np.intp]) -> Slope:
    """Return the slope of some targets."""
    some = slope._replace(g=slope.g[:, places], rr=slope.rr[places], peak=slope.peak[places])
    return some._replace(mean=slope.mean[places], spread=slope.spread[places]) if slope.has_moments else some


def join_answers(groups: list[Group], answers: list[LinearAnswer]) -> GroupedAnswer:
    """Return the answers of groups as one."""
    places = [group.places for group in groups]

    def all_of(name: str) -> Floats:
        return gather_sides([(own, getattr(answer, name)) for own, answer in zip(places, answers, strict=True)])

    def slope_of(name: str) -> Floats:
        return gather_sides([(own, getattr(answer.slope, name)) for own, answer in zip(places, answers, strict=True)])

    first = answers[0].slope
    assert first is not None  # noqa: S101 - corrected answers have slopes
    slope = first._replace(g=slope_of("g"), rr=slope_of("rr"), peak=slope_of("peak"))
    if first.has_moments:
        slope = slope._replace(mean=slope_of("mean"), spread=slope_of("spread"))
    has_moves = all(answer.move is not None for answer in answers)
    worst = max(answers, key=lambda answer: answer.factor.scaled_condition)
    return GroupedAnswer(
        all_of("x"),
        worst.factor,
        True,
        slope,
        all_of("backward_error"),
        all_of("residual_norm"),
        move=all_of("move") if has_moves else None,
        notes=tuple(dict.fromkeys(note for answer in answers for note in answer.notes)),
        groups=tuple(zip(places, answers, strict=True)),
    )


def join_certificates(found: list[tuple[NDArray[np.intp], LinearCertificate]]) -> LinearCertificate:
    """Return the certificate of all targets: numbers in their places, condition and rank those of the worst."""
    worst = max((own for _, own in found), key=lambda own: own.scaled_condition)

    def all_of(name: str) -> Floats:
        return gather_sides([(places, getattr(own, name)) for places, own in found])

    return replace(
        worst,
        backward_error=all_of("backward_error"),
        residual_norm=all_of("residual_norm"),
        gradient_norm=all_of("gradient_norm"),
        forward_error=all_of("forward_error"),
        coefficient_errors=None if worst.coefficient_errors is None else all_of("coefficient_errors"),
        last_places=None if worst.last_places is None else all_of("last_places"),
        rank_reason=f"{worst.rank_reason}; of the worst of {len(found)} penalties" if len(found) > 1 else worst.rank_reason,
    )


def gather_sides(pieces: list[tuple[NDArray[np.intp], Floats]]) -> Floats:
    """Return numbers whose last axis is the targets, from those of groups."""
    whole = np.empty((*pieces[0][1].shape[:-1], sum(len(places) for places, _ in pieces)))
    for places, piece in pieces:
        whole[..., places] = piece
    return whole
