"""Conjugate gradients without a factor: chosen where A is sparse and well-conditioned, as right as a factor, and modest where it is not."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import dsketch as ds
from dsketch.problems.outcome import Status

EPS = float(np.finfo(float).eps)
N, D = 4000, 30


def rows_of(n: int = N, d: int = D, per_row: int = 5, seed: int = 0) -> sp.csr_array:
    """Return normal numbers at random columns, in no order, some places twice."""
    rng = np.random.default_rng(seed)
    return sp.csr_array(
        (rng.standard_normal(n * per_row), rng.integers(0, d, n * per_row), np.arange(0, n * per_row + 1, per_row))
    )


def solve(A: Any, b: np.ndarray, method: str = "krylov", **more: Any) -> Any:
    """Return the answer in this process."""
    return ds.lstsq(A, b, method=method, cluster="serial", progress=False, **more)


def test_wide_sparse_rows_are_solved_without_a_factor() -> None:
    """The plan takes it where 4,000 columns make a factor dear, and says what is stored, what a pass takes, why others lost."""
    A = rows_of(40_000, 4000, 20)

    plan = ds.plan(ds.LeastSquares(A, np.ones(40_000)), cluster="serial")

    assert plan.method == "krylov"
    assert "20 stored numbers a row, a light pass" in str(plan)
    assert set(plan.rejected) >= {"cholesky", "gram", "tsqr", "conjugate_gradient"}
    dense = ds.plan(ds.LeastSquares(np.random.default_rng(0).standard_normal((500, 20)), np.ones(500)), cluster="serial")
    assert dense.rejected["krylov"].startswith("A is dense")


@pytest.mark.parametrize("units", [0, 8])
@pytest.mark.parametrize("residual", [0.0, 1e-6, 1.0, 1e3])
def test_x_is_as_right_as_that_of_a_factor(units: int, residual: float) -> None:
    """In columns of any size, for any residual: x is within rounding of the minimizer, and what is told of it is no better than so."""
    A = sp.csr_array(rows_of() * np.logspace(-units, units, D))
    rng = np.random.default_rng(1)
    b = A @ (rng.standard_normal(D) / np.logspace(-units, units, D)) + residual * rng.standard_normal(N)

    found, other = solve(A, b), solve(A, b, "tsqr")

    assert found.method == "krylov"
    assert found.status is Status.SOLVED
    sizes = np.linalg.norm(A.toarray(), axis=0)
    length = np.linalg.norm(sizes * other.x)
    apart = np.linalg.norm(sizes * (found.x - other.x)) / length
    left = np.linalg.norm(b - A @ other.x) / length
    assert apart <= 32 * EPS * (1 + left)
    assert apart <= 2 * (found.certificate.forward_error[0] + other.certificate.forward_error[0])
    assert found.certificate.backward_error[0] >= other.certificate.backward_error[0] / 4
    scaled = A.toarray() / sizes
    assert np.linalg.cond(scaled) <= found.certificate.scaled_condition <= 10 * np.linalg.cond(scaled)
    assert np.linalg.cond(A.toarray()) <= found.certificate.condition * (1 + 1e-6)
    assert "≤" in str(found)


def dependent(name: str) -> Any:
    """Return rows of which a factor must decide the rank, or that need too many steps."""
    A = rows_of().toarray()
    if name == "zero":
        A[:, 3] = 0
    elif name == "twice":
        A[:, 3] = A[:, 4]
    elif name == "sum":
        A[:, 3] = A[:, 4] + A[:, 5]
    else:
        A[:, 3] = A[:, 4] + 1e-7 * A[:, 3]
    return sp.csr_array(A)


@pytest.mark.parametrize("name", ["zero", "twice", "sum", "near"])
def test_what_lacks_rank_is_handed_over(name: str) -> None:
    """Zero, equal, dependent and nearly dependent columns: another method answers, with rank, status and x as if it had been asked."""
    A, b = dependent(name), np.random.default_rng(2).standard_normal(N)

    found, other = solve(A, b), solve(A, b, "tsqr")

    assert found.method != "krylov"
    assert found.notes[0].startswith("krylov gave way to cholesky")
    assert (found.status, found.certificate.rank) == (other.status, other.certificate.rank)
    assert np.linalg.norm(found.x - other.x) <= 1e-8 * np.linalg.norm(other.x)


def test_far_columns_beside_an_intercept_are_handed_over() -> None:
    """Shifted columns ask for the errors of A as it is stored, which bounds do not tell."""
    A = rows_of().toarray()
    A[:, 0] += 1e6

    found = solve(sp.csr_array(A), np.arange(N, dtype=float), intercept=True)

    assert found.method != "krylov"
    assert "columns are shifted" in found.notes[0]


def test_what_needs_a_factor_makes_one() -> None:
    """Standard errors and singular values after it are those of a direct method, by one pass more."""
    A, b = rows_of(), np.random.default_rng(3).standard_normal(N)
    found, other = solve(A, b), solve(A, b, "tsqr")

    table, wanted = found.summary(), other.summary()

    assert table.passes == ("gram",)
    assert np.allclose(table.standard_errors, wanted.standard_errors, rtol=1e-12)
    assert np.allclose(found.singular_values, other.singular_values, rtol=1e-12)


def test_estimators_know_the_spectrum_after_it() -> None:
    """scikit-learn's attributes, with an intercept and without."""
    from dsketch.sklearn import LinearRegression

    A, b = rows_of(), np.random.default_rng(3).standard_normal(N)
    for intercept in (False, True):
        models = [LinearRegression(method=method, cluster="serial", fit_intercept=intercept) for method in ("krylov", "tsqr")]
        found, other = (model.fit(A, b) for model in models)

        assert found.solution_.method == "krylov"
        assert found.rank_ == other.rank_
        assert np.allclose(found.singular_, other.singular_, rtol=1e-12)


def test_several_sides_weights_and_a_penalty_at_once() -> None:
    """Each side is what it is alone to rounding; rows of weight 0 and a side that is 0 disturb none."""
    A, rng = rows_of(), np.random.default_rng(4)
    b = rng.standard_normal((N, 3))
    b[:, 1] = 0
    w = np.where(rng.random(N) < 0.2, 0.0, rng.uniform(0.5, 2, N))
    together = ds.solve(ds.Ridge(A, b, alpha=2.0, weights=w), method="krylov", cluster="serial", progress=False)

    assert together.method == "krylov"
    assert not together.x[:, 1].any()
    for side in (0, 2):
        alone = ds.solve(ds.Ridge(A, b[:, side], alpha=2.0, weights=w), method="tsqr", cluster="serial", progress=False)
        assert np.linalg.norm(together.x[:, side] - alone.x) <= 1e-12 * np.linalg.norm(alone.x)
