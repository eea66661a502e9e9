"""Tables of multinomial models, judged by statsmodels' MNLogit."""

import warnings

import numpy as np
import pytest

import dsketch as ds
from tests.problems.smooth.statistics.oracle import CLOSE, sm

N, CLASSES, GROUPS = 800, 4, 40


def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, classes and groups."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((N, 3))
    eta = np.column_stack([np.zeros(N), A @ rng.standard_normal((3, CLASSES - 1)) * 0.7 + [0.2, 0.0, -0.4]])
    return A, (eta + rng.gumbel(size=eta.shape)).argmax(axis=1), rng.integers(0, GROUPS, N)


@pytest.mark.parametrize("asked", [{}, {"robust": "HC0"}, {"groups": True}], ids=["model", "HC0", "cluster"])
def test_equals_statsmodels(asked: dict[str, object]) -> None:
    """Coefficients, errors, z, p, covariance, log-likelihoods, AIC and BIC are MNLogit's, robust and by group too."""
    A, y, groups = draw()
    choices = (
        {} if not asked else {"cov_type": "HC0"} if "robust" in asked else {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sm.MNLogit(y, np.column_stack([A, np.ones(N)])).fit(
            method="newton", tol=1e-14, disp=False, maxiter=100, **choices
        )

    solution = ds.solve(ds.Multinomial(A, y, intercept=True), cluster="serial")
    summary = solution.summary(**({"groups": groups} if "groups" in asked else asked))

    np.testing.assert_allclose(summary.coefficients, theirs.params, atol=CLOSE)
    np.testing.assert_allclose(summary.standard_errors, theirs.bse, rtol=CLOSE)
    np.testing.assert_allclose(summary.test_values, theirs.tvalues, rtol=1e-9)
    np.testing.assert_allclose(summary.p_values, theirs.pvalues, rtol=1e-8, atol=1e-300)
    np.testing.assert_allclose(summary.covariance(), theirs.cov_params(), rtol=0, atol=CLOSE)
    for name, value in (("log_likelihood", theirs.llf), ("aic", theirs.aic), ("bic", theirs.bic)):
        np.testing.assert_allclose(getattr(summary, name), value, rtol=CLOSE, err_msg=name)
    counts = np.bincount(y)
    np.testing.assert_allclose(summary.null_log_likelihood, counts @ np.log(counts / N), rtol=CLOSE)
    np.testing.assert_allclose(summary.mcfadden, theirs.prsquared, rtol=1e-8)  # its null model is iterated to 1e-10
    assert summary.confidence().shape == (4, CLASSES - 1, 2)
    assert str(summary).count("against class 0") == CLASSES - 1
    assert "NaN" not in str(summary.to_dict())


def test_frequencies_are_rows() -> None:
    """A row with frequency 2 is two rows."""
    A, y, groups = draw()
    often = 1 + (np.arange(N) % 3 == 0)
    again = np.repeat(np.arange(N), often)

    short = ds.solve(ds.Multinomial(A, y, frequencies=often.astype(float), intercept=True), cluster="serial").summary(
        robust="HC1"
    )
    long = ds.solve(ds.Multinomial(A[again], y[again], intercept=True), cluster="serial").summary(robust="HC1")

    np.testing.assert_allclose(short.standard_errors, long.standard_errors, rtol=CLOSE)
    for name in ("deviance", "null_deviance", "log_likelihood", "bic", "residual_degrees"):
        np.testing.assert_allclose(getattr(short, name), getattr(long, name), rtol=CLOSE, err_msg=name)
    assert len(groups) == N


def test_what_classes_lack() -> None:
    """A row has no one leverage there, and penalized classes no errors; two classes are the logistic model's table."""
    A, y, _ = draw()
    with pytest.raises(ds.SpecError, match="HC0 or HC1"):
        ds.solve(ds.Multinomial(A, y), cluster="serial").summary(robust="HC3")
    with pytest.raises(ds.SpecError, match="alpha"):
        ds.solve(ds.Multinomial(A, y, alpha=1.0), cluster="serial").summary()

    two = ds.solve(ds.Multinomial(A, y > 1, intercept=True), cluster="serial").summary(robust="HC3")
    logistic = ds.solve(ds.GLM(A, (y > 1).astype(float), intercept=True), cluster="serial").summary(robust="HC3")

    np.testing.assert_allclose(np.ravel(two.standard_errors), logistic.standard_errors, rtol=CLOSE)
    np.testing.assert_allclose(two.log_likelihood, logistic.log_likelihood, rtol=CLOSE)
