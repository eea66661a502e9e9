"""Linear systems as problems: planned by cost, answered by :mod:`dsketch.methods`, judged by an independent QR."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dsketch.certify import certificate_of, notes_of, require_finite, status_of
from dsketch.cost import Ground
from dsketch.factor import Factor
from dsketch.linalg.columns import norms
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.methods import METHODS, solved_by
from dsketch.methods.base import Answer, Settings, measured
from dsketch.passes import Both, Gradient, Look, Triangle
from dsketch.passes.affine import affine
from dsketch.plan import Plan, check_words, choose, matrix_words, means_words
from dsketch.probe import means_of, probe
from dsketch.problems.base import Outcome, Problem, Word, require_columns
from dsketch.solution import LinearCertificate
from dsketch.statistics.observations import require_observations, require_weight
from dsketch.statistics.rounding import require_squares
from dsketch.system import Flow, LinearSystem

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinearProblem(LinearSystem, Problem):
    """min ‖A x − b‖² + Σ pᵢ xᵢ² as something to plan, solve and check.

    Attributes
    ----------
    rows, penalty
        As in :class:`~dsketch.system.LinearSystem`.
    asked : dict
        The words that make this problem again.
    """

    asked: dict[str, Any]

    methods: ClassVar[tuple[str, ...]] = tuple(METHODS)
    words: ClassVar[tuple[Word, ...]] = (
        Word("weights", Matrix, None, "Zarr vector of weights ≥ 0, one a row: minimizes Σ w (Ax − b)². [default: all 1]"),
        Word("intercept", bool, False, "Append a column of ones to A (never stored); its coefficient is x's last."),
    )

    def plan(self, method: str, settings: Settings, ground: Ground) -> Plan:
        """Probe a few blocks, price the methods, choose."""
        check_words(method, settings, self.shape[1])
        found = probe(self)
        means = means_of(self.rows, self.sides, found, ground)
        name, estimates, rejected, why = choose(method, settings, means, found)
        return Plan(
            name,
            settings,
            estimates[name],
            rejected,
            matrix_words(self.rows, self.sides),
            means_words(ground, found),
            why,
            estimates[name].passes * self.rows.nbytes,
            found.condition,
            means.memory_bytes,
            self,
            ground.options,
        )

    def answer(self, plan: Plan) -> Flow[Outcome]:
        """Solve by the plan's method and its successors.

        Raises
        ------
        DataError
            If the squares of the data overflowed, so that nothing can be said about x, or all weights are 0.
        """
        answer, method = yield from solved_by(self, plan.settings, plan.method)
        yield from require_observations(self.rows, answer.x, answer.slope)
        require_squares(answer.slope.peak if answer.slope else norms(answer.factor.R @ answer.x))
        require_finite(answer)
        certificate = certificate_of(answer, self.shape[0])
        x = answer.x[:, 0] if is_vector(self.rows.b) else answer.x
        return Outcome(x, status_of(answer, plan.settings), method, certificate, notes_of(answer, certificate), answer)

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to A x, plus the intercept."""
        return linear_look(x, A, intercept=self.rows.intercept)

    def judge(self, x: Floats) -> Flow[LinearCertificate]:
        """Judge x by a QR of A, the residual and the gradient at x, in one pass.

        Raises
        ------
        DataError
            If all weights are 0, or the squares of b are below what float64 holds.
        """
        full, slope = yield Look(Both(Triangle(), Gradient(x)), self.rows)
        require_weight(slope.rows)
        require_squares(slope.peak)
        d = self.shape[1]
        stacked = np.concatenate([full[:d, :d], np.diag(np.sqrt(self.penalty))]) if self.is_penalized else full[:d, :d]
        factor = Factor.of(stacked)
        weighted = self.penalty[:, None] * x
        slope = slope._replace(g=slope.g - weighted, rr=slope.rr + np.einsum("ij,ij->j", x, weighted))
        answer = Answer(x, factor, True, slope, measured(factor, x, slope), np.sqrt(slope.rr))
        return certificate_of(answer, self.shape[0], by_column=True)


def linear_look(x: Floats, A: Matrix, *, intercept: bool, hint: str = "") -> Look:
    """Return the look that finishes to A x, plus the last row of x if that is an intercept.

    Raises
    ------
    DataError
        If A has other columns than x has rows.
    """
    require_columns(A, len(x) - intercept, hint)
    return Look(affine(x, intercept=intercept), Rows(A))


def is_vector(b: Matrix | None) -> bool:
    """Whether b came with one dimension, so that x has one too."""
    return bool(getattr(b, "is_vector", False))
