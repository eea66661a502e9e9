"""min ‖A x − b‖² + alpha ‖x‖²: ridge regression, with scikit-learn's meaning of alpha (no division by n)."""

from typing import Any

import numpy as np

from dsketch.problems.arguments import as_flag, as_penalty
from dsketch.problems.linear.least_squares import tall_rows
from dsketch.problems.linear.problem import LinearProblem
from dsketch.settings import MISSING_BY_TARGET, Option


class Ridge(LinearProblem):
    """min ‖W^½ (A x − b)‖² + alpha ‖x‖² over x; the intercept is not penalized.

    Parameters
    ----------
    A, b, weights, intercept, missing
        As in :class:`~dsketch.problems.linear.least_squares.LeastSquares`.
    alpha : float
        At least 0; 0 is least squares.

    Raises
    ------
    SpecError
        If alpha is negative or not finite.
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
        Option("alpha", float, 1.0, "Penalty alpha ‖x‖², ≥ 0; scikit-learn's meaning, not divided by n."),
        *LinearProblem.options,
    )

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        alpha: float = 1.0,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
    ) -> None:
        alpha, intercept = require_alpha(alpha), as_flag("intercept", intercept)
        rows = tall_rows(A, b, weights, intercept, missing, wide=_wide_remedy(alpha, intercept))
        penalty = np.full(rows.shape[1], alpha)
        if intercept:
            penalty[-1] = 0.0
        super().__init__(rows, penalty, {"problem": self.name, "alpha": alpha, "intercept": intercept, "missing": missing})


def require_alpha(alpha: Any) -> float:
    """Return a penalty.

    Raises
    ------
    SpecError
        If it is negative, not finite, or several.
    """
    return as_penalty(alpha, "Use 0 for plain least squares.")


def _wide_remedy(alpha: float, intercept: bool) -> str:
    return f"for a wide matrix in memory, use dsketch.sklearn.Ridge(alpha={alpha:g}, fit_intercept={intercept}).fit(A, b)"
