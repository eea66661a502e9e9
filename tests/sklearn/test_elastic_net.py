"""Elastic net and lasso estimators, alone and cross-validated: scikit-learn's conventions and scikit-learn's numbers."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model as sl
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold, PredefinedSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

import dsketch as ds
from dsketch.passes.fold_grams import fold_of_rows
from dsketch.sklearn import ElasticNet, ElasticNetCV, Lasso, LassoCV
from tests.sklearn.model import regression

TIGHT = {"tol": 1e-14, "max_iter": 1_000_000}  # of theirs: a duality gap of so many ‖y‖²


@parametrize_with_checks(
    [ElasticNet(), Lasso(alpha=0.01), ElasticNetCV(l1_ratio=[0.5, 0.9], alphas=20, cv=3), LassoCV(alphas=20)]
)
def test_scikit_learn_s_own_checks(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    """Every convention that scikit-learn checks is kept."""
    check(estimator)


def near(ours: Any, theirs: Any) -> None:
    """Compare what scikit-learn found to a gap of 1e-14 ‖y‖²: by strong convexity about 1e-7 ‖y‖ away in X w, far less if it converged."""
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=1e-7)


@pytest.mark.parametrize("sides", [None, 2])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ElasticNet(0.3, l1_ratio=0.7), sl.ElasticNet(0.3, l1_ratio=0.7, **TIGHT)),
        (Lasso(2.0), sl.Lasso(2.0, **TIGHT)),
    ],
    ids=["elastic net", "lasso"],
)
def test_coefficients_are_scikit_learn_s(ours: Any, theirs: Any, intercept: bool, sides: int | None) -> None:
    """Coefficients, zeros, predictions and score, with weights; the score is that of scikit-learn's model."""
    X, y, weights = regression(sides)
    ours.set_params(fit_intercept=intercept).fit(X, y, sample_weight=weights)
    theirs.set_params(fit_intercept=intercept).fit(X, y, sample_weight=weights)

    near(ours, theirs)
    assert np.array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-7)
    assert abs(ours.score(X, y, weights) - theirs.score(X, y, weights)) <= 1e-9
    assert ours.solution_.status.is_success
    assert np.all(ours.solution_.certificate.gap <= 1e-12)


def test_more_columns_than_rows_are_scikit_learn_s() -> None:
    """Sparse and wide rows, as scikit-learn's text examples have them."""
    rng = np.random.default_rng(1)
    X = scipy.sparse.random_array((40, 90), density=0.3, format="csr", rng=rng)
    y = X @ np.where(np.arange(90) < 4, 3.0, 0.0) + 0.01 * rng.standard_normal(40)

    ours, theirs = Lasso(0.01).fit(X, y), sl.Lasso(0.01, **TIGHT).fit(scipy.sparse.csr_matrix(X), y)

    near(ours, theirs)
    assert 0 < np.count_nonzero(ours.coef_) < 40


def same_choice(ours: Any, theirs: Any) -> None:
    """Compare a cross-validated model with scikit-learn's on the same folds."""
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert abs(ours.alpha_ - theirs.alpha_) <= 1e-12 * theirs.alpha_
    near(ours, theirs)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ratios", [0.8, [0.3, 0.9]])
def test_folds_drawn_in_two_passes_give_scikit_learn_s_path(ratios: Any, weighted: bool) -> None:
    """Errors by fold, the choice and the model are those of scikit-learn's ElasticNetCV on the very folds, which took a fit for each."""
    X, y, weights = regression()
    w = weights if weighted else None
    split = PredefinedSplit(fold_of_rows(3, 0, len(y), 4))

    ours = ElasticNetCV(l1_ratio=ratios, alphas=12, cv=4, seed=3).fit(X, y, w)
    theirs = sl.ElasticNetCV(l1_ratio=ratios, alphas=12, cv=split, **TIGHT).fit(X, y, w)

    same_choice(ours, theirs)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    assert len(ours.solution_.passes) == 2


@pytest.mark.parametrize("weighted", [False, True])
def test_splits_are_taken_as_scikit_learn_takes_them(weighted: bool) -> None:
    """Runs of rows, overlapping splits in a list; of penalties that are given."""
    X, y, weights = regression()
    w = weights if weighted else None
    splits = [(np.arange(0, 200), np.arange(150, 300)), (np.arange(100, 300), np.arange(0, 50))]
    for cv in (KFold(5), splits):
        ours = LassoCV(alphas=[0.01, 3.0, 0.3], cv=cv).fit(X, y, w)
        same_choice(ours, sl.LassoCV(alphas=[0.01, 3.0, 0.3], cv=cv, **TIGHT).fit(X, y, w))


def test_stored_rows_are_fitted_where_they_are(stored: Callable[..., str], tmp_path: Path) -> None:
    """Zarr and dask rows give the bits or the digits of memory; predictions are written, scores need no vector of n."""
    X, y, weights = regression()
    X_path, y_path, w_path = stored("X", X, 64), stored("y", y, 50), stored("w", weights, 70)

    for model in (ElasticNet(0.1), LassoCV(alphas=10, cv=3)):
        inside = model.fit(X, y, weights)
        coef, intercept, predicted, score = inside.coef_, inside.intercept_, inside.predict(X), inside.score(X, y, weights)
        for rows in (X_path, da.from_array(X, chunks=(64, 5))):
            model.fit(rows, y_path, w_path)
            np.testing.assert_allclose(model.coef_, coef, rtol=1e-11, atol=1e-13)
            assert abs(model.intercept_ - intercept) <= 1e-11
            assert abs(model.score(rows, y_path, w_path) - score) <= 1e-12
        written = model.predict(X_path, tmp_path / f"{type(model).__name__}.zarr")
        np.testing.assert_allclose(written[...], predicted, rtol=1e-11)


def test_columns_far_from_zero_keep_their_digits() -> None:
    """Years, or seconds since 1970: the model is that of centred columns."""
    X, y, _ = regression()
    moved = Lasso(0.1).fit(X + 1e8, y)

    centred = Lasso(0.1).fit((X + 1e8) - 1e8, y)

    np.testing.assert_allclose(moved.coef_, centred.coef_, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(moved.predict(X + 1e8), centred.predict((X + 1e8) - 1e8), rtol=1e-11)


def test_a_pickle_predicts_the_same() -> None:
    """What a fitted estimator predicts needs no solution."""
    X, y, _ = regression()
    model = LassoCV(alphas=5, cv=3).fit(X, y)

    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - of this very test

    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.solution_ is None
    assert again.alpha_ == model.alpha_


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            ElasticNet(-1.0),
            "alpha must be a number ≥ 0; got -1.0. Give the weight of the penalty; where none is wanted, LeastSquares",
        ),
        (ElasticNet(l1_ratio=1.5), "l1_ratio must be a number from 0"),
        (Lasso(fit_intercept="no"), "fit_intercept must be True or False"),
        (ElasticNetCV(l1_ratio=0.0), "alphas must be given as values where l1_ratio is 0"),
        (LassoCV(eps=2.0), "eps must lie between 0 and 1"),
        (LassoCV(cv=1), "cv must be a number of folds from 2"),
        (LassoCV(cv="five"), "cv must be a number of folds"),
        (LassoCV(cv=301), "at least as many rows as the 301 folds of cv are needed; got n_samples = 300"),
    ],
)
def test_wrong_parameters_say_what_was_expected(model: Any, said: str) -> None:
    """Parameters are checked on fitting."""
    X, y, _ = regression()
    with pytest.raises(ValueError, match=said):
        model.fit(X, y)


def test_splits_of_stored_rows_are_refused(stored: Callable[..., str]) -> None:
    """Rows that are read block by block are held out by number; scikit-learn's splitters want arrays."""
    X, y, _ = regression()
    with pytest.raises(ds.SpecError, match="cv must be a number of folds where X is stored"):
        LassoCV(cv=KFold(3)).fit(stored("X", X, 64), y)
