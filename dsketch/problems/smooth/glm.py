"""Generalised linear models: min Σ wᵢ φ(aᵢᵀx + offsetᵢ; yᵢ) + ½ Σ alphaⱼ xⱼ², φ by family and link."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.losses.table import FAMILIES, loss_of
from dsketch.matrix.along import along
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.passes import Look
from dsketch.problems.arguments import as_flag
from dsketch.problems.base import Predictor
from dsketch.problems.inputs import FREQUENCIES, INTERCEPT, TALL
from dsketch.problems.smooth.problem import SmoothProblem, mean_look, penalty_of, smooth_rows
from dsketch.problems.start import as_penalties, as_start
from dsketch.settings import Numbers, Option


class GLM(SmoothProblem):
    """A generalised linear model, or a robust regression: the maximum of a likelihood, penalized or not.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, CSR or dask array, shape (n, d)
    y : likewise, shape (n,)
        In the domain of the family.
    family : str
        One of :data:`dsketch.losses.table.FAMILIES`.
    link : str, optional
        None: the family's default.
    offset : likewise, shape (n,), optional
        Added to aᵢᵀx as it is, such as the logarithm of an exposure.
    weights : likewise, shape (n,), optional
        Prior weights ≥ 0: the variance of row i is divided by it; of shares the numbers of trials.
    frequencies : likewise, shape (n,), optional
        How many rows a row stands for, ≥ 0.  Both multiply the loss of the row; they differ in what counts as a row of its own in tables.
    alpha : number, or array of shape (d,)
        Penalty ½ Σ alphaⱼ xⱼ², for all columns or one a column; the intercept's is 0.
    intercept : bool
        Append a column of ones to A (never stored); its coefficient is the last of x.  Columns far from 0 are shifted on the way, as for
        :class:`~dsketch.problems.LeastSquares`.
    power, theta, delta : float, optional
        Of families that have them: the power of ``tweedie``, the shape of ``negative_binomial``, the elbow of ``huber``.
    start : array, Solution or path, optional
        Where to begin, shape of x.  None: where the family does.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        For unknown words, or numbers that a parameter cannot be.
    DataError
        If shapes do not fit or the data are not real numbers; on solving, if y is not of the domain, with its row.

    Notes
    -----
    Minus the log-likelihood (half the deviance) plus ½ Σ alpha x²: so alpha is that of ``statsmodels`` and glum times Σ w, and 1/C of
    scikit-learn's LogisticRegression.

    Examples
    --------
    >>> import numpy as np
    >>> A, y = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> GLM(A, y, family="binomial").shape
    (4, 2)
    """

    name = "glm"
    title = "Generalised linear models: logistic, Poisson, gamma … regression."
    has_table = True
    inputs = (
        TALL,
        Option("y", Matrix, None, "Zarr vector of length n, in the domain of the family", label="Observed response"),
    )
    options = (
        Option("family", str, "binomial", "Of the distribution of y, or the loss.", choices=tuple(FAMILIES), label="Family"),
        Option("link", str, None, "Between the mean and aᵀx. [default: the family's own]", label="Link"),
        Option(
            "offset",
            Matrix,
            None,
            "Zarr vector that is added to aᵀx, such as a log exposure. [default: 0]",
            label="Offset of rows",
        ),
        Option(
            "weights",
            Matrix,
            None,
            "Zarr vector of prior weights ≥ 0; of shares the numbers of trials. [default: all 1]",
            label="Weights of rows",
        ),
        FREQUENCIES,
        Option(
            "alpha",
            Numbers,
            0.0,
            "Penalty ½ Σ alpha x², a number or one a column; the intercept is not penalized.",
            label="Penalty",
        ),
        INTERCEPT,
        Option("power", float, None, "Of family tweedie: the variance is this power of the mean. [default: none]", label="Power"),
        Option(
            "theta", float, None, "Of family negative_binomial: the variance is μ + μ²/theta. [default: none]", label="Dispersion"
        ),
        Option(
            "delta",
            float,
            None,
            "Of family huber: residuals beyond it count by their size, not its square. [default: none]",
            label="Huber's threshold",
        ),
        Option(
            "start",
            Numbers,
            None,
            "Where to begin: numbers, or the path of an earlier x. [default: where the family does]",
            label="Starting point",
        ),
    )

    def __init__(
        self,
        A: Any,
        y: Any,
        *,
        family: str = "binomial",
        link: str | None = None,
        offset: Any = None,
        weights: Any = None,
        frequencies: Any = None,
        alpha: Any = 0.0,
        intercept: bool = False,
        power: float | None = None,
        theta: float | None = None,
        delta: float | None = None,
        start: Any = None,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, y, offset, weights, frequencies = along(dim, A=A, y=y, offset=offset, weights=weights, frequencies=frequencies)
        intercept = as_flag("intercept", intercept)
        given = {"power": power, "theta": theta, "delta": delta}
        loss = loss_of(family, link, **given)
        rows = smooth_rows(A, intercept, missing, y=y, offset=offset, weights=weights, frequencies=frequencies)
        penalties, said = as_penalties(alpha, rows.A.shape[1])
        begin = as_start(start, (rows.shape[1], 1))
        parameters = {
            "problem": self.name, "family": family, "link": link, "alpha": said, "intercept": intercept, **given,
            "start": None if begin is None else np.ravel(begin).tolist(), "missing": missing,
        }  # fmt: skip
        super().__init__(rows, loss, penalty_of(penalties, intercept, 1), begin, parameters)

    @classmethod
    def predictor_from(cls, parameters: Mapping[str, Any]) -> Predictor:
        """Return what gives the mean of each row, by family and link."""
        given = {name: parameters.get(name) for name in ("power", "theta", "delta")}
        loss = loss_of(parameters["family"], parameters["link"], **given)
        return Predictor(partial(_mean_look, loss, bool(parameters["intercept"])))


def _mean_look(loss: Loss, intercept: bool, x: Floats, A: Matrix, shift: AnyArray | None = None) -> Look:
    return mean_look(loss, x, A, intercept=intercept, shift=shift)
