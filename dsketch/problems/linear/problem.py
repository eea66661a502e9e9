"""Linear systems as problems: planned by cost, answered by a method of the table and its successors, judged by an independent QR."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.affine import AffineProblem
from dsketch.problems.base import require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.inputs import INTERCEPT, WEIGHTS
from dsketch.problems.linear.by_target import GroupedAnswer, gather_sides, join_certificates, solve_by_target
from dsketch.problems.linear.centring import restate_certificate, restore_intercept, shift_notes
from dsketch.problems.linear.certificate import (
    LinearCertificate,
    full_certificate,
    linear_certificate,
    linear_notes,
    require_finite,
)
from dsketch.problems.linear.check import check_linear
from dsketch.problems.linear.choose import plan_system, require_room_for_columns
from dsketch.problems.linear.full import refine
from dsketch.problems.linear.full_answer import FULL, FullAnswer, require_accuracy
from dsketch.problems.linear.method import LinearAnswer, LinearMethod
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.one_reading import ONE_READING, reading_notes
from dsketch.problems.linear.sides import shape_by_side
from dsketch.problems.linear.statistics.inference import summarize
from dsketch.problems.linear.statistics.observations import require_observations
from dsketch.problems.linear.statistics.rounding import require_squares_of_b
from dsketch.problems.linear.statistics.summary import Summary
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.outcome import Outcome
from dsketch.problems.status import status_of
from dsketch.problems.tables import SummaryOptions
from dsketch.settings import Option, Settings


@dataclass(frozen=True)
class LinearProblem(LinearSystem, AffineProblem):
    """min ‖A x − b‖² + Σ pᵢ xᵢ² as something to plan, solve and check.

    Attributes
    ----------
    rows, penalty
        As in :class:`~dsketch.problems.linear.system.LinearSystem`.
    parameters : dict
        What makes this problem again.
    """

    parameters: dict[str, Any]

    methods: ClassVar[Mapping[str, LinearMethod]] = METHODS
    takes: ClassVar[tuple[str, ...]] = ("accuracy", "min_panels")
    options: ClassVar[tuple[Option, ...]] = (
        WEIGHTS,
        INTERCEPT,
    )

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods, choose."""
        require_settings(settings, self.shape[1])
        require_accuracy(settings)
        if settings.max_passes == 1 and settings.tol is None:
            settings = replace(settings, tol=ONE_READING)
        require_room_for_columns(self, method, settings, machines)
        return plan_system(self, self.shifted, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the plan's method and its successors.

        Raises
        ------
        DataError
            If the squares of the data overflowed, so that nothing can be said about x, or all weights are 0.
        """
        shift = self.shifted.rows.shift
        answer: LinearAnswer
        if self.penalty.ndim > 1:
            answer, method = (yield from solve_by_target(self.shifted, choice.settings)), choice.method
        else:
            answer, method = yield from with_fallback(METHODS, choice.method, self.shifted, choice.settings)
        yield from require_observations(self.rows, answer.x, answer.slope)
        require_squares_of_b(_size_of_b(answer))
        require_finite(answer)
        if self.takes and choice.settings.accuracy == FULL:
            answer = yield from refine(self.rows, self.penalty, shift, answer)
        answer, x, certificate = _conclude(answer, self.shape[0], shift)
        x = shape_by_side(x, self.rows.b)
        notes = (*linear_notes(answer, certificate), *shift_notes(shift), *_rounding_notes(self.rows.b, answer))
        notes += reading_notes(answer, choice.settings.max_passes)
        is_estimate, is_deficient = answer.slope is None, answer.factor.is_deficient
        status = status_of(answer.backward_error, choice.settings.accepted, is_estimate=is_estimate, is_deficient=is_deficient)
        return Outcome(x, status, method, certificate, notes, answer)

    def summarize(self, answer: Any, method: str, wish: SummaryOptions, doubts: tuple[str, ...] = ()) -> Flow[Summary]:
        """Return standard errors, t, p, R² and F.

        Raises
        ------
        SpecError
            With a penalty: its estimates are biased, and have no such errors.
        """
        return (yield from summarize(self, answer, method, wish, doubts))

    def judge(self, x: Floats) -> Flow[LinearCertificate]:
        """Judge x by a QR of A, the residual and the gradient at x, in one pass.

        Where columns are shifted, what is judged is the best of the intercepts that x, rounded to float64, may stand for.

        Raises
        ------
        DataError
            If all weights are 0, or the squares of b are below what float64 holds.
        """
        return (yield from check_linear(self.shifted, x))


def _conclude(answer: LinearAnswer, rows: int, shift: AnyArray | None) -> tuple[LinearAnswer, Floats, LinearCertificate]:
    """Return the answer, x for A as it is stored, and what is known of it."""
    if isinstance(answer, GroupedAnswer):
        found = [(places, *_conclude(own, rows, shift)) for places, own in answer.groups]
        groups = tuple((places, own) for places, own, _, _ in found)
        x = gather_sides([(places, own) for places, _, own, _ in found])
        told = gather_sides([(places, own.x) for places, own in groups])
        return replace(answer, x=told, groups=groups), x, join_certificates([(places, own) for places, _, _, own in found])
    if isinstance(answer, FullAnswer):
        return answer, answer.stored, full_certificate(answer, rows, shift)
    answer, x = restore_intercept(answer, shift)
    return answer, x, restate_certificate(linear_certificate(answer, rows), answer, rows, shift)


def _size_of_b(answer: LinearAnswer) -> Floats:
    """Return a size of b for each side, from the moments where a slope has them, else of what was fitted and what is left."""
    slope = answer.slope
    if slope is not None and slope.has_moments:
        return slope.peak
    fitted = answer.factor.fitted(answer.x)
    return fitted if slope is None else np.hypot(fitted, slope.peak)


def _rounding_notes(b: Matrix | None, answer: LinearAnswer) -> tuple[str, ...]:
    """Return a note where 64-bit integers of b are beyond what float64 holds: they were rounded, whatever is certified of the numbers."""
    slope = answer.slope
    if b is None or slope is None or b.dtype.kind not in "iu" or b.dtype.itemsize < 8:
        return ()
    if slope.has_moments:
        size = np.abs(slope.mean) + np.sqrt(slope.spread / np.maximum(slope.weight, 1.0))
    else:
        size = _size_of_b(answer) / np.sqrt(np.maximum(slope.weight, 1.0))
    if not size.max(initial=0.0) > 2.0**53:
        return ()
    return ("b holds integers beyond 2⁵³, which float64 rounds; subtract a number near them from b first, as integers",)
