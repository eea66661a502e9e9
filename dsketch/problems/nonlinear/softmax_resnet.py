"""min ½‖f(x) − b‖², f = u/⟨u, 1⟩ with u = exp(A x) + A x: softmax with a residual connection."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.resnet_sums import ResnetSums
from dsketch.passes.softmax_rows import SoftmaxPrediction
from dsketch.planning.work import Kind
from dsketch.problems.base import TALL, Predictor, require_columns
from dsketch.problems.nonlinear.problem import NonlinearProblem
from dsketch.problems.nonlinear.resnet_system import ResnetSystem
from dsketch.problems.nonlinear.sides import open_rows
from dsketch.settings import Option


class SoftmaxResNet(NonlinearProblem):
    """min ½‖⟨exp(A x) + A x, 1⟩⁻¹ (exp(A x) + A x) − b‖² + ½ alpha ‖x‖² over x.

    A x is signed: the divisor α = ⟨exp(A x) + A x, 1⟩ may vanish, and where it is below √eps of the sum of absolute values f is said not
    to exist.  The Hessian is not positive semidefinite everywhere; a minimum that is found may be one of several, and only where the
    loss is 0 to rounding no x is better.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, dask array or CSR, shape (n, d)
    b : likewise, shape (n,)
        Dense.
    start : array_like, Solution or path, optional
        Where to begin, d numbers; 0 by default, where α = n.
    restarts : int
        Further points to begin at, drawn by the seed; they share every reading.
    alpha : float
        The penalty's factor, at least 0.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.

    Raises
    ------
    DataError
        If b has not one number for each row, or the data are not finite real numbers.
    SpecError
        If start does not fit, restarts or alpha is negative; on solving, if α vanishes at every start.

    Notes
    -----
    One look a step.  Exponentials are summed relative to the largest met so far, and A x by the same scale.

    References
    ----------
    Z. Song, W. Wang, J. Yin, "A unified scheme of ResNet and softmax", arXiv 2309.13482, 2023.

    Examples
    --------
    >>> import dsketch
    >>> A = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [0.5, -1.0]])
    >>> u = np.exp(A @ [1.0, -0.5]) + A @ [1.0, -0.5]
    >>> solution = dsketch.solve(SoftmaxResNet(A, u / u.sum(), start=[0.8, -0.3]))
    >>> solution.x.round(12), solution.status.name
    (array([ 1. , -0.5]), 'SOLVED')
    """

    name = "softmax-resnet"
    title = "Softmax with a residual connection, min ½‖u/⟨u, 1⟩ − b‖², u = exp(Ax) + Ax."
    inputs = (TALL, Option("b", Matrix, None, "Zarr vector of length n"))
    work = Kind(ResnetSums.kind, lambda d: ResnetSums(np.zeros(d)), grows=True)

    def __init__(
        self, A: Any, b: Any, *, start: Any = None, restarts: int = 0, alpha: float = 0.0, missing: str = "error"
    ) -> None:
        super().__init__(open_rows(A, b, missing), start, restarts, alpha, {"missing": missing})
        self.system = ResnetSystem(self.rows, self.alpha)

    def data(self) -> dict[str, Matrix | None]:
        """Return A and b."""
        return {"A": self.rows.A, "b": self.rows.b}

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to f of the rows of a new matrix, which sum to 1 among themselves; one look ahead of it."""
        return _prediction_look(x, A)

    @classmethod
    def predictor_from(cls, parameters: Mapping[str, Any]) -> Predictor:
        """Return what gives f of new rows: it depends on x alone."""
        del parameters
        return Predictor(_prediction_look)

    def explain_start(self) -> str:
        """Return what to do."""
        return "Give another start, nearer 0 (where α = n), or restarts."


def _prediction_look(x: Floats, A: Matrix) -> Look:
    require_columns(A, len(x))
    return Look(SoftmaxPrediction(x[:, 0], has_residual=True), Rows(A))
