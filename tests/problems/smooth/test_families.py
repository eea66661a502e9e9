"""Every family against statsmodels, with offsets and weights; and what once went wrong far from the answer."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

import dsketch as ds
from dsketch.problems.outcome import Status

L = sm.families.links
N = 2_000


def data() -> tuple[Any, Any, Any, Any]:
    """Return rows, the mean of each, an offset and weights."""
    random = np.random.default_rng(5)
    A, offset, weights = random.standard_normal((N, 3)), random.normal(size=N) * 0.3, random.uniform(0.5, 2.0, N)
    return A, A @ [0.4, -0.3, 0.2] + 0.3 + offset, offset, weights


def drawn(family: str, eta: Any) -> Any:
    """Return y by the law of a family."""
    random, mean = np.random.default_rng(6), np.exp(eta)
    return {
        "poisson": lambda: random.poisson(mean).astype(float),
        "negative_binomial": lambda: random.poisson(mean * random.gamma(2.0, 0.5, N)).astype(float),
        "gamma": lambda: random.gamma(2.0, mean / 2),
        "inverse_gaussian": lambda: random.wald(mean, 3.0),
        "gaussian": lambda: eta + random.standard_normal(N),
        "tweedie": lambda: random.gamma(2.0, mean / 2) * (random.random(N) < 0.7) + 0.0,
        "binomial": lambda: (random.random(N) < 1 / (1 + np.exp(-eta))).astype(float),
    }[family]()


def solve(A: Any, y: Any, **options: Any) -> Any:
    """Solve a generalised linear model on the serial engine."""
    return ds.solve(ds.GLM(A, y, **options), cluster="serial", progress=False)


@pytest.mark.parametrize(
    ("options", "peer"),
    [
        ({"family": "binomial"}, sm.families.Binomial()),
        ({"family": "binomial", "link": "probit"}, sm.families.Binomial(L.Probit())),
        ({"family": "binomial", "link": "cloglog"}, sm.families.Binomial(L.CLogLog())),
        ({"family": "poisson"}, sm.families.Poisson()),
        ({"family": "gamma"}, sm.families.Gamma(L.Log())),
        ({"family": "gaussian"}, sm.families.Gaussian()),
        ({"family": "tweedie", "power": 1.5}, sm.families.Tweedie(L.Log(), 1.5)),
        ({"family": "negative_binomial", "theta": 2.0}, sm.families.NegativeBinomial(alpha=0.5)),
        ({"family": "inverse_gaussian"}, sm.families.InverseGaussian(L.Log())),
        ({"family": "tweedie", "power": 2.5}, sm.families.Tweedie(L.Log(), 2.5)),
    ],
    ids=lambda found: " ".join(map(str, found.values())) if isinstance(found, dict) else "",
)
def test_coefficients_are_those_of_statsmodels(options: dict[str, Any], peer: Any) -> None:
    """With an offset, prior weights and an intercept: x to 1e-9, where its steps end; SOLVED, or LOCAL where no proof is known."""
    A, eta, offset, weights = data()
    y = drawn(options["family"], eta) + (0.01 if options.get("power") == 2.5 else 0.0)
    found = solve(A, y, offset=offset, weights=weights, intercept=True, **options)
    known = sm.GLM(y, np.c_[A, np.ones(N)], family=peer, offset=offset, var_weights=weights)
    theirs = known.fit(tol=1e-13, maxiter=200, tol_criterion="params").params

    assert np.abs(found.x - theirs).max() <= 1e-9
    assert found.status is (Status.SOLVED if found.problem.loss.is_convex else Status.LOCAL)
    assert np.isfinite(found.certificate.reach) == found.problem.loss.is_convex


@pytest.mark.parametrize("unit", [1e-40, 1.0, 1e40])
def test_a_unit_of_amounts_moves_the_intercept_alone(unit: float) -> None:
    """Gamma and Tweedie in units of 1e±40 have the slopes that they have in ours, and log of the unit in the intercept."""
    A, eta, _, _ = data()
    for options in ({"family": "gamma"}, {"family": "tweedie", "power": 1.5}):
        y = drawn(options["family"], eta)
        one, scaled = (solve(A, values, intercept=True, **options) for values in (y, y * unit))
        assert np.abs(scaled.x - one.x - [0, 0, 0, np.log(unit)]).max() <= 1e-8 * max(abs(np.log(unit)), 1.0)


def test_a_large_theta_is_poisson() -> None:
    """With theta = 1e12 the negative binomial variance is the mean."""
    A, eta, _, _ = data()
    y = drawn("poisson", eta)
    assert np.abs(solve(A, y, family="negative_binomial", theta=1e12).x - solve(A, y, family="poisson").x).max() <= 1e-10


def test_outliers_do_not_pull_pseudo_huber() -> None:
    """One row in ten at 1e4: from least squares the full step is a million times too long, and the answer is that of the others."""
    A, _, _, _ = data()
    random = np.random.default_rng(8)
    y = A @ [1.0, 2.0, 3.0] + 0.1 * random.standard_normal(N)
    y[random.random(N) < 0.1] = 1e4
    found = solve(A, y, family="huber", delta=0.135, intercept=True)
    assert found.status is Status.SOLVED
    assert np.abs(found.x - [1.0, 2.0, 3.0, 0.0]).max() <= 0.05


def test_a_start_where_the_exponential_saturates_is_no_separation() -> None:
    """Rows with η = 701 at the start give a direction by which no other row moves; it is not called one that fits all."""
    A, eta, _, _ = data()
    A = np.r_[A, [[700.0, 0, 0], [0, -700.0, 0]]]
    y = np.r_[drawn("poisson", eta), 0, 0]
    assert solve(A, y, family="poisson", intercept=True, start=[1.0, 1, 1, 1]).status is not Status.SEPARATED
    found = solve(A, y, family="poisson", intercept=True)
    assert found.status is Status.SOLVED


def test_certain_rows_do_not_hide_a_proof() -> None:
    """Of nearly separable labels most are certain: the complementary log-log link has a proof as the others have."""
    random = np.random.default_rng(25)
    A = random.standard_normal((300, 1))
    y = (A[:, 0] > -0.2).astype(float)
    y[np.argmax(A[:, 0] < -0.3)] = 1.0
    for link in ("logit", "probit", "cloglog"):
        found = solve(A * 30.0, y, link=link, intercept=True)
        assert found.status is Status.SOLVED, link
        assert found.certificate.reach <= 1e-8
