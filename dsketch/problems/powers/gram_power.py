"""min ‖(AᵀA)ʲx − b‖: an even power, for many right-hand sides with d rows."""

from typing import Any

from dsketch.matrix.along import along
from dsketch.problems.powers.power import PowerProblem
from dsketch.problems.powers.problem import ColumnSidesProblem, require_power


class GramPower(ColumnSidesProblem, PowerProblem):
    """min ‖(AᵀA)ʲx − b‖ over x.

    Where A lacks rank, or b lies partly outside the range, x is the shortest minimizer, and the Solution says so.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    b : likewise, shape (d,) or (d, k)
        Read whole.
    power : int
        j ≥ 1.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    DataError
        If shapes do not fit, n < d, or the data are not finite real numbers.
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
    >>> dsketch.solve(GramPower(A, [1.0, 16.0, 256.0], power=2)).x
    array([1., 1., 1.])
    """

    name = "gram-power"
    title = "A power of the Gram matrix, min ‖(AᵀA)ʲx − b‖."
    is_odd = False

    def __init__(self, A: Any, b: Any, *, power: int = 1, missing: str = "error", dim: str | None = None) -> None:
        (A,) = along(dim, A=A)
        self.power = require_power(power, "For j = 0 x is b itself.")
        parameters = {"problem": self.name, "power": self.power, "missing": missing}
        super().__init__(A, b, parameters, missing, "For a b with n rows use OddGramPower.")
