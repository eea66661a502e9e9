"""CSR groups are written as scipy would read them."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import zarr

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.ingest import ingest, write_csr
from tests.matrix.csr import D, N, doubled, sparse


def test_written_group_is_what_scipy_would_read(tmp_path: Path) -> None:
    """Attributes and arrays of the AnnData layout; entries as they were, in their order."""
    X = doubled()
    group = zarr.open_group(write_csr(tmp_path / "A.zarr", X), mode="r")

    assert group.attrs.asdict() == {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [N, D]}
    assert all(np.array_equal(group[name][...], getattr(X, name)) for name in ("data", "indices", "indptr"))


def test_writer_replaces_only_when_told(tmp_path: Path) -> None:
    """A path that is taken is refused, and what is not sparse too."""
    path = write_csr(tmp_path / "A.zarr", sparse())
    with pytest.raises(DataError, match="exists"):
        write_csr(path, sparse(seed=1))
    for zarr_format in (2, 3):
        assert write_csr(path, sparse(seed=1), overwrite=True, zarr_format=zarr_format) == path
    assert np.array_equal(ds.open_matrix(path).read(0, N).toarray(), sparse(seed=1).toarray())
    with pytest.raises(DataError, match=r"a scipy\.sparse matrix was expected"):
        write_csr(tmp_path / "B.zarr", np.ones((3, 2)))


def test_scipy_files_become_groups(tmp_path: Path) -> None:
    """``dsketch ingest`` takes what ``save_npz`` wrote, in any format; options about columns are refused."""
    sp.save_npz(tmp_path / "X.npz", sparse().tocsc())

    done = ingest(tmp_path / "X.npz", tmp_path / "A.zarr")

    assert (done.shape, done.dtype, done.rows_read) == ((N, D), "float64", N)
    assert np.array_equal(ds.open_matrix(done.matrix).read(0, N).toarray(), sparse().toarray())
    with pytest.raises(SpecError, match="a sparse matrix, which is taken as it is"):
        ingest(tmp_path / "X.npz", tmp_path / "B.zarr", add_intercept=True)
