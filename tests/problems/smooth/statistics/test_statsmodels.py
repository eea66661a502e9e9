"""Tables of generalised linear models, judged by statsmodels."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distributed import Client
from scipy import stats

import dsketch as ds
from tests.problems.smooth.statistics.oracle import CLOSE, FAMILIES, GROUPS, Case, assert_equal, sm

each_family = pytest.mark.parametrize("family", list(FAMILIES))
OFTEN = ("logit", "poisson", "gamma")  # of each kind: canonical or not, with a dispersion or without


EXTRAS = [(), ("offset",), ("weights",), ("frequencies",), ("offset", "weights", "frequencies")]
BESIDE = [  # weights of shares are trials here: test_trials_are_weights
    pytest.param(family, extra, id=f"{family}-{'-'.join(extra)}")
    for family, (_, options) in FAMILIES.items()
    for extra in EXTRAS
    if not (options["family"] == "binomial" and "weights" in extra)
]


@pytest.mark.parametrize(("family", "extra"), BESIDE)
def test_equals_statsmodels(family: str, extra: tuple[str, ...]) -> None:
    """Coefficients, errors, deviances, χ², dispersion, likelihood, AIC, BIC and degrees of freedom are those of statsmodels' GLM."""
    case = Case.draw(family, *extra)

    summary = case.solve().summary()

    assert_equal(summary, case.oracle())
    assert summary.passes[0] == "linked & fitted"
    assert set(summary.passes[1:]) == {"constant"}


@each_family
@pytest.mark.parametrize("extra", [(), ("offset", "weights")], ids=["plain", "weighted"])
def test_robust_errors_equal_statsmodels(family: str, extra: tuple[str, ...]) -> None:
    """HC0, and errors by group, are statsmodels', whose bread is the observed information."""
    extra = () if FAMILIES[family][1]["family"] == "binomial" else extra
    case = Case.draw(family, *extra)
    solution = case.solve()

    by_row = solution.summary(robust="HC0", information="observed")
    by_group = solution.summary(groups=case.groups, information="observed")

    np.testing.assert_allclose(by_row.standard_errors, case.oracle(cov_type="HC0").bse, rtol=CLOSE)
    theirs = case.oracle(cov_type="cluster", cov_kwds={"groups": case.groups})
    np.testing.assert_allclose(by_group.standard_errors, theirs.bse, rtol=CLOSE)
    np.testing.assert_allclose(by_group.covariance(), theirs.cov_params(), rtol=0, atol=CLOSE * theirs.bse.max() ** 2)
    assert (by_group.robust, by_group.groups, by_row.information) == ("cluster", GROUPS, "observed")


def curvatures(case: Case, information: str) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and curvature of each row at statsmodels' maximum, by the formulas of the books."""
    eta = case.whole @ case.oracle().params
    if case.family == "logit":
        mean = 1 / (1 + np.exp(-eta))
        return mean - case.y, mean * (1 - mean)
    if case.family == "poisson":
        return np.exp(eta) - case.y, np.exp(eta)
    ratio = case.y * np.exp(-eta)
    return 1 - ratio, ratio if information == "observed" else np.ones(len(eta))


@pytest.mark.parametrize("information", ["expected", "observed"])
@pytest.mark.parametrize("robust", ["HC0", "HC1", "HC2", "HC3"])
@pytest.mark.parametrize("family", OFTEN)
def test_leverages_are_true(family: str, robust: str, information: str) -> None:
    """HC0 to HC3 are the dense formula with hᵢ = wᵢ aᵢᵀH⁻¹aᵢ of the very information that the errors are made of."""
    case = Case.draw(family)
    slope, curvature = curvatures(case, information)
    X = case.whole
    H = np.linalg.inv(X.T @ (X * curvature[:, None]))
    leverage = curvature * np.einsum("ij,jk,ik->i", X, H, X)
    power, n = {"HC0": 0, "HC1": 0, "HC2": 1, "HC3": 2}[robust], len(X)
    meat = X.T @ (X * (slope**2 / (1 - leverage) ** power)[:, None]) * (n / (n - 5) if robust == "HC1" else 1)

    summary = case.solve().summary(robust=robust, information=information)

    np.testing.assert_allclose(summary.covariance(), H @ meat @ H, rtol=0, atol=1e-10 * np.abs(H).max())
    np.testing.assert_allclose(summary.standard_errors, np.sqrt(np.diag(H @ meat @ H)), rtol=1e-10)


@pytest.mark.parametrize("family", OFTEN)
@pytest.mark.parametrize(
    "asked", [{}, {"robust": "HC1"}, {"robust": "HC3"}, {"groups": True}], ids=["model", "HC1", "HC3", "cluster"]
)
def test_frequencies_are_rows(family: str, asked: dict[str, Any]) -> None:
    """A row with frequency 3 is three rows, in every number: errors, leverages, likelihood, degrees of freedom; weight 3 is not."""
    case = Case.draw(family, "frequencies")
    times = case.extra["frequencies"].astype(int)
    again = np.repeat(np.arange(len(times)), times)
    long = Case(family, case.A[again], case.y[again], case.groups[again])

    short, whole = (one.solve().summary(**({"groups": one.groups} if "groups" in asked else asked)) for one in (case, long))

    np.testing.assert_allclose(short.standard_errors, whole.standard_errors, rtol=CLOSE)
    for name in (
        "deviance",
        "null_deviance",
        "pearson",
        "dispersion",
        "log_likelihood",
        "aic",
        "bic",
        "rows",
        "residual_degrees",
    ):
        np.testing.assert_allclose(getattr(short, name), getattr(whole, name), rtol=CLOSE, err_msg=name)


def test_trials_are_weights() -> None:
    """Shares with the number of trials as weights are statsmodels' two columns of successes and failures, likelihood included."""
    case = Case.draw("logit")
    rng = np.random.default_rng(4)
    trials = rng.integers(1, 30, len(case.y)).astype(float)
    hits = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-case.A[:, 0])))
    theirs = sm.GLM(np.column_stack([hits, trials - hits]), case.whole, family=sm.families.Binomial()).fit(
        tol=1e-14, tol_criterion="params"
    )

    mine = ds.solve(ds.GLM(case.A, hits / trials, weights=trials, intercept=True), cluster="serial").summary()

    assert_equal(mine, theirs)
    np.testing.assert_allclose(mine.null_log_likelihood, theirs.llnull, rtol=CLOSE)
    np.testing.assert_allclose(mine.mcfadden, theirs.pseudo_rsquared("mcf"), rtol=1e-9)
    np.testing.assert_allclose(mine.cox_snell, theirs.pseudo_rsquared("cs"), rtol=1e-9)


def test_exposure_as_offset_and_as_weight() -> None:
    """Counts with the offset log w, and rates with weights w, are the same model (Quantco/glum#730), with R's coefficients."""
    A, counts, w = np.array([[1.0], [1.5], [2.0], [3.0]]), np.array([0.0, 1, 2, 2]), np.array([1.0, 1, 2, 2])

    by_offset = ds.solve(ds.GLM(A, counts, family="poisson", offset=np.log(w), intercept=True), cluster="serial").summary()
    by_weight = ds.solve(ds.GLM(A, counts / w, family="poisson", weights=w, intercept=True), cluster="serial").summary()

    for summary in (by_offset, by_weight):
        np.testing.assert_allclose(summary.coefficients, [0.41149086, -1.08455085], atol=1e-8)
    np.testing.assert_allclose(by_offset.standard_errors, by_weight.standard_errors, rtol=CLOSE)
    np.testing.assert_allclose(by_offset.deviance, by_weight.deviance, rtol=CLOSE)
    np.testing.assert_allclose(by_offset.null_deviance, by_weight.null_deviance, rtol=CLOSE)
    theirs = sm.GLM(counts, np.column_stack([A, np.ones(4)]), family=sm.families.Poisson(), offset=np.log(w)).fit(
        tol=1e-14, tol_criterion="params"
    )
    assert_equal(by_offset, theirs)


@pytest.mark.parametrize("family", ["poisson", "gamma"])
def test_tests_are_z_or_t(family: str) -> None:
    """Without a dispersion p and intervals are of the normal distribution, with one of Student's t; by groups of G − 1 degrees."""
    case = Case.draw(family)
    solution = case.solve()
    summary, grouped = solution.summary(level=0.9), solution.summary(groups=case.groups)

    law, by_group = (
        (stats.norm(), stats.norm()) if family == "poisson" else (stats.t(summary.residual_degrees), stats.t(GROUPS - 1))
    )
    np.testing.assert_allclose(summary.p_values, 2 * law.sf(np.abs(summary.test_values)), rtol=1e-9)
    np.testing.assert_allclose(grouped.p_values, 2 * by_group.sf(np.abs(grouped.test_values)), rtol=1e-9)
    half = law.ppf(0.95) * summary.standard_errors
    np.testing.assert_allclose(summary.confidence(), np.column_stack([summary.coefficients - half, summary.coefficients + half]))
    assert summary.test == ("z" if family == "poisson" else "t")
    assert f"P>|{summary.test}|" in str(summary)
    assert json.loads(json.dumps(summary.to_dict(), allow_nan=False))["deviance"] == summary.deviance


@pytest.mark.cluster
def test_cluster_gives_the_same_bits(client: Client, stored: Callable[..., str]) -> None:
    """On Zarr blocks read by two workers the table has the bits of one process, robust or not."""
    rng = np.random.default_rng(10)
    n = 30_000
    A = rng.standard_normal((n, 6))
    y, groups = (rng.random(n) < 1 / (1 + np.exp(-A[:, 0]))).astype(float), rng.integers(0, 300, n)
    paths = [stored(name, array, 3000, compressors="auto") for name, array in (("A", A), ("y", y), ("g", groups))]

    here, there = (
        [
            ds.solve(ds.GLM(*paths[:2], intercept=True), method="newton", cluster=cluster).summary(**asked)
            for asked in ({}, {"robust": "HC3"}, {"groups": paths[2]})
        ]
        for cluster in ("serial", client)
    )

    for mine, theirs in zip(here, there, strict=True):
        assert np.array_equal(mine.standard_errors, theirs.standard_errors)
        assert mine.log_likelihood == theirs.log_likelihood
