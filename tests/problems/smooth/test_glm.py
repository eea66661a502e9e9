"""Generalised linear models: the minimizer, whatever the family, the method, the storage, the units."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import statsmodels.api as sm

import dsketch as ds
from dsketch.losses.table import loss_of
from dsketch.problems.smooth.methods import METHODS
from tests.problems.smooth.cases import MODELS, draw, minimize, model, rows, solve

EPS = np.finfo(float).eps
CONVEX = [name for name in MODELS if name != "inverse_gaussian"]
CLOSE = 1e-12  # in standard errors: what is left at n of some hundred rows is below 1e-13
each_method = pytest.mark.parametrize("method", METHODS)


def standard_errors(x: Any, other: Any, hessian: Any) -> float:
    """Return ‖x − x′‖ in the metric of a Hessian."""
    return float(np.sqrt((x - other) @ hessian @ (x - other)))


@pytest.mark.parametrize("name", CONVEX)
def test_every_family_reaches_its_minimizer(name: str) -> None:
    """SOLVED, in few passes, as near as the certificate proves, and that is near."""
    A = rows()
    y = draw(name, A)
    family, link, parameters = MODELS[name]

    found = solve(model(name, A, y), method="newton")

    x, hessian = minimize(loss_of(family, link, **parameters), A, y, start=found.x + 1e-3)
    assert found.status is ds.Status.SOLVED
    assert len(found.passes) <= 9
    assert found.certificate.decrement <= CLOSE
    assert standard_errors(found.x, x, hessian) <= found.certificate.reach <= 1e-11


@each_method
@pytest.mark.parametrize("name", ["logit", "poisson"])
def test_every_method_has_the_same_answer(name: str, method: str) -> None:
    """With offset, weights, frequencies, intercept and penalty by column; on dense rows and CSR."""
    A, random = rows(800), np.random.default_rng(5)
    y, offset = draw(name, A), random.standard_normal(800) / 4
    weights, often = random.random(800) + 0.5, random.integers(0, 3, 800)
    alpha = np.array([0.0, 2.0, 0.5, 0.0])
    beside = {"offset": offset, "weights": weights, "frequencies": often, "alpha": alpha, "intercept": True}
    with_ones = np.column_stack([A, np.ones(800)])
    family, link, _ = MODELS[name]
    x, hessian = minimize(
        loss_of(family, link), with_ones, y, offset=offset, weights=weights * often, alpha=np.append(alpha, 0.0)
    )

    for matrix in (A, scipy.sparse.csr_array(A)):
        found = solve(model(name, matrix, y, **beside), method=method)
        assert found.status is ds.Status.SOLVED
        assert found.method == method
        assert standard_errors(found.x, x, hessian) <= found.certificate.reach <= 1e-11


def test_statsmodels_has_the_same_coefficients() -> None:
    """Binomial shares with trials, counts with exposure: statsmodels' GLM to its own rounding."""
    A = rows()
    trials = np.random.default_rng(3).integers(1, 9, len(A)).astype(float)
    shares = np.round(trials * (0.2 + 0.6 * (A[:, 0] > 0))) / trials
    theirs = sm.GLM(shares, A, family=sm.families.Binomial(), var_weights=trials).fit(tol=1e-14)
    ours = solve(ds.GLM(A, shares, weights=trials))
    assert np.allclose(ours.x, theirs.params, rtol=1e-10)

    exposure = np.linspace(0.5, 3.0, len(A))
    counts = np.random.default_rng(4).poisson(exposure * np.exp(A[:, 0])).astype(float)
    theirs = sm.GLM(counts, A, family=sm.families.Poisson(), exposure=exposure).fit(tol=1e-14)
    ours = solve(ds.GLM(A, counts, family="poisson", offset=np.log(exposure)))
    assert np.allclose(ours.x, theirs.params, rtol=1e-10)


def test_offsets_and_weights_agree_where_they_should() -> None:
    """R's answer to counts with log w as offset, and to rates with weights w (Quantco/glum#730)."""
    A = np.column_stack([np.ones(4), [1.0, 1.5, 2.0, 3.0]])
    counts, w = np.array([0.0, 1.0, 2.0, 2.0]), np.array([1.0, 1.0, 2.0, 2.0])

    for problem in (ds.GLM(A, counts, family="poisson", offset=np.log(w)), ds.GLM(A, counts / w, family="poisson", weights=w)):
        assert np.allclose(solve(problem).x, [-1.08455085, 0.41149086], atol=5e-9)


def test_the_gaussian_family_is_least_squares() -> None:
    """The same x as LeastSquares and Ridge, whose alpha is the same for ½‖Ax − y‖²."""
    A, weights = rows(), np.linspace(0.1, 2.0, 600)
    y = draw("gaussian", A)
    pairs = (
        (
            ds.GLM(A, y, family="gaussian", weights=weights, intercept=True),
            ds.LeastSquares(A, y, weights=weights, intercept=True),
        ),
        (ds.GLM(A, y, family="gaussian", alpha=3.0), ds.Ridge(A, y, alpha=3.0)),
    )
    for smooth, linear in pairs:
        ours, theirs = solve(smooth), solve(linear)
        assert ours.status is ds.Status.SOLVED
        assert np.allclose(ours.x, theirs.x, rtol=1e-13)


@pytest.mark.parametrize("method", ["newton", "newton_qr"])
def test_units_do_not_matter(method: str) -> None:
    """Columns in units from 1e-4 to 1e4: the same fit, as near."""
    A = rows(2000, 9)
    y, units = draw("logit", A), np.logspace(-4, 4, 9)
    plain, scaled = solve(model("logit", A, y), method=method), solve(model("logit", A * units, y), method=method)

    assert scaled.status is ds.Status.SOLVED
    assert scaled.certificate.decrement <= CLOSE
    assert np.allclose(scaled.x * units, plain.x, rtol=1e-11)


def test_ill_conditioned_rows_are_answered_by_triangles() -> None:
    """At a scaled condition of 1e7 Gram matrices give way, and the decrement is at its floor, u κ √n."""
    n, d = 5000, 8
    random = np.random.default_rng(2)
    U, V = np.linalg.qr(random.standard_normal((n, d)))[0], np.linalg.qr(random.standard_normal((d, d)))[0]
    A = 50 * (U * np.logspace(0, -7, d)) @ V
    y = (random.random(n) < 0.5).astype(float)

    found = solve(model("logit", A, y), method="newton")

    assert found.method == "newton_qr"
    assert found.status is ds.Status.SOLVED
    assert found.certificate.decrement <= 1e-8
    assert "newton gave way to newton_qr" in found.notes[0]


@pytest.mark.parametrize("name", ["logit", "poisson"])
def test_dependent_columns_give_the_shortest_answer(name: str) -> None:
    """MINIMUM_NORM, with the fit of independent columns: those that repeat, or are 0, change no η."""
    A = rows()
    y = draw(name, A)
    wide = np.column_stack([A, A[:, 0] - A[:, 1], np.zeros(len(A))])

    found, plain = solve(model(name, wide, y)), solve(model(name, A, y))

    assert found.status is ds.Status.MINIMUM_NORM
    assert found.certificate.rank == 4
    assert np.allclose(wide @ found.x, A @ plain.x, atol=1e-12)
    null = np.array([1.0, -1.0, 0, 0, -1.0, 0])
    assert abs(null @ found.x) <= 1e-12
    assert found.x[5] == 0


def test_a_loss_that_is_not_convex_claims_no_more_than_it_knows() -> None:
    """Inverse Gaussian by expected information: LOCAL, without a proven distance; statsmodels is at the same place."""
    A = rows()
    y = draw("inverse_gaussian", A)

    found = solve(model("inverse_gaussian", A, y))

    theirs = sm.GLM(y, A, family=sm.families.InverseGaussian(sm.families.links.Log())).fit(tol=1e-14, maxiter=200)
    assert found.status is ds.Status.LOCAL
    assert found.certificate.reach == np.inf
    assert np.allclose(found.x, theirs.params, rtol=1e-7)
    assert "not convex" in found.notes[-1]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_tiny_data(n: int) -> None:
    """One column and a handful of rows."""
    A, y = np.linspace(1.0, 2.0, n)[:, None], np.arange(1.0, n + 1)
    x, _ = minimize(loss_of("poisson"), A, y)

    found = solve(ds.GLM(A, y, family="poisson"))

    assert found.status is ds.Status.SOLVED
    assert np.allclose(found.x, x, rtol=1e-13)


def test_counts_with_far_predictors_overflow_nothing() -> None:
    """Steps that overshoot by hundreds are taken back; the answer has η up to 127."""
    t = np.linspace(0.0, 1.0, 200)
    A = np.column_stack([np.ones(200), 140 * t])
    y = np.exp(A @ np.array([1.0, 0.9]))

    for start in (None, np.array([0.0, 3.0]), np.array([5.0, -3.0])):
        found = solve(ds.GLM(A, y, family="poisson", start=start))
        assert found.status is ds.Status.SOLVED
        assert np.allclose(found.x, [1.0, 0.9], rtol=1e-12)


def test_a_start_is_an_earlier_answer() -> None:
    """A Solution, its numbers, or a list: the same x in fewer passes."""
    A = rows()
    y = draw("logit", A)
    first = solve(model("logit", A, y), method="newton")

    for start in (first, first.x, first.x.tolist()):
        again = solve(model("logit", A, y, start=start), method="newton")
        assert len(again.passes) <= 3
        assert again.status is ds.Status.SOLVED
        assert np.allclose(again.x, first.x, rtol=1e-12)
