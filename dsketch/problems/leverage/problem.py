"""Leverage scores hᵢ = aᵢᵀ(AᵀA + alpha I)⁺aᵢ: how much each row decides of its own fit; one number a row, written by the workers."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.writing import Written
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.arguments import as_flag, as_penalty
from dsketch.problems.base import Problem, require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.inputs import TALL, WEIGHTS
from dsketch.problems.leverage.certificate import LeverageCertificate, accepted_gap, leverage_certificate, rounding_level
from dsketch.problems.leverage.check import check_leverage
from dsketch.problems.leverage.choose import plan_leverage
from dsketch.problems.leverage.method import LeverageAnswer, LeverageMethod
from dsketch.problems.leverage.methods import METHODS
from dsketch.problems.leverage.system import LeverageSystem, leverage_system
from dsketch.problems.outcome import Outcome, RowsLook, Status
from dsketch.problems.status import status_of
from dsketch.settings import Option, Settings


class LeverageScores(Problem):
    """hᵢ = aᵢᵀ(AᵀA + alpha I)⁺aᵢ for each row of √W [A 1].

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    alpha : float
        At least 0.  With a penalty the scores are ridge leverage scores, which add up to the statistical dimension.
    weights : likewise, shape (n,), optional
        w ≥ 0 for each row: the scores are those of √w aᵢ, the diagonal of the hat matrix of the weighted fit.
    intercept : bool
        Append a column of ones to A, which is not penalized.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        If alpha is negative or not finite.
    DataError
        If n < d, or the data are not real numbers.

    Notes
    -----
    Two passes by ``exact``: R of A, then the rows where they lie; no number of all rows moves unless it is asked for as an array.  The sum
    of the scores is the rank.

    References
    ----------
    P. Drineas, M. Magdon-Ismail, M. W. Mahoney, D. P. Woodruff, "Fast approximation of matrix coherence and statistical leverage",
    Journal of Machine Learning Research 13, 2012.
    A. Alaoui, M. W. Mahoney, "Fast randomized kernel ridge regression with statistical guarantees", NeurIPS 2015 (ridge scores).

    Examples
    --------
    >>> import dsketch as ds
    >>> ds.solve(LeverageScores(np.diag([1.0, 2.0, 0.0])[:, :2])).x
    array([1., 1., 0.])
    """

    name = "leverage-scores"
    title = "Leverage scores of the rows of A, one a row, written by the workers."
    inputs = (TALL,)
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "alpha", float, 0.0, "Penalty ≥ 0: ridge leverage scores, which add up to the statistical dimension.", label="Penalty"
        ),
        WEIGHTS,
        Option("intercept", bool, False, "Append a column of ones to A (never stored).", label="Intercept"),
    )
    methods: ClassVar[Mapping[str, LeverageMethod]] = METHODS
    answers_rows = True
    x_has_columns = False

    def __init__(
        self,
        A: Any,
        *,
        alpha: float = 0.0,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, weights = along(dim, A=A, weights=weights)
        alpha, intercept = as_penalty(alpha, "Use 0 for the leverage scores of A itself."), as_flag("intercept", intercept)
        weights = None if weights is None else open_matrix(weights, missing=missing, what="weights")
        self.rows = Rows(open_matrix(A, missing=missing, what="A"), None, weights, intercept)
        n, d = self.rows.shape
        if n < d:
            raise DataError(
                f"A must be tall: at least as many rows as columns; it has {n} × {d}. Transpose it if rows and columns were exchanged."
            )
        self.parameters = {"problem": self.name, "alpha": alpha, "intercept": intercept, "missing": missing}

    @property
    def system(self) -> LeverageSystem:
        """What its passes look at."""
        return leverage_system(self.rows, self.parameters["alpha"])

    def data(self) -> dict[str, Matrix | None]:
        """Return A and the weights."""
        return {"A": self.rows.A, "weights": self.rows.weights}

    @property
    def sides(self) -> int:
        """One score a row."""
        return 1

    @property
    def x_shape(self) -> tuple[int, int]:
        """(n, 1)."""
        return self.rows.shape[0], 1

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods, choose."""
        require_settings(settings, self.shape[1])
        return plan_leverage(self.system, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Find the factor, and tell how the rows are made."""
        answer, method = yield from with_fallback(METHODS, choice.method, self.system, choice.settings)
        look, allowed = Look(answer.scores, self.rows), max(accepted_gap(answer.factor, self.shape[0]), choice.settings.accepted)

        def conclude(written: Written) -> Outcome:
            return self._conclude(answer, method, written, allowed)

        empty = leverage_certificate(answer, self.system.total(answer.factor), Written(0, np.zeros(1), np.zeros(1)))
        return Outcome(answer.x, Status.NOT_SOLVED, method, empty, answer.notes, answer, RowsLook(look, conclude))

    def _conclude(self, answer: LeverageAnswer, method: str, written: Written, allowed: float) -> Outcome:
        certificate = leverage_certificate(answer, self.system.total(answer.factor), written)
        status = status_of(certificate.backward_error, allowed, is_estimate=not answer.is_exact)
        notes = answer.notes
        if answer.factor.is_deficient:
            notes += (f"A is rank-deficient: the scores are those of its range, and add up to {answer.factor.rank}",)
        return Outcome(answer.x, status, method, certificate, notes, answer)

    @property
    def judge_passes(self) -> int:
        """Two: R of A, and the comparison."""
        return 2

    def judge(self, x: Floats) -> Flow[LeverageCertificate]:
        """Judge scores by R of A and a pass that compares; ``forward_error`` is the largest relative error of any."""
        return (yield from check_leverage(self.system, x))

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the change of A that may explain the scores: rounding, twice as the judge's own scores have it too, or the tolerance."""
        del x
        return max(2 * rounding_level(self.shape[1]), tol or 0.0)
