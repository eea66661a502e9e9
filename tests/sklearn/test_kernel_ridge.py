"""Kernel ridge regression as an estimator."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge as TheirKernelRidge

from dsketch.sklearn import KernelRidge
from tests.sklearn.model import EPS, N, regression


@pytest.mark.parametrize("sides", [None, 2])
def test_kernel_ridge_solves_the_kernel_s_system(
    kept: Callable[[str, np.ndarray], Any], tmp_path: Path, sides: int | None
) -> None:
    """(K + alpha I) x = y to the tolerance, from any storage, and predictions are the kernel of new and old rows times x."""
    X, y, _ = regression(sides)
    new, alpha, scale = X[:50] + 0.1, 0.5, 1e-3
    K, cross = np.exp(scale * X @ X.T), np.exp(scale * new @ X.T)
    stored_X, stored_y = kept("X", X), kept("y", y)
    model = KernelRidge(alpha=alpha, scale=scale).fit(stored_X, stored_y)

    residual = y - (K @ model.dual_coef_ + alpha * model.dual_coef_)
    assert model.dual_coef_.shape == y.shape
    assert (
        np.linalg.norm(residual, axis=0).max() <= 2e-10 * np.linalg.norm(y, axis=0).max()
    )  # solve's default is 1e-10 of each side
    # A kernel value is known to u (1 + s‖a‖²), and n of them are added.
    size = N * EPS * (1 + scale * (X**2).sum(axis=1).max()) * np.linalg.norm(cross) * np.linalg.norm(model.dual_coef_)
    for found in (model.predict(kept("new", new)), model.predict(new, tmp_path / "predicted.zarr")[...], model.predict(new)):
        assert found.shape == (50, *y.shape[1:])
        assert np.linalg.norm(found - cross @ model.dual_coef_) <= size
    assert abs(model.score(stored_X, stored_y) - model.score(X, y)) <= 1e-12


def test_kernel_ridge_is_scikit_learn_s_on_the_same_kernel() -> None:
    """The dual coefficients of scikit-learn's KernelRidge on the precomputed kernel, up to the tolerance times the condition number."""
    X, y, _ = regression()
    K = np.exp(1e-3 * X @ X.T)
    ours = KernelRidge(alpha=2.0, scale=1e-3, tol=1e-12).fit(X, y)
    theirs = TheirKernelRidge(alpha=2.0, kernel="precomputed").fit(K, y)

    condition = np.linalg.norm(K, 2) / 2.0 + 1
    assert np.linalg.norm(ours.dual_coef_ - theirs.dual_coef_) <= 2e-12 * condition * np.linalg.norm(theirs.dual_coef_)


def test_kernel_ridge_does_not_depend_on_units() -> None:
    """Without a scale the mean squared length of the rows is the unit."""
    X, y, _ = regression()

    found = KernelRidge().fit(X, y)

    assert np.isclose(found.scale_, 1 / np.mean((X**2).sum(axis=1)), rtol=N * EPS)
    again = KernelRidge().fit(1024 * X, y)  # a power of two rounds nothing
    assert np.array_equal(again.predict(1024 * X), found.predict(X))
    assert KernelRidge().fit(np.zeros((3, 2)), y[:3]).scale_ == 1.0


def test_kernel_ridge_after_a_pickle(stored: Callable[..., str]) -> None:
    """Rows in memory travel along, stored rows stay where they are, the predictions keep their bits."""
    X, y, _ = regression()
    for rows in (X, stored("X", X, 64)):
        model = KernelRidge(scale=1e-3).fit(rows, y)
        again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
        assert np.array_equal(again.predict(X[:9]), model.predict(X[:9]))
        assert again.solution_ is None


def test_what_kernel_ridge_refuses() -> None:
    """Other kernels, and rows whose exponential overflows."""
    X, y, _ = regression()
    with pytest.raises(ValueError, match="kernel must be 'exp'; got 'rbf'"):
        KernelRidge(kernel="rbf").fit(X, y)
    with pytest.raises(ValueError, match="overflows"):
        KernelRidge(scale=10.0).fit(X, y)
