"""Columns far from 0 that lack rank, in statistics, estimators and heads."""

from fractions import Fraction
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp

import dsketch as ds
from dsketch.matrix.head import Head
from dsketch.problems import Heads
from dsketch.problems.outcome import Status
from dsketch.sklearn import LinearRegression, Ridge
from tests.problems.linear.far import CASES, EPS, NS, exact, fraction, off

# ---- rank-deficient ----------------------------------------------------------------------------------------------------


def test_shortest_is_meant_for_the_columns_as_stored() -> None:
    """A column of fives and twins beside an intercept: x is the shortest of the minimizers for A itself."""
    z = np.random.default_rng(0).standard_normal(60)
    A, b = np.column_stack([1e6 + z, 1e6 + z, np.full(60, 5.0)]), z + 0.1 * np.random.default_rng(1).standard_normal(60) + 3
    slope, constant = exact(A[:, :1], b)
    right = [slope / 2, slope / 2, constant * 5 / 26, constant / 26]  # the shortest (w, c) with 5 w + c as it must be

    solution = ds.lstsq(A, b, intercept=True, progress=False)

    assert solution.status is Status.MINIMUM_NORM
    assert solution.certificate.rank == 2
    assert off(solution.x, right) <= 1e-13
    assert ds.check(ds.LeastSquares(A, b, intercept=True), solution.x, progress=False).backward_error[0] <= 16 * EPS
    missed = [abs(float(fraction(float(mine)) - value)) for mine, value in zip(solution.x, right, strict=True)]
    assert (np.array(missed) <= 3 * solution.coefficient_errors).all()
    assert not solution.summary().is_estimable.any()


def test_dummies_beside_an_offset() -> None:
    """What is determined is right to its last digits, and known to be, beside dummies that add up to the intercept."""
    rng = np.random.default_rng(4)
    groups, t = rng.integers(0, 3, 90), 1.7e9 + 20 * rng.standard_normal(90)
    A, b = np.column_stack([t, np.eye(3)[groups]]), (t - 1.7e9) / 20 + groups + 0.1 * rng.standard_normal(90)
    full = exact(A[:, :3], b)  # the last group in the intercept
    level = [full[1] + full[3], full[2] + full[3], full[3]]
    c = sum(level, Fraction(0)) / 4  # minimizes Σ (level − c)² + c²

    solution = ds.lstsq(A, b, intercept=True, progress=False)

    assert off(solution.x[:1], full[:1]) <= 1e-13
    assert off(solution.x[1:], [*(value - c for value in level), c]) <= 1e-13
    assert solution.summary().is_estimable.tolist() == [True, False, False, False, False]


# ---- statistics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("robust", [None, "HC0", "HC3"])
@pytest.mark.parametrize("method", ["tsqr", "gram", "conjugate_gradient", "sketch_and_solve"])
def test_errors_are_those_of_the_stored_columns(robust: str | None, method: str) -> None:
    """Slopes have the errors of shifted columns; the intercept's is mapped: var c = var c′ + sᵀ V s − 2 s·cov(w, c′)."""
    rng = np.random.default_rng(8)
    near = rng.standard_normal((200, 2)) * [20, 1]
    s = np.array([2.0**31, 2.0**20])
    near = np.round(near * 2**20) / 2**20  # so that A holds them exactly
    b = near @ [0.05, 1.0] + rng.standard_normal(200)

    far = ds.lstsq(near + s, b, intercept=True, method=method, progress=False).summary(robust=robust)
    close = ds.lstsq(near, b, intercept=True, method=method, progress=False).summary(robust=robust)

    T = np.eye(3)
    T[2, :2] = -s
    np.testing.assert_allclose(far.standard_errors[:2], close.standard_errors[:2], rtol=1e-10)
    np.testing.assert_allclose(far.covariance(), T @ close.covariance() @ T.T, rtol=1e-9)
    np.testing.assert_allclose(far.standard_errors[2], np.sqrt(far.covariance()[2, 2]), rtol=1e-12)
    np.testing.assert_allclose(far.t_values[:2], close.t_values[:2], rtol=1e-9)
    np.testing.assert_allclose([far.r_squared, far.f_statistic], [close.r_squared, close.f_statistic], rtol=1e-9)
    np.testing.assert_allclose(far.coefficients[2], close.coefficients[2] - s @ close.coefficients[:2], rtol=1e-9)


# ---- other faces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["UNIX seconds over a millisecond", "int64 nanoseconds", "uint64 near its end", "ridge at 1e8", "weights"]
)
def test_estimators_have_the_digits(name: str) -> None:
    """Coefficients, intercept and predictions of rows in memory and stored; integers are not made floats on the way."""
    case = CASES[name]
    model: Any = Ridge(case.alpha) if case.alpha else LinearRegression()
    weights = case.options.get("weights")

    model.fit(case.A, case.b, sample_weight=weights)

    right = case.right()
    truth = np.array([float(sum(fraction(v) * c for v, c in zip(row, right, strict=False)) + right[-1]) for row in case.A])
    assert off([*model.coef_, model.intercept_], right) <= 1e-13
    share = 1 - float(np.sum((case.b - truth) ** 2) / np.sum((case.b - case.b.mean()) ** 2))
    for X in (case.A, da.from_array(case.A, chunks=(20, -1)), sp.csr_array(case.A)):
        assert np.abs(model.predict(X) - truth).max() <= 1e-13 * np.abs(truth).max()
    assert model.score(da.from_array(case.A, chunks=(20, -1)), case.b) == pytest.approx(share, rel=1e-12)


def test_changed_attributes_are_predicted_by() -> None:
    """Who sets ``coef_`` gets predictions by it."""
    case = CASES["UNIX seconds over a minute"]
    model = LinearRegression().fit(case.A, case.b)

    model.coef_ = np.array([0.0])

    assert np.array_equal(model.predict(case.A[:2]), np.full(2, model.intercept_))


def test_few_rows_of_far_columns() -> None:
    """The shortest slopes of fewer rows than columns are those of shifted columns."""
    rng = np.random.default_rng(6)
    near, y = np.round(rng.standard_normal((5, 8)) * 2**20) / 2**20, rng.standard_normal(5)

    far, close = LinearRegression().fit(near + 2.0**31, y), LinearRegression().fit(near, y)

    np.testing.assert_allclose(far.coef_, close.coef_, rtol=1e-11)
    np.testing.assert_allclose(far.predict(near + 2.0**31), y, atol=1e-12)
    ticks = NS + np.round(near * 2**20).astype(np.int64)
    np.testing.assert_allclose(LinearRegression().fit(ticks, y).predict(ticks), y, atol=1e-12)


def test_heads_of_far_columns() -> None:
    """Heads share a reading, each with a shift of its own."""
    rng = np.random.default_rng(9)
    A = ds.open_matrix(np.column_stack([1.7e9 + rng.standard_normal(60), 5e6 + rng.standard_normal(60), rng.standard_normal(60)]))
    b = rng.standard_normal(60)
    problems = [ds.LeastSquares(Head(A, columns=columns), b, intercept=True) for columns in ((0, 1), (1, 3))]

    solution = ds.solve(Heads(problems), method="tsqr", progress=False)

    for part, columns in zip(Heads(problems).split(solution.x), (slice(0, 1), slice(1, 3)), strict=True):
        assert off(part.ravel(), exact(A.read(0, 60)[:, columns], b)) <= 1e-13
