"""From a method's answer to a certificate, a status and the sentences that go with them."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.errors import DataError
from dsketch.problems.linear.certificate import resolution
from dsketch.problems.outcome import Certificate, Status, format_number, show_sides
from dsketch.problems.penalized.method import PenalizedAnswer
from dsketch.problems.penalized.told import Told, told_errors, told_forward_error, told_gap
from dsketch.problems.status import status_of
from dsketch.settings import EPS

GAP = 1e-12  # a larger relative duality gap than this is worth a note


@dataclass(frozen=True, kw_only=True)
class PenalizedCertificate(Certificate):
    """What is known about the x of a penalized or bounded problem, for each of m points: right-hand sides, or places of a path.

    Attributes
    ----------
    backward_error : ndarray, shape (m,)
        How much the columns that no kink holds must change for x to be exact, relative to their norm, columns scaled (Karlson–Waldén
        estimate): the meaning of ``tol``, as in least squares.
    gap : ndarray, shape (m,)
        The duality gap relative to the objective at x, with what rounding of the data's sums, and of the intercept of shifted columns, may
        hide: no x has an objective that is smaller by more, along columns that ``rank`` counts as independent.  Where the objective is all
        but 0 (b fitted exactly), relative to eps times the objective at x = 0.
    kkt : ndarray, shape (m,)
        The largest violation of the optimality conditions, of a column relative to ‖aⱼ‖‖b‖.
    residual_norm : ndarray, shape (m,)
        ‖b − A x‖.
    forward_error : ndarray, shape (m,)
        Bound on ‖D (x − x*)‖/‖D x*‖, D the norms of the columns, for every minimizer x*: from the gap and the condition of the columns
        that may be free in one.  Infinite where those are dependent, so that x* may be one of many.
    condition : float
        Of those columns and their ridge, scaled to norm one; of the worst point.
    rank : int
        Of those columns.
    rank_reason : str
        How many they are.
    free : ndarray of int, shape (m,)
        Coefficients that are neither 0 nor at a bound.
    coefficient_errors : ndarray, shape (d, m), or None
        Bounds on |x − x*| by coefficient; None unless asked for.
    """

    gap: Floats
    kkt: Floats
    free: Floats
    coefficient_errors: Floats | None = None

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        return [
            f"backward    {show_sides(self.backward_error)} relative to ‖A‖, columns scaled",
            f"gap         {show_sides(self.gap)} relative to the objective   kkt {show_sides(self.kkt)}",
            f"residual    {show_sides(self.residual_norm)}   forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {format_number(self.condition)}; {self.rank_reason}",
        ]


def penalized_certificate(answer: PenalizedAnswer, rows: int, told: Told, *, by_column: bool = False) -> PenalizedCertificate:
    """Return what is known about an answer.

    Parameters
    ----------
    rows : int
        n, of the rows that were summed over.
    told : Told
        How x is told.
    by_column : bool
        Whether to tell the error of each coefficient as well, d × m numbers.
    """
    z, distances = answer.x * answer.scale[:, None], answer.distances
    worst = max(distances, key=lambda distance: (distance.is_deficient, distance.correction.condition))
    length = norms(z)
    return PenalizedCertificate(
        backward_error=np.where(length > 0, np.maximum(answer.backward_error, resolution(rows)), answer.backward_error),
        gap=relative_gap(answer, told),
        kkt=largest_violation(answer),
        residual_norm=answer.residual_norm,
        forward_error=told_forward_error(answer, told),
        condition=worst.correction.condition,
        rank=worst.correction.rank,
        rank_reason=f"rank {worst.correction.rank} of the {worst.columns} columns that may be free",
        free=np.array([distance.free for distance in distances]),
        coefficient_errors=told_errors(answer, told) if by_column else None,
    )


def relative_gap(answer: PenalizedAnswer, told: Told) -> Floats:
    """Return the duality gap of each point relative to its objective, what rounding the intercept adds counted."""
    gap, primal = np.array([[distance.gap, distance.primal] for distance in answer.distances]).T
    return ratio(told_gap(gap, answer, told), np.maximum(primal, 0.5 * EPS * answer.total))


def largest_violation(answer: PenalizedAnswer) -> Floats:
    """Return the largest excess of each point, each column in its own unit, relative to ‖b‖."""
    excess = np.abs(np.column_stack([distance.excess for distance in answer.distances]))
    by_column = ratio(excess, np.outer(answer.sizes, np.sqrt(answer.total)))
    return np.asarray(by_column.max(axis=0, initial=0.0))


def penalized_status(answer: PenalizedAnswer, accepted: float, *, is_shortest: bool) -> Status:
    """Return how a solve ended; ``is_shortest``: whether of several minimizers x is the shortest."""
    return status_of(answer.backward_error, accepted, is_deficient=is_shortest)


def penalized_notes(answer: PenalizedAnswer, certificate: PenalizedCertificate, *, is_shortest: bool) -> tuple[str, ...]:
    """Return what the method decided, and what the data leave open."""
    notes = answer.notes
    open_ = [distance for distance in answer.distances if distance.is_deficient]
    if open_ and not is_shortest:
        of = "" if len(answer.distances) == 1 else f" at {len(open_)} of {len(answer.distances)} points"
        notes += (
            f"x may be one of many minimizers{of}: {certificate.rank_reason}; drop dependent columns, or add a ridge, to make it unique",
        )
    if not (certificate.gap <= GAP).all():
        notes += (
            f"the objective at x is proven to be within {certificate.gap.max():.1e} of the least, relative to it, and no nearer",
        )
    return notes


def require_finite(answer: PenalizedAnswer) -> None:
    """Go on only with numbers.

    Raises
    ------
    DataError
        If the squares of the data overflowed, so that nothing can be said about x.
    """
    if not (np.isfinite(answer.x).all() and np.isfinite(answer.residual_norm).all()):
        raise DataError(
            "the squares of the data must be neither beyond nor below what float64 holds. Rescale A and b (units!) to entries "
            "between 1e-140 and 1e150."
        )
