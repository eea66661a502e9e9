"""Every problem and method answers for sparse rows as for dense ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from distributed import Client

import dsketch as ds
from dsketch.engine.panels import panels_of
from dsketch.features import FeatureView, TensorSketch
from dsketch.ingest import write_csr
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.problems import GramPower
from dsketch.problems.linear.methods import METHODS
from tests.matrix.csr import D, N, full_columns, sparse

EPS = float(np.finfo(float).eps)


def agreement(A: np.ndarray, b: np.ndarray, x: np.ndarray) -> float:
    """Return what two backward stable answers may differ by: 2 · 64 u kappa (1 + kappa ‖r‖/(‖A‖ ‖x‖)), relative to ‖x‖.

    N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM 2002, Theorem 20.1.
    """
    kappa, left = np.linalg.cond(A), np.linalg.norm(b - A @ x)
    return float(64 * EPS * kappa * (1 + kappa * left / (np.linalg.norm(A, 2) * np.linalg.norm(x))))


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("alpha", [None, 2.5])
def test_every_method_answers_as_for_dense_rows(method: str, alpha: float | None, tmp_path: Path) -> None:
    """Least squares and ridge, weighted, with intercept and two sides, from Zarr: the dense answer, as far as rounding lets it be."""
    X, rng = full_columns(), np.random.default_rng(3)
    b, w = X @ rng.standard_normal((D, 2)) + 0.1 * rng.standard_normal((N, 2)), rng.uniform(0.5, 2, N)
    stored = write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=300)
    kind = ds.LeastSquares if alpha is None else ds.Ridge
    options: dict[str, Any] = {"weights": w, "intercept": True} | ({} if alpha is None else {"alpha": alpha})

    found, dense = (ds.solve(kind(A, b, **options), method=method, progress=False) for A in (stored, X.toarray()))

    root = np.sqrt(w)[:, None]
    M = np.concatenate([root * np.column_stack([X.toarray(), np.ones(N)]), np.sqrt(alpha or 0.0) * np.eye(D, D + 1)])
    z = np.concatenate([root * b, np.zeros((D, 2))])
    assert found.method == method
    assert found.status is dense.status
    assert np.linalg.norm(found.x - dense.x) <= agreement(M, z, dense.x) * np.linalg.norm(dense.x)
    if method != "sketch_and_solve":
        exact = np.linalg.lstsq(M, z)[0]
        assert np.linalg.norm(found.x - exact) <= agreement(M, z, exact) * np.linalg.norm(exact)


def test_empty_column_gives_the_minimum_norm() -> None:
    """A column without an entry gets coefficient 0, and the rank says so."""
    X = sparse()
    b = np.random.default_rng(0).standard_normal(N)

    found = ds.lstsq(X, b, progress=False)

    assert found.certificate.rank == D - 1
    assert found.x[-1] == 0.0
    exact = np.linalg.lstsq(X.toarray()[:, :-1].astype(float), b)[0]
    assert np.linalg.norm(found.x[:-1] - exact) <= agreement(X.toarray()[:, :-1], b, exact) * np.linalg.norm(exact)


@pytest.mark.cluster
@pytest.mark.parametrize("method", ["krylov", "conjugate_gradient", "tsqr"])
@pytest.mark.parametrize("place", ["stored", "in memory"])
def test_same_bits_on_a_cluster(method: str, place: str, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored rows and rows that travel with their tasks give the bits of the serial engine."""
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
    X = full_columns()
    b = np.random.default_rng(0).standard_normal(N)
    A = Recut(
        ds.open_matrix(X if place == "in memory" else write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=100)),
        [*range(0, N, 16), N],
    )
    assert len(panels_of(Rows(A))) == 32

    alone, together = (ds.lstsq(A, b, method=method, cluster=where, progress=False) for where in ("serial", client))

    assert alone.method == together.method == method
    assert np.array_equal(alone.x, together.x)
    assert np.array_equal(alone.certificate.backward_error, together.certificate.backward_error)


def test_run_resumes_and_refuses_other_data(tmp_path: Path) -> None:
    """The journal of a sparse run names its source, replays to the same bits, and belongs to no other data."""
    X, b = full_columns(), np.arange(N, dtype=float)
    path, target = write_csr(tmp_path / "A.zarr", X), str(tmp_path / "b.zarr")
    zarr.create_array(store=target, data=b)
    first = ds.lstsq(path, target, method="whitened", journal=tmp_path / "run", progress=False)

    again = ds.resume(tmp_path / "run", progress=False)

    assert np.array_equal(first.x, again.x)
    assert all(record.replayed for record in again.passes)
    X.data[0] += 1
    write_csr(path, X, overwrite=True)
    with pytest.raises(ds.errors.JournalError):
        ds.resume(tmp_path / "run", progress=False)


def test_check_and_predict_take_sparse_rows(tmp_path: Path) -> None:
    """``check`` judges an answer by the sparse data; the intercept is predicted too."""
    X, b = full_columns(), np.random.default_rng(0).standard_normal(N)
    path = write_csr(tmp_path / "A.zarr", X)
    found = ds.lstsq(path, b, intercept=True, progress=False)

    judged = ds.check(ds.LeastSquares(path, b, intercept=True), found.x, progress=False)

    assert judged.backward_error[0] <= 16 * EPS  # what counts as solved
    assert judged.rank == D + 1


def test_gram_power_takes_sparse_rows() -> None:
    """(AᵀA)² x = b from CSR and from dense rows: as close as 2j kappa u lets them be, ten times over as the issue allows."""
    X, b = full_columns(), np.random.default_rng(0).standard_normal(D)
    kappa = np.linalg.cond(X.toarray())
    for method in ("factored", "alternating"):
        found, dense = (ds.solve(GramPower(A, b, power=2), method=method, progress=False) for A in (X, X.toarray()))
        bound = 10 * 4 * kappa * EPS / 2 if method == "factored" else kappa**4 * 1e-10  # the stages' stopping rule times kappa^2j
        assert np.linalg.norm(found.x - dense.x) <= bound * np.linalg.norm(dense.x)


def test_tensor_sketch_features_take_sparse_rows(tmp_path: Path) -> None:
    """Features of stored CSR rows are those of the dense rows, however the rows are cut: d eps of the longest row's features."""
    X = full_columns()
    base = Recut(ds.open_matrix(write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=100)), [*range(0, N, 50), N])
    features = TensorSketch(np.zeros(D), 0.1, 200, 3, 0)

    found = FeatureView(base, features).read(30, 170)

    expected = features.apply(X[30:170].toarray())
    assert np.abs(found - expected).max() <= 64 * EPS * D * np.abs(expected).max()


def test_wide_sparse_rows_are_planned_by_what_is_stored() -> None:
    """Two entries among 500 in each row: a Gram matrix costs their pairs, and no method that makes rows dense is chosen."""
    n, d = 400_000, 500
    rng = np.random.default_rng(0)
    X = sp.csr_array((rng.standard_normal(2 * n), rng.integers(0, d, 2 * n), np.arange(0, 2 * n + 1, 2)), shape=(n, d))

    plan = ds.plan(ds.LeastSquares(X, np.ones(n)), cluster="serial")

    assert plan.method == "cholesky"
    assert plan.estimate.seconds < 1
    assert plan.read_bytes == plan.estimate.passes * (2 * n * (8 + X.indices.itemsize) + 8 * n + 8 * n)
    assert plan.estimate.memory_bytes < 8 * n * d / 4
    assert "density 0.4 %" in plan.matrix
