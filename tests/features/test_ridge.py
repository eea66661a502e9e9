"""Ridge regression on features is that on the dense features, on any engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from distributed import Client
from zarr.codecs import ZstdCodec

import dsketch as ds
from dsketch.features import (
    FEATURES,
    Centres,
    FeatureView,
)
from dsketch.matrix.open import open_matrix
from dsketch.testing.features import COLUMNS, EPS, mean, rows
from tests.features.stored import stored_at

ALPHA = 1e-3


def _tall(n: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    X = rows(n, seed=7)
    return X, np.exp(X @ np.linspace(-1, 1, COLUMNS)) + 0.1 * rng.standard_normal(n)


@pytest.mark.parametrize("name", [*sorted(FEATURES), "centres"])
def test_ridge_on_features_is_ridge_on_the_dense_features(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is LAPACK's for [F; √α I], within its own bound: condition number times backward error."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 8 * 50 * 700)
    X, b = _tall()
    row_map = Centres(mean(), 1.0, X[:40]) if name == "centres" else FEATURES[name](mean(), 1.0, 50, 4, 1)

    solution = ds.ridge(FeatureView(open_matrix(X), row_map), b, alpha=ALPHA, cluster="serial", progress=False)

    F = row_map.apply(X)
    stacked = np.concatenate([F, np.sqrt(ALPHA) * np.eye(F.shape[1])])
    expected = np.linalg.lstsq(stacked, np.concatenate([b, np.zeros(F.shape[1])]), rcond=None)[0]
    # Least squares with a large residual: an error of cond² · u · ‖r‖/(‖A‖ ‖x‖) besides cond · u (Wedin).
    condition, residual = np.linalg.cond(stacked), np.linalg.norm(stacked @ expected - np.r_[b, np.zeros(F.shape[1])])
    size = np.linalg.norm(stacked, 2) * np.linalg.norm(expected)
    limit = 50 * EPS * condition * (1 + condition * residual / size)
    assert solution.status is ds.Status.SOLVED
    assert np.linalg.norm(solution.x - expected) <= limit * np.linalg.norm(expected)


@pytest.mark.cluster
@pytest.mark.parametrize("storage", ["array", "zstd", "dask", "persisted", "csr"])
@pytest.mark.parametrize("name", ["taylor", "tensor_sketch", "tensor_srht"])
def test_same_bits_on_a_cluster(name: str, storage: str, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two worker processes and this one give the same bits of the same features, wherever the rows lie."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 8 * 50 * 100)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 8 * 50 * 100)
    X, b = _tall(2000)
    sources: dict[str, Callable[[], Any]] = {
        "array": lambda: X,
        "zstd": lambda: stored_at(tmp_path, "A.zarr", X, compressors=ZstdCodec()),
        "dask": lambda: da.from_array(X, chunks=(450, COLUMNS)),
        "persisted": lambda: client.persist(da.from_array(X, chunks=(450, COLUMNS))),
        "csr": lambda: scipy.sparse.csr_array(X),
    }
    view = FeatureView(open_matrix(sources[storage]()), FEATURES[name](mean(), 1.0, 50, 4, 1))
    assert len(view.cuts) > 5

    alone = ds.ridge(view, b, alpha=ALPHA, cluster="serial", progress=False)
    together = ds.ridge(view, b, alpha=ALPHA, cluster=client, progress=False)

    assert np.array_equal(alone.x, together.x)
    assert np.array_equal(alone.certificate.backward_error, together.certificate.backward_error)
