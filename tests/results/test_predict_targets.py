"""Predictions of very many targets: A x and the intercept, piece by piece, in memory or in Zarr."""

from pathlib import Path

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._results import predict_targets

RNG = np.random.default_rng(5)
A, NEW = RNG.standard_normal((40, 2)), RNG.standard_normal((11, 2))
B = RNG.standard_normal((40, 4, 6))
B[RNG.random(B.shape) < 0.1] = np.nan
B[:, 1, 2] = np.nan


@pytest.fixture
def fit(tmp_path: Path) -> str:
    """Return the path of answers with an intercept, and a target without any."""
    ds.lstsq(A, B, intercept=True, missing="drop", out_dir=tmp_path / "fit.zarr", cluster="serial")
    return str(tmp_path / "fit.zarr")


def test_predictions_are_those_of_each_target_by_itself(fit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory and in Zarr, in pieces of any size, they are X x plus the intercept; NaN for a target without an answer."""
    x = zarr.open_group(fit)["x"][...]
    wanted = np.einsum("md,dxy->mxy", NEW, x[:2]) + x[2]
    np.testing.assert_allclose(ds.predict(fit, NEW), wanted, rtol=1e-14, atol=1e-14)
    monkeypatch.setattr(predict_targets, "_PIECE_BYTES", 8 * 4 * 7)
    monkeypatch.setattr(predict_targets, "_ROWS", 4)
    written = ds.predict(fit, NEW, tmp_path / "y.zarr")
    assert written.chunks[0] < 11
    np.testing.assert_allclose(written[...], wanted, rtol=1e-14, atol=1e-14)
    assert np.isnan(written[:, 1, 2]).all()


def test_the_fit_itself_predicts() -> None:
    """So does a fit in memory."""
    found = ds.lstsq(A, B, missing="drop", cluster="serial")
    np.testing.assert_allclose(found.predict(NEW), np.einsum("md,dxy->mxy", NEW, found.x), rtol=1e-14, atol=1e-14)


def test_what_does_not_fit_is_refused(fit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other columns, another intercept, an offset, a NumPy file, a NaN, and more than memory holds are refused in a sentence."""
    for call, kind, words in (
        (lambda: ds.predict(fit, np.ones((3, 4))), ds.DataError, "must have 2 columns"),
        (lambda: ds.predict(fit, NEW, intercept=False), ds.SpecError, "intercept=True"),
        (lambda: ds.predict(fit, NEW, offset=np.ones(11)), ds.SpecError, "offset is for"),
        (lambda: ds.predict(fit, NEW, tmp_path / "y.npy"), ds.SpecError, "Leave out .npy"),
        (lambda: ds.predict(fit, np.full((2, 2), np.nan)), ds.DataError, "row 0, column 0"),
    ):
        with pytest.raises(kind, match=words):
            call()
    monkeypatch.setattr(predict_targets, "IN_MEMORY_BYTES", 100)
    with pytest.raises(ds.PlanError, match="out="):
        ds.predict(fit, NEW)


@pytest.mark.cluster
def test_workers_write_the_same_bits(fit: str, tmp_path: Path, cluster: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathered or written, by this process or by workers, from stored rows whose chunks are no whole pieces."""
    monkeypatch.setattr(predict_targets, "_PIECE_BYTES", 8 * 24 * 7)
    monkeypatch.setattr(predict_targets, "_ROWS", 7)
    rows = np.random.default_rng(6).standard_normal((61, 2))
    stored = zarr.create_array(tmp_path / "new.zarr", data=rows, chunks=(11, 2))
    here = ds.predict(fit, str(stored.store_path.store.root), tmp_path / "here.zarr", cluster="serial")
    there = ds.predict(fit, str(stored.store_path.store.root), tmp_path / "there.zarr", cluster=cluster)

    assert here.chunks == (7, 4, 6)
    assert here[...].tobytes() == there[...].tobytes()
    for where in ("serial", cluster):
        assert ds.predict(fit, str(stored.store_path.store.root), cluster=where).tobytes() == here[...].tobytes()
