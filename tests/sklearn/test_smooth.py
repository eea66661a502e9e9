"""Logistic, Poisson, gamma and Tweedie estimators: scikit-learn's conventions and scikit-learn's numbers."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import sklearn.linear_model as sl
import zarr
from distributed import Client
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from dsketch.sklearn import GammaRegressor, LogisticRegression, PoissonRegressor, TweedieRegressor

EPS = float(np.finfo(float).eps)


@parametrize_with_checks(
    [
        LogisticRegression(),
        LogisticRegression(C=10.0),
        PoissonRegressor(),
        GammaRegressor(),
        TweedieRegressor(),
        TweedieRegressor(power=1.5),
    ]
)
def test_scikit_learn_s_own_checks(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    """Every convention that scikit-learn checks is kept."""
    check(estimator)


def rows(n: int = 400, d: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """Return X, a predictor, weights and what draws more."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, d))
    return X, X @ (rng.standard_normal(d) / 2), rng.random(n) + 0.5, rng


def near(found: Any, wanted: Any, distance: float) -> None:
    """Compare to how far scikit-learn itself is from the minimizer."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=distance)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("classes", [2, 4])
def test_logistic_regression_is_scikit_learn_s(classes: int, intercept: bool) -> None:
    """Coefficients, probabilities and classes, with weights, of labels that are words."""
    X, eta, weights, rng = rows()
    words = np.array(["ash", "beech", "cedar", "date"])[:classes]
    y = words[np.clip((eta + rng.logistic(size=len(eta)) > 0) + (rng.random(len(eta)) < 0.4) * (classes - 2), 0, classes - 1)]
    theirs = sl.LogisticRegression(C=0.7, fit_intercept=intercept, solver="newton-cholesky", tol=1e-12, max_iter=200)

    ours = LogisticRegression(C=0.7, fit_intercept=intercept).fit(X, y, sample_weight=weights)
    theirs.fit(X, y, sample_weight=weights)

    near(ours.coef_, theirs.coef_, 1e-9)
    near(ours.intercept_, theirs.intercept_, 1e-9)
    near(ours.predict_proba(X), theirs.predict_proba(X), 1e-9)
    near(ours.predict_log_proba(X), theirs.predict_log_proba(X), 1e-8)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert np.array_equal(ours.classes_, theirs.classes_)
    assert ours.solution_.status.is_success


def test_balanced_classes_weigh_as_scikit_learn_s() -> None:
    """Balanced classes weigh the same, sample weights counted; a dict multiplies them."""
    X, eta, weights, rng = rows()
    y = (eta + rng.logistic(size=len(eta)) > 1.5).astype(int)
    heavy = np.bincount(y, weights)
    each = {label: heavy.sum() / (2 * heavy[label]) for label in (0, 1)}

    balanced = LogisticRegression(class_weight="balanced").fit(X, y, sample_weight=weights)
    told = LogisticRegression(class_weight=each).fit(X, y, sample_weight=weights)

    wanted = sl.LogisticRegression(class_weight=each, solver="newton-cholesky", tol=1e-12).fit(X, y, weights)
    near(balanced.coef_, wanted.coef_, 1e-9)
    near(told.coef_, wanted.coef_, 1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs", "power"),
    [
        (PoissonRegressor(alpha=0.3), sl.PoissonRegressor(alpha=0.3, solver="newton-cholesky", tol=1e-12), 1.0),
        (GammaRegressor(alpha=0.3), sl.GammaRegressor(alpha=0.3, solver="newton-cholesky", tol=1e-12), 2.0),
        (
            TweedieRegressor(power=1.5, alpha=0.3),
            sl.TweedieRegressor(power=1.5, alpha=0.3, solver="newton-cholesky", tol=1e-12),
            1.5,
        ),
        (
            TweedieRegressor(power=0.0, alpha=0.3),
            sl.TweedieRegressor(power=0.0, alpha=0.3, solver="newton-cholesky", tol=1e-12),
            0.0,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseEstimator) else str(value),
)
def test_regressors_are_scikit_learn_s(ours: Any, theirs: Any, power: float) -> None:
    """Coefficients, predictions and score, with weights."""
    X, eta, weights, rng = rows()
    mean = np.exp(eta)
    y = rng.poisson(mean).astype(float) if power == 1.0 else mean * rng.gamma(2.0, 0.5, len(mean))

    ours.fit(X, y, sample_weight=weights)
    theirs.fit(X, y, sample_weight=weights)

    near(ours.coef_, theirs.coef_, 1e-8)
    near(ours.intercept_, theirs.intercept_, 1e-8)
    near(ours.predict(X), theirs.predict(X), 1e-7)
    near(ours.score(X, y, weights), theirs.score(X, y, weights), 1e-8)


def test_stored_rows_are_fitted_where_they_are(tmp_path: Path) -> None:
    """Zarr rows and labels of any numbers give the coefficients of memory, and predictions as Zarr."""
    X, eta, _, rng = rows(600)
    y = np.where(eta + rng.logistic(size=len(eta)) > 0, 7, 3)
    zarr.create_array(store=str(tmp_path / "X.zarr"), data=X, chunks=(150, 4))
    zarr.create_array(store=str(tmp_path / "y.zarr"), data=y, chunks=(200,))

    stored = LogisticRegression().fit(str(tmp_path / "X.zarr"), str(tmp_path / "y.zarr"))
    inside = LogisticRegression().fit(X, y)

    near(stored.coef_, inside.coef_, 1e-12)
    assert stored.classes_.tolist() == [3, 7]
    written = stored.predict_proba(str(tmp_path / "X.zarr"), out=tmp_path / "p.zarr")
    near(np.asarray(written[:]), inside.predict_proba(X)[:, 1], 1e-12)
    assert np.array_equal(stored.predict(str(tmp_path / "X.zarr")), inside.predict(X))
    near(LogisticRegression().fit(da.from_array(X, chunks=(150, 4)), y).coef_, inside.coef_, 1e-12)


def test_labels_are_scored_wherever_they_are(stored: Callable[..., str]) -> None:
    """Rows and labels stored, in memory, mixed; words beside stored rows; with weights."""
    X, eta, weights, rng = rows()
    y = np.where(eta + rng.logistic(size=len(eta)) > 0, 7.0, 3.0)
    X_path, y_path, w_path = stored("X", X, 150), stored("y", y, 200), stored("w", weights, 100)
    theirs = sl.LogisticRegression(tol=1e-12).fit(X, y)
    wanted, weighed = theirs.score(X, y), theirs.score(X, y, weights)

    model = LogisticRegression().fit(X_path, y_path)
    for A in (X, X_path):
        for labels in (y, y_path):
            assert model.score(A, labels) == wanted
            assert abs(model.score(A, labels, w_path) - weighed) <= 1e-14
    words = LogisticRegression().fit(X_path, np.where(y == 7, "yes", "no"))
    assert words.classes_.tolist() == ["no", "yes"]
    near(words.coef_, model.coef_, 1e-12)
    assert set(words.predict(X_path)) == {"no", "yes"}


def test_stored_labels_that_are_none_are_refused(stored: Callable[..., str]) -> None:
    """A NaN is no class of its own: it is named by its row; neither is a second column, a measurement, or a masked entry."""
    X, _, _, rng = rows()
    y = rng.integers(3, 5, 400).astype(float)
    path = stored("X", X, 150)

    with pytest.raises(ValueError, match="y must hold labels that are whole numbers; row 217 holds nan"):
        LogisticRegression().fit(path, stored("nan", np.where(np.arange(400) == 217, np.nan, y), 100))
    with pytest.raises(ValueError, match=r"row 101 holds 3\.5"):
        LogisticRegression().fit(path, stored("half", np.where(np.arange(400) == 101, 3.5, y), 100))
    with pytest.raises(ValueError, match=r"y must be one label a row; its shape is \(400, 2\)"):
        LogisticRegression().fit(path, stored("two", np.column_stack([y, y]), 100))
    with pytest.raises(ValueError, match="y is masked at row 5"):
        LogisticRegression().fit(path, np.ma.array(y, mask=np.arange(400) == 5))
    with pytest.raises(ValueError, match="contain one class: 3"):
        LogisticRegression().fit(path, stored("one", np.full(400, 3), 100))
    with pytest.raises(ValueError, match="Unknown label type"):
        LogisticRegression().fit(path, rng.standard_normal(400))


@pytest.mark.parametrize("model", [PoissonRegressor(), GammaRegressor(), TweedieRegressor(), TweedieRegressor(power=1.5)])
def test_scores_of_stored_rows_are_those_of_memory(stored: Callable[..., str], model: Any) -> None:
    """D² from sums over the rows, with weights, some of them 0; a y outside the domain is named."""
    X, eta, weights, rng = rows()
    y, weights = np.exp(eta) * rng.gamma(2.0, 0.5, 400), np.where(np.arange(400) % 7 == 0, 0.0, weights)
    X_path, y_path, w_path = stored("X", X, 150), stored("y", y, 200), stored("w", weights, 100)
    model.fit(X, y, weights)

    for A, target, weight in ((X_path, y_path, w_path), (X_path, y, weights), (X, y_path, w_path)):
        near(model.score(A, target, weight), model.score(X, y, weights), 1e-12)
    near(model.score(X_path, y_path), model.score(X, y), 1e-12)
    if not isinstance(model, TweedieRegressor):
        with pytest.raises(ValueError, match="row 3 holds -1"):
            model.score(X_path, np.where(np.arange(400) == 3, -1.0, y))


def test_several_classes_of_stored_rows(tmp_path: Path) -> None:
    """Probabilities of K classes come from the rows where they are."""
    X, _, _, rng = rows(300)
    y = rng.integers(0, 3, 300)
    zarr.create_array(store=str(tmp_path / "X.zarr"), data=X, chunks=(100, 4))

    model = LogisticRegression().fit(X, y)

    near(np.asarray(model.predict_proba(str(tmp_path / "X.zarr"))), model.predict_proba(X), 1e-13)


def test_separated_classes_are_a_warning() -> None:
    """Without a penalty there is no answer, and the estimator says so; with one there is."""
    X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    y = np.array([0, 0, 0, 1, 1, 1])

    with pytest.warns(ConvergenceWarning, match="no minimizer"):
        LogisticRegression(C=np.inf).fit(X, y)
    assert LogisticRegression(C=1.0).fit(X, y).solution_.status.is_success


def test_wrong_parameters_say_what_was_expected() -> None:
    """C, alpha and power are checked on fitting; y outside its domain is named by its row."""
    X, _, _, rng = rows(50)
    y = rng.integers(0, 2, 50)

    with pytest.raises(ValueError, match="C must be a number above 0"):
        LogisticRegression(C=-1.0).fit(X, y)
    with pytest.raises(ValueError, match="alpha must be"):
        PoissonRegressor(alpha=-1.0).fit(X, y)
    with pytest.raises(ValueError, match="power must be 0, or at least 1"):
        TweedieRegressor(power=0.5).fit(X, y)
    with pytest.raises(ValueError, match="row 17"):
        GammaRegressor().fit(X, np.where(np.arange(50) == 17, 0.0, 1.0 + y))


def test_a_pickle_predicts_the_same() -> None:
    """What a fitted estimator predicts needs no solution."""
    X, eta, _, rng = rows()
    model = PoissonRegressor().fit(X, rng.poisson(np.exp(eta)))

    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - of this very test

    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.solution_ is None


def test_workers_give_the_bits_of_this_process(stored: Callable[..., str], client: Client) -> None:
    """Stored rows, on a cluster and serially: the same coefficients to the last bit, and the same scores to rounding."""
    X, eta, _, rng = rows(3000)
    y = np.where(eta + rng.logistic(size=len(eta)) > 0, 7.0, 3.0)
    X_path, y_path = stored("X", X, 500), stored("y", y, 700)
    for kind in (LogisticRegression, PoissonRegressor):
        here, there = (kind(cluster=cluster).fit(X_path, y_path) for cluster in ("serial", client))
        assert here.coef_.tobytes() == there.coef_.tobytes()
        assert here.predict(X_path).tobytes() == there.predict(X_path).tobytes()
        near(here.score(X_path, y_path), there.score(X_path, y_path), 1e-14)


def test_a_search_finds_scikit_learn_s_penalty() -> None:
    """In a grid search and a pipeline it ends where scikit-learn's does."""
    X, eta, _, rng = rows()
    y = np.where(eta + rng.logistic(size=len(eta)) > 0, "yes", "no")
    grid = {"logisticregression__C": [1e-3, 0.1, 10.0]}
    theirs = sl.LogisticRegression(solver="newton-cholesky", tol=1e-10)

    ours, wanted = (
        GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=3, scoring="neg_log_loss").fit(X, y)
        for model in (LogisticRegression(), theirs)
    )

    assert ours.best_params_ == wanted.best_params_
    near(ours.cv_results_["mean_test_score"], wanted.cv_results_["mean_test_score"], 1e-8)
