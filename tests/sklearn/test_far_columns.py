"""Smooth estimators keep the digits of columns far from 0, in coefficients, predictions and scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from dsketch.sklearn import LogisticRegression, PoissonRegressor
from tests.problems.smooth.far import far


@pytest.fixture
def data() -> Any:
    """Rows, and the same shifted by hand."""
    return far(600)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_far_from_0(data: Any, classes: int) -> None:
    """Coefficients, scores and probabilities are those of the data shifted by hand."""
    y = np.clip(np.round(data.eta + np.random.default_rng(0).logistic(size=600)), 0, classes - 1)
    there, here = LogisticRegression().fit(data.A, y), LogisticRegression().fit(data.near, y)

    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-9)
    np.testing.assert_allclose(there.predict_proba(data.A), here.predict_proba(data.near), rtol=1e-12)
    np.testing.assert_allclose(there.decision_function(data.A), here.decision_function(data.near), rtol=0, atol=1e-12)
    there.intercept_ = there.intercept_ + 1.0  # what a user has changed is what predicts
    assert not np.allclose(there.decision_function(data.A), here.decision_function(data.near), atol=0.5)


def test_a_regressor_far_from_0(tmp_path: Path, data: Any) -> None:
    """Means and D² are those of the data shifted by hand, in memory and stored."""
    y = np.random.default_rng(0).poisson(np.exp(data.eta)).astype(float)
    there, here = PoissonRegressor(alpha=1e-3).fit(data.A, y), PoissonRegressor(alpha=1e-3).fit(data.near, y)
    X = zarr.create_array(store=str(tmp_path / "X.zarr"), data=data.A)

    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-9)
    np.testing.assert_allclose(there.predict(data.A), here.predict(data.near), rtol=1e-12)
    np.testing.assert_allclose(there.predict(X), here.predict(data.near), rtol=1e-12)
    np.testing.assert_allclose([there.score(data.A, y), there.score(X, y)], here.score(data.near, y), rtol=1e-10)
