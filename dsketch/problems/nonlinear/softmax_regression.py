"""min ½‖f(x) − b‖², f = exp(A x)/⟨exp(A x), 1⟩: softmax over all rows of A, for one right-hand side."""

from typing import Any

import numpy as np

from dsketch.matrix.along import along
from dsketch.passes.softmax_sums import SoftmaxSums
from dsketch.planning.work import Kind
from dsketch.problems.nonlinear.softmax_problem import SoftmaxProblem
from dsketch.problems.nonlinear.softmax_system import SoftmaxSystem


class SoftmaxRegression(SoftmaxProblem):
    """min ½‖⟨exp(A x), 1⟩⁻¹ exp(A x) − b‖² + ½ alpha ‖x‖² over x.

    f sums to 1 over the n rows, and is not changed where a constant is added to A x: a direction v with A v constant is not determined,
    and x is then the shortest (without a penalty).  A minimum that is found may be one of several; only where the loss is 0 to rounding
    no x is better.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, dask array or CSR, shape (n, d)
    b : likewise, shape (n,)
        Dense.
    start : array_like, Solution or path, optional
        Where to begin, d numbers; 0 by default.
    restarts : int
        Further points to begin at, drawn by the seed; they share every reading.
    alpha : float
        At least 0.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    DataError
        If b has not one number for each row, or the data are not finite real numbers.
    SpecError
        If start does not fit, restarts or alpha is negative.

    Notes
    -----
    One look a step.  Exponentials are summed relative to the largest met so far: A x may be of any size.

    References
    ----------
    Y. Deng, Z. Li, Z. Song, "Attention scheme inspired softmax regression", arXiv 2304.10411, 2023.

    Examples
    --------
    >>> import dsketch
    >>> A = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [0.5, -1.0]])
    >>> weights = np.exp(A @ [1.0, -0.5])
    >>> solution = dsketch.solve(SoftmaxRegression(A, weights / weights.sum()))
    >>> solution.x.round(12), solution.status.name
    (array([ 1. , -0.5]), 'SOLVED')
    """

    name = "softmax-regression"
    title = "Softmax over all rows, min ½‖exp(Ax)/⟨exp(Ax), 1⟩ − b‖²."
    work = Kind(SoftmaxSums.kind, lambda d: SoftmaxSums(np.zeros(d), np.zeros(d)), grows=True)
    has_residual = False

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        start: Any = None,
        restarts: int = 0,
        alpha: float = 0.0,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b = along(dim, A=A, b=b)
        super().__init__(A, b, start=start, restarts=restarts, alpha=alpha, missing=missing)
        self.system = SoftmaxSystem(self.rows, self.alpha)

    def explain_start(self) -> str:
        """Return what to do."""
        return "Give a smaller start."
