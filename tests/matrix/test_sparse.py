"""Sparse rows: CSR keeps the contract of a matrix, every pass and method answers as for dense rows, what is broken is named."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, ZstdCodec

import dsketch as ds
from dsketch.engine import SerialEngine
from dsketch.engine.panels import panels_of
from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.events import ignore
from dsketch.factor import Factor
from dsketch.features import FeatureView, TensorSketch
from dsketch.ingest import ingest, write_csr
from dsketch.linalg.scatter import add_sparse
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.cache import BlockCache
from dsketch.matrix.entries import edges
from dsketch.matrix.recut import Recut
from dsketch.matrix.rows import Block, Rows
from dsketch.methods import METHODS
from dsketch.passes import Both, Gradient, Gram, Look, Normal, Sketching, Touch, WhitenedGram
from dsketch.passes.rowwise import Rowwise
from dsketch.passes.transposed import Transposed
from dsketch.problems import GramPower
from dsketch.sketch import SKETCHES, SparseSign
from dsketch.storage import inspect
from dsketch.testing.matrices import MatrixTests
from tests.command_line import run
from tests.scripts import run_script

EPS = float(np.finfo(float).eps)
N, D = 503, 12


def sparse(n: int = N, d: int = D, density: float = 0.2, dtype: str = "float64", seed: int = 0) -> sp.csr_array:
    """Return rows of which some are empty, as is the last column; entries unsorted, some of them zero."""
    rng = np.random.default_rng(seed)
    pattern = rng.random((n, d)) < density
    pattern[:, -1] = False
    pattern[rng.random(n) < 0.1] = False
    rows, columns = np.nonzero(pattern)
    order = np.lexsort((rng.random(rows.size), rows))
    values = rng.integers(0 if dtype[0] in "ub" else -100, 100, rows.size) + (0.25 if dtype[0] == "f" else 0)
    values[::50] = 0
    pointers = np.append(0, np.cumsum(pattern.sum(axis=1))).astype(np.int32)
    return sp.csr_array((values.astype(dtype), columns[order].astype(np.int32), pointers), shape=(n, d))


def doubled() -> sp.csr_array:
    """Return rows with two entries for each place, which count as their sum."""
    X = sparse()
    return sp.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)


def full_columns(n: int = N, d: int = D, density: float = 0.3, seed: int = 1) -> sp.csr_array:
    """Return rows of full rank and modest condition."""
    X = sp.random_array((n, d), density=density, format="csr", rng=np.random.default_rng(seed))
    X.data = np.random.default_rng(seed).standard_normal(X.nnz)
    return X


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


# ---- passes ----------------------------------------------------------------------------------------------------------

_A = sparse().toarray().astype(float)
_X1, _X3 = np.random.default_rng(5).standard_normal((D + 1, 1)), np.random.default_rng(6).standard_normal((D + 1, 3))
_FACTOR = Factor.of(np.column_stack([_A, np.ones(N)]) + 1e-3 * np.eye(N, D + 1))

# name → (pass, size of the terms that it adds up, from ‖A‖_F, ‖b‖ and n)
PASSES: dict[str, tuple[Any, Callable[[float, float], float]]] = {
    "gradient": (Gradient(_X1), lambda a, b: (1 + a) * (b + a * np.linalg.norm(_X1)) ** 2),
    "gradient, 3 sides": (Gradient(_X3), lambda a, b: (1 + a) * (b + a * np.linalg.norm(_X3)) ** 2),
    "normal": (Normal(_X1), lambda a, _: a**2 * np.linalg.norm(_X1)),
    "normal, 3 sides": (Normal(_X3), lambda a, _: a**2 * np.linalg.norm(_X3)),
    "gram": (Gram(), lambda a, b: (a + b) ** 2),
    "touch": (Touch(), lambda a, b: np.sqrt(N * D) * (a + b)),
    "whitened": (WhitenedGram(_FACTOR.whitener), lambda a, b: (a * np.linalg.norm(_FACTOR.whitener.matrix) + b) ** 2),
    "both": (Both(Sketching(SparseSign(64, 1)), Gram()), lambda a, b: (a + b) ** 2 + np.sqrt(N) * (a + b)),
    "rowwise": (Rowwise(_X3), lambda a, _: a * np.linalg.norm(_X3)),
    "transposed": (Transposed(np.ones((N, 2))), lambda a, _: a * np.sqrt(2 * N)),
    # |S_ij| ≤ 6 for all sketches of 48 rows or more, Gaussian ones included.
    **{name: (Sketching(SKETCHES[name](48, 7)), lambda a, b: 6 * np.sqrt(N) * (a + b)) for name in SKETCHES},
}


@pytest.mark.parametrize("density", [0.02, 0.3])
@pytest.mark.parametrize("name", sorted(PASSES))
def test_every_pass_gives_what_it_gives_of_dense_rows(name: str, density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights, an intercept and uneven blocks; to n eps times the size of what is added up."""
    monkeypatch.setattr("dsketch.matrix.rows.SLICE_ENTRIES", 100)
    pass_, size = PASSES[name]
    X, rng = sparse(density=density), np.random.default_rng(8)
    b, w, cuts = rng.standard_normal((N, 3 if "3 sides" in name else 1)), rng.uniform(0, 3, N), [0, 1, 17, 200, 201, 420, N]

    def parts(A: Matrix) -> list[np.ndarray]:
        rows = Rows(Recut(A, cuts), ArrayMatrix(b), ArrayMatrix(w), intercept=True)
        return _leaves(pass_.finish(SerialEngine(1).run(Look(pass_, rows), ignore)))

    dense = X.toarray()
    terms = size(float(np.linalg.norm(np.sqrt(w)[:, None] * np.column_stack([dense, np.ones(N)]))), float(np.linalg.norm(3 * b)))
    for found, expected in zip(parts(ds.open_matrix(X)), parts(ArrayMatrix(dense)), strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= N * EPS * terms


def _leaves(result: Any) -> list[np.ndarray]:
    return [part for piece in result for part in _leaves(piece)] if isinstance(result, tuple) else [np.asarray(result)]


def test_dense_and_sparse_gram_of_a_slice_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """One full row among empty ones: whichever product is thought cheaper, and however few rows fit in memory, it is AᵀA."""
    A = np.zeros((400, D))
    A[[3, 77]] = np.random.default_rng(0).standard_normal((2, D))
    for price, block in ((0, 10**6), (10**9, 10**6), (10**9, 1000)):
        monkeypatch.setattr("dsketch.passes.gram._SPARSE_PRICE", price)
        monkeypatch.setattr("dsketch.passes.gram.BLOCK_BYTES", block)
        G = Gram().map(Block(0, 400, sp.csr_array(A), None, None, False), None)[0]
        assert np.abs(G - A.T @ A).max() <= 2 * EPS * np.linalg.norm(A) ** 2


@given(start=st.sampled_from([0, 1, 37, 10**10]), cuts=st.lists(st.integers(0, 150), max_size=6), seed=st.integers(0, 99))
@pytest.mark.parametrize("name", ["sparse_sign", "count_sketch"])
def test_sketches_obey_the_chunk_law(name: str, start: int, cuts: list[int], seed: int) -> None:
    """However sparse rows are cut, integers and powers of two are added without rounding: the same bits, those of S A."""
    sketch = SparseSign(24, seed, nonzeros=4) if name == "sparse_sign" else SKETCHES[name](24, seed)
    X = sparse(150, seed=seed)
    X.data = np.round(X.data)
    target = np.zeros((24, D))

    for low, high in itertools.pairwise(sorted({0, 150, *cuts})):
        sketch.adder(start + low, start + high)(target, X[low:high])

    assert np.array_equal(target, sketch.columns(start, start + 150) @ X.toarray())


# ---- problems --------------------------------------------------------------------------------------------------------


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
@pytest.mark.parametrize("method", ["conjugate_gradient", "tsqr"])
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
    """Two entries among 500 in each row: iterating costs a few bytes a row, and no method that makes rows dense is chosen."""
    n, d = 400_000, 500
    rng = np.random.default_rng(0)
    X = sp.csr_array((rng.standard_normal(2 * n), rng.integers(0, d, 2 * n), np.arange(0, 2 * n + 1, 2)), shape=(n, d))

    plan = ds.plan(ds.LeastSquares(X, np.ones(n)), cluster="serial")

    assert plan.method == "conjugate_gradient"
    assert plan.read_bytes == plan.estimate.passes * (2 * n * (8 + X.indices.itemsize) + 8 * n + 8 * n)
    assert plan.estimate.memory_bytes < 8 * n * d / 4
    assert "density 0.4 %" in plan.matrix


# ---- broken stores ---------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, sp.csr_array]:
    """Return the path of a CSR group and its matrix."""
    X = sparse()
    return write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=100), X


def solved(path: str) -> Any:
    """Solve with what lies there."""
    return ds.lstsq(path, np.ones(N), progress=False)


def changed(path: str, name: str, change: Callable[[np.ndarray], None]) -> None:
    """Change values of one of the three arrays in place."""
    array = zarr.open_group(path, mode="r+")[name]
    values = array[...]
    change(values)
    array[...] = values


def entry_row(X: sp.csr_array, place: int) -> int:
    """Return the row of an entry."""
    return int(np.searchsorted(X.indptr, place, side="right")) - 1


@pytest.mark.parametrize("bad", [D, -1, 10**6])
def test_columns_out_of_range_are_named(store: tuple[str, sp.csr_array], bad: int) -> None:
    """The row and the column number that does not exist."""
    path, X = store
    changed(path, "indices", lambda indices: indices.__setitem__(333, bad))

    with pytest.raises(DataError, match=rf"column numbers of A must lie in 0 … 11; row {entry_row(X, 333)} has {bad}\."):
        solved(path)


def test_decreasing_row_pointers_are_named(store: tuple[str, sp.csr_array]) -> None:
    """The row whose pointers run backwards."""
    path, X = store
    changed(path, "indptr", lambda indptr: indptr.__setitem__(201, 0))

    with pytest.raises(DataError, match=rf"row pointers .* must not decrease; row 200 runs from {X.indptr[200]} to 0\."):
        solved(path)


@pytest.mark.parametrize(("place", "value", "row"), [(0, 1, 0), (-1, 10**6, N), (-1, 900, N)])
def test_row_pointers_run_over_all_entries(store: tuple[str, sp.csr_array], place: int, value: int, row: int) -> None:
    """The first is 0 and the last is the number of entries: anything else is a part of a matrix."""
    path, X = store
    value = value if value != 900 else int(X.indptr[-2])
    changed(path, "indptr", lambda indptr: indptr.__setitem__(place, value))

    with pytest.raises(DataError, match=rf"must run from 0 to its {X.nnz} stored numbers; that of row {row} is {value}\."):
        solved(path)


@pytest.mark.parametrize(("name", "size"), [("indices", 500), ("indptr", N)])
def test_arrays_of_other_lengths_are_refused(store: tuple[str, sp.csr_array], name: str, size: int) -> None:
    """The array that does not fit is named with its length."""
    path, _ = store
    zarr.open_group(path, mode="r+")[name].resize((size,))

    with pytest.raises(DataError, match=rf"A/{name} must have \d+ entries for {N} rows; its shape is \({size}, 1\)"):
        ds.open_matrix(path)


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_absent_array_is_named(store: tuple[str, sp.csr_array], name: str) -> None:
    """Without one of the three there is no matrix."""
    path, _ = store
    shutil.rmtree(Path(path) / name)

    with pytest.raises(DataError, match=rf"must have the arrays data, indices, indptr; it lacks {name}\."):
        ds.open_matrix(path)


@pytest.mark.parametrize("shape", [None, [3], "tall", [N, -1], [N, 2.5]])
def test_shape_is_two_sizes(store: tuple[str, sp.csr_array], shape: Any) -> None:
    """The attribute shape is what says how many columns there are."""
    path, _ = store
    zarr.open_group(path, mode="r+").attrs["shape"] = shape

    with pytest.raises(DataError, match="must have an attribute shape with two sizes"):
        ds.open_matrix(path)


@pytest.mark.parametrize("compressors", [None, ZstdCodec()], ids=["raw", "zstd"])
@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_missing_and_truncated_chunks_are_named(name: str, compressors: Any, tmp_path: Path) -> None:
    """The array and the chunk; as for dense arrays."""
    path = write_csr(tmp_path / "A.zarr", sparse(), chunk_nonzeros=100, compressors=compressors)
    chunk = Path(path) / name / "c" / "2"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-10])
    with pytest.raises(DataError, match=rf"chunk 2 of A/{name} .*copy it again"):
        solved(path)
    chunk.unlink()
    # A lost chunk of zeros reads as columns 0 or rows that run backwards: data that solve with missing="fill" must not invent.
    with pytest.raises(DataError, match=rf"chunk 2 of A/{name} is absent"):
        solved(path)
    assert issubclass(MissingDataError, DataError)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["conjugate_gradient", "tsqr", "gram"])
def test_nonfinite_numbers_are_named(store: tuple[str, sp.csr_array], method: str, bad: float) -> None:
    """The global row and the column, whichever pass stumbles on it, and although the plan looked at a few rows only."""
    path, X = store
    changed(path, "data", lambda data: data.__setitem__(700, bad))

    with pytest.raises(DataError, match=rf"A must be finite; row {entry_row(X, 700)}, column {X.indices[700]} is {bad}"):
        ds.lstsq(path, np.ones(N), method=method, progress=False)


def test_matrix_by_columns_and_other_groups_are_refused(store: tuple[str, sp.csr_array]) -> None:
    """A csc_matrix says what to do; a group around a CSR matrix names it."""
    path, _ = store
    outer = str(Path(path).parent / "outer.zarr")
    zarr.open_group(outer, mode="w")
    shutil.copytree(path, f"{outer}/X")
    with pytest.raises(DataError, match="is a group with the arrays: X"):
        ds.open_matrix(outer)
    assert ds.open_matrix(f"{outer}/X").shape == (N, D)
    assert ds.open_matrix(zarr.open_group(outer, mode="r")["X"]).source == f"{outer}/X"

    zarr.open_group(path, mode="r+").attrs["encoding-type"] = "csc_matrix"
    with pytest.raises(DataError, match=r"must be stored by rows; .*tocsr\(\)"):
        ds.open_matrix(path)


def test_other_dtypes_are_refused(tmp_path: Path) -> None:
    """Complex entries, and row pointers that are no integers."""
    with pytest.raises(DataError, match="A must hold real numbers"):
        ds.open_matrix(sp.csr_array(np.ones((3, 2), complex)))
    path = write_csr(tmp_path / "A.zarr", sparse())
    group = zarr.open_group(path, mode="r+")
    pointers = group["indptr"][...].astype(float)
    shutil.rmtree(Path(path) / "indptr")
    group.create_array("indptr", data=pointers)
    with pytest.raises(DataError, match=r"A/indptr must hold integers; its dtype is float64"):
        ds.open_matrix(path)


def test_sparse_right_hand_sides_are_refused() -> None:
    """b and weights are dense: one number a row is no place for row pointers."""
    for name in ("b", "weights"):
        given = {"b": np.ones(N)} | {name: sp.csr_array(np.ones((N, 1)))}
        with pytest.raises(DataError, match=rf"{name} must be dense; .*{name}\.toarray\(\)"):
            ds.LeastSquares(np.ones((N, 2)), **given)


def test_sparse_vectors_are_refused() -> None:
    """A sparse array of one dimension has no rows and columns."""
    with pytest.raises(DataError, match="must have two dimensions where it is sparse"):
        ds.open_matrix(sp.coo_array(np.arange(4)))


# ---- writing ---------------------------------------------------------------------------------------------------------


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
    with pytest.raises(SpecError, match="a sparse matrix is taken as it is"):
        ingest(tmp_path / "X.npz", tmp_path / "B.zarr", add_intercept=True)


# ---- what dsketch info says ------------------------------------------------------------------------------------------


def test_info_knows_entries_and_chunks(tmp_path: Path) -> None:
    """Shape, entries, chunks of entries, bytes and objects of all three arrays; good chunks need no advice."""
    X = sparse()
    found = inspect(write_csr(tmp_path / "A.zarr", X))

    assert (found.shape, found.nonzeros, found.density) == ((N, D), X.nnz, X.nnz / (N * D))
    assert (found.chunks, found.reading, found.stored_objects, found.missing_objects) == ((X.nnz,), "raw", 3, 0)
    assert found.stored_bytes == X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    assert found.decoded_bytes == found.block_bytes == X.nnz * 12 + 8 * N
    assert found.advice == ()


def test_info_advises_against_small_chunks(tmp_path: Path) -> None:
    """Chunks of 800 bytes, one of them gone: the remedy counts entries, and the command says how many there are."""
    path = write_csr(tmp_path / "A.zarr", sparse(), chunk_nonzeros=100, compressors=ZstdCodec())
    (Path(path) / "data" / "c" / "0").unlink()
    found = inspect(path)

    said = run("info", path)

    assert [advice.subject for advice in found.advice][:2] == ["missing chunks", "small chunks"]
    assert f"chunks=({sparse().nnz},)" in found.advice[1].remedy
    assert said.exit_code == 0
    assert f"sparse   CSR, {sparse().nnz:,} nonzeros, density {100 * sparse().nnz / (N * D):.2g} %" in said.output


# ---- the benchmark ---------------------------------------------------------------------------------------------------


def test_benchmark_measures_all_that_it_claims(tmp_path: Path) -> None:
    """At tiny size: every experiment has its cases; what does not depend on size or clock holds already."""
    cases, printed = run_script("csr", tmp_path)
    by = {name: [case for case in cases if case["experiment"] == name] for name in {case["experiment"] for case in cases}}

    assert {case["work"] for case in by["time"]} == {"z = 8", "z = 4", "z = 1", "light"}
    assert {(case["d"], case["nonzeros"]) for case in by["time"] if case["m"] == 320} == {
        (20, 32_000),
        (40, 16_000),
        (40, 32_000),
        (40, 64_000),
        (80, 32_000),
    }
    assert max(case["apart"] for case in by["condition"]) <= 2000 * EPS  # n: how many terms one entry of S A may have
    heavy = {case["sketch"]: case for case in by["heavy"] if case["ratio"] == 8}
    assert heavy["z = 8"]["worst"] < 2.5
    assert heavy["z = 1"]["median"] > 100
    assert max(case["from_same"] for case in by["solution"]) <= 1e-12
    assert {case["contestant"] for case in by["rival"]} == {"dsketch auto", "dsketch conjugate_gradient", "scipy lsqr"}
    assert all(case["backward"] <= 16 * EPS for case in by["rival"] if case["contestant"].startswith("dsketch"))
    assert "times as long when stored numbers double" in printed
