"""Rows of weight 0 are no observations: every statistic is that of the rows that count, and there must be one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression as Theirs

import dsketch as ds
from dsketch.problems.linear.methods import METHODS
from dsketch.sklearn import LinearRegression, Ridge
from tests.command_line import run

EPS = np.finfo(float).eps
# Two fits of well-conditioned rows whose slices lie differently: a few roundings for each row.
CLOSE = 1e-11


def regression(seed: int = 0, rows: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, b and weights, a quarter of them 0."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, 3))
    weights = rng.uniform(0.5, 2, rows) * (rng.random(rows) > 0.25)
    return A, A @ [1.0, 2.0, 3.0] + 4 + rng.standard_normal(rows), weights


def assert_same(mine: ds.Summary, other: ds.Summary) -> None:
    """Compare all that a summary says in numbers."""
    for name in ("rows", "rank", "model_degrees", "residual_degrees", "is_centred"):
        assert getattr(mine, name) == getattr(other, name), name
    for name in ("coefficients", "standard_errors", "p_values", "r_squared", "adjusted_r_squared", "residual_variance"):
        np.testing.assert_allclose(getattr(mine, name), getattr(other, name), rtol=CLOSE, err_msg=name)
    np.testing.assert_allclose(mine.f_statistic, other.f_statistic, rtol=CLOSE)
    np.testing.assert_allclose(mine.covariance(), other.covariance(), rtol=CLOSE, atol=CLOSE * np.abs(other.covariance()).max())


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("robust", [None, "HC1", "HC3"])
def test_weight_zero_is_dropping_the_row(method: str, robust: str | None) -> None:
    """Errors, degrees, R², F and the factor of HC1 are those of the fit without the row, whatever solved it."""
    A, b, w = regression()
    kept = w > 0

    mine, other = (
        ds.lstsq(A[rows], b[rows], weights=w[rows], intercept=True, method=method).summary(robust=robust)
        for rows in (slice(None), kept)
    )

    assert mine.rows == np.count_nonzero(kept)
    assert_same(mine, other)
    assert any(f"{np.count_nonzero(~kept)} of 80 rows have weight 0" in note for note in mine.notes)
    assert not any("weight 0" in note for note in other.notes)


@pytest.mark.parametrize("storage", ["zarr", "csr", "sides"])
def test_wherever_the_rows_are(stored: Callable[..., str], storage: str) -> None:
    """Rows in Zarr chunks, sparse rows and several right-hand sides count alike; whole blocks of weight 0 too."""
    A, b, w = regression(1, 90)
    w[30:60] = 0
    kept = w > 0
    b = np.stack([b, b**2], axis=1) if storage == "sides" else b
    rows: Any = {"zarr": lambda: stored("A", A, 30), "csr": lambda: scipy.sparse.csr_array(A), "sides": lambda: A}[storage]()

    assert_same(
        ds.lstsq(rows, b, weights=w, intercept=True).summary(),
        ds.lstsq(A[kept], b[kept], weights=w[kept], intercept=True).summary(),
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), robust=st.sampled_from([None, "HC0", "HC2"]), own=st.booleans())
def test_any_weights(seed: int, robust: str | None, own: bool) -> None:
    """For random weights, and a constant of A's own, dropping what does not count changes nothing."""
    A, b, w = regression(seed, 40)
    A[:, 0] = 1.0 if own else A[:, 0]
    kept = w > 0

    mine, other = (ds.lstsq(A[rows], b[rows], weights=w[rows]).summary(robust=robust) for rows in (slice(None), kept))

    assert mine.is_centred is own
    assert_same(mine, other)


def test_fewer_than_the_columns() -> None:
    """Two rows that count and four coefficients: the shortest minimizer, no degree of freedom, no errors."""
    A, b, _ = regression()
    solution = ds.lstsq(A, b, weights=(np.arange(80) < 2) * 1.0, intercept=True)

    summary = solution.summary()

    assert solution.status is ds.Status.MINIMUM_NORM
    assert (summary.rows, summary.rank, summary.residual_degrees, summary.model_degrees) == (2, 2, 0, 1)
    assert np.isnan([*summary.standard_errors, *summary.p_values, summary.f_statistic, summary.adjusted_r_squared]).all()
    assert any("no degree of freedom" in note for note in summary.notes)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_all_weights_zero_is_an_error(method: str, intercept: bool) -> None:
    """Nothing to fit is refused with the remedy, by least squares and ridge, of dense and sparse rows."""
    A, b, w = regression()
    for rows in (A, scipy.sparse.csr_array(A)):
        for solve in (ds.lstsq, ds.ridge):
            with pytest.raises(ds.DataError, match=r"all of them are 0.*above 0"):
                solve(rows, b, weights=0 * w, intercept=intercept, method=method)


def test_zero_is_an_answer_where_rows_count() -> None:
    """An x of 0, for b = 0, is no reason to refuse; a sketch that has only that looks at the weights."""
    A, b, w = regression()
    for method in METHODS:
        assert not ds.lstsq(A, 0 * b, weights=w, method=method).x.any()


def test_check_refuses_weights_of_zero() -> None:
    """No x is right or wrong for no rows."""
    A, b, w = regression()
    with pytest.raises(ds.DataError, match="all of them are 0"):
        ds.check(ds.LeastSquares(A, b, weights=0 * w), np.zeros(3))


def test_command_line_refuses_weights_of_zero(stored: Callable[..., str]) -> None:
    """A bad request: exit code 2 and the sentence."""
    A, b, w = regression()
    said = run("solve", "lstsq", stored("A", A), stored("b", b), "--weights", stored("w", 0 * w))
    assert said.exit_code == 2
    assert "all of them are 0" in said.stderr


@pytest.mark.parametrize("kind", [LinearRegression, Ridge])
def test_estimators_refuse_weights_of_zero(stored: Callable[..., str], kind: Any) -> None:
    """In fit, for tall, wide and stored rows, and in score of stored ones; of rows in memory scikit-learn may say it first."""
    A, b, w = regression()
    either = "all of them are 0|at least one non-zero"
    with pytest.raises(ValueError, match=either):
        kind().fit(A, b, 0 * w)
    with pytest.raises(ValueError, match=either):
        kind().fit(A[:2], b[:2], [0.0, 0.0])
    path = stored("A", A)
    with pytest.raises(ds.DataError, match="all of them are 0"):
        kind().fit(path, b, 0 * w)
    with pytest.raises(ds.DataError, match="all of them are 0"):
        kind().fit(path, b).score(path, b, 0 * w)


@pytest.mark.parametrize("value", [0.1, 5.0, 1e9 / 3, 0.0])
@pytest.mark.parametrize("is_stored", [False, True])
def test_score_of_a_constant_target(stored: Callable[..., str], value: float, is_stored: bool) -> None:
    """A target that does not vary but for the rounding of its mean scores 1 if it is met, else 0, as scikit-learn means it."""
    A, b, w = regression()
    rows, flat = stored("A", A) if is_stored else A, np.full(80, value)

    model = LinearRegression().fit(rows, flat)
    both = LinearRegression().fit(rows, np.column_stack([flat, b]))

    assert model.score(rows, flat) == model.score(rows, flat, w) == 1.0
    own = LinearRegression().fit(rows, b).score(rows, b)
    assert both.score(rows, np.column_stack([flat, b])) == pytest.approx((1 + own) / 2)
    model.intercept_ += 1.0
    assert model.score(rows, flat) == 0.0
    assert own == pytest.approx(Theirs().fit(A, b).score(A, b))
