"""Multinomial logistic regression: K classes, coefficients of K − 1 of them against class 0."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.losses.softmax import Softmax
from dsketch.matrix.along import along
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.problems.arguments import as_flag
from dsketch.problems.base import Predictor
from dsketch.problems.inputs import FREQUENCIES, INTERCEPT, START, TALL, WEIGHTS
from dsketch.problems.smooth.certificate import SmoothCertificate
from dsketch.problems.smooth.classes import count_classes
from dsketch.problems.smooth.problem import SmoothProblem, mean_look, penalty_of, smooth_rows
from dsketch.problems.start import as_penalties, as_start
from dsketch.settings import Numbers, Option


class Multinomial(SmoothProblem):
    """Multinomial logistic regression: min Σ wᵢ [log Σ_k exp(aᵢᵀx_k) − aᵢᵀx_{yᵢ}] + ½ Σ_k Σⱼ alphaⱼ (x_jk − x̄ⱼ)², x₀ = 0.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, CSR or dask array, shape (n, d)
    y : likewise, shape (n,)
        The class of each row: 0, 1, …, K − 1.
    classes : int, optional
        K.  None: y is read once, here, and K is its largest number and one more.
    weights : likewise, shape (n,), optional
        Prior weights ≥ 0.
    frequencies : likewise, shape (n,), optional
        How many rows a row stands for, ≥ 0.
    alpha : number, or array of shape (d,)
        Penalty, for all columns or one a column; the intercept's is 0.  It is one on the coefficients of all K classes about their mean (x̄ⱼ
        is that over the K classes, x₀ = 0 counted), so that it does not depend on which class is number 0: scikit-learn's with C = 1/alpha.
    intercept : bool
        Append a column of ones to A (never stored); its coefficients are the last row of x.
    start : array, Solution or path, optional
        Where to begin, shape of x.  None: at 0.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        For a number that a parameter cannot be.
    DataError
        If shapes do not fit or the data are not real numbers; if y holds what is no class, with its row.

    Notes
    -----
    x has shape (d, K − 1): its column k − 1 is that of class k, log(p_k/p₀) = aᵀx_k, as statsmodels' MNLogit has it.  Predictions are the
    probabilities of all K classes, shape (m, K).  A Hessian has ((K − 1) d)² numbers; nothing larger is made.

    Examples
    --------
    >>> import numpy as np
    >>> A, y = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]), np.array([0, 1, 2, 1])
    >>> Multinomial(A, y, classes=3).x_shape
    (2, 2)

    References
    ----------
    D. Böhning, "Multinomial logistic regression algorithm", Annals of the Institute of Statistical Mathematics 44, 1992.
    """

    name = "multinomial"
    title = "Multinomial logistic regression: probabilities of K classes."
    has_table = True
    inputs = (
        TALL,
        Option("y", Matrix, None, "Zarr vector of length n: the class of each row, 0 … K − 1", label="Observed response"),
    )
    options = (
        Option(
            "classes",
            int,
            None,
            "How many classes there are, K. [default: y is read once to count them]",
            label="Number of classes",
        ),
        WEIGHTS,
        FREQUENCIES,
        Option(
            "alpha",
            Numbers,
            0.0,
            "Penalty ½ Σ alpha (x − x̄)² over all K classes, a number or one a column; not of the intercept.",
            label="Penalty",
        ),
        INTERCEPT,
        START,
    )

    def __init__(
        self,
        A: Any,
        y: Any,
        *,
        classes: int | None = None,
        weights: Any = None,
        frequencies: Any = None,
        alpha: Any = 0.0,
        intercept: bool = False,
        start: Any = None,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, y, weights, frequencies = along(dim, A=A, y=y, weights=weights, frequencies=frequencies)
        intercept = as_flag("intercept", intercept)
        rows = smooth_rows(A, intercept, missing, y=y, weights=weights, frequencies=frequencies)
        penalties, said = as_penalties(alpha, rows.A.shape[1])
        loss = Softmax(_as_classes(classes, rows.b), is_symmetric=bool(penalties.any()))
        given = as_start(start, (rows.shape[1], loss.outputs))
        parameters = {
            "problem": self.name,
            "classes": loss.classes,
            "alpha": said,
            "intercept": intercept,
            "start": None if given is None else given.tolist(),
            "missing": missing,
        }
        begin = None if given is None else loss.centre(given)
        self._softmax, self.prediction_sides = loss, loss.classes
        super().__init__(rows, loss, penalty_of(penalties, intercept, loss.outputs), begin, parameters)

    @property
    def is_vector(self) -> bool:
        """False: x has a column for each class but class 0."""
        return False

    def told_for_shifted(self, answer: Any) -> Floats:
        """Return x as differences from class 0."""
        return self._softmax.compare(answer.x)

    def judge(self, x: Floats) -> Flow[SmoothCertificate]:
        """Judge x by a QR of the tangent problem at x, its gradient, and the longest row."""
        return (yield from super().judge(self._softmax.centre(x.reshape(self.model.shape))))

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to the probabilities of all K classes, shape (m, K)."""
        return _share_look(self._softmax, self.rows.intercept, x.reshape(self.model.shape), A)

    def centred_predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the same for an x whose intercepts are those of the shifted columns."""
        return _share_look(self._softmax, True, x.reshape(self.model.shape), A, self.rows.shift)

    @classmethod
    def predictor_from(cls, parameters: Mapping[str, Any]) -> Predictor:
        """Return what gives the probabilities of all K classes, by their number."""
        loss = Softmax(parameters["classes"], is_symmetric=bool(np.any(parameters["alpha"])))
        return Predictor(partial(_share_look, loss, bool(parameters["intercept"])), loss.classes)


def _share_look(loss: Softmax, intercept: bool, x: Floats, A: Matrix, shift: AnyArray | None = None) -> Look:
    return mean_look(loss, loss.centre(x), A, intercept=intercept, shift=shift)


def _as_classes(classes: Any, beside: Matrix | None) -> int:
    """Return K as given, or as y has it.

    Raises
    ------
    SpecError
        If it is no whole number ≥ 2.
    """
    if classes is None:
        if beside is None:
            raise TypeError("y was expected beside the rows")
        return count_classes(beside)
    if isinstance(classes, bool) or not isinstance(classes, int | np.integer):
        raise SpecError(f"classes must be a whole number ≥ 2; got {classes!r}. y holds 0, …, classes − 1.")
    return int(classes)
