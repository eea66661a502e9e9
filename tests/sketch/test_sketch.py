"""Sketches: every family of the table keeps the contract; the streams are pinned."""

import itertools

import numpy as np
import pytest

from dsketch.sketch import SKETCHES, BlockSRHT, CountSketch, Gaussian, Sketch, SparseSign
from dsketch.sketch.block_srht import hadamard
from dsketch.sketch.size import FOR_ITERATING, FOR_SOLVING, FOR_WHITENING, distortion, rows_for
from dsketch.testing.known import ROWS
from dsketch.testing.sketches import SketchTests


class TestTable(SketchTests):
    """Every family of the table."""

    @pytest.fixture(params=sorted(SKETCHES))
    def family(self, request: pytest.FixtureRequest) -> type[Sketch]:
        """Return a family."""
        return SKETCHES[request.param]


@pytest.mark.parametrize("name", sorted(SKETCHES))
def test_table_names_are_the_classes_own(name: str) -> None:
    """A name in the table is the name that the class, the plan and the size rule use."""
    assert SKETCHES[name].name == name


# ---- known-answer vectors: a stream that changes silently would make journals and seeds worthless ---------------------


def test_sparse_sign_stream_is_pinned() -> None:
    """Seed 3, rows 1000 to 1002 have these places and signs, for good."""
    S = SparseSign(16, 3, nonzeros=4).columns(1000, 1003)

    places = [(0, 2), (2, 0), (2, 1), (4, 0), (6, 1), (7, 2), (9, 1), (10, 2), (11, 0), (13, 0), (14, 2), (15, 1)]
    assert [tuple(place) for place in np.argwhere(S).tolist()] == places
    assert S[S != 0].tolist() == [0.5, -0.5, 0.5, 0.5, 0.5, -0.5, -0.5, 0.5, 0.5, -0.5, -0.5, -0.5]


def test_count_sketch_stream_is_pinned() -> None:
    """Seed 3, rows 1000 to 1005 have these places and signs, for good."""
    S = CountSketch(16, 3).columns(1000, 1006)

    expected = np.zeros((16, 6))
    expected[[14, 14, 3, 1, 4, 11], np.arange(6)] = [-1.0, 1.0, 1.0, -1.0, 1.0, -1.0]
    assert np.array_equal(S, expected)


def test_block_srht_stream_is_pinned() -> None:
    """Seed 3, rows 1000 to 1007 have these signs, for good."""
    S = BlockSRHT(4, 3).columns(1000, 1008)

    assert (2 * S).tolist() == [
        [1, 1, 1, -1, -1, 1, 1, -1],
        [-1, -1, -1, -1, -1, -1, 1, -1],
        [-1, 1, -1, -1, 1, 1, 1, 1],
        [-1, -1, 1, 1, 1, 1, 1, -1],
    ]


def test_gaussian_stream_is_pinned() -> None:
    """Seed 3, rows 1000 and 1001 have these numbers, for good; ndtri may differ in the last bits between versions of SciPy."""
    S = Gaussian(3, 3).columns(1000, 1002)

    expected = [
        [0.2675862182791886, -0.4911160085800722],
        [0.22783272188338383, -0.0015416246221595052],
        [-0.18472511218452828, -0.7930781544624369],
    ]
    assert np.allclose(S, expected, rtol=1e-12, atol=0)


# ---- families --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "nonzeros"), [(16, 4), (17, 4), (100, 8), (5, 8), (1, 8)])
def test_sparse_sign_has_one_entry_in_each_range(size: int, nonzeros: int) -> None:
    """Each column has z entries ±1/√z, one in each of z ranges of rows; never more than m."""
    S = SparseSign(size, 0, nonzeros=nonzeros).columns(0, 500)
    z = min(nonzeros, size)
    edges = (np.arange(z + 1) * size) // z

    for low, high in itertools.pairwise(edges):
        assert (np.count_nonzero(S[low:high], axis=0) == 1).all()
    assert np.array_equal(np.abs(S[S != 0]), np.full(500 * z, 1 / np.sqrt(z)))


def test_sparse_sign_uses_all_rows_evenly() -> None:
    """Each of m places is hit n·z/m times, give or take 6 standard deviations (once in 10⁷ seeds outside)."""
    n, size, z = 20_000, 96, 8
    sketch = SparseSign(size, 0, nonzeros=z)
    hits = sum(np.count_nonzero(sketch.columns(start, start + 500), axis=1) for start in range(0, n, 500))
    expected = n * z / size

    assert (np.abs(hits - expected) <= 6 * np.sqrt(expected)).all()


@pytest.mark.parametrize("rows", ["adjacent", "coherent", "heavy_tailed", "one_hot"])
def test_sparse_sign_with_four_nonzeros_whitens(rows: str) -> None:
    """What whitening relies on: with z = 4 and m = 4d the sketch keeps rank, cond(A R⁻¹) stays below the limit of 20."""
    d, n = 32, 3000
    U = np.linalg.qr(ROWS[rows](n, d, np.random.default_rng(0)))[0]

    for seed in range(10):
        sketch = SparseSign(rows_for(d, FOR_WHITENING, "sparse_sign"), seed, nonzeros=4)
        assert np.linalg.cond(sketch.operator(0, n)(U)) < 20


def test_count_sketch_loses_rank_on_coherent_rows() -> None:
    """Why the methods need a fallback: d heavy rows in m = 4d buckets collide (probability of none: below e⁻³ at d = 32)."""
    d, n = 32, 3000
    U = np.linalg.qr(ROWS["coherent"](n, d, np.random.default_rng(0)))[0]

    worst = max(np.linalg.cond(CountSketch(4 * d, seed).operator(0, n)(U)) for seed in range(5))

    assert worst > 100


def test_hadamard_is_the_sylvester_matrix() -> None:
    """H of order 2^p is the Kronecker power of [[1, 1], [1, −1]]."""
    H = np.ones((1, 1))
    for _ in range(4):
        H = np.kron(H, [[1, 1], [1, -1]])

    assert np.array_equal(hadamard(np.eye(16)), H)


def test_block_srht_run_has_orthogonal_rows() -> None:
    """Within one run S is √(B/m) times rows of an orthogonal matrix: S Sᵀ = (B/m) I."""
    sketch = BlockSRHT(16, 1)
    S = sketch.columns(3 * sketch.run, 4 * sketch.run)

    assert np.array_equal(S @ S.T, sketch.run / 16 * np.eye(16))


# ---- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", [FOR_WHITENING, FOR_ITERATING, FOR_SOLVING])
@pytest.mark.parametrize("name", sorted(SKETCHES))
def test_sizes_grow_with_columns(name: str, purpose: int) -> None:
    """Each m is a multiple of 8, at least γ d, and grows with d."""
    sizes = [rows_for(d, purpose, name) for d in range(1, 200)]

    assert all(size % 8 == 0 for size in sizes)
    assert all(size >= purpose * d for d, size in enumerate(sizes, start=1))
    assert sizes == sorted(sizes)


def test_count_sketch_gets_the_square_of_d() -> None:
    """CountSketch's guarantee asks for d² rows; from 40 d on, memory decides."""
    assert rows_for(30, FOR_WHITENING, "count_sketch") == 904
    assert rows_for(1000, FOR_WHITENING, "count_sketch") == 40_000


def test_distortion_is_the_gaussian_law() -> None:
    """√(d/m), never 1 or more."""
    assert distortion(9, 900) == 0.1
    assert distortion(9, 3) == 0.99
