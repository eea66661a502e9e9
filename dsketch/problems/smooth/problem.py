"""Smooth problems: planned by the price of their passes, answered by Newton steps, judged by a QR of the tangent problem."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.losses.base import Loss
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.beside import Beside
from dsketch.matrix.centring import centre_answer, recentre_answer, uncentre_answer
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.mean_response import MeanResponse
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.affine import ShiftedProblem
from dsketch.problems.base import require_columns, require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.linear.centring import shift_notes
from dsketch.problems.outcome import Outcome
from dsketch.problems.smooth.centring import rounding_notes, rounding_of_told, shorten
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


class SmoothProblem(ShiftedProblem):
    """min Σ wᵢ φ(aᵢᵀx + offsetᵢ; yᵢ) + ½ Σ pⱼ xⱼ² as something to plan, solve and check.

    Attributes
    ----------
    loss : Loss
        The row function.
    penalty : ndarray, shape (d, outputs)
        p.
    rows : Rows
        [A 1], or [A − 1 sᵀ, 1], and y with what else belongs to a row as columns of b.
    start : ndarray, shape (d, outputs), or None
        Where to begin, for A as it is stored.
    """

    methods: ClassVar[Mapping[str, SmoothMethod]] = METHODS

    def __init__(self, rows: Rows, loss: Loss, penalty: Floats, start: Floats | None, parameters: dict[str, Any]) -> None:
        self.rows, self.parameters, self.start = rows, parameters, start
        self.loss, self.penalty = loss, penalty

    @property
    def _beside(self) -> Beside:
        beside = self.rows.b
        if not isinstance(beside, Beside):
            raise TypeError("y and what belongs to its rows, side by side, were expected as b")
        return beside

    @property
    def model(self) -> Model:
        """Rows, row function and penalty."""
        return Model(self.rows, self._beside.places, self.loss, self.penalty)

    @property
    def counts(self) -> tuple[Matrix | None, ...]:
        """Weights and frequencies."""
        return tuple(self._beside.parts.get(name) for name in ("weights", "frequencies"))

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
        return plan_smooth(self.methods, self.shifted.model, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the plan's method and its successors.

        Raises
        ------
        DataError
            If y is outside of the domain of the family, or all weights are 0.
        """
        model = self.shifted.model
        shift = model.rows.shift
        start = yield from start_from_sample(model) if self.start is None else _begin_at(centre_answer(self.start, shift))
        answer: SmoothAnswer
        answer, method = yield from with_fallback(self.methods, choice.method, model, choice.settings, start)
        require_weight(answer.local.rows)
        answer = shorten(answer, shift)
        status = smooth_status(model, answer, choice.settings.accepted)
        require_held(answer.x)
        x = uncentre_answer(self.told_for_shifted(answer), shift)
        off = rounding_of_told(x, answer, shift)
        notes = (*smooth_notes(model, answer, self._names), *shift_notes(shift), *rounding_notes(answer, off))
        certificate = smooth_certificate(model, answer, self._names, off)
        return Outcome(x[:, 0] if self.is_vector else x, status, method, certificate, notes, answer)

    def judge(self, x: Floats) -> Flow[SmoothCertificate]:
        """Judge x by a QR of the tangent problem at x, its gradient, and the longest row.

        Where columns are shifted, what is judged is the best of the intercepts that x, rounded to float64, may stand for.
        """
        return (yield from check_smooth(self.shifted.model, x.reshape(self.model.shape), self._names))

    @property
    def _names(self) -> tuple[str, ...]:
        """Names of A's columns, or their numbers."""
        return tuple(map(str, range(self.rows.A.shape[1]))) if self.columns is None else self.columns.names

    @property
    def judge_passes(self) -> int:
        """Two, where A has full rank and x is near a minimizer."""
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
        return (yield from summarize_smooth(self.shifted.model, answer, wish, doubts))

    def require_table(self, wish: SummaryOptions) -> None:
        """Refuse a table of a penalized model, or one with errors that several classes do not have."""
        super().require_table(wish)
        require_unpenalized(self.model)
        require_one_leverage(wish.robust, self.loss.outputs)

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to the mean μ of each row, at offset 0 unless it is given one."""
        return mean_look(self.loss, x.reshape(self.model.shape), A, intercept=self.rows.intercept)

    def centred_predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the same for an x whose intercept is that of the shifted columns."""
        return mean_look(self.loss, x.reshape(self.model.shape), A, intercept=True, shift=self.rows.shift)


def _begin_at(x: Floats) -> Flow[Carry]:
    """Return a given start: no look."""
    yield from ()
    return Carry(x)


def mean_look(loss: Loss, x: Floats, A: Matrix, *, intercept: bool, shift: AnyArray | None = None) -> Look:
    """Return the look that finishes to the mean of each row of a new matrix, shape (m, means of the loss).

    Parameters
    ----------
    shift : ndarray, shape (d,), or None
        Of the columns that x is the answer for.

    Raises
    ------
    DataError
        If A has other columns than x has rows.
    """
    require_columns(A, len(x) - intercept)
    if shift is not None:
        x, shift = recentre_answer(x, shift, A.dtype)
    return Look(MeanResponse(loss, x, intercept), Rows(A, shift=shift))


def require_weight(rows: float) -> None:
    """Refuse data of which no row counts.

    Raises
    ------
    DataError
    """
    if not rows > 0:
        raise DataError("weights (or frequencies) above 0 were expected for some rows; all are 0. Check which column holds them.")


def require_held(x: Floats) -> None:
    """Refuse data whose coefficients are beyond what float64 holds.

    Raises
    ------
    DataError
    """
    if not np.isfinite(x).all():
        raise DataError(
            "coefficients that float64 holds were expected; some are above 1e308, as y is so large beside the columns of A. Rescale A and "
            "y (units!)."
        )


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
