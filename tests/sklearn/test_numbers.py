"""The estimators have scikit-learn's numbers."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

import dsketch as ds
from tests.sklearn.model import EPS, PAIRS, D, N, allowed, assert_same_model, regression


@pytest.mark.parametrize("pair", PAIRS, ids=["lstsq", "ridge"])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("sides", [None, 1, 3])
def test_numbers_are_scikit_learn_s(pair: Any, fit_intercept: bool, has_weights: bool, sides: int | None) -> None:
    """Coefficients, intercept, predictions and score, up to rounding times the condition number."""
    X, y, w = regression(sides)
    weights = w if has_weights else None
    ours, theirs = (kind(fit_intercept=fit_intercept).fit(X, y, weights) for kind in pair)
    tolerance = allowed(X, weights)

    assert tolerance < 1e-8
    assert_same_model(ours, theirs, X, tolerance)
    assert abs(ours.score(X, y, weights) - theirs.score(X, y, weights)) <= tolerance
    assert ours.solution_.status is ds.Status.SOLVED


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_rank_and_singular_values_are_scikit_learn_s(fit_intercept: bool) -> None:
    """Those of X, centred if there is an intercept, for full and for deficient rank, and for fewer rows than columns."""
    X, y, w = regression()
    deficient = np.column_stack([X, X[:, 0] - X[:, 1]])
    for rows in (X, deficient, np.ascontiguousarray(X[:D, : D - 1]), X[: D - 1]):
        b, weights = y[: len(rows)], w[: len(rows)] + 0.5
        ours, theirs = (kind(fit_intercept=fit_intercept).fit(rows, b, weights) for kind in PAIRS[0])
        assert ours.rank_ == theirs.rank_
        assert ours.singular_.shape == theirs.singular_.shape
        assert np.abs(ours.singular_ - theirs.singular_).max() <= N * EPS * theirs.singular_[0]


def test_of_many_answers_it_is_scikit_learn_s() -> None:
    """One-hot columns and an intercept: both take the coefficients with the smallest norm, not counting the intercept."""
    rng = np.random.default_rng(2)
    groups = rng.integers(0, 4, N)
    X = np.column_stack([np.eye(4)[groups], rng.standard_normal((N, 2))])
    y = rng.standard_normal(4)[groups] + X[:, 4] + 10.0
    ours, theirs = (kind().fit(X, y) for kind in PAIRS[0])

    assert ours.solution_.status is ds.Status.MINIMUM_NORM
    # The condition number over the directions kept is below 10, so that of the squares below 100.
    assert_same_model(ours, theirs, X, 100 * N * EPS)


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("pair", PAIRS, ids=["lstsq", "ridge"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_fewer_rows_than_columns(pair: Any, fit_intercept: bool, kind: Any) -> None:
    """In memory the shortest coefficients are scikit-learn's; there is no solution to look at."""
    X, y, w = (values[: D - 1] for values in regression(2))
    ours, theirs = (
        estimator(fit_intercept=fit_intercept).fit(rows, y, w + 1) for estimator, rows in zip(pair, (kind(X), X), strict=True)
    )

    assert ours.solution_ is None
    singular = np.linalg.svd(X, compute_uv=False)
    assert_same_model(ours, theirs, X, N * EPS * (singular[0] / singular[-1]) ** 2)
