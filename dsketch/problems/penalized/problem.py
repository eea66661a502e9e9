"""Penalized and bounded problems: planned by the price of their passes, answered on d × d, judged by an independent QR."""

from collections.abc import Mapping
from typing import Any, ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.matrix.centring import uncentre_answer
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.affine import AffineProblem
from dsketch.problems.base import require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.inputs import ANY, SIDES
from dsketch.problems.linear.centring import shift_notes
from dsketch.problems.linear.sides import is_vector
from dsketch.problems.outcome import Outcome
from dsketch.problems.penalized.certificate import (
    PenalizedCertificate,
    penalized_certificate,
    penalized_notes,
    penalized_status,
    require_finite,
)
from dsketch.problems.penalized.check import check_penalized
from dsketch.problems.penalized.choose import plan_penalized
from dsketch.problems.penalized.method import PenalizedAnswer, PenalizedMethod
from dsketch.problems.penalized.methods import METHODS
from dsketch.problems.penalized.system import PenalizedSystem
from dsketch.problems.penalized.told import Told
from dsketch.settings import Settings


class PenalizedProblem(PenalizedSystem, AffineProblem):
    """min ½‖W^½ (A x − b)‖² + cost(x) as something to plan, solve and check."""

    inputs = (ANY, SIDES)
    methods: ClassVar[Mapping[str, PenalizedMethod]] = METHODS

    def __init__(self, rows: Rows, parameters: dict[str, Any]) -> None:
        self.rows, self.parameters = rows, parameters

    @property
    def x_shape(self) -> tuple[int, int]:
        """Rows and columns of x: of A with the intercept, and a column for each point."""
        return self.shape[1], self.points

    @property
    def is_flat(self) -> bool:
        """Whether b came with one dimension, so that x has one too."""
        return is_vector(self.rows.b)

    @property
    def has_shortest(self) -> bool:
        """Whether of several minimizers the shortest is given: where nothing is added, so that it is least squares."""
        return False

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods, choose."""
        require_settings(settings, self.shape[1])
        return plan_penalized(self.methods, self, self.shifted, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the plan's method and its successors.

        Raises
        ------
        DataError
            If all weights are 0, or squares of the data are beyond or below what float64 holds.
        """
        answer, method = yield from with_fallback(self.methods, choice.method, self.shifted, choice.settings)
        return self.conclude(answer, method, choice.settings)

    def conclude(self, answer: PenalizedAnswer, method: str, settings: Settings) -> Outcome:
        """Return what an answer comes to."""
        require_finite(answer)
        shift = self.shifted.rows.shift
        x = uncentre_answer(answer.x, shift)
        certificate = penalized_certificate(answer, self.shape[0], Told.rounded(answer, shift))
        is_shortest = self.has_shortest and any(distance.is_deficient for distance in answer.distances)
        notes = (*penalized_notes(answer, certificate, is_shortest=is_shortest), *shift_notes(shift))
        status = penalized_status(answer, settings.accepted, is_shortest=is_shortest)
        return Outcome(x[:, 0] if self.is_flat else x, status, method, certificate, notes, answer)

    def judge(self, x: Floats) -> Flow[PenalizedCertificate]:
        """Judge x by a QR of [A b], the residual and the pull at x, in one pass.

        Where columns are shifted, what is judged is the best of the intercepts that x, rounded to float64, may stand for; gap and errors
        count how far that one is.

        Raises
        ------
        DataError
            If all weights are 0, or the squares of b are below what float64 holds.
        """
        answer, told = yield from check_penalized(self.shifted, x)
        return penalized_certificate(answer, self.shape[0], told, by_column=True)


def open_rows(A: Any, b: Any, weights: Any, intercept: bool, missing: str) -> Rows:
    """Open A, b and weights; A may be wide.

    Raises
    ------
    DataError
        If the shapes do not fit, or the data are not real numbers.
    """
    return Rows(
        open_matrix(A, missing=missing, what="A"),
        open_matrix(b, missing=missing, what="b"),
        None if weights is None else open_matrix(weights, missing=missing, what="weights"),
        intercept,
    )
