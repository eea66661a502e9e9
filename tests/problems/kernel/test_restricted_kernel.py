"""Kernel ridge regression with centres: the dense problem's answer, through the tall core."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from distributed import Client

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.problems.kernel.restricted import draw_centres

EPS = float(np.finfo(float).eps)


def data(n: int = 600, d: int = 3, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of moderate length and a smooth target."""
    rng = np.random.default_rng(11)
    A = 0.7 * rng.standard_normal((n, d))
    y = np.sin(A.sum(axis=1)) + 0.1 * rng.standard_normal(n)
    return A, y if k is None else np.outer(y, np.arange(1, k + 1))


def objective(problem: ds.RestrictedKernel, A: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Return ‖K_nM w − y‖² + alpha wᵀ K_MM w."""
    C = problem.centre_rows
    return float(np.sum((np.exp(A @ C.T) @ w - y) ** 2) + problem.alpha * w @ np.exp(C @ C.T) @ w)


@pytest.mark.parametrize("method", ["auto", "cholesky", "whitened", "tsqr", "conjugate_gradient"])
def test_w_minimizes_the_dense_objective(method: str) -> None:
    """The gradient 2 K_Mn(K_nM w − y) + 2 alpha K_MM w is rounding of its terms, whatever the method."""
    A, y = data()
    problem = ds.RestrictedKernel(A, y, alpha=1e-2, centres=40)

    found = ds.solve(problem, method=method, cluster="serial")

    C = problem.centre_rows
    K, M = np.exp(A @ C.T), np.exp(C @ C.T)
    gradient = K.T @ (K @ found.x - y) + problem.alpha * M @ found.x
    terms = np.abs(K).T @ (np.abs(K) @ np.abs(found.x) + np.abs(y)) + problem.alpha * np.abs(M) @ np.abs(found.x)
    assert found.status is ds.Status.SOLVED
    assert (np.abs(gradient) <= len(A) * EPS * terms).all()


def test_several_sides_and_predictions() -> None:
    """k targets at once; predictions of new rows are exp(s A_new Cᵀ) w."""
    A, y = data(k=3)
    new = data(50)[0]
    problem = ds.RestrictedKernel(A, y, alpha=1e-2, scale=0.5, centres=30)

    found = ds.solve(problem, cluster="serial")

    expected = np.exp(0.5 * new @ problem.centre_rows.T) @ found.x
    assert found.x.shape == (30, 3)
    assert np.allclose(found.predict(new), expected, rtol=1e-9, atol=1e-9 * np.abs(found.x).max())


def test_dependent_centres_get_zero() -> None:
    """Rows that occur many times are one centre; the answer is as good as with that one, and ``check`` accepts it."""
    A, y = data(12)
    A, y = np.tile(A, (10, 1)), np.tile(y, 10)
    problem = ds.RestrictedKernel(A, y, alpha=1e-3, centres=100)

    found = ds.solve(problem, cluster="serial")

    best = ds.solve(ds.RestrictedKernel(A[:12], y[:12], alpha=1e-4, centres=12), cluster="serial")
    assert np.count_nonzero(found.x) <= 12
    assert "dependent" in str(found.plan)
    assert np.allclose(found.predict(A[:12]), best.predict(A[:12]), atol=1e-6)
    assert ds.check(problem, found.x, cluster="serial").backward_error[0] <= 64 * EPS
    with pytest.raises(DataError, match="must be 0"):
        ds.check(problem, found.x + 1.0, cluster="serial")


def test_centres_are_rows_drawn_once_each(stored: Any) -> None:
    """M different rows, the same for the same number, from stored and from in-memory rows alike."""
    A, y = data(500)
    matrix = ds.open_matrix(A)

    assert np.array_equal(draw_centres(matrix, 60, 1), draw_centres(matrix, 60, 1))
    assert not np.array_equal(draw_centres(matrix, 60, 1), draw_centres(matrix, 60, 2))
    assert len(set(draw_centres(matrix, 500, 0).tolist())) == 500
    problem = ds.RestrictedKernel(stored("A", A, 90), stored("b", y, 500), centres=60)
    assert np.array_equal(problem.centre_rows, A[draw_centres(problem.A, 60, 0)])


@pytest.mark.parametrize("centres", [4, 30])
def test_sparse_rows_in_memory_give_what_dense_ones_give(centres: int) -> None:
    """Rows that are picked one by one from CSR are made dense."""
    A = np.where(np.arange(120).reshape(30, 4) % 3 == 0, 0.0, 0.1 * np.sin(np.arange(120.0).reshape(30, 4)))
    dense, sparse = (ds.RestrictedKernel(rows, A[:, 0], centres=centres) for rows in (A, scipy.sparse.csr_array(A)))

    assert np.array_equal(dense.centre_rows, sparse.centre_rows)
    assert np.allclose(ds.solve(dense, progress=False).x, ds.solve(sparse, progress=False).x)


@pytest.mark.cluster
def test_same_bits_on_a_cluster_and_from_a_journal(stored: Any, tmp_path: Path, client: Client) -> None:
    """Two workers give the serial bits; so does a run that goes on after its first recorded pass."""
    A, y = data(2000)
    sources = stored("A", A, 300), stored("b", y, 300)
    problem = ds.RestrictedKernel(*sources, alpha=1e-2, centres=50)

    serial = ds.solve(problem, cluster="serial", method="whitened", journal=tmp_path / "run")
    spread = ds.solve(problem, cluster=client, method="whitened")
    (tmp_path / "run" / "pass-0003.npz").unlink()
    resumed = ds.resume(tmp_path / "run", cluster="serial")

    assert np.array_equal(serial.x, spread.x)
    assert np.array_equal(serial.x, resumed.x)
    assert [record.replayed for record in resumed.passes] == [True, True, False]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"alpha": -1.0}, SpecError, "alpha must be"),
        ({"scale": 0.0}, SpecError, "scale must be"),
        ({"centres": 0}, SpecError, "centres must be a number from 1 to the 600"),
        ({"centres": 601}, SpecError, "got 601"),
        ({"draw": -1}, SpecError, "draw must be"),
    ],
)
def test_bad_words_are_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    """One sentence with the value found."""
    with pytest.raises(error, match=words):
        ds.RestrictedKernel(*data(), **options)


def test_bad_rows_are_refused() -> None:
    """A centre that is not finite, or whose exponential overflows, is named with its row."""
    A, y = data(20)
    A[7, 1] = 40.0
    with pytest.raises(DataError, match=r"row 7 has 80\d"):
        ds.solve(ds.RestrictedKernel(A, y, centres=20), cluster="serial")
    A[7, 1] = np.nan
    with pytest.raises(DataError, match="row 7"):
        ds.solve(ds.RestrictedKernel(A, y, centres=20), cluster="serial")


def test_check_accepts_what_rounding_leaves_and_no_more() -> None:
    """Long coefficients that cancel are right as they are, and wrong when they move by more than rounding."""
    A, y = data()
    problem = ds.RestrictedKernel(A, y, alpha=1e-10, scale=0.05, centres=80)  # K_MM near singular
    x = ds.solve(problem, cluster="serial").x

    def is_right(vector: np.ndarray) -> bool:
        error = ds.check(problem, vector, cluster="serial").backward_error
        return bool((error <= problem.accepted(None, vector)).all())

    wrong = x * (1 + 1e-9 * np.random.default_rng(1).standard_normal(x.shape))
    assert is_right(x)
    assert not is_right(wrong)
    assert "K_nM" in str(ds.check(problem, x, cluster="serial"))
