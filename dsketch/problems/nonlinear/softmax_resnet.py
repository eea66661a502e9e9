"""min ½‖f(x) − b‖², f = u/⟨u, 1⟩ with u = exp(A x) + A x: softmax with a residual connection."""

from typing import Any

import numpy as np

from dsketch.matrix.along import along
from dsketch.passes.resnet_sums import ResnetSums
from dsketch.planning.work import Kind
from dsketch.problems.nonlinear.resnet_system import ResnetSystem
from dsketch.problems.nonlinear.softmax_problem import SoftmaxProblem


class SoftmaxResNet(SoftmaxProblem):
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
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

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
    work = Kind(ResnetSums.kind, lambda d: ResnetSums(np.zeros(d)), grows=True)
    has_residual = True

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
        self.system = ResnetSystem(self.rows, self.alpha)

    def explain_start(self) -> str:
        """Return what to do."""
        return "Give another start, nearer 0 (where α = n), or restarts."
