"""Smooth problems: planned by the price of their passes, answered by Newton steps, judged by a QR of the tangent problem."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.losses.base import Loss
from dsketch.matrix.base import Matrix
from dsketch.matrix.beside import Beside
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.mean_response import MeanResponse
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.base import Problem, require_columns, require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.outcome import Outcome
from dsketch.problems.smooth.certificate import SmoothCertificate, smooth_certificate, smooth_notes, smooth_status
from dsketch.problems.smooth.check import check_smooth
from dsketch.problems.smooth.choose import plan_smooth
from dsketch.problems.smooth.method import Carry, SmoothAnswer, SmoothMethod
from dsketch.problems.smooth.methods import METHODS
from dsketch.problems.smooth.sample import start_from_sample
from dsketch.problems.smooth.statistics import GLMSummary, require_one_leverage, require_unpenalized, summarize_smooth
from dsketch.problems.smooth.system import Model
from dsketch.problems.tables import SummaryOptions
from dsketch.settings import Settings


class SmoothProblem(Problem):
    """min Σ wᵢ φ(aᵢᵀx + offsetᵢ; yᵢ) + ½ Σ pⱼ xⱼ² as something to plan, solve and check.

    Attributes
    ----------
    model : Model
        Rows, row function and penalty.
    rows : Rows
        [A 1], and y with what else belongs to a row as columns of b.
    start : ndarray, shape (d, outputs), or None
        Where to begin.
    """

    methods: ClassVar[Mapping[str, SmoothMethod]] = METHODS

    def __init__(self, rows: Rows, loss: Loss, penalty: Floats, start: Floats | None, parameters: dict[str, Any]) -> None:
        self.rows, self.parameters, self.start = rows, parameters, start
        self.model = Model(rows, self._beside.places, loss, penalty)

    @property
    def _beside(self) -> Beside:
        beside = self.rows.b
        if not isinstance(beside, Beside):
            raise TypeError("y and what belongs to its rows, side by side, were expected as b")
        return beside

    @property
    def loss(self) -> Loss:
        """The row function."""
        return self.model.loss

    def data(self) -> dict[str, Matrix | None]:
        """Return A, y, offset, weights and frequencies."""
        parts = self._beside.parts
        return {"A": self.rows.A, **{name: parts.get(name) for name in ("y", "offset", "weights", "frequencies")}}

    @property
    def sides(self) -> int:
        """Columns of x."""
        return self.loss.outputs

    @cached_property
    def is_vector(self) -> bool:
        """Whether x has one dimension."""
        return self.loss.outputs == 1

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods, choose."""
        require_settings(settings, self.shape[1])
        return plan_smooth(self.methods, self.model, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the plan's method and its successors.

        Raises
        ------
        DataError
            If y is outside of the domain of the family, or all weights are 0.
        """
        start = Carry(self.start) if self.start is not None else (yield from start_from_sample(self.model))
        answer: SmoothAnswer
        answer, method = yield from with_fallback(self.methods, choice.method, self.model, choice.settings, start)
        require_weight(answer.local.rows)
        status = smooth_status(self.model, answer, choice.settings.accepted)
        names = tuple(map(str, range(self.rows.A.shape[1]))) if self.columns is None else self.columns.names
        notes = smooth_notes(self.model, answer, names)
        x = answer.x[:, 0] if self.is_vector else answer.x
        return Outcome(x, status, method, smooth_certificate(self.model, answer), notes, answer)

    def judge(self, x: Floats) -> Flow[SmoothCertificate]:
        """Judge x by a QR of the tangent problem at x, its gradient, and the longest row."""
        return (yield from check_smooth(self.model, x.reshape(self.model.shape)))

    @property
    def judge_passes(self) -> int:
        """Two."""
        return 2

    def summarize(
        self, answer: SmoothAnswer, method: str, wish: SummaryOptions, doubts: tuple[str, ...] = ()
    ) -> Flow[GLMSummary]:
        """Return standard errors, z or t, p, deviance, likelihood and what follows from them.

        Raises
        ------
        SpecError
            With a penalty, or for separated data.
        """
        del method
        return (yield from summarize_smooth(self.model, answer, wish, doubts))

    def require_table(self, wish: SummaryOptions) -> None:
        """Refuse a table of a penalized model, or one with errors that several classes do not have."""
        super().require_table(wish)
        require_unpenalized(self.model)
        require_one_leverage(wish.robust, self.loss.outputs)

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to the mean μ of each row, at offset 0."""
        return mean_look(self.loss, x.reshape(self.model.shape), A, intercept=self.rows.intercept)


def mean_look(loss: Loss, x: Floats, A: Matrix, *, intercept: bool) -> Look:
    """Return the look that finishes to the mean of each row of a new matrix, shape (m, means of the loss).

    Raises
    ------
    DataError
        If A has other columns than x has rows.
    """
    require_columns(A, len(x) - intercept)
    return Look(MeanResponse(loss, x, intercept), Rows(A))


def require_weight(rows: float) -> None:
    """Refuse data of which no row counts.

    Raises
    ------
    DataError
    """
    if not rows > 0:
        raise DataError("weights (or frequencies) above 0 were expected for some rows; all are 0. Check which column holds them.")


def smooth_rows(A: Any, intercept: bool, missing: str, **parts: Any) -> Rows:
    """Open A and what belongs to its rows.

    Parameters
    ----------
    **parts : path, URL, zarr.Array, ndarray or dask array, shape (n,), or None
        y, offset, weights, frequencies.

    Raises
    ------
    DataError
        If shapes do not fit, or the data are not real numbers.
    """
    opened = open_matrix(A, missing=missing, what="A")
    beside = {name: open_matrix(part, missing=missing, what=name) for name, part in parts.items() if part is not None}
    for name, part in beside.items():
        if part.shape[0] != opened.shape[0]:
            raise DataError(
                f"{name} must have one row for each of the {opened.shape[0]} rows of A; its shape is {part.shape}. "
                "Check that both come from the same data."
            )
    return Rows(opened, Beside(**beside), None, intercept)


def penalty_of(alpha: Floats, intercept: bool, outputs: int) -> Floats:
    """Return p, shape (d, outputs), for alpha of A's columns; that of an intercept is 0."""
    p = np.append(alpha, 0.0) if intercept else alpha
    return np.repeat(p[:, None], outputs, axis=1)
