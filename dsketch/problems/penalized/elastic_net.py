"""min ‖A x − b‖²/(2n) + alpha (l1_ratio ‖x‖₁ + (1 − l1_ratio) ‖x‖²/2): lasso, elastic net, with scikit-learn's meaning of both numbers."""

from numbers import Real
from typing import Any

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.along import along
from dsketch.problems.arguments import as_flag, as_penalty
from dsketch.problems.inputs import INTERCEPT, WEIGHTS
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.problem import PenalizedProblem, open_rows
from dsketch.settings import Option


class ElasticNet(PenalizedProblem):
    """min ‖W^½ (A x − b)‖²/(2 Σ w) + alpha (l1_ratio ‖x‖₁ + (1 − l1_ratio) ‖x‖²/2); the intercept is not penalized.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, CSR or dask array, shape (n, d)
        May be wide.
    b : likewise, shape (n,) or (n, k)
        Each column is a problem of its own.
    alpha : float
        At least 0; 0 is least squares.
    l1_ratio : float
        Between 0 (ridge) and 1 (lasso).
    weights : likewise, shape (n,), optional
        w ≥ 0 for each row; only their ratios count, as in scikit-learn.
    intercept : bool
        Append a column of ones to A (never stored); its coefficient is the last row of x.  Columns far from 0 are shifted on the way, as
        in :class:`~dsketch.problems.linear.least_squares.LeastSquares`.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        If alpha or l1_ratio is out of range.
    DataError
        If shapes do not fit, or the data are not real numbers.

    Notes
    -----
    Without weights Σ w = n.  Two passes: a Gram matrix (or a QR) of [A b], and a look that certifies.  The d × d problem is solved exactly,
    by active sets: coefficients that are 0 are 0.  Columns are not standardized: scale them, or their penalty is by their unit.

    References
    ----------
    H. Zou, T. Hastie, "Regularization and variable selection via the elastic net", J. R. Statist. Soc. B 67, 2005.

    Examples
    --------
    >>> import numpy as np, dsketch
    >>> A = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    >>> dsketch.solve(ElasticNet(A, [3.0, 0.1, 3.0, 3.0], alpha=0.1, l1_ratio=1.0)).x.round(4)
    array([2.8667, 0.    ])
    """

    name = "elastic-net"
    title = "Elastic net and lasso, min ‖A x − b‖²/(2n) + alpha (l1_ratio ‖x‖₁ + (1 − l1_ratio) ‖x‖²/2)."
    options = (
        Option("alpha", float, 1.0, "Size of the penalty, ≥ 0; scikit-learn's meaning.", label="Penalty"),
        Option("l1_ratio", float, 0.5, "Share of ‖x‖₁ in it, from 0 (ridge) to 1 (lasso).", label="Share of the 1-norm"),
        WEIGHTS,
        INTERCEPT,
    )

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        alpha: float = 1.0,
        l1_ratio: float = 0.5,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b, weights = along(dim, A=A, b=b, weights=weights)
        self.alpha, self.l1_ratio = (
            as_penalty(alpha, "Give the weight of the penalty; where none is wanted, LeastSquares is the problem."),
            as_ratio(l1_ratio),
        )
        intercept = as_flag("intercept", intercept)
        parameters = {
            "problem": self.name, "alpha": self.alpha, "l1_ratio": self.l1_ratio, "intercept": intercept, "missing": missing,
        }  # fmt: skip
        super().__init__(open_rows(A, b, weights, intercept, missing), parameters)

    @property
    def has_shortest(self) -> bool:
        """Whether this is least squares, of whose minimizers the shortest is given."""
        return self.alpha == 0

    def costs(self, weight: float, pull: Floats) -> list[Cost]:
        """Return Σ w times the penalty, for each right-hand side."""
        del pull
        size = weight * self.alpha
        cost = Cost.elastic(size * self.l1_ratio, size * (1 - self.l1_ratio), self.shape[1], intercept=self.rows.intercept)
        return [cost] * self.points


def as_ratio(value: Any) -> float:
    """Return an l1_ratio.

    Raises
    ------
    SpecError
        If it is no number from 0 to 1.
    """
    if not (isinstance(value, Real) and 0 <= float(value) <= 1):
        raise SpecError(f"l1_ratio must be a number from 0 (ridge) to 1 (lasso); got {value!r}. Give one of them.")
    return float(value)
