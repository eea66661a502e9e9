"""min ‖A x − b‖ to within a factor of 1 + ε, solved on few rows that are drawn by leverage."""

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.problems.affine import linear_look
from dsketch.problems.arguments import as_flag, as_penalty
from dsketch.problems.base import Problem, require_settings
from dsketch.problems.choose import plan_case
from dsketch.problems.fallback import with_fallback
from dsketch.problems.inputs import INTERCEPT, WEIGHTS
from dsketch.problems.leverage.check import check_sampled
from dsketch.problems.leverage.sampled_certificate import SampledCertificate, sampled_certificate
from dsketch.problems.leverage.sampled_method import Sample, SampledAnswer, SampledCase, SampledMethod
from dsketch.problems.leverage.sampled_methods import METHODS
from dsketch.problems.leverage.sampled_system import SampledSystem, sampled_system
from dsketch.problems.linear.least_squares import tall_rows
from dsketch.problems.linear.sides import shape_by_side
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.linear.statistics.rounding import require_squares_of_b
from dsketch.problems.method import Breakdown
from dsketch.problems.outcome import Outcome
from dsketch.problems.status import status_of
from dsketch.settings import Option, Settings


class SampledLeastSquares(Problem):
    """Some x with ‖A x − b‖² + alpha ‖x‖² ≤ (1 + ε) min, from s = 4 (D ln D + D/ε) rows in the mean, more for D below 6.

    Parameters
    ----------
    A, b, weights, intercept, missing
        As in :class:`~dsketch.problems.linear.least_squares.LeastSquares`; all right-hand sides share the rows drawn.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
    epsilon : float
        ε, between 0 and 1.
    alpha : float
        At least 0.  With a penalty, rows are drawn by ridge leverage scores, and D is the statistical dimension instead of the rank.

    Raises
    ------
    SpecError
        If epsilon is not between 0 and 1, or alpha is negative or not finite.
    DataError
        As for least squares.

    Notes
    -----
    Three passes: scores, drawing, and one over all rows that measures ε.  :class:`LeastSquares` solves to all digits in two or three:
    use this for the rows themselves (:func:`dsketch.coreset`), which later solves read alone, or for what a quantum computer would be
    asked.  Columns are not shifted beside an intercept.

    References
    ----------
    Z. Song, J. Yin, R. Zhang, "Revisiting quantum algorithms for linear regressions: quadratic speedups without data-dependent parameters",
    arXiv 2311.14823, 2023.

    Examples
    --------
    >>> import dsketch as ds
    >>> A = np.random.default_rng(0).standard_normal((5000, 3))
    >>> found = ds.solve(SampledLeastSquares(A, A @ [1.0, 2.0, 3.0] + A[:, 0] ** 2, epsilon=0.1))
    >>> found.status.name, bool(found.certificate.excess[0] < 0.1)
    ('ESTIMATED', True)
    """

    name = "sampled-lstsq"
    title = "Least squares or ridge to within 1 + epsilon, on rows drawn by leverage."
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "epsilon",
            float,
            0.1,
            "How far the residual² may be above the least, relatively: between 0 and 1.",
            metavar="E",
            label="Allowed excess",
        ),
        Option("alpha", float, 0.0, "Penalty alpha ‖x‖², ≥ 0: rows are drawn by ridge leverage scores.", label="Penalty"),
        WEIGHTS,
        INTERCEPT,
    )
    methods: ClassVar[Mapping[str, SampledMethod]] = METHODS
    predicts_linearly = True

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        epsilon: float = 0.1,
        alpha: float = 0.0,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b, weights = along(dim, A=A, b=b, weights=weights)
        self.epsilon, intercept = require_epsilon(epsilon), as_flag("intercept", intercept)
        alpha = as_penalty(alpha, "Use 0 for plain least squares.")
        self.rows = tall_rows(A, b, weights, intercept, missing, has_targets=True)
        self.parameters = {
            "problem": self.name,
            "epsilon": self.epsilon,
            "alpha": alpha,
            "intercept": intercept,
            "missing": missing,
        }

    @property
    def system(self) -> SampledSystem:
        """What its passes look at."""
        return sampled_system(self.rows, self.parameters["alpha"], self.epsilon)

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods, choose."""
        require_settings(settings, self.shape[1])
        found = probe(self.rows, self.system.penalty)
        case = SampledCase(settings, workload_of(self.rows, self.sides, found, machines), found, self.epsilon)
        return replace(
            plan_case(METHODS, method, case, self.rows, machines), aim=f"residual² within {self.epsilon:g} of the least"
        )

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve on the rows drawn, and measure on all.

        Raises
        ------
        DataError
            If all weights are 0, or the squares of b are below what float64 holds.
        """
        answer, method = yield from with_fallback(METHODS, choice.method, self.system, choice.settings)
        require_weight(answer.slope.rows)
        require_squares_of_b(answer.slope.peak)
        certificate = sampled_certificate(answer, self.shape[0], self.epsilon)
        is_near = bool((certificate.backward_error <= self.accepted(choice.settings.tol)).all())
        status = status_of(certificate.backward_error, self.accepted(choice.settings.tol), is_estimate=is_near)
        notes = (*answer.notes, *_sample_notes(answer, certificate, is_near=is_near))
        return Outcome(shape_by_side(answer.x, self.rows.b), status, method, certificate, notes, answer)

    def draw(self, choice: Choice) -> Flow[tuple[Sample, str]]:
        """Return the rows that an answer would be solved on, and the method that drew them.  Two passes."""
        name = choice.method
        while True:
            try:
                return (yield from METHODS[name].sample(self.system, choice.settings)), name
            except Breakdown:
                if (successor := METHODS[name].successor) is None:
                    raise
                name = successor

    def judge(self, x: Floats) -> Flow[SampledCertificate]:
        """Judge x by a QR of A, the residual and the gradient at x, in one pass: how far it is above the least residual."""
        return (yield from check_sampled(self.system, x))

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return √ε, to which ‖A(x − x*)‖ is held relative to the least residual, or the tolerance."""
        del x
        return float(np.sqrt(self.epsilon)) if tol is None else tol

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to A x, plus the intercept."""
        return linear_look(x, A, intercept=self.rows.intercept)


def require_epsilon(epsilon: Any) -> float:
    """Return ε.

    Raises
    ------
    SpecError
        If it is no number between 0 and 1.
    """
    if not (isinstance(epsilon, Real) and 0 < float(epsilon) < 1):
        raise SpecError(f"epsilon must lie between 0 and 1; got {epsilon!r}. Use 0.1, or LeastSquares for all digits.")
    return float(epsilon)


def _sample_notes(answer: SampledAnswer, certificate: SampledCertificate, *, is_near: bool) -> tuple[str, ...]:
    """Return what people must know of the sample."""
    notes = []
    if answer.is_short:
        notes.append("the rows drawn lack a direction that A has; draw with another seed, or a smaller epsilon")
    if not is_near:
        worst = float(certificate.excess.max())
        notes.append(f"the residual² is above the least by {worst:.2g} of it; draw with another seed, or a smaller epsilon")
    if answer.factor.is_deficient:
        notes.append(f"A is rank-deficient, x is the shortest of the minimizers on the rows drawn: {answer.factor.rank_reason}")
    return tuple(notes)
