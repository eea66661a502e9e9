"""x from leverage scores: min ‖σ(x) − σ*‖, σ(x) the leverage scores of diag(A x − b)⁻¹A."""

from typing import Any

from dsketch._linalg.arrays import Floats
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.beside import Beside
from dsketch.matrix.columns import Columns
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.work import LEVERAGES
from dsketch.problems.base import require_names, require_settings
from dsketch.problems.inputs import SIDE, TALL
from dsketch.problems.inversion.choose import plan_distribution
from dsketch.problems.inversion.distribution_methods import METHODS
from dsketch.problems.inversion.distribution_system import DistributionSystem
from dsketch.problems.inversion.problem import STAGES
from dsketch.problems.nonlinear.problem import NonlinearProblem
from dsketch.settings import Option, Settings


class LeverageDistribution(NonlinearProblem):
    """min ½‖σ(x) − σ*‖² + ½ alpha ‖x‖², σ(x) the leverage scores of the rows of diag(A x − b)⁻¹A.

    The slacks A x − b cut the space into cells by their signs; the steps stay in the cell of the start, and every start has its own.

    Where σ(x) is σ* to rounding no x has a smaller loss, and where the Jacobian has full rank no other x of the cell has these scores: with
    u = log abs(A x − b) they are the gradient of a function that is convex in u, so that the slacks of two such x are in constant ratios.
    Another cell may hold another x.  If b lies in the range of A all slacks may be scaled alike and x is not determined: the direction is
    named.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, dask array or CSR, shape (n, d)
    b : likewise, shape (n,)
        Dense.
    sigma : likewise, shape (n,)
        σ*: dense; they add up to d if they are leverage scores.
    start : array_like, Solution or path, optional
        Where to begin, d numbers; 0 by default, for which no b may be 0.
    restarts : int
        Further points to begin at, drawn by the seed, in cells of their own; they share every reading.
    alpha : float
        The penalty's factor, at least 0; above it x is no longer that of σ*.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    DataError
        If b or sigma has not one number for each row, or the data are not finite real numbers.
    SpecError
        If start does not fit, restarts or alpha is negative; on solving, if a slack is 0 at every start, with its row.

    Notes
    -----
    Three looks a step, for columns up to about a hundred: a tensor of d³ numbers couples the rows.

    References
    ----------
    Z. Li, Z. Song, W. Wang, J. Yin, Z. Yu, "How to inverting the leverage score distribution?", arXiv 2404.13785, 2024.

    Examples
    --------
    >>> import numpy as np, dsketch
    >>> rng = np.random.default_rng(0)
    >>> A, b = rng.standard_normal((50, 2)), np.full(50, 3.0)
    >>> Q, _ = np.linalg.qr(A / (A @ [0.5, -0.25] - b)[:, None])
    >>> solution = dsketch.solve(LeverageDistribution(A, b, np.sum(Q**2, axis=1)))
    >>> solution.x.round(10), solution.status.name
    (array([ 0.5 , -0.25]), 'SOLVED')
    """

    name = "leverage-distribution"
    title = "x from leverage scores, min ‖σ(x) − σ*‖ for the rows of diag(Ax − b)⁻¹A."
    inputs = (
        TALL,
        SIDE,
        Option("sigma", Matrix, None, "Zarr vector of length n: the leverage scores σ*", label="Target scores"),
    )
    methods = METHODS
    work = LEVERAGES

    def __init__(
        self,
        A: Any,
        b: Any,
        sigma: Any,
        *,
        start: Any = None,
        restarts: int = 0,
        alpha: float = 0.0,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b, sigma = along(dim, A=A, b=b, sigma=sigma)
        opened = {name: open_matrix(value, missing=missing, what=name) for name, value in (("b", b), ("sigma", sigma))}
        self.beside = Beside(**opened)
        rows = Rows(open_matrix(A, missing=missing, what="A"), self.beside)
        super().__init__(rows, start, restarts, alpha, {"missing": missing})
        self.system = DistributionSystem(rows, self.alpha, Columns.of(rows.A))

    def data(self) -> dict[str, Matrix | None]:
        """Return A, b and sigma."""
        return {"A": self.rows.A, **self.beside.parts}

    @property
    def judge_passes(self) -> int:
        """Three for the loss, two for the examination."""
        return 5

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the backward error up to which an x is right: that of several stages, one after another."""
        return STAGES * super().accepted(tol, x)

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods."""
        require_names(self, method, settings)
        require_settings(settings, self.shape[1])
        return plan_distribution(self.rows, method, settings, machines, self.starts)

    def explain_start(self) -> str:
        """Return what to do."""
        return "Give start=, a point inside the cell where x is looked for; remove a row of zeros whose b is 0."
