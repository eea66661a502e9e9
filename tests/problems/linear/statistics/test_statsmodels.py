"""Statistics of a fit, judged by statsmodels."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from distributed import Client

import dsketch as ds
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.statistics import Summary
from tests.problems.linear.statistics.oracle import ROBUST, C, Case, Counting, U, assert_equal, oracle


def cases() -> Iterator[Any]:
    """Yield ordinary regressions."""
    rng = np.random.default_rng(1)
    n = 400
    A, noise = rng.standard_normal((n, 6)), rng.standard_normal(n)
    b = A @ np.array([1.0, -2, 0, 0.1, 3, 0.01]) + noise
    weights = rng.uniform(0.1, 4, n)
    uneven = A @ np.ones(6) + noise * (1 + A[:, 0] ** 2)
    tilted = A + 30 * rng.standard_normal((n, 1)) + 5
    yield pytest.param(Case(A, b), id="plain")
    yield pytest.param(Case(A, b + 4, intercept=True), id="intercept")
    yield pytest.param(Case(A, b, weights), id="weights")
    yield pytest.param(Case(A, uneven - 7, weights, True), id="weights and intercept")
    yield pytest.param(Case(tilted, tilted @ np.arange(6.0) + noise, intercept=True), id="correlated")
    yield pytest.param(Case(A[:, :1], b, intercept=True), id="one column")
    yield pytest.param(Case(A.astype(np.float32), b, weights * (rng.random(n) > 0.1), True), id="float32 and zero weights")
    yield pytest.param(Case(A, 1e-3 * noise, intercept=True), id="nothing to explain")


@pytest.mark.parametrize("case", list(cases()))
@pytest.mark.parametrize("robust", [None, *ROBUST])
def test_equals_statsmodels(case: Case, robust: str | None) -> None:
    """Every statistic, classical or robust, equals OLS or WLS of statsmodels to rounding."""
    assert_equal(case.solve().summary(robust=robust), oracle(case, robust=robust), case.tolerance())


@pytest.mark.parametrize("robust", [None, "HC3"])
def test_many_right_hand_sides(robust: str | None) -> None:
    """Three right-hand sides give three tables, each that of its side alone."""
    rng = np.random.default_rng(2)
    A = rng.standard_normal((300, 4))
    case = Case(A, A @ rng.standard_normal((4, 3)) + rng.standard_normal((300, 3)) * [0.1, 1, 10] + 2, intercept=True)

    summary = case.solve().summary(robust=robust)

    assert summary.coefficients.shape == (5, 3)
    assert summary.confidence().shape == (5, 3, 2)
    for side in range(3):
        assert_equal(summary, oracle(case, side, robust), case.tolerance(side), side)
    assert str(summary).count("right-hand side") == 3


@pytest.mark.parametrize("method", ["tsqr", "whitened", "gram", "sketch_and_solve"])
def test_large_offset(method: str) -> None:
    """A mean of b 10⁸ times its deviation costs no more digits of R² than the rounding of b did."""
    rng = np.random.default_rng(6)
    A = rng.standard_normal((1000, 5))
    b = A @ np.ones(5) + rng.standard_normal(1000)
    near, far = Case(A, b, intercept=True), Case(A, b + 1e8, intercept=True)

    summary, theirs = far.solve(method=method).summary(), oracle(near)

    tolerance = far.tolerance()
    assert tolerance < 1e-4
    np.testing.assert_allclose(summary.r_squared, theirs.rsquared, rtol=tolerance)
    np.testing.assert_allclose(summary.standard_errors, theirs.bse, rtol=tolerance)
    np.testing.assert_allclose(summary.f_statistic, theirs.fvalue, rtol=2 * tolerance)


@pytest.mark.parametrize("robust", [None, "HC3"])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method(method: str, robust: str | None) -> None:
    """Whatever solved it, the statistics are those of the exact factor."""
    rng = np.random.default_rng(7)
    A = rng.standard_normal((3000, 8))
    A[:, 1] = A[:, 0] + 1e-2 * A[:, 1]
    case = Case(A, A @ np.ones(8) + rng.standard_normal(3000), rng.uniform(0.5, 2, 3000), intercept=True)

    solution = case.solve(method=method)

    assert solution.method == method
    kappa = solution.certificate.scaled_condition
    squared = C * U * kappa**2 if method == "gram" else 0.0
    assert_equal(solution.summary(robust=robust), oracle(case, robust=robust), case.tolerance() + squared)


@pytest.mark.parametrize(
    ("method", "classical"),
    [
        ("tsqr", []),
        ("whitened", []),
        ("gram", []),
        ("conjugate_gradient", ["triangle"]),
        ("gradient_descent", ["triangle"]),
        ("sketch_and_solve", ["triangle & gradient"]),
    ],
)
def test_passes(method: str, classical: list[str]) -> None:
    """Statistics cost no pass from an exact factor, one from a sketch's, and one more if robust."""
    rng = np.random.default_rng(8)
    engine = Counting()
    solution = ds.lstsq(rng.standard_normal((2000, 5)), rng.standard_normal(2000), intercept=True, method=method, cluster=engine)
    before = len(engine.ran)

    summary = solution.summary()
    assert engine.ran[before:] == classical == list(summary.passes)

    summary = solution.summary(robust="HC0")
    assert engine.ran[before + len(classical) :] == [*classical, "sandwich"] == list(summary.passes)


def test_gram_of_poor_condition() -> None:
    """Where u·kappa² would show in the errors, one pass replaces the factor that came from a Gram matrix."""
    rng = np.random.default_rng(9)
    A = rng.standard_normal((2000, 5))
    A[:, 1] = A[:, 0] + 1e-5 * A[:, 1]
    case = Case(A, A @ np.ones(5) + rng.standard_normal(2000))

    solution = case.solve(method="gram")
    summary = solution.summary()

    assert solution.method == "gram"
    assert summary.passes == ("triangle",)
    kappa = np.linalg.cond(A)
    assert C * U * kappa < 1e-8 < U * kappa**2
    np.testing.assert_allclose(summary.standard_errors, oracle(case).bse, rtol=C * 5 * U * kappa)


@pytest.mark.cluster
@pytest.mark.parametrize("method", ["tsqr", "sketch_and_solve"])
def test_cluster_gives_the_same_bits(client: Client, stored: Callable[..., str], method: str) -> None:
    """On Zarr blocks read by two workers the statistics have the bits of one process, and are statsmodels'."""
    rng = np.random.default_rng(10)
    n = 40_000
    A, weights = rng.standard_normal((n, 10)), rng.uniform(0.5, 2, n)
    case = Case(A, A @ np.ones(10) + rng.standard_normal(n) * (1 + A[:, 1] ** 2), weights, True)
    paths = [stored(name, array, 3000, compressors="auto") for name, array in (("A", A), ("b", case.b), ("w", weights))]

    def summary(cluster: Any) -> Summary:
        solution = ds.lstsq(*paths[:2], weights=paths[2], intercept=True, method=method, cluster=cluster)
        return solution.summary(robust="HC3")

    here, there = summary("serial"), summary(client)

    assert np.array_equal(here.standard_errors, there.standard_errors)
    assert np.array_equal(here.covariance(), there.covariance())
    assert here.f_statistic == there.f_statistic
    assert_equal(there, oracle(case, robust="HC3"), case.tolerance())
