"""Features: every map of the table keeps the contract; Taylor is exact to its remainder; a view of features is a Matrix like others."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.linalg as sl
import scipy.sparse
import zarr
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import ZstdCodec

import dsketch as ds
from dsketch.engine import SerialEngine
from dsketch.errors import DataError, SpecError
from dsketch.events import ignore
from dsketch.features import (
    FEATURES,
    Centres,
    FeatureView,
    GaussianMap,
    Monomials,
    Recipe,
    RowMap,
    Taylor,
    TensorSketch,
    TensorSketchPower,
    TensorSRHT,
    TensorSRHTPower,
    degree_for,
    monomials,
    remaining,
)
from dsketch.features.hashing import count_sketch, osnap
from dsketch.features.stacking import layout
from dsketch.features.taylor import factorials
from dsketch.features.view import feature_cuts
from dsketch.matrix.base import BLOCK_BYTES, AnyArray, Matrix
from dsketch.matrix.cache import BLOCKS
from dsketch.matrix.opening import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Gram, Look
from dsketch.testing.features import COLUMNS, EPS, GaussianTests, PowerTests, RandomGaussianTests, gaussian, mean, rows
from dsketch.testing.matrices import MatrixTests
from dsketch.testing.recut import Recut
from tests.scripts import run_script


class TestRandom(RandomGaussianTests):
    """The maps of the table that draw."""

    @pytest.fixture(params=sorted(set(FEATURES) - {"taylor"}))
    def recipe(self, request: pytest.FixtureRequest) -> Recipe:
        """Return a recipe."""
        return FEATURES[request.param]


class TestTaylor(GaussianTests):
    """The map of the table that does not."""

    @pytest.fixture
    def recipe(self) -> Recipe:
        """Return its recipe."""
        return FEATURES["taylor"]


def _centres(mean_: np.ndarray, scale: float, size: int, degree: int, seed: int) -> GaussianMap:
    """Return kernel columns at rows drawn around the mean, which move with it and shrink as the scale grows."""
    del degree
    root = np.sqrt(scale) if 0 < scale < np.inf else 1.0
    return Centres(mean_, scale, (rows(size, len(mean_), seed) - mean(len(mean_))) / root + mean_)


def _mixed(mean_: np.ndarray, scale: float, size: int, degree: int, seed: int) -> GaussianMap:
    """Return the same times a well-conditioned triangle."""
    mix = np.triu(np.random.default_rng(seed).uniform(-1, 1, (size, size)) / size) + np.eye(size)
    return Centres(mean_, scale, _centres(mean_, scale, size, degree, seed).centres, mix)  # type: ignore[attr-defined]


class TestCentres(GaussianTests):
    """Kernel columns, plain and mixed; more of them than a panel has."""

    size = 300

    @pytest.fixture(params=[_centres, _mixed])
    def recipe(self, request: pytest.FixtureRequest) -> Recipe:
        """Return a recipe."""
        recipe: Recipe = request.param
        return recipe


class TestPowers(PowerTests):
    """Sketches of one power."""

    @pytest.fixture(params=[TensorSketchPower, TensorSRHTPower])
    def family(self, request: pytest.FixtureRequest) -> Callable[[int, int, int], RowMap]:
        """Return a class."""
        family: Callable[[int, int, int], RowMap] = request.param
        return family


# ---- Taylor ----------------------------------------------------------------------------------------------------------


@given(
    columns=st.integers(1, 5),
    degree=st.integers(0, 7),
    radius=st.sampled_from([0.1, 1.0, 3.0]),
    scale=st.sampled_from([0.3, 1.0]),
)
def test_taylor_is_the_truncated_series(columns: int, degree: int, radius: float, scale: float) -> None:
    """F Fᵀ is the series up to degree q, within the rounding of its sums."""
    X = rows(20, columns, radius=radius)

    F = Taylor(mean(columns), scale, degree).apply(X)

    C = (X - mean(columns)) * np.sqrt(scale)
    largest = math.exp(scale * radius**2) * math.exp(-scale * radius**2)  # Σ |z|^p/p! times both weights
    assert F.shape == (20, math.comb(columns + degree, degree))
    assert np.abs(F @ F.T - gaussian(C, degree)).max() <= 4 * (degree + 2) * (columns + 2) * EPS * largest * (1 + radius**2)


@pytest.mark.parametrize("degree", [1, 3, 6, 10])
def test_taylor_keeps_its_remainder_bound(degree: int) -> None:
    """Entry by entry the error is at most |z|^(q+1)/(q+1)! e^max(z, 0) e^(−lengths/2), and what is missing has no negative eigenvalue."""
    X = rows(60, 4, radius=1.5)
    C = X - mean(4)
    Z, lengths = C @ C.T, np.einsum("ij,ij->i", C, C)

    F = Taylor(mean(4), 1.0, degree).apply(X)

    missing = gaussian(C) - F @ F.T
    bound = (
        np.abs(Z) ** (degree + 1) / math.factorial(degree + 1) * np.exp(np.maximum(Z, 0) - 0.5 * np.add.outer(lengths, lengths))
    )
    rounding = 8 * (degree + 2) * EPS
    assert (np.abs(missing) <= bound + rounding).all()
    assert np.linalg.eigvalsh(missing)[0] >= -60 * rounding


def test_taylor_columns_are_the_monomials() -> None:
    """Three variables, degree 2, by name: 1, x, y, z, x²/√2, xy, y²/√2, xz, yz, z²/√2."""
    x, y, z = 0.5, -0.25, 2.0
    weight = np.exp(-0.5 * (x * x + y * y + z * z))

    F = Taylor(np.zeros(3), 1.0, 2).apply(np.array([[x, y, z]]))

    root = math.sqrt(0.5)
    expected = weight * np.array([1, x, y, z, root * x * x, x * y, root * y * y, x * z, y * z, root * z * z])
    assert np.allclose(F[0], expected, rtol=4 * EPS, atol=0)
    assert factorials(2, 3).tolist() == [1, 1, 1, 2, 1, 2, 6, 2, 2, 6]


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_monomials_are_the_power(degree: int) -> None:
    """The features of one degree multiply to ⟨x, y⟩^p."""
    X = rows(30, 4)

    F = Monomials(degree).apply(X)

    assert F.shape[1] == math.comb(3 + degree, degree)
    assert np.abs(F @ F.T - (X @ X.T) ** degree).max() <= 8 * (degree + 4) * EPS * 2.25**degree


def test_remaining_predicts_the_preconditioned_condition() -> None:
    """Rows in all directions: 1 + remaining/α is within a factor 1.5 of cond((F Fᵀ + α)⁻¹ (K + α)), over four powers of ten."""
    C = rows(500, 6, seed=3) - mean(6)
    K, alpha = np.exp(C @ C.T), 0.03

    for degree in range(5):
        F = Taylor(np.zeros(6), 1.0, degree).apply(C) * np.exp(0.5)
        found = sl.eigh(K + alpha * np.eye(500), F @ F.T + alpha * np.eye(500), eigvals_only=True)
        assert 1 / 1.5 <= found[-1] / found[0] / (1 + remaining(500, 6, 1.0, degree) / alpha) <= 1.5


@given(
    n=st.integers(1, 10**9),
    d=st.integers(1, 300),
    radius2=st.floats(1e-3, 30),
    alpha=st.floats(1e-8, 1e3),
    limit=st.integers(1, 10**5),
)
def test_degree_is_the_least_that_does_or_the_largest_that_fits(n: int, d: int, radius2: float, alpha: float, limit: int) -> None:
    """The columns stay within the limit (but for degree 0), and one degree less, or one more, would be wrong."""
    degree = degree_for(n, d, radius2, alpha, limit)

    assert monomials(d, degree) <= max(limit, 1)
    assert remaining(n, d, radius2, degree) <= alpha or monomials(d, degree + 1) > limit
    assert degree == 0 or remaining(n, d, radius2, degree - 1) > alpha


def test_taylor_refuses_a_negative_degree() -> None:
    """There is no series without its constant."""
    with pytest.raises(SpecError, match="degree"):
        Taylor(np.zeros(2), 1.0, -1)


# ---- centres ---------------------------------------------------------------------------------------------------------


def test_centres_are_kernel_columns() -> None:
    """Φ is G between rows and centres, within the rounding of exponents of size ‖x‖² + ‖z‖²."""
    X, scale = rows(120), 0.7
    C = (X - mean()) * np.sqrt(scale)

    found = Centres(mean(), scale, X[:30]).apply(X)

    assert np.abs(found - gaussian(C)[:, :30]).max() <= 4 * (COLUMNS + 4) * EPS
    assert (found <= 1).all()


def test_mixed_centres_interpolate() -> None:
    """With T = R⁻¹ of the centres' own factor F Fᵀ is the Nyström approximation: exact at the centres, below G elsewhere."""
    X = rows(150)
    G = gaussian(X - mean())
    R = np.linalg.cholesky(G[:40, :40]).T
    condition = np.linalg.cond(G[:40, :40])

    F = Centres(mean(), 1.0, X[:40], np.linalg.inv(R)).apply(X)

    assert np.abs(F[:40] @ F[:40].T - G[:40, :40]).max() <= 40 * condition * EPS
    assert np.linalg.eigvalsh(G - F @ F.T)[0] >= -150 * condition * EPS


@pytest.mark.parametrize(
    ("centres", "mix"),
    [
        (np.zeros((0, 3)), None),
        (np.zeros((4, 2)), None),
        (np.full((4, 3), np.nan), None),
        (np.zeros((4, 3)), np.ones((4, 4))),
        (np.zeros((4, 3)), np.eye(3)),
    ],
)
def test_bad_centres_are_refused(centres: np.ndarray, mix: np.ndarray | None) -> None:
    """No centres, other columns, numbers that are none, a mix that is no triangle of their order."""
    with pytest.raises(SpecError, match=r"centres|mix"):
        Centres(np.zeros(3), 1.0, centres, mix)


# ---- stacked sketches ------------------------------------------------------------------------------------------------


@given(size=st.integers(10, 5000), columns=st.integers(1, 400), degree=st.integers(1, 9), radius2=st.floats(0.05, 20))
def test_layout_fills_the_size(size: int, columns: int, degree: int, radius2: float) -> None:
    """Within the size, every degree has columns, exact ones come first, and sketched ones divide the largest by powers of two."""
    exact, sizes = layout(size, columns, degree, radius2)

    assert monomials(columns, exact) + sum(sizes.values()) <= size
    assert sorted(sizes) == list(range(exact + 1, degree + 1))
    ratios = [max(sizes.values()) / value for value in sizes.values()]
    assert all(ratio == 2 ** round(math.log2(ratio)) for ratio in ratios)


def test_layout_is_exact_where_it_can_be() -> None:
    """Degree p is exact while its monomials are no more than its share ρ^p/p! of what is left."""
    assert layout(2000, 8, 4, 1.0) == (4, {})
    assert layout(512, 8, 5, 1.0).exact == 3
    assert layout(512, 400, 4, 1.0) == (0, {1: 288, 2: 144, 3: 36, 4: 9})


def test_layout_refuses_too_few_columns() -> None:
    """A degree without a column would be dropped silently."""
    with pytest.raises(SpecError, match="size must be above the degree"):
        layout(4, 50, 8, 1.0)


@pytest.mark.parametrize("kind", [TensorSketch, TensorSRHT])
@pytest.mark.parametrize(("option", "value"), [("degree", 0), ("degree", 61), ("radius2", 0.0), ("radius2", np.inf)])
def test_stacked_maps_refuse_bad_values(kind: Any, option: str, value: float) -> None:
    """Degrees that no series needs and lengths that are none."""
    with pytest.raises(SpecError, match=option):
        kind(**({"mean": np.zeros(3), "scale": 1.0, "size": 100, "degree": 3} | {option: value}))


def test_wide_sparse_rows_are_never_made_dense() -> None:
    """Rows of two million columns with ten numbers each: a thousand of them dense would be 16 GB."""
    rng = np.random.default_rng(0)
    d = 2_000_000
    places = rng.integers(0, d, 200)
    X = scipy.sparse.csr_array((rng.standard_normal(200), places, np.arange(0, 201, 10)), shape=(20, d))
    X.sum_duplicates()
    X *= 0.5 / np.sqrt(X.multiply(X).sum(axis=1).max())

    for kind in (TensorSketch, TensorSRHT):
        F = kind(np.zeros(d), 1.0, 4096, 3, 1).apply(X)
        G = np.exp(-0.5 * _squared_distances(X))
        # The tail is below 0.25⁴/4!; each degree's error is a mean of m_p products, of relative spread below √(3^p/m_p): the weights
        # 0.25^p/p! make that 0.5/√m.  Seven times that for the largest of 210 entries.
        assert np.abs(F @ F.T - G).max() <= 0.25**4 / 24 + 3.5 / np.sqrt(4096)


def _squared_distances(X: Any) -> np.ndarray:
    Z = (X @ X.T).toarray()
    return np.add.outer(np.diag(Z), np.diag(Z)) - 2 * Z


def test_leaves_are_drawn_by_column_number() -> None:
    """The hash of column j does not change when there are more columns; folding takes places modulo the shorter length."""
    few, many = count_sketch(3, 9, 50, 64, 64).toarray(), count_sketch(3, 9, 70, 64, 64).toarray()
    folded = count_sketch(3, 9, 50, 64, 16).toarray()

    assert np.array_equal(many[:50], few)
    assert np.array_equal(folded, few.reshape(50, 4, 16).sum(axis=1))
    assert np.array_equal(osnap(3, 9, 70, 64, 4).toarray()[:50], osnap(3, 9, 50, 64, 4).toarray())


def test_streams_are_pinned() -> None:
    """Seed 3 has these features, for good: a stream that changes silently would make journals and seeds worthless."""
    X = np.array([[1.0, -2.0, 0.5]])

    assert np.allclose(TensorSketchPower(4, 2, 3).apply(X), PINNED["sketch"], rtol=1e-12, atol=1e-12)
    assert np.allclose(TensorSRHTPower(4, 3, 3).apply(X), PINNED["srht"], rtol=1e-12, atol=1e-12)
    for name in ("maclaurin", "positive"):
        assert np.allclose(FEATURES[name](np.zeros(3), 1.0, 4, 3, 3).apply(X), PINNED[name], rtol=1e-10, atol=0)


PINNED: dict[str, list[float]] = {
    "sketch": [0.5, 3.0, 0.5, -0.25],
    "srht": [1.4375, -5.0625, 1.8125, 11.8125],
    "maclaurin": [0.03621987851712573, -0.18109939258562863, 0.05122264342642511, 0.05122264342642511],
    "positive": [0.00032705066357175116, 5.025363774376864e-05, 0.0011923356611261893, 0.001004540700044984],
}


# ---- the view --------------------------------------------------------------------------------------------------------

N = 103


def _stored(folder: Path, name: str, array: np.ndarray, **options: Any) -> str:
    made = zarr.create_array(
        store=str(folder / name), shape=array.shape, dtype=array.dtype, chunks=(20, array.shape[1]), **options
    )
    made[:] = array
    return str(folder / name)


def _bases(folder: Path) -> dict[str, Callable[[], Any]]:
    X = rows(N)
    return {
        "array": lambda: X,
        "raw": lambda: _stored(folder, "raw.zarr", X, compressors=None, filters=None),
        "zstd": lambda: _stored(folder, "zstd.zarr", X, compressors=ZstdCodec()),
        "float32": lambda: _stored(folder, "single.zarr", X.astype(np.float32), compressors=ZstdCodec()),
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
    base = open_matrix(_stored(tmp_path, "A.zarr", rows(N), compressors=ZstdCodec()))
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
    for source in (X, _stored(tmp_path, "A.zarr", X, compressors=ZstdCodec()), scipy.sparse.csr_array(X)):
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


# ---- the whole core on features --------------------------------------------------------------------------------------

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
        "zstd": lambda: _stored(tmp_path, "A.zarr", X, compressors=ZstdCodec()),
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


# ---- the evidence ----------------------------------------------------------------------------------------------------


def test_benchmark_runs(tmp_path: Path) -> None:
    """The script measures every family of rows and every map, and the tensor sketch's error at degree 3."""
    cases, _ = run_script("features", tmp_path)

    kernel = [case for case in cases if case["experiment"] == "kernel"]
    assert {case["map"] for case in kernel} == set(FEATURES)
    assert {case["rows"] for case in kernel} >= {"1 cluster", "50 clusters", "sphere", "Gaussian"}
    flat = [case["flat"] for case in cases if case["experiment"] == "power" and case["degree"] == 3]
    assert flat
    assert all(0.9 <= value <= 1.3 for value in flat)
    assert (tmp_path / "features.png").stat().st_size > 0
