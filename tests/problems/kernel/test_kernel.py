"""The exponential kernel: sweeps against the dense kernel, preconditioners against their matrices, solvers against LAPACK."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg as sl
import zarr
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

from dsketch.engine import DaskEngine, Engine, SerialEngine
from dsketch.errors import DataError, PlanError
from dsketch.events import Converged, ignore
from dsketch.features.centres import Centres
from dsketch.features.taylor import Taylor, monomials
from dsketch.kernel import preconditioner, refined
from dsketch.kernel.choice import FEATURES, Candidate, asked, best, candidates, steps_for
from dsketch.kernel.conjugate_gradient import ConjugateGradients, Norm
from dsketch.kernel.feature_space import feature_space
from dsketch.kernel.forecast import Sample, sample
from dsketch.kernel.low_rank import LowRank, TooMany, low_rank
from dsketch.kernel.pivoted_cholesky import pivoted_cholesky, pivots
from dsketch.kernel.preconditioner import no_features, woodbury
from dsketch.kernel.refined import Goal
from dsketch.kernel.scaled import Scaled, scaled
from dsketch.kernel.taylor import taylor
from dsketch.kernel.tensor import tensor
from dsketch.linalg.threads import one_blas_thread
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.opening import open_matrix
from dsketch.matrix.recut import Recut
from dsketch.matrix.rows import Rows
from dsketch.methods import Settings
from dsketch.passes import Look
from dsketch.passes.kernel import KernelProduct, KernelRows, sweep_cuts, sweep_rows
from dsketch.passes.moments import Mean
from dsketch.passes.rowwise import Picked, RowFacts, RowSquares, Rowwise
from dsketch.passes.transposed import Transposed
from dsketch.system import Flow

EPS = float(np.finfo(float).eps)
Floats = np.ndarray[Any, np.dtype[np.float64]]


def answered(flow: Flow[Any], engine: Engine | None = None) -> Any:
    """Return what a flow returns on an engine."""
    engine = engine or SerialEngine(1)
    with one_blas_thread():
        try:
            look = next(flow)
            while True:
                look = flow.send(None if isinstance(look, Converged) else look.pass_.finish(engine.run(look, ignore)))
        except StopIteration as end:
            return end.value


def seen(pass_: Any, rows: Rows) -> Any:
    """Return the result of one pass."""
    return pass_.finish(SerialEngine(1).run(Look(pass_, rows), ignore))


def data(family: str, n: int = 600, seed: int = 0) -> tuple[Floats, Floats]:
    """Return rows of a family and two right-hand sides."""
    rng = np.random.default_rng(seed)
    A = {
        "sphere": lambda: _on_sphere(rng.standard_normal((n, 6))),
        "gaussian": lambda: rng.standard_normal((n, 5)) * 0.8,
        "clusters": lambda: (
            2.0 * _on_sphere(rng.standard_normal((12, 10)))[rng.integers(12, size=n)] + 0.1 * rng.standard_normal((n, 10))
        ),
        "wide": lambda: 1.5 * _on_sphere(rng.standard_normal((n, 40))),
    }[family]()
    return A, np.column_stack([np.sin(3 * A[:, 0]), rng.standard_normal(n)])


def _on_sphere(A: Floats) -> Floats:
    return A / np.linalg.norm(A, axis=1)[:, None]


def kernel(A: Floats, B: Floats | None = None, scale: float = 1.0) -> Floats:
    """Return exp(s A Bᵀ)."""
    return np.exp(scale * (A @ (A if B is None else B).T))


def system(A: Floats, b: Floats, ridge: float, scale: float = 1.0) -> Scaled:
    """Return the guarded system with λ = ridge · mean diagonal."""
    alpha = ridge * float(np.mean(np.exp(scale * np.sum(A * A, axis=1))))
    return answered(scaled(open_matrix(A), open_matrix(b), scale, alpha))


def dense(system: Scaled) -> Floats:
    """Return G + diag shift."""
    X = np.asarray(system.A.read(0, system.rows))
    return system.gaussian(X, X) + np.diag(system.shift[:, 0])


def matrix_of(P: Any, n: int) -> Floats:
    """Return P⁻¹ as a matrix."""
    return answered(P.apply(np.eye(n)))


def iterations(system: Scaled, P: Any, tol: float = 1e-8, most: int = 400) -> int:
    """Return the steps to a relative residual."""
    wanted = tol * np.linalg.norm(system.frame * system.beta, axis=0)
    steps = ConjugateGradients(system, P, Norm(system), system.beta, wanted, np.zeros_like(system.beta))
    answered(steps.advance(most))
    return steps.iterations


# ---- passes ----------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 400), tile=st.integers(16, 90), pieces=st.sampled_from([2, 4, 64]), height=st.integers(3, 200))
def test_each_pair_of_rows_is_met_exactly_once(n: int, tile: int, pieces: int, height: int) -> None:
    """Of equal rows every kernel value is 1, so that G v is the sum of v; with integers exactly, for any blocks, odd or even."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dsketch.passes.kernel.TILE", tile)
        patch.setattr("dsketch.passes.kernel.PIECES", pieces)
        patch.setattr("dsketch.passes.kernel._BLOCK_ROWS", (1, height))
        A = np.full((n, 3), 0.5)
        v = np.random.default_rng(n).integers(-9, 10, (n, 2)).astype(float)

        found = seen(KernelProduct(open_matrix(A), A[0], 1.0, v), sweep_rows(open_matrix(A)))

        assert np.array_equal(found, np.broadcast_to(v.sum(axis=0), (n, 2)))


@pytest.mark.parametrize("n", [1, 511, 1300, 2100])
@pytest.mark.parametrize("sides", [1, 3])
def test_sweep_is_the_dense_product(n: int, sides: int) -> None:
    """G v within n entries' rounding of the dense product: an exponent is off by (d + 4) u times its largest terms."""
    rng = np.random.default_rng(n)
    A, v, scale = rng.standard_normal((n, 4)) + 2, rng.standard_normal((n, sides)), 0.3
    C = A - A.mean(axis=0)
    square = np.sum((C[:, None] - C) ** 2, axis=2)

    found = seen(KernelProduct(open_matrix(A), A.mean(axis=0), scale, v), sweep_rows(open_matrix(A)))

    largest = scale * np.max(np.sum(C * C, axis=1))
    allowed = EPS * (8 * (1 + largest) + np.sqrt(n)) * np.sum(np.abs(v), axis=0)
    assert (np.abs(found - np.exp(-0.5 * scale * square) @ v) <= allowed).all()


def test_sweep_blocks_share_the_work_evenly() -> None:
    """Up to 64 blocks are a power of two, more a multiple of 64: an even number, each with the same share of the circle."""
    for n in (1, 700, 5_000, 60_000, 1_000_000, 7_654_321):
        for d in (3, 128, 20_000):
            cuts = sweep_cuts(n, d)
            count = len(cuts) - 1
            assert count == 1 or count % 2 == 0
            assert count % 64 == 0 if count > 64 else (count & (count - 1)) == 0
            assert np.ptp(np.diff(cuts)) <= 1
            assert np.max(np.diff(cuts)) <= 4096


@pytest.mark.parametrize("chunk", [37, 1000, 5000])
def test_storage_and_its_chunks_do_not_change_a_bit(stored: Callable[..., str], chunk: int) -> None:
    """The same rows from memory, from raw Zarr and from compressed Zarr with chunks that fit no block give the same bits."""
    rng = np.random.default_rng(1)
    A, v = rng.standard_normal((2100, 5)), rng.standard_normal((2100, 2))
    mean = A.mean(axis=0)
    expected = seen(KernelProduct(open_matrix(A), mean, 1.0, v), sweep_rows(open_matrix(A)))

    for options in ({}, {"compressors": zarr.codecs.ZstdCodec()}):
        matrix = open_matrix(stored(f"A{len(options)}", A, min(chunk, 2100), **options))
        assert np.array_equal(seen(KernelProduct(matrix, mean, 1.0, v), sweep_rows(matrix)), expected)


def test_predictions_are_exact_kernel_rows(stored: Callable[..., str]) -> None:
    """K(new, all) v equals the dense product, for long rows too, where exp of half a length enters and leaves."""
    rng = np.random.default_rng(2)
    A, new, v = 3 * rng.standard_normal((700, 4)), rng.standard_normal((130, 4)), rng.standard_normal((700, 2))
    matrix = open_matrix(stored("A", A, 99, compressors=zarr.codecs.ZstdCodec()))

    found = seen(KernelRows(matrix, np.zeros(4), 0.5, v), Rows(Recut(open_matrix(new), [0, 1, 70, 130])))

    K = kernel(new, A, 0.5)
    exponents = 0.25 * (np.max(np.sum(A * A, axis=1)) + np.max(np.sum(new * new, axis=1)))
    assert (np.abs(found - K @ v) <= EPS * (8 * (1 + exponents) + 30) * (K @ np.abs(v))).all()


def test_a_new_row_that_overflows_is_refused() -> None:
    """The message has the limit, what was found and what to do."""
    A = np.ones((5, 2))

    with pytest.raises(DataError, match=r"at most 700 for every new row.* one has 900 .*Scale the rows"):
        seen(KernelRows(open_matrix(A), np.zeros(2), 1.0, np.ones((5, 1))), Rows(open_matrix(np.full((3, 2), 30.0))))


def test_row_passes_are_the_dense_products(stored: Callable[..., str]) -> None:
    """X w, Xᵀu, the mean, lengths, right-hand sides and picked rows, whatever the blocks and the storage."""
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((500, 7)), rng.standard_normal((500, 2))
    w, u, centre, numbers = rng.standard_normal((7, 3)), rng.standard_normal((500, 2)), A.mean(axis=0), np.array([499, 0, 31, 31])
    for matrix in (
        Recut(open_matrix(A), [0, 31, 32, 400, 500]),
        open_matrix(stored("A", A, 77, compressors=zarr.codecs.ZstdCodec())),
    ):
        rows = Rows(matrix, open_matrix(b), pieces=4)
        lengths = np.column_stack([np.sum(A * A, axis=1), np.sum((A - centre) ** 2, axis=1), b])
        assert np.allclose(seen(Rowwise(w), rows), A @ w, rtol=0, atol=50 * EPS)
        assert np.allclose(seen(Transposed(u), rows), A.T @ u, rtol=0, atol=2000 * EPS)
        assert np.allclose(seen(Mean(), rows), centre, rtol=0, atol=50 * EPS)
        assert np.allclose(seen(RowFacts(centre), rows), lengths, rtol=0, atol=100 * EPS)
        assert np.allclose(seen(RowSquares(), rows)[:, 0], lengths[:, 0], rtol=0, atol=100 * EPS)
        assert np.allclose(seen(RowSquares(w), rows)[:, 0], np.sum((A @ w) ** 2, axis=1), rtol=0, atol=2000 * EPS)
        assert np.array_equal(seen(Picked(numbers), rows), A[numbers])


# ---- the guarded form ------------------------------------------------------------------------------------------------


def test_guarded_system_is_congruent_to_the_asked_one() -> None:
    """E (G + diag shift) E is K + λ I, entry by entry."""
    A, b = data("gaussian", 80)
    found = system(A, b, 0.1, 0.7)

    grown = found.growth * dense(found) * found.growth.T

    K = kernel(A, scale=0.7) + found.alpha * np.eye(80)
    assert np.allclose(grown, K, rtol=64 * EPS * (1 + 2 * found.half.max()), atol=0)
    assert np.allclose(found.growth * found.beta, b, rtol=4 * EPS, atol=0)


def test_rows_beyond_the_kernel_are_solved_in_the_guarded_form() -> None:
    """Where exp(s‖a‖²) is no number the guarded system still is: solved to its own rounding, and said."""
    rng = np.random.default_rng(0)
    A = 24 * _on_sphere(rng.standard_normal((200, 6)))  # exp(576) is, its square is not
    hard = answered(scaled(open_matrix(A), open_matrix(np.ones((200, 1))), 1.0, float(np.exp(560.0))))

    found = answered(refined.refined(hard, None, Goal()))

    assert not hard.is_representable
    assert "beyond float64" in hard.notes[0]
    assert np.linalg.norm(hard.beta - dense(hard) @ found.y) <= 1e-10 * np.linalg.norm(hard.beta)


def test_a_row_that_overflows_is_named() -> None:
    """The longest row, its value, and the scale that would do."""
    A = np.ones((50, 4))
    A[31] = 20

    with pytest.raises(DataError, match=r"row 31 has 800 at scale=1. Use scale ≤ 0.88, or normalise the rows"):
        answered(scaled(open_matrix(A), open_matrix(np.ones(50)), 1.0, 1.0))


# ---- preconditioners -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("limit", [preconditioner.GRAM_LIMIT, 0.0], ids=["gram", "qr"])
def test_woodbury_is_the_inverse_of_the_sum(residual: bool, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """P⁻¹ applied to the identity, through a Gram matrix or a QR, inverts F Fᵀ + D to u times its condition number."""
    monkeypatch.setattr(preconditioner, "GRAM_LIMIT", limit)
    A, b = data("gaussian", 150)
    given = system(A, b, 1e-3)
    features = Taylor(given.mean, given.scale, 3)
    F = features.apply(A)
    D = given.shift[:, 0] + (np.maximum(1 - np.sum(F * F, axis=1), 0) if residual else 0)
    P = F @ F.T + np.diag(D)

    found = matrix_of(answered(woodbury(given, features, "taylor", residual=residual)), 150)

    assert np.linalg.norm(found @ P - np.eye(150), 2) <= 100 * EPS * np.linalg.cond(P)


def test_mixed_columns_are_applied_without_mixing_rows() -> None:
    """Pivoted Cholesky's F = Φ L⁻ᵀ is applied through Φ alone; the inverse is the same."""
    A, b = data("clusters", 200)
    given = system(A, b, 1e-2)
    chosen = answered(pivots(given, 40, 0, 0.0))
    features = chosen.features(given)
    F = features.apply(A)
    P = F @ F.T + np.diag(given.shift[:, 0])

    made = answered(woodbury(given, features, "pivoted_cholesky", residual=False))

    assert isinstance(made.view.map, Centres)
    assert made.view.map.mix is None
    assert np.linalg.norm(matrix_of(made, 200) @ P - np.eye(200), 2) <= 1000 * EPS * np.linalg.cond(P)


def test_pivots_factor_the_kernel_at_their_rows() -> None:
    """L Lᵀ is G at the pivots, what is left is G's diagonal less that of F Fᵀ, and no row is chosen twice."""
    A, b = data("gaussian", 500)
    given = system(A, b, 1e-2)

    chosen = answered(pivots(given, 120, 3, 0.0))
    F = chosen.features(given).apply(A)

    assert chosen.rank == 120
    assert len(set(chosen.numbers.tolist())) == 120
    assert np.array_equal(chosen.centres, A[chosen.numbers])
    assert np.allclose(chosen.L @ chosen.L.T, given.gaussian(chosen.centres, chosen.centres), rtol=0, atol=200 * EPS)
    assert np.allclose(chosen.left, np.maximum(1 - np.sum(F * F, axis=1), 0), rtol=0, atol=1e-8)


def test_pivots_leave_little_more_than_the_best_columns_could() -> None:
    """The mean trace left by r ≥ k (1 + log(1/η)) pivots is at most twice the best that k columns leave, η of the whole (Chen et al.)."""
    A, b = data("clusters", 300)
    given = system(A, b, 1e-6)
    weight = np.exp(2 * given.half)
    values = np.sort(np.linalg.eigvalsh(np.sqrt(weight)[:, None] * (dense(given) - np.diag(given.shift[:, 0])) * np.sqrt(weight)))

    left = [float(np.sum(weight * answered(pivots(given, 60, seed, 0.0)).left)) for seed in range(4)]

    tails = np.cumsum(values)[::-1]  # tails[k]: the best trace that k columns leave
    k = max(k for k in range(60) if k * (1 + np.log(tails[0] / tails[k])) <= 60)
    assert k >= 5
    assert np.mean(left) <= 2 * tails[k]


def test_duplicate_rows_end_the_pivots() -> None:
    """With 40 distinct rows among 400 there are 40 pivots, and nothing is left."""
    rng = np.random.default_rng(0)
    A = np.repeat(rng.standard_normal((40, 6)), 10, axis=0)
    given = system(A, np.ones((400, 1)), 0.0)

    chosen = answered(pivots(given, 400, 0, 0.0))

    assert chosen.rank == 40
    assert np.max(chosen.left) <= 64 * EPS


@pytest.mark.parametrize(
    ("family", "good", "factor"),
    [
        ("sphere", "taylor", 5),
        ("gaussian", "taylor", 2),
        ("wide", "taylor", 2),
        ("clusters", "pivoted", 5),
        ("sphere", "tensor", 2),
    ],
)
def test_preconditioner_saves_iterations(family: str, good: str, factor: float) -> None:
    """Taylor on spheres, Gaussians and wide rows, pivots on clusters, sketched features at a large ridge: fewer steps by a factor."""
    A, b = data(family)
    given = system(A, b, 0.3 if good == "tensor" else 1e-2)
    made = {
        "taylor": lambda: taylor(given, 1 if family == "wide" else 4),
        "pivoted": lambda: pivoted_cholesky(given, 150, 0),
        "tensor": lambda: tensor(given, "tensor_sketch", 300, 0),
    }[good]()

    with_it, without = iterations(given, answered(made)), iterations(given, answered(no_features(given)))

    assert factor * with_it <= without


def test_what_low_degrees_leave_of_wide_rows_is_diagonal() -> None:
    """For 40 columns degree 1 with the diagonal it leaves halves the steps that it takes without."""
    A, b = data("wide")
    given = system(A, b, 1e-2)
    features = Taylor(given.mean, given.scale, 1)
    steps = [iterations(given, answered(woodbury(given, features, "", residual=residual))) for residual in (True, False)]

    assert 2 * steps[0] <= steps[1]


# ---- conjugate gradients ---------------------------------------------------------------------------------------------


def test_ritz_values_are_the_preconditioned_spectrum() -> None:
    """After n steps in exact arithmetic, and well before in practice, the Ritz values have the ends of the spectrum."""
    A, b = data("gaussian", 120)
    given = system(A, b, 1e-1)
    P = answered(taylor(given, 2))
    steps = ConjugateGradients(given, P, Norm(given), given.beta, np.zeros(2), np.zeros_like(given.beta))

    answered(steps.advance(60))

    values = np.sort(np.real(sl.eigvals(matrix_of(P, 120) @ dense(given))))
    assert np.allclose(steps.ritz(), values[[0, -1]], rtol=1e-3)


def test_norm_is_met_from_below() -> None:
    """The vector that rides along finds ‖K + λ I‖ to a percent on Gaussian rows, and never above it."""
    A, b = data("gaussian", 300)
    given = system(A, b, 1e-2)
    exact = np.linalg.norm(kernel(A) + given.alpha * np.eye(300), 2)
    norm = Norm(given)

    for _ in range(3):
        answered(norm.product(given.beta))

    assert 0.99 * exact <= norm.value <= exact * (1 + 300 * EPS)


@pytest.mark.parametrize(
    ("family", "features"),
    [
        *((family, features) for family in ("sphere", "gaussian") for features in ("auto", *FEATURES)),
        *((family, features) for family in ("clusters", "wide") for features in ("auto", "none", "pivoted_cholesky", "taylor")),
    ],
)
def test_solution_is_cholesky_s(family: str, features: str) -> None:
    """Every preconditioner reaches the wanted residual of (K + λ I) x = b, and x is as near to LAPACK's as that allows."""
    A, b = data(family, 300)
    given = system(A, b, 1e-2)
    K = kernel(A) + given.alpha * np.eye(300)
    expected = sl.cho_solve(sl.cho_factor(K), b)
    goal = Goal(tol=1e-11, columns=220)

    first = None if features == "auto" else asked(given, features, 100, goal.columns, 300)
    found = answered(refined.refined(given, first, goal))

    x = found.y / given.growth
    residual = np.linalg.norm(b - K @ x, axis=0) / np.linalg.norm(b, axis=0)
    assert (residual <= 1.1e-11).all()
    error = np.linalg.norm(x - expected, axis=0) / np.linalg.norm(expected, axis=0)
    assert (error <= 2 * np.linalg.cond(K) * 1.1e-11).all()


def test_tiny_ridge_is_solved_to_the_backward_error_of_cholesky() -> None:
    """At λ = 1e-12 of the diagonal the refined answer is backward stable: within 8 times LAPACK's error, or 4 eps."""
    A, b = data("sphere", 400)
    given = system(A, b, 1e-12)
    K = kernel(A) + given.alpha * np.eye(400)
    expected = sl.cho_solve(sl.cho_factor(K), b)

    def backward(x: Floats) -> float:
        size = np.linalg.norm(K, 2) * np.linalg.norm(x, axis=0) + np.linalg.norm(b, axis=0)
        return float(np.max(np.linalg.norm(b - K @ x, axis=0) / size))

    found = answered(refined.refined(given, None, Goal(tol=1e-13, columns=400)))

    assert backward(found.y / given.growth) <= max(8 * backward(expected), 4 * EPS)


def test_answers_agree_whatever_the_sides_beside_them() -> None:
    """A side solved alone and beside another is the same up to the tolerance: each has its own steps."""
    A, b = data("gaussian", 250)
    both, alone = (answered(refined.refined(system(A, b[:, :k], 1e-2), None, Goal(columns=150))).y for k in (2, 1))

    assert np.linalg.norm(both[:, 0] - alone[:, 0]) <= 1e-6 * np.linalg.norm(alone)


def test_a_zero_side_is_zero() -> None:
    """b = 0 needs no step and gives x = 0 beside other sides."""
    A, b = data("gaussian", 100)
    found = answered(refined.refined(system(A, b * [1.0, 0.0], 1e-1), None, Goal(columns=50)))

    assert np.any(found.y[:, 0])
    assert not np.any(found.y[:, 1])


# ---- the choice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["sphere", "gaussian", "clusters", "wide"])
def test_forecast_tells_good_from_bad(family: str) -> None:
    """From a quarter of the rows the condition number is forecast to a factor 6 of that of the whole pencil."""
    A, b = data(family, 512)
    given = system(A, b, 1e-2)
    look = answered(sample(given, 0))
    whole = Sample(given, A, given.shift[:, 0], 512)

    for features in (None, Taylor(given.mean, 1.0, 1), Taylor(given.mean, 1.0, 2)):
        exact = whole.condition(features)
        assert exact / 6 <= look.condition(features) <= exact * 6


def test_forecast_of_all_rows_is_the_condition() -> None:
    """With every row in the sample nothing is forecast: the value is that of the pencil."""
    A, b = data("gaussian", 150)
    given = system(A, b, 1e-2)
    features = Taylor(given.mean, 1.0, 2)
    F = features.apply(A)
    P = F @ F.T + np.diag(given.shift[:, 0] + np.maximum(1 - np.sum(F * F, axis=1), 0))
    values = sl.eigh(dense(given), P, eigvals_only=True)

    found = Sample(given, A, given.shift[:, 0], 150).condition(features)

    assert found == pytest.approx(values[-1] / values[0], rel=1e-6)


@pytest.mark.parametrize("family", ["sphere", "gaussian", "clusters", "wide"])
def test_choice_is_near_the_best(family: str) -> None:
    """The chosen preconditioner takes at most half as many steps again as the best candidate."""
    A, b = data(family, 300)
    given = system(A, b[:, :1], 1e-3)
    found = candidates(answered(sample(given, 0)), 150)
    chosen = best(found, *given.shape, 1e-6)
    steps = {candidate: iterations(given, answered(candidate.made(given, 0)), 1e-6, 150) for candidate in found}

    assert steps[chosen] <= 1.5 * min(steps.values()) + 2


def test_a_forecast_that_fails_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a preconditioner does not do what was forecast, the next best takes over from the y that there is, and the note says so."""
    A, b = data("sphere")
    given = system(A, b, 1e-2)
    lie = [Candidate("none", 0, 0, 1.5), Candidate("taylor", monomials(6, 3), 3, 30.0)]
    monkeypatch.setattr(refined, "candidates", lambda *_: lie)

    found = answered(refined.refined(given, None, Goal()))

    K = kernel(A) + given.alpha * np.eye(600)
    assert found.preconditioner.name == "taylor"
    assert any("after 10 iterations taylor" in note for note in found.notes)
    residual = np.linalg.norm(b - K @ (found.y / given.growth), axis=0)
    assert (residual <= 1.1e-10 * np.linalg.norm(b, axis=0)).all()


def test_steps_of_the_bound_are_enough() -> None:
    """Conjugate gradients never take more steps to an error in the energy norm than the bound, which the choice counts with."""
    for condition in (1.1, 10.0, 1000.0):
        rate = (np.sqrt(condition) - 1) / (np.sqrt(condition) + 1)
        steps = steps_for(condition, 1e-8)
        assert 2 * rate**steps <= 1e-8 < 2 * rate ** (steps - 1) * (1 + 1e-9)


def test_taylor_that_does_not_fit_is_refused() -> None:
    """If not even degree 1 fits the columns allowed, the message says how many it needs and what to choose."""
    A, b = data("wide", 60)

    with pytest.raises(PlanError, match=r"degree 1 need 41 columns; 30 were allowed. Choose features='pivoted_cholesky'"):
        asked(system(A, b, 1.0), "taylor", 30, 30, 60)


# ---- without a ridge -------------------------------------------------------------------------------------------------


def test_duplicate_rows_give_the_shortest_least_squares_answer() -> None:
    """Each of 40 rows ten times: rank 40, and x, residual and outside part are those of the pseudoinverse."""
    rng = np.random.default_rng(0)
    A, b = np.repeat(rng.standard_normal((40, 5)), 10, axis=0), rng.standard_normal((400, 2))
    K = kernel(A)

    found = answered(low_rank(system(A, b, 0.0), 400, 0))

    assert isinstance(found, LowRank)
    assert found.rank == 40
    expected = np.linalg.pinv(K, rcond=400 * EPS, hermitian=True) @ b
    assert np.linalg.norm(found.x - expected) <= 100 * EPS * found.condition * np.linalg.norm(expected)
    assert np.allclose(np.linalg.norm(found.residual, axis=0), np.linalg.norm(b - K @ expected, axis=0), rtol=1e-10)
    assert np.allclose(found.outside, np.linalg.norm(found.residual, axis=0), rtol=1e-6)


def test_a_spectrum_that_decays_to_nothing_is_cut_where_numpy_cuts_it() -> None:
    """Two columns only: the eigenvalues fall through rounding; the rank is within two of NumPy's, the answer backward stable."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((300, 2))
    K = kernel(A)
    b = K @ rng.standard_normal((300, 1))
    values = np.linalg.eigvalsh(K)

    found = answered(low_rank(system(A, b, 0.0), 300, 0))

    assert abs(found.rank - np.count_nonzero(values > 300 * EPS * values[-1])) <= 2
    residual = np.linalg.norm(b - K @ found.x)
    assert residual <= 300 * EPS * (values[-1] * np.linalg.norm(found.x) + np.linalg.norm(b))


def test_full_rank_is_solved_outright() -> None:
    """Forty columns make K well-conditioned: rank n and the solution of K x = b."""
    A, b = data("wide", 150)
    K = kernel(A)

    found = answered(low_rank(system(A, b, 0.0), 150, 0))

    assert found.rank == 150
    expected = np.linalg.solve(K, b)
    assert np.linalg.norm(found.x - expected) <= 100 * EPS * np.linalg.cond(K) * np.linalg.norm(expected)


def test_a_rank_beyond_the_columns_is_said() -> None:
    """With fewer columns than the rank there is no decomposition: the reason has the columns and the share of the trace left."""
    A, b = data("wide", 150)

    found = answered(low_rank(system(A, b, 0.0), 50, 0))

    assert isinstance(found, TooMany)
    assert "50 columns fit" in found.reason


# ---- feature space ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["pivoted_cholesky", "taylor", "tensor_sketch", "tensor_srht"])
def test_feature_space_solves_the_features_kernel(family: str) -> None:
    """With a ridge x solves (B Bᵀ + λ I) x = b for the features B; residual and distance are those of the exact kernel."""
    A, b = data("gaussian", 300)
    given = system(A, b, 0.1)
    wanted = asked(given, family, 126, 126, 300)

    found = answered(feature_space(given, wanted, Settings()))

    K = kernel(A)
    assert np.allclose(found.residual, b - K @ found.x - given.alpha * found.x, rtol=0, atol=1e-9 * np.linalg.norm(b))
    shown = np.linalg.norm(found.residual, axis=0) / np.linalg.norm(b, axis=0)
    assert np.max(shown) > 1e-6
    assert 0 < found.distance < 1
    assert 1 <= found.stable_rank <= found.rank <= found.columns <= 126


def test_feature_space_is_exact_for_its_own_kernel() -> None:
    """Taylor's features, dense: the tall core in their space gives (B Bᵀ + λ I)⁻¹ b, their stable rank and their distance."""
    A, b = data("gaussian", 200)
    given = system(A, b, 0.1)
    B = given.growth * Taylor(given.mean, given.scale, 3).apply(A)
    inside = B @ B.T + given.alpha * np.eye(200)

    found = answered(feature_space(given, asked(given, "taylor", 60, 60, 200), Settings()))

    expected = np.linalg.solve(inside, b)
    assert np.linalg.norm(found.x - expected) <= 1e4 * EPS * np.linalg.cond(inside) * np.linalg.norm(expected)
    s = np.linalg.svd(B, compute_uv=False)
    assert found.stable_rank == pytest.approx(float(np.sum((s / s[0]) ** 2)), rel=0.5)  # gradient descent has a sketch's factor


def test_feature_space_without_a_ridge_is_the_shortest_answer() -> None:
    """Λ = 0: x = B (BᵀB)⁻² Bᵀb, the pseudoinverse of B Bᵀ applied to b."""
    A, b = data("gaussian", 200)
    given = system(A, b, 0.0)
    B = given.growth * Taylor(given.mean, given.scale, 2).apply(A)

    found = answered(feature_space(given, asked(given, "taylor", 21, 21, 200), Settings()))

    expected = np.linalg.pinv(B @ B.T, rcond=1e-12, hermitian=True) @ b
    assert found.rank == 21
    assert np.linalg.norm(found.x - expected) <= 1e3 * EPS * np.linalg.cond(B) ** 2 * np.linalg.norm(expected)


# ---- engines ---------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_bits_of_every_pass_do_not_depend_on_the_workers(client: Client, stored: Callable[..., str]) -> None:
    """One thread, two threads and two worker processes give the same bits of sweeps, row passes and transposed products."""
    A, b = data("gaussian", 2100)
    matrix = open_matrix(stored("A", A, 300, compressors=zarr.codecs.ZstdCodec()))
    mean = A.mean(axis=0)
    rows = sweep_rows(matrix)
    for pass_ in (
        KernelProduct(matrix, mean, 1.0, b),
        KernelRows(matrix, np.zeros(5), 1.0, b),
        Rowwise(mean[:, None]),
        Transposed(b),
    ):
        alone, threads, cluster = (
            pass_.finish(engine.run(Look(pass_, rows), ignore))
            for engine in (SerialEngine(1), SerialEngine(2), DaskEngine(client))
        )
        assert np.array_equal(alone, threads)
        assert np.array_equal(alone, cluster)


def test_matrix_in_memory_needs_no_copy() -> None:
    """The sweep reads the other rows of an array in memory where they lie."""
    A = np.random.default_rng(0).standard_normal((700, 3))
    pass_ = KernelProduct(ArrayMatrix(A), A.mean(axis=0), 1.0, np.ones((700, 1)))

    seen(pass_, sweep_rows(ArrayMatrix(A)))

    assert pass_._copies.used_bytes == 0
