"""min ‖A(AᵀA)ʲx − b‖: an odd power, for many right-hand sides with n rows."""

from typing import Any

from dsketch.matrix.along import along
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.problems.powers.power import PowerProblem
from dsketch.problems.powers.problem import require_power


class OddGramPower(PowerProblem):
    """min ‖A(AᵀA)ʲx − b‖ over x.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    b : likewise, shape (n,) or (n, k)
        Rides along with A: no pass of its own.
    power : int
        j ≥ 1; j = 0 is :class:`~dsketch.problems.linear.least_squares.LeastSquares`.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    DataError
        If shapes do not fit, n < d, or the data are not real numbers.
    SpecError
        If j < 1.

    References
    ----------
    Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.diag([1.0, 2.0, 4.0])
    >>> import dsketch
    >>> dsketch.solve(OddGramPower(A, [1.0, 8.0, 64.0], power=1)).x.round(14)
    array([1., 1., 1.])
    """

    name = "odd-gram-power"
    title = "An odd power, min ‖A(AᵀA)ʲx − b‖."
    is_odd = True

    def __init__(self, A: Any, b: Any, *, power: int = 1, missing: str = "error", dim: str | None = None) -> None:
        A, b = along(dim, A=A, b=b)
        self.power = require_power(power, "For j = 0 use LeastSquares(A, b).")
        rows = Rows(open_matrix(A, missing=missing, what="A"), open_matrix(b, missing=missing, what="b", has_targets=True))
        super().__init__(rows, {"problem": self.name, "power": self.power, "missing": missing})
