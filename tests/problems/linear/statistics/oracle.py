"""Regressions, and what statsmodels says of them."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import dsketch as ds
from dsketch.engine import SerialEngine
from dsketch.events import Tell
from dsketch.passes.base import Look, Part
from dsketch.problems.linear.statistics import Summary

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the oracle's imports deprecate is not ours
    import statsmodels.api as sm

U = np.finfo(float).eps / 2
# Constant of the first-order bounds below: two solvers, each with a few roundings for each of d columns.
C = 32
ROBUST = ["HC0", "HC1", "HC2", "HC3"]


@dataclass
class Counting(SerialEngine):
    """The serial engine, with a list of what it ran."""

    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(1)

    def run(self, look: Look, tell: Tell) -> Part:
        """Note the pass, run it."""
        self.ran.append(look.pass_.names())
        return super().run(look, tell)


@dataclass(frozen=True)
class Case:
    """Data of a regression."""

    A: np.ndarray
    b: np.ndarray
    weights: np.ndarray | None = None
    intercept: bool = False

    def solve(self, **choices: Any) -> ds.Solution:
        """Solve it with dsketch."""
        return ds.lstsq(self.A, self.b, weights=self.weights, intercept=self.intercept, **choices)

    @property
    def whole(self) -> np.ndarray:
        """[A 1]."""
        return np.column_stack([self.A, np.ones(len(self.A))]) if self.intercept else self.A

    def tolerance(self, side: int = 0) -> float:
        """Return the relative uncertainty of any statistic: C d u · (kappa + kappa² tan θ + ‖b‖/‖r‖).

        kappa u is the error of R⁻¹ by rows, (kappa + kappa² ‖r‖/(‖A‖‖x‖)) u that of x, ‖b‖/‖r‖ u that of the residual.
        """
        root = np.sqrt(np.ones(len(self.A)) if self.weights is None else self.weights)[:, None]
        M, b = self.whole * root, self.b.reshape(len(self.A), -1)[:, side] * root[:, 0]
        s = np.linalg.svd(M, compute_uv=False)
        kept = s[s > 1e-13 * s[0]]
        kappa = s[0] / kept[-1]
        x = np.linalg.lstsq(M, b, rcond=1e-13)[0]
        residual = np.linalg.norm(b - M @ x)
        forward = kappa + kappa**2 * residual / (s[0] * np.linalg.norm(x))
        return C * M.shape[1] * U * (forward + np.linalg.norm(b) / residual)


def oracle(case: Case, side: int = 0, robust: str | None = None) -> Any:
    """Return statsmodels' fit of the rows that count."""
    counts = slice(None) if case.weights is None else case.weights > 0
    A, b = case.whole[counts], case.b.reshape(len(case.A), -1)[counts, side]
    model = sm.OLS(b, A) if case.weights is None else sm.WLS(b, A, weights=case.weights[counts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that a matrix is rank-deficient: so it should be
        return model.fit(cov_type=robust or "nonrobust", use_t=True)


def assert_equal(mine: Summary, theirs: Any, tolerance: float, side: int | None = None, *, with_f: bool = True) -> None:
    """Compare everything that both know."""
    of = (lambda array: array) if side is None else (lambda array: array[..., side])
    reach = np.abs(theirs.tvalues).max()
    np.testing.assert_allclose(of(mine.coefficients), theirs.params, rtol=0, atol=tolerance * np.linalg.norm(theirs.params))
    np.testing.assert_allclose(of(mine.standard_errors), theirs.bse, rtol=tolerance)
    sure = mine.is_estimable
    np.testing.assert_allclose(of(mine.t_values)[sure], theirs.tvalues[sure], rtol=0, atol=tolerance * (1 + reach))
    # log p falls by about |t| for a unit of t.
    np.testing.assert_allclose(of(mine.p_values)[sure], theirs.pvalues[sure], rtol=tolerance * (1 + reach) ** 2, atol=1e-300)
    assert np.isnan(of(mine.t_values)[~sure]).all()
    assert np.isnan(of(mine.p_values)[~sure]).all()
    intervals = mine.confidence(0.9) if side is None else mine.confidence(0.9)[:, side]
    size = np.abs(theirs.params).max() + np.abs(theirs.bse).max()
    np.testing.assert_allclose(intervals, theirs.conf_int(0.1), rtol=0, atol=4 * tolerance * size)
    np.testing.assert_allclose(
        mine.covariance(side or 0), theirs.cov_params(), rtol=0, atol=2 * tolerance * np.abs(theirs.cov_params()).max()
    )
    np.testing.assert_allclose(of(mine.r_squared), theirs.rsquared, rtol=0, atol=2 * tolerance)
    np.testing.assert_allclose(of(mine.adjusted_r_squared), theirs.rsquared_adj, rtol=0, atol=2 * tolerance)
    np.testing.assert_allclose(of(mine.residual_variance), theirs.scale, rtol=2 * tolerance)
    assert (mine.rows, mine.residual_degrees, mine.model_degrees) == (theirs.nobs, theirs.df_resid, theirs.df_model)
    assert mine.is_centred == bool(theirs.k_constant)
    if with_f:
        np.testing.assert_allclose(of(mine.f_statistic), theirs.fvalue, rtol=2 * tolerance / min(theirs.rsquared, 1.0))
        np.testing.assert_allclose(
            of(mine.f_p_value), theirs.f_pvalue, rtol=tolerance * (1 + theirs.fvalue) * mine.rows, atol=1e-300
        )
