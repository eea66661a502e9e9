"""Generalised linear models of every family, and what statsmodels says of them."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import dsketch as ds
from dsketch.problems.smooth.statistics import GLMSummary

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the oracle's imports deprecate is not ours
    import statsmodels.api as sm
    from statsmodels.genmod import families

N, D, GROUPS = 900, 4, 45
# What two solvers differ by: some roundings a row and column, at condition numbers below 3 and standard errors of 1e-2 of the coefficients.
CLOSE = 1e-11
FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "logit": (families.Binomial(), {"family": "binomial"}),
    "probit": (families.Binomial(families.links.Probit()), {"family": "binomial", "link": "probit"}),
    "cloglog": (families.Binomial(families.links.CLogLog()), {"family": "binomial", "link": "cloglog"}),
    "poisson": (families.Poisson(), {"family": "poisson"}),
    "gamma": (families.Gamma(families.links.Log()), {"family": "gamma"}),
    "gaussian": (families.Gaussian(), {"family": "gaussian"}),
    "inverse_gaussian": (families.InverseGaussian(families.links.Log()), {"family": "inverse_gaussian"}),
    "negative_binomial": (families.NegativeBinomial(alpha=0.5), {"family": "negative_binomial", "theta": 2.0}),
    "tweedie": (families.Tweedie(families.links.Log(), var_power=1.5), {"family": "tweedie", "power": 1.5}),
}


@dataclass(frozen=True)
class Case:
    """Data of a model."""

    family: str
    A: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def draw(cls, family: str, *names: str, seed: int = 0) -> "Case":
        """Draw one of a family, with offset, weights or frequencies."""
        rng = np.random.default_rng(seed)
        A, groups = rng.standard_normal((N, D)), rng.integers(0, GROUPS, N)
        extra = {
            "offset": 0.3 * rng.standard_normal(N),
            "weights": rng.uniform(0.5, 3, N),
            "frequencies": rng.integers(1, 4, N).astype(float),
        }
        eta = A @ np.array([0.5, -0.3, 0.2, 0.0]) + 0.3 + 0.2 * rng.standard_normal(GROUPS)[groups]
        return cls(family, A, response(family, eta, rng), groups, {name: extra[name] for name in names})

    @property
    def whole(self) -> np.ndarray:
        """[A 1]."""
        return np.column_stack([self.A, np.ones(len(self.A))])

    def solve(self, **choices: Any) -> ds.Solution:
        """Solve it with dsketch."""
        problem = ds.GLM(self.A, self.y, intercept=True, **FAMILIES[self.family][1], **self.extra)
        return ds.solve(problem, cluster="serial", **choices)

    def oracle(self, **choices: Any) -> Any:
        """Return statsmodels' fit."""
        names = {"offset": "offset", "weights": "var_weights", "frequencies": "freq_weights"}
        extra = {names[name]: array for name, array in self.extra.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that robust errors beside weights were not tested much
            model = sm.GLM(self.y, self.whole, family=FAMILIES[self.family][0], **extra)
            return model.fit(tol=1e-14, maxiter=200, tol_criterion="params", **choices)


def response(family: str, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw y from a family with a predictor."""
    mean, n = np.exp(eta), len(eta)
    draw = {
        "logit": lambda: (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
        "probit": lambda: (rng.standard_normal(n) < eta).astype(float),
        "cloglog": lambda: (rng.random(n) < -np.expm1(-mean)).astype(float),
        "poisson": lambda: rng.poisson(mean).astype(float),
        "gamma": lambda: rng.gamma(2, mean / 2),
        "gaussian": lambda: eta + rng.standard_normal(n),
        "inverse_gaussian": lambda: rng.wald(mean, 2.0),
        "negative_binomial": lambda: rng.negative_binomial(2, 2 / (2 + mean)).astype(float),
        "tweedie": lambda: np.where(rng.random(n) < 0.3, 0.0, rng.gamma(2, mean / 2)),
    }
    return draw[family]()


def assert_equal(mine: GLMSummary, theirs: Any) -> None:
    """Compare everything that both know."""
    close = {"rtol": CLOSE, "atol": 0}
    np.testing.assert_allclose(mine.coefficients, theirs.params, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(mine.standard_errors, theirs.bse, **close)
    np.testing.assert_allclose(mine.test_values, theirs.tvalues, rtol=0, atol=CLOSE * (1 + np.abs(theirs.tvalues).max()))
    np.testing.assert_allclose(mine.covariance(), theirs.cov_params(), rtol=0, atol=CLOSE * np.abs(theirs.cov_params()).max())
    for name, value in (("deviance", theirs.deviance), ("null_deviance", theirs.null_deviance), ("pearson", theirs.pearson_chi2)):
        np.testing.assert_allclose(getattr(mine, name), value, **close, err_msg=name)
    for name, value in (
        ("dispersion", theirs.scale),
        ("log_likelihood", theirs.llf),
        ("aic", theirs.aic),
        ("bic", theirs.bic_llf),
    ):
        np.testing.assert_allclose(getattr(mine, name), value, **close, err_msg=name)
    assert (mine.residual_degrees, mine.rank) == (theirs.df_resid, theirs.df_model + 1)
