"""The proof: no claim of a distance is better than the truth, at any x."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.factor import Factor
from dsketch.losses.base import Loss
from dsketch.losses.table import loss_of
from dsketch.problems.smooth.metric import Metric, prove, reach_of
from dsketch.problems.smooth.standing import standing
from dsketch.testing.flows import run_flow
from tests.problems.smooth.cases import MODELS, draw, minimize, model, rows

EPS = np.finfo(float).eps
CONVEX = [name for name in MODELS if name != "inverse_gaussian"]


@pytest.mark.parametrize("name", CONVEX)
def test_no_proven_distance_is_exceeded(name: str) -> None:
    """Random points around the minimizer, near and far: ‖x − x*‖_H ≤ reach wherever one is proven, and some are."""
    family, link, parameters = MODELS[name]
    loss = loss_of(family, link, **parameters)
    random, proven = np.random.default_rng(8), 0
    for seed in range(6):
        A = rows(int(random.integers(30, 300)), int(random.integers(1, 5)), seed) * 10.0 ** random.uniform(-2, 2)
        y = draw(name, A / np.abs(A).max(), seed)
        x, hessian = minimize(loss, A, y)
        problem = model(name, A, y)
        for size in 10.0 ** random.uniform(-14, 1.5, 8):
            v = random.standard_normal(len(x))
            there = x + size * v / np.sqrt(v @ hessian @ v)
            found = run_flow(problem.judge(there[:, None])).result
            H = hessian_at(loss, A, y, there)
            far = np.sqrt((there - x) @ H @ (there - x))
            # the reference itself is known to some u √n
            assert far <= found.reach * (1 + 1e-9) + 1e-13 * np.sqrt(x @ H @ x)
            proven += np.isfinite(found.reach)
    assert proven >= 24


def hessian_at(loss: Loss, A: Any, y: Any, x: Any) -> Any:
    """Return the Hessian."""
    return (A * loss.terms((A @ x)[:, None], y).curvature[:, None]).T @ A


def test_reach_is_the_formula() -> None:
    """−ln(1 − λκ)/κ; λ without curvature's change; ∞ near 1 and beyond; 0 at the minimizer."""
    assert reach_of(0.5, 1.0) == pytest.approx(np.log(2.0), rel=1e-15)
    assert reach_of(1e-9, 1e-3) == pytest.approx(1e-9, rel=1e-11)
    assert reach_of(3.0, 0.0) == 3.0
    assert reach_of(0.0, 1.0) == 0.0
    assert reach_of(0.0, np.inf) == np.inf
    assert reach_of(0.95, 1.0) == np.inf
    assert reach_of(np.nan, 1.0) == np.inf


def test_a_concordance_that_depends_on_the_predictor_is_that_of_the_ball() -> None:
    """Probit: c over the η that rows can have within the reach, which is larger than c at x."""
    loss = loss_of("binomial", "probit")
    proof = prove(loss, 0.3, 0.5, -1.0, 2.0)

    at_x = loss.concordance(-1.0, 2.0) * 0.5
    assert proof.kappa > at_x
    assert proof.kappa >= loss.concordance(-1.0 - 0.5 * proof.reach, 2.0 + 0.5 * proof.reach) * 0.5
    assert proof.reach == pytest.approx(-np.log(1 - 0.3 * proof.kappa) / proof.kappa)


def test_an_old_factor_claims_less() -> None:
    """With the factor of another x decrement and κ are inflated by how far that is: the reach covers the truth."""
    A = rows(200, 3) * 3
    y = draw("logit", A / 6)
    loss = loss_of("binomial")
    problem = model("logit", A, y)
    x, _ = minimize(loss, A, y)
    random = np.random.default_rng(1)
    checked = 0
    for size in (1e-3, 0.05, 0.2, 0.5):
        old = x + size * random.standard_normal(3) / np.sqrt(np.diag(hessian_at(loss, A, y, x)))
        here = x + size * random.standard_normal(3) / np.sqrt(np.diag(hessian_at(loss, A, y, x)))
        factor = Factor(np.linalg.cholesky(hessian_at(loss, A, y, old)).T)
        metric = Metric(factor, old[:, None], np.ones(3), np.linalg.norm(A, axis=1).max())
        local = run_flow(problem.model.look(here[:, None], has_gram=False)).result
        found = standing(problem.model, here[:, None], local, metric, metric.step(local.gradient)[1])
        H = hessian_at(loss, A, y, here)
        assert np.sqrt((here - x) @ H @ (here - x)) <= found.proof.reach
        checked += np.isfinite(found.proof.reach)
    assert checked >= 2


def test_rounding_is_counted() -> None:
    """At the minimizer to the last bit the reach is not 0: the gradient is known to u √n of its terms only."""
    A = rows(5000)
    y = draw("logit", A)
    found = ds.solve(model("logit", A, y), cluster="serial", progress=False)

    assert found.certificate.reach >= found.certificate.decrement
    assert EPS <= found.certificate.reach <= 1e-11
    assert found.certificate.forward_error[0] >= EPS / 2


def test_the_check_agrees_with_the_solve() -> None:
    """Two passes of its own say what the solve said; a wrong x is told how far it is."""
    A = rows()
    y = draw("logit", A)
    problem = model("logit", A, y, intercept=True, alpha=0.5)
    found = ds.solve(problem, cluster="serial", progress=False)

    checked: Any = ds.check(problem, found.x, cluster="serial", progress=False)
    wrong: Any = ds.check(problem, found.x * 1.01, cluster="serial", progress=False)

    assert checked.reach <= 1e-11
    assert checked.residual_norm == pytest.approx(found.certificate.residual_norm, rel=1e-13)
    assert checked.backward_error[0] <= problem.accepted(None) < wrong.backward_error[0]
    assert wrong.decrement > 1e-3
    assert wrong.reach >= wrong.decrement
    assert "standard errors" in "\n".join(checked.lines())
