"""Sparse rows: CSR keeps the contract of a matrix, cuts and slices as dense rows do."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, ZstdCodec

import dsketch as ds
from dsketch._linalg.scatter import add_sparse
from dsketch.ingest import write_csr
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.cache import BlockCache
from dsketch.matrix.csr_slices import edges
from dsketch.matrix.rows import Block
from dsketch.testing.matrices import MatrixTests
from tests.matrix.csr import D, N, doubled, full_columns, sparse

# name → (matrix, options of write_csr)
STORED: dict[str, tuple[Callable[[], sp.csr_array], dict[str, Any]]] = {
    "v3 raw": (sparse, {"chunk_nonzeros": 100}),
    "v3 raw, one chunk": (sparse, {}),
    "v3 zstd": (sparse, {"chunk_nonzeros": 100, "compressors": ZstdCodec()}),
    "v3 blosc float32": (lambda: sparse(dtype="float32"), {"chunk_nonzeros": 64, "compressors": BloscCodec()}),
    "v3 int16": (lambda: sparse(dtype="int16"), {"chunk_nonzeros": 1000}),
    "v3 uint8": (lambda: sparse(dtype="uint8"), {"chunk_nonzeros": 1000}),
    "v3 bool": (lambda: sparse(dtype="bool"), {}),
    "v3 sharded": (sparse, {"chunk_nonzeros": 50, "shards": (100,), "compressors": ZstdCodec()}),
    "v2 raw": (sparse, {"chunk_nonzeros": 100, "zarr_format": 2}),
    "v2 compressed": (sparse, {"chunk_nonzeros": 100, "zarr_format": 2, "compressors": "auto"}),
    "entries of the same place": (doubled, {"chunk_nonzeros": 100}),
    "no entries": (lambda: sp.csr_array((7, 3)), {}),
    "one dense row": (lambda: sp.csr_array(np.eye(40, 5) + (np.arange(40) == 17)[:, None]), {"chunk_nonzeros": 2}),
}


class TestStored(MatrixTests):
    """CSR groups on disk, in the ways they are written."""

    @pytest.fixture(params=sorted(STORED))
    def pair(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Matrix, AnyArray]:
        """Return an opened matrix and its values."""
        make, options = STORED[request.param]
        return ds.open_matrix(write_csr(tmp_path / "A.zarr", make(), **options)), make().toarray()


IN_MEMORY: dict[str, Callable[[], Any]] = {
    "csr": sparse,
    "csr of 64-bit indices": lambda: _with_indices(sparse(), np.int64),
    "csr_matrix": lambda: sp.csr_matrix(sparse()),
    "csc": lambda: sparse().tocsc(),
    "coo": lambda: sparse().tocoo(),
    "float32": lambda: sparse(dtype="float32"),
    "int8": lambda: sparse(dtype="int8"),
    "entries of the same place": doubled,
}


def _with_indices(X: sp.csr_array, dtype: Any) -> sp.csr_array:
    X.indices, X.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
    return X


class TestInMemory(MatrixTests):
    """``scipy.sparse`` matrices and arrays."""

    @pytest.fixture(params=sorted(IN_MEMORY))
    def pair(self, request: pytest.FixtureRequest) -> tuple[Matrix, AnyArray]:
        """Return a matrix of a sparse array and its values."""
        X = IN_MEMORY[request.param]()
        return ds.open_matrix(X), X.toarray()


# ---- the grid --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make blocks of 240 bytes: 20 entries of 12 bytes, 30 row pointers."""
    for name in ("base.BLOCK_BYTES", "base.LARGEST_BLOCK_BYTES", "csr.BLOCK_BYTES", "rows.BLOCK_BYTES"):
        monkeypatch.setattr(f"dsketch.matrix.{name}", 240)
    return 240


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=100))
def test_blocks_hold_whole_rows_and_few_bytes(small_blocks: int, counts: list[int]) -> None:
    """A block has less than 240 bytes of entries before its last row, at most 30 rows, and says how large it is."""
    pointers = np.append(0, np.cumsum(counts)).astype(np.int32)
    X = sp.csr_array((np.ones(pointers[-1]), np.zeros(pointers[-1], np.int32), pointers), shape=(len(counts), 1))
    matrix = ds.open_matrix(X)
    spans = list(itertools.pairwise(matrix.cuts.tolist()))

    sizes = [12 * sum(counts[start:stop]) + 8 * (stop - start) for start, stop in spans]

    assert all(12 * sum(counts[start : stop - 1]) < small_blocks for start, stop in spans)
    assert max(stop - start for start, stop in spans) <= 30
    assert matrix.block_bytes == max(sizes)
    assert sum(sizes) == matrix.nbytes
    # Each cut but the pieces' own closes 240 bytes: no more blocks than these need.
    assert len(spans) <= pointers[-1] // 20 + -(-len(counts) // 30)


def test_cuts_are_those_of_the_data_whatever_the_storage(tmp_path: Path, small_blocks: int) -> None:
    """Chunks, codecs and the place of the data change no cut as long as a chunk is smaller than a block."""
    X = sparse()
    grids = [
        ds.open_matrix(source).cuts.tolist()
        for source in (
            X,
            write_csr(tmp_path / "raw.zarr", X, chunk_nonzeros=17),
            write_csr(tmp_path / "zstd.zarr", X, chunk_nonzeros=20, compressors=ZstdCodec()),
        )
    ]

    assert len(grids[0]) > 5
    assert grids[0] == grids[1] == grids[2]


def test_bytes_are_those_that_are_stored(tmp_path: Path) -> None:
    """Bytes count entries and row pointers, so that panels and speeds mean something; density is the share of entries."""
    X = sparse(dtype="float32")
    matrix = ds.open_matrix(write_csr(tmp_path / "A.zarr", X))

    assert matrix.nonzeros == X.nnz
    assert matrix.density == X.nnz / (N * D)
    assert matrix.nbytes == X.nnz * (4 + 4) + 8 * N
    assert f"{X.nnz:,} nonzeros" in matrix.describe()
    assert ds.open_matrix(np.ones((3, 2))).density == 1.0


def test_fingerprint_changes_with_the_data(tmp_path: Path) -> None:
    """Another number, another column or another shape is another matrix."""
    X = sparse()
    others = [X.copy() for _ in range(3)]
    others[0].data[0] += 1
    others[1].indices[0] = (others[1].indices[0] + 1) % (D - 1)
    others[2].resize((N, D + 1))
    prints = {ds.open_matrix(Y).fingerprint() for Y in (X, *others)}
    stored = {ds.open_matrix(write_csr(tmp_path / f"{place}.zarr", Y)).fingerprint() for place, Y in enumerate((X, *others))}

    assert len(prints) == len(stored) == 4


def test_names_of_columns_are_kept(tmp_path: Path) -> None:
    """The attribute ``columns`` of the group names the columns, as of an array."""
    names = [f"gene {place}" for place in range(D)]

    assert ds.open_matrix(write_csr(tmp_path / "A.zarr", sparse(), attributes={"columns": names})).names == tuple(names)


# ---- slices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_slices_are_the_weighted_rows(dtype: str, weighted: bool, intercept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSR and densified slices of any height are √w [A 1] in float64, to the last bit."""
    monkeypatch.setattr("dsketch.matrix.rows.SLICE_ENTRIES", 40)
    X = sparse(dtype=dtype)
    w = np.random.default_rng(2).uniform(0, 3, (N, 1))
    block = Block(0, N, X, None, w if weighted else None, intercept)
    expected = np.sqrt(w if weighted else np.ones((N, 1))) * np.column_stack([X.toarray(), *([np.ones(N)] if intercept else [])])

    for rows in (None, 1, 100, 10_000):
        as_csr = list(block.slices(rows, sparse=True))
        dense = [(start, X.copy()) for start, X, _ in block.slices(rows)]

        assert all(sp.issparse(X) and X.dtype == np.float64 for _, X, _ in as_csr)
        assert np.array_equal(np.concatenate([X.toarray() for _, X, _ in as_csr]), expected)
        assert np.array_equal(np.concatenate([X for _, X in dense]), expected)
        assert [start for start, _ in dense] == np.cumsum([0, *(len(X) for _, X in dense)])[:-1].tolist()


def test_densified_slices_are_bounded(small_blocks: int) -> None:
    """However many rows a pass asks for, no more of them are dense at once than a block has bytes."""
    block = Block(0, N, sparse(), None, None, False)

    assert max(X.nbytes for _, X, _ in block.slices(10**9)) <= small_blocks


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=60), height=st.integers(1, 70), entries=st.integers(1, 30))
def test_slices_have_few_rows_and_entries(counts: list[int], height: int, entries: int) -> None:
    """Slices cover the rows in order, with at most so many rows, and so many entries unless one row has more."""
    pointers = np.append(0, np.cumsum(counts))
    X = sp.csr_array((np.ones(pointers[-1]), np.zeros(pointers[-1], np.int32), pointers), shape=(len(counts), 1))

    found = list(edges(X, height, entries))

    assert [low for low, _ in found] + [len(counts)] == [0] + [high for _, high in found]
    assert all(0 < high - low <= height for low, high in found)
    assert all(sum(counts[low:high]) <= entries or high == low + 1 for low, high in found)


def test_sparse_is_added_to_dense_either_way() -> None:
    """Few entries are placed, many are added whole; a target in another order is refused rather than lost."""
    for density in (0.01, 0.9):
        P, target = full_columns(40, 30, density), np.ones((40, 30))
        add_sparse(target, P)
        assert np.array_equal(target, 1 + P.toarray())
    with pytest.raises(ValueError, match="C-order"):
        add_sparse(np.ones((40, 30), order="F"), full_columns(40, 30, 0.01))


def test_cached_blocks_are_counted_by_their_bytes() -> None:
    """A cache keeps CSR blocks as it keeps dense ones, and no more than its limit."""
    X = sparse()
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    cache = BlockCache(size)
    cache.offer("run", (0, N), X)
    cache.offer("run", (N, 2 * N), X)

    assert cache.used_bytes == size
    assert (cache.get("run", (0, N)) != X).nnz == 0
    assert cache.get("run", (N, 2 * N)) is None
