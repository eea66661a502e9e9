"""A view of features is a Matrix like others."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import ZstdCodec

from dsketch.engine import SerialEngine
from dsketch.errors import DataError
from dsketch.events import ignore
from dsketch.features import (
    FeatureView,
    Taylor,
    TensorSketch,
    monomials,
)
from dsketch.features.view import feature_cuts
from dsketch.matrix.base import BLOCK_BYTES, AnyArray, Matrix
from dsketch.matrix.cache import BLOCKS
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Gram, Look
from dsketch.testing.features import COLUMNS, mean, rows
from dsketch.testing.matrices import MatrixTests
from dsketch.testing.recut import Recut
from tests.features.stored import stored_at

N = 103


def _bases(folder: Path) -> dict[str, Callable[[], Any]]:
    X = rows(N)
    return {
        "array": lambda: X,
        "raw": lambda: stored_at(folder, "raw.zarr", X, compressors=None, filters=None),
        "zstd": lambda: stored_at(folder, "zstd.zarr", X, compressors=ZstdCodec()),
        "float32": lambda: stored_at(folder, "single.zarr", X.astype(np.float32), compressors=ZstdCodec()),
        "dask": lambda: da.from_array(X, chunks=(20, 3)),
        "recut": lambda: Recut(open_matrix(X), [0, 1, 30, 31, 90, N]),
        "csr": lambda: scipy.sparse.csr_array(X),
    }


class TestView(MatrixTests):
    """Features of rows in every storage."""

    @pytest.fixture(params=["array", "raw", "zstd", "float32", "dask", "recut", "csr"])
    def pair(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Matrix, AnyArray]:
        """Return a view with blocks of some ten rows, and the features."""
        monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 13 * 8 * 60)
        row_map = TensorSketch(mean(), 1.0, 64, 5, 2)
        X = rows(N).astype(np.float32) if request.param == "float32" else rows(N)
        values = row_map.apply(scipy.sparse.csr_array(X) if request.param == "csr" else X)
        return FeatureView(open_matrix(_bases(tmp_path)[request.param]()), row_map), values


@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=30),
    wanted=st.integers(1, 300),
)
def test_feature_cuts_respect_the_base(sizes: list[int], wanted: int) -> None:
    """Blocks have at most the wanted rows, and are whole base blocks or even parts of one; no two neighbours could be joined."""
    base = np.concatenate([[0], np.cumsum(sizes)])

    cuts = feature_cuts(base, BLOCK_BYTES // wanted)

    wanted = BLOCK_BYTES // (BLOCK_BYTES // wanted)
    assert cuts[0] == 0
    assert cuts[-1] == base[-1]
    assert (np.diff(cuts) > 0).all()
    assert np.diff(cuts).max() <= wanted
    assert all(cut in cuts for cut in base if cut in (0, base[-1]))
    for low, high in itertools.pairwise(cuts.tolist()):
        inside = int(np.searchsorted(base, low, side="right")) - 1
        assert {low, high} <= set(base.tolist()) or high <= base[inside + 1]
    for low, middle, high in zip(cuts[:-2], cuts[1:-1], cuts[2:], strict=True):
        assert high - low > wanted or not {low, middle, high} <= set(base.tolist())


class Counting(Recut):
    """Counts the rows that are read; what it gives must be decoded by blocks."""

    def __init__(self, matrix: Matrix, cuts: AnyArray) -> None:
        super().__init__(matrix, cuts)
        self.is_raw, self.count = False, 0

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Count and read."""
        self.count += stop - start
        return super().read(start, stop, out)


@pytest.mark.parametrize("wanted", [7, 50, 1000])
def test_a_base_block_is_decoded_once(monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    """However many blocks of features are made from a base block, or from how many, each row is read once."""
    row_map = Taylor(mean(), 1.0, 2)
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", wanted * 8 * row_map.width(COLUMNS))
    base = Counting(open_matrix(rows(N)), [0, 20, 40, 60, 80, 100, N])
    view = FeatureView(base, row_map)

    found = [view.read(low, high) for low, high in itertools.pairwise(view.cuts.tolist())]

    assert base.count == N
    assert np.array_equal(np.concatenate(found), row_map.apply(rows(N)))


def test_views_and_their_base_do_not_share_cached_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that keeps decoded blocks by their rows reads A, one view and another without mistaking them."""
    monkeypatch.setattr(BLOCKS, "limit_bytes", 10**8)
    base = open_matrix(stored_at(tmp_path, "A.zarr", rows(N), compressors=ZstdCodec()))
    views = [FeatureView(base, Taylor(mean(), 1.0, degree)) for degree in (1, 2)]
    assert not base.is_raw

    try:
        widths = [Rows(matrix, run="one").block(0, N).columns for matrix in (base, *views, base)]
    finally:
        BLOCKS.clear()

    assert widths == [COLUMNS, COLUMNS + 1, monomials(COLUMNS, 2), COLUMNS]


def test_a_bad_number_is_named_by_its_place_in_the_base(tmp_path: Path) -> None:
    """A NaN is at a row and a column of A; its features' columns would tell nothing.  The same for CSR rows."""
    X = rows(N)
    X[77, 4] = np.nan
    for source in (X, stored_at(tmp_path, "A.zarr", X, compressors=ZstdCodec()), scipy.sparse.csr_array(X)):
        view = FeatureView(open_matrix(source), Taylor(mean(), 1.0, 2))

        with pytest.raises(DataError, match="row 77, column 4 is nan"):
            SerialEngine().run(Look(Gram(), Rows(view)), ignore)


def test_a_view_tells_its_map_apart() -> None:
    """Another map, or other data, is another fingerprint; the description names both."""
    base = open_matrix(rows(N))
    views = [FeatureView(base, Taylor(mean(), 1.0, 2)), FeatureView(base, Taylor(mean(), 1.0, 3))]
    views.append(FeatureView(open_matrix(rows(N, seed=1)), views[0].map))

    assert len({view.fingerprint() for view in views}) == 3
    assert views[0].describe() == "28 taylor features of array in memory"
