"""min ‖A x − b‖: least squares, weighted or not, with or without an intercept, for many right-hand sides."""

from typing import Any

import numpy as np

from dsketch.errors import DataError, SpecError
from dsketch.matrix.along import along
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.problems.arguments import as_flag
from dsketch.problems.linear.problem import LinearProblem
from dsketch.settings import MISSING_BY_TARGET


class LeastSquares(LinearProblem):
    """min ‖W^½ (A x − b)‖² over x.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    b : likewise, shape (n,), (n, k), or of more dimensions (n, …)
        Its chunks need not match A's.  All dimensions but the first are targets, and come back in x: (d, …).
    weights : likewise, shape (n,), optional
        w ≥ 0 for each row, W = diag(w).
    intercept : bool
        Append a column of ones to A (never stored); its coefficient is the last row of x.  Columns that lie far from 0 for how much they
        vary (UNIX seconds, northings) are shifted by a stored value on the way, so that their slopes lose no digits; the intercept is
        put right.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    DataError
        If shapes do not fit, n < d, or the data are not real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> LeastSquares(np.ones((5, 2)), np.ones(5)).shape
    (5, 2)
    """

    name = "lstsq"
    missing_option = MISSING_BY_TARGET
    is_by_targets = True
    title = "Least squares, min ‖A x − b‖."
    has_table = True

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b, weights = along(dim, A=A, b=b, weights=weights)
        intercept = as_flag("intercept", intercept)
        rows = tall_rows(A, b, weights, intercept, missing, has_targets=True)
        super().__init__(rows, np.zeros(rows.shape[1]), {"problem": self.name, "intercept": intercept, "missing": missing})


def tall_rows(
    A: Any,
    b: Any,
    weights: Any,
    intercept: bool,
    missing: str,
    *,
    wide: str = "for a wide matrix, use scipy.linalg.lstsq",
    has_targets: bool = False,
) -> Rows:
    """Open A, b and weights and check that they make a tall system; ``wide`` is what errors advise if they do not.

    ``has_targets`` says whether columns of b may have several dimensions.

    Raises
    ------
    SpecError
        For ``missing="drop"``.
    DataError
        If n < d or the shapes do not fit.
    """
    if missing == "drop":
        raise SpecError(
            "missing='drop' gives every target rows of its own, and this problem has the same for all. Use lstsq(A, b, missing='drop'), "
            "ridge likewise, or TargetRegression(A, b, missing='drop')."
        )
    rows = Rows(
        open_matrix(A, missing=missing, what="A"),
        open_matrix(b, missing=missing, what="b", has_targets=has_targets),
        None if weights is None else open_matrix(weights, missing=missing, what="weights"),
        intercept,
    )
    n, d = rows.shape
    if n < d:
        raise DataError(
            f"A must be tall: at least as many rows as columns; it has {n} × {d}{' with the intercept' if intercept else ''}. "
            f"Transpose it if rows and columns were exchanged, or, {wide}."
        )
    return rows
