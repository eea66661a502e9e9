"""Ridge with an alpha for each target, or for each column: each target as if it had been solved alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from sklearn.linear_model import Ridge

import dsketch as ds
from dsketch.sklearn import Ridge as Estimator

EPS = float(np.finfo(float).eps)
N, D, K = 400, 3, 5
ALPHAS = np.array([0.0, 1.0, 30.0, 1.0, 1e4])


def data(k: int = K) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, b and weights."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((N, D)) + 2.0
    return A, A @ rng.standard_normal((D, k)) + rng.standard_normal((N, k)), rng.uniform(0, 2, N)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_target_is_solved_with_its_own_alpha(intercept: bool, weighted: bool) -> None:
    """x, residual and backward error are those of each target alone with its alpha, and an independent pass agrees."""
    A, b, w = data()
    weights = w if weighted else None

    found = ds.ridge(A, b, alpha=ALPHAS, weights=weights, intercept=intercept, cluster="serial")

    for side, alpha in enumerate(ALPHAS):
        one = ds.ridge(A, b[:, side], alpha=float(alpha), weights=weights, intercept=intercept, cluster="serial")
        assert np.allclose(found.x[:, side], one.x, rtol=0, atol=N * EPS * np.linalg.cond(A) ** 2)
        assert np.isclose(found.certificate.residual_norm[side], one.certificate.residual_norm[0], rtol=N * EPS)
    assert (found.certificate.backward_error <= 4 * EPS).all()
    assert (ds.check(found.problem, found).backward_error <= 8 * EPS).all()
    assert found.coefficient_errors.shape == found.x.shape
    assert len(found.passes) == 2


def test_an_alpha_for_each_column() -> None:
    """(AᵀA + diag alpha) x = Aᵀb, by any method."""
    A, b, _ = data()
    alpha = np.array([0.0, 3.0, 1e3])
    x = np.linalg.solve(A.T @ A + np.diag(alpha), A.T @ b)

    for method in ("auto", "cholesky", "semi_normal", "whitened"):
        found = ds.ridge(A, b, alpha=alpha, method=method, cluster="serial")
        assert np.allclose(found.x, x, rtol=0, atol=N * EPS * np.linalg.cond(A) ** 2)


@pytest.mark.parametrize(
    ("alpha", "k", "words"),
    [
        ([1.0, 2.0, 3.0], 3, r"\(1, 3\) for the first, \(3, 1\) for the second"),
        ([1.0, 2.0], 5, r"one for each of the 5 columns of b, or one for each of the 3 columns of A; its shape is \(2,\)"),
        ([1.0, -2.0, 3.0, 4.0, 5.0], 5, r"≥ 0; got -2.0"),
        ([1.0, np.nan, 3.0, 4.0, 5.0], 5, r"≥ 0; got nan"),
    ],
)
def test_alphas_that_do_not_fit_are_refused(alpha: Any, k: int, words: str) -> None:
    """With what they could be for, and what they are."""
    A, b, _ = data(k)

    with pytest.raises(ds.SpecError, match=words):
        ds.ridge(A, b, alpha=alpha)


def test_shapes_say_what_alphas_are_for() -> None:
    """Where k = d, (1, k) is of targets and (d, 1) of columns; another method than tsqr is refused for targets."""
    A, b, _ = data(3)
    alpha = np.array([1.0, 10.0, 100.0])

    targets = ds.ridge(A, b, alpha=alpha[None], cluster="serial").x
    columns = ds.ridge(A, b, alpha=alpha[:, None], cluster="serial").x

    assert np.allclose(targets[:, 1], ds.ridge(A, b[:, 1], alpha=10.0, cluster="serial").x)
    assert np.allclose(columns, np.linalg.solve(A.T @ A + np.diag(alpha), A.T @ b))
    with pytest.raises(ds.SpecError, match="solved by tsqr"):
        ds.ridge(A, b, alpha=alpha[None], method="cholesky", cluster="serial")


def test_alphas_go_through_a_journal_and_the_cube(tmp_path: Path) -> None:
    """A resumed run has the same bits; targets of two dimensions take alphas of two."""
    A, b, _ = data(6)
    alpha = np.arange(6.0)
    zarr.save_array(str(tmp_path / "A.zarr"), A)
    zarr.save_array(str(tmp_path / "b.zarr"), b)

    found = ds.ridge(
        str(tmp_path / "A.zarr"), str(tmp_path / "b.zarr"), alpha=alpha, cluster="serial", journal=str(tmp_path / "run")
    )
    cube = ds.ridge(A, b.reshape(N, 2, 3), alpha=alpha.reshape(2, 3), cluster="serial")

    assert np.array_equal(ds.resume(str(tmp_path / "run")).x, found.x)
    assert cube.x.shape == (D, 2, 3)
    assert np.allclose(cube.x.reshape(D, 6), found.x, rtol=0, atol=N * EPS)


def test_the_estimator_takes_an_alpha_for_each_target() -> None:
    """As scikit-learn's Ridge does, also where k = d."""
    A, b, w = data(3)
    alpha = np.array([0.1, 1.0, 50.0])

    ours, theirs = (kind(alpha=alpha).fit(A, b, sample_weight=w) for kind in (Estimator, Ridge))

    assert np.allclose(ours.coef_, theirs.coef_, rtol=1e-10)
    assert np.allclose(ours.intercept_, theirs.intercept_, rtol=1e-10)
