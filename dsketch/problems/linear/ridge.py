"""min ‖A x − b‖² + alpha ‖x‖²: ridge regression, with scikit-learn's meaning of alpha (no division by n)."""

import os
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.along import along
from dsketch.matrix.rows import Rows
from dsketch.problems.arguments import as_flag, as_penalty, read_numbers
from dsketch.problems.linear.least_squares import tall_rows
from dsketch.problems.linear.problem import LinearProblem
from dsketch.settings import MISSING_BY_TARGET, Numbers, Option

_REMEDY = "Use 0 for plain least squares."


class Ridge(LinearProblem):
    """min ‖W^½ (A x − b)‖² + alpha ‖x‖² over x; the intercept is not penalized.

    Parameters
    ----------
    A, b, weights, intercept, missing
        As in :class:`~dsketch.problems.linear.least_squares.LeastSquares`.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
    alpha : float or array_like
        At least 0; 0 is least squares.  Of shape (k,) one for each target (a column of b), of shape (d,) one for each column of A; where
        k = d, (1, k) or (d, 1) says which.

    Raises
    ------
    SpecError
        If alpha is negative or not finite, or of a shape that fits neither targets nor columns.
    DataError
        As for least squares.

    Notes
    -----
    Penalizing every coefficient but the intercept's is the same as centring A and b first, without a copy of A.

    References
    ----------
    A. E. Hoerl, R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12, 1970.
    """

    name = "ridge"
    missing_option = MISSING_BY_TARGET
    is_by_targets = True
    title = "Ridge regression, min ‖A x − b‖² + alpha ‖x‖²."
    options = (
        Option(
            "alpha",
            Numbers,
            1.0,
            "Penalty alpha ‖x‖², ≥ 0; scikit-learn's meaning, not divided by n. One number, one a column of b, or one a column of A.",
            label="Penalty",
        ),
        *LinearProblem.options,
    )

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        alpha: Any = 1.0,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b, weights = along(dim, A=A, b=b, weights=weights)
        numbers, intercept = _read_alpha(alpha), as_flag("intercept", intercept)
        rows = tall_rows(A, b, weights, intercept, missing, wide=_wide_remedy(numbers, intercept), has_targets=True)
        penalty = _penalty_of(numbers, rows)
        if intercept:
            penalty = np.concatenate([penalty, np.zeros((1, *penalty.shape[1:]))])
        words = {"problem": self.name, "alpha": numbers.tolist(), "intercept": intercept, "missing": missing}
        super().__init__(rows, penalty, words)


def require_alpha(alpha: Any) -> float:
    """Return a penalty.

    Raises
    ------
    SpecError
        If it is negative, not finite, or several.
    """
    return as_penalty(alpha, _REMEDY)


def _read_alpha(alpha: Any) -> Floats:
    """Return one penalty or several, of any shape.

    Raises
    ------
    SpecError
        If one is negative or not finite.
    """
    is_several = isinstance(alpha, str | os.PathLike | list | tuple) or hasattr(alpha, "__array__")
    numbers = read_numbers("alpha", alpha, _REMEDY) if is_several else np.asarray(as_penalty(alpha, _REMEDY))
    if numbers.size <= 1:
        return np.asarray(as_penalty(numbers, _REMEDY))
    for number in (numbers[~np.isfinite(numbers)][:1], numbers.min(), numbers.max()):
        if np.size(number):
            as_penalty(float(np.ravel(number)[0]), _REMEDY)
    return numbers


def _penalty_of(alpha: Floats, rows: Rows) -> Floats:
    """Return the penalty of each column of A, shape (d,), or of each column and target, shape (d, k).

    Raises
    ------
    SpecError
        If alpha fits neither, or both.
    """
    d, k, trailing = rows.A.shape[1], rows.sides, () if rows.b is None else rows.b.trailing
    if alpha.ndim == 0:
        return np.full(d, float(alpha))
    is_of_targets = alpha.shape in ((k,), (1, k), trailing, (1, *trailing))
    is_of_columns = alpha.shape in ((d,), (d, 1))
    if is_of_targets and is_of_columns and k > 1:
        raise SpecError(
            f"alpha of shape {alpha.shape} could be one for each of the {k} columns of b or of the {d} columns of A. Give it the shape "
            f"(1, {k}) for the first, ({d}, 1) for the second."
        )
    if is_of_columns:
        return alpha.reshape(d)
    if not is_of_targets:
        raise SpecError(
            f"alpha must be one number, one for each of the {k} columns of b, or one for each of the {d} columns of A; its shape is "
            f"{alpha.shape}. {_REMEDY}"
        )
    return np.tile(alpha.reshape(1, k), (d, 1)) if k > 1 else np.full(d, alpha.item())


def _wide_remedy(alpha: Floats, intercept: bool) -> str:
    told = f"{float(alpha):g}" if alpha.ndim == 0 else "alpha"
    return f"for a wide matrix in memory, use dsketch.sklearn.Ridge(alpha={told}, fit_intercept={intercept}).fit(A, b)"
