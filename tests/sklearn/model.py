"""Data, estimators in pairs, and how alike two of them are."""

from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression as TheirLinearRegression
from sklearn.linear_model import Ridge as TheirRidge

from dsketch.sklearn import LinearRegression, Ridge

EPS = np.finfo(float).eps
N, D = 300, 5
PAIRS = [(LinearRegression, TheirLinearRegression), (Ridge, TheirRidge)]


def regression(sides: int | None = None, rows: int = N) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X with means far from 0, y and weights, some of them 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, D)) * np.geomspace(1, 20, D) + 3.0
    y = X @ rng.standard_normal((D, sides or 1)) + 5.0 + rng.standard_normal((rows, sides or 1))
    weights = rng.uniform(0, 2, rows)
    weights[::7] = 0.0
    return X, y if sides else y[:, 0], weights


def allowed(X: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the relative difference of two backward stable answers: 2 · n u · kappa² covers any residual up to ‖y‖ (Wedin)."""
    root = np.sqrt(np.ones(len(X)) if weights is None else weights)[:, None]
    return len(X) * EPS * float(np.linalg.cond(root * np.column_stack([X, np.ones(len(X))]))) ** 2


def assert_same_model(ours: Any, theirs: Any, X: np.ndarray, tolerance: float) -> None:
    """Compare coefficients, intercept and predictions, and their shapes (their Ridge drops the column of a y that has one)."""
    assert np.shape(ours.coef_) in (np.shape(theirs.coef_), (1, *np.shape(theirs.coef_)))
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    size = float(np.linalg.norm(theirs.coef_)) + float(np.linalg.norm(theirs.intercept_))
    assert np.linalg.norm(ours.coef_ - theirs.coef_) <= tolerance * size
    assert np.linalg.norm(ours.intercept_ - theirs.intercept_) <= tolerance * size
    assert (
        np.linalg.norm(ours.predict(X) - theirs.predict(X).reshape(ours.predict(X).shape)) <= tolerance * np.linalg.norm(X) * size
    )
