"""The estimators keep scikit-learn's conventions, alone and among others."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import dsketch as ds
from dsketch.sklearn import KernelRidge, LinearRegression, Ridge
from tests.sklearn.model import PAIRS, allowed, regression

# Nothing is expected to fail.
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    [
        LinearRegression(),
        LinearRegression(fit_intercept=False, method="tsqr"),
        Ridge(),
        Ridge(alpha=0.0, fit_intercept=False),
        KernelRidge(),
    ],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_scikit_learn_s_own_checks(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    """Every convention that scikit-learn checks is kept."""
    check(estimator)


# ---- an estimator among others -----------------------------------------------------------------------------------------


def test_parameters_reach_the_solver(tmp_path: Path, client: Client) -> None:
    """Method, seed, sketch, cluster and journal are those of solve; the bits are solve's own."""
    X, y, _ = regression()
    words = {"method": "whitened", "sketch": "gaussian", "seed": 3}
    model = LinearRegression(**words, cluster=client, journal=tmp_path / "run").fit(X, y)

    wanted = ds.lstsq(X, y, intercept=True, **words)
    assert np.array_equal(np.append(model.coef_, model.intercept_), wanted.x)
    assert model.solution_.method == "whitened"
    assert (tmp_path / "run" / "header.json").exists()
    with pytest.raises(ValueError, match="method must be one of"):
        LinearRegression(method="magic").fit(X, y)


def test_an_answer_that_is_not_right_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backward error above the tolerance is told the way scikit-learn tells it."""
    X, y, _ = regression()
    monkeypatch.setattr("dsketch.settings.ACCEPTED", 0.0)
    with pytest.warns(ConvergenceWarning, match="not solved"):
        LinearRegression().fit(X, y)


def test_a_copy_shares_the_cluster(client: Client) -> None:
    """A client is no value to be copied; everything else of a clone is unfitted and equal."""
    X, y, _ = regression()
    model = Ridge(alpha=2.0, cluster=client).fit(X, y)

    copied = clone(model)

    assert copied.cluster is client
    assert model.cluster is client
    assert copied.alpha == 2.0
    assert not hasattr(copied, "coef_")


def test_a_pickle_is_without_the_data() -> None:
    """What comes back predicts the same bits; the solution stays with the data."""
    X, y, _ = regression(rows=5000)
    model = LinearRegression().fit(X, y)

    packed = pickle.dumps(model)
    again = pickle.loads(packed)  # noqa: S301 - our own

    assert len(packed) < X.nbytes / 20
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.solution_ is None
    assert model.solution_ is not None


def test_a_search_finds_scikit_learn_s_alpha() -> None:
    """In a grid search and a pipeline Ridge ends where scikit-learn's does."""
    X, y, _ = regression()
    grid = {"ridge__alpha": [0.1, 10.0, 1000.0]}
    ours, theirs = (GridSearchCV(make_pipeline(StandardScaler(), kind()), grid, cv=3).fit(X, y) for kind in PAIRS[1])

    assert ours.best_params_ == theirs.best_params_
    scores = ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    assert np.abs(scores[0] - scores[1]).max() <= allowed(X)
