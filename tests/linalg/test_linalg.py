"""Small dense linear algebra and random words."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from dsketch._linalg import random_words
from dsketch._linalg.backward import backward_error
from dsketch._linalg.columns import norms, powers_near_norms, ratio
from dsketch._linalg.householder import householder, randomized_cholesky
from dsketch._linalg.threads import one_blas_thread
from dsketch._linalg.whitener import BLOCK_COLUMNS, dense, substitution
from dsketch.testing.judge import estimated_backward_error, optimal_backward_error
from dsketch.testing.known import tall

EPS = np.finfo(float).eps


# ---- random words ----------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**70),
    stream=st.integers(0, 10),
    per_row=st.integers(1, 9),
    start=st.sampled_from([0, 3, 2**31, 2**40 + 1]),
    low=st.integers(0, 30),
    rows=st.integers(0, 30),
)
def test_words_belong_to_their_rows(seed: int, stream: int, per_row: int, start: int, low: int, rows: int) -> None:
    """Any rows can be drawn alone and have the words that they have in the whole."""
    whole = random_words.draw(seed, stream, start, start + 60, per_row)

    assert np.array_equal(random_words.draw(seed, stream, start + low, start + low + rows, per_row), whole[low : low + rows])


def test_words_are_pinned() -> None:
    """Philox gives these words, for good."""
    assert random_words.draw(7, 0, 0, 2, 2).tolist() == [
        [16086915834549238692, 5448529601018347655],
        [7749434361382612120, 7478167007443709522],
    ]
    assert random_words.draw(7, 1, 5, 6, 3).tolist() == [[3417394736008779634, 3790359909581234977, 2166835141739205322]]
    assert random_words.draw(2**63 + 5, 0, 10**10, 10**10 + 1, 2).tolist() == [[1791008055339588479, 15158665203915263716]]


def test_streams_and_seeds_differ() -> None:
    """Another stream or seed has other words."""
    drawn = {random_words.draw(seed, stream, 0, 1, 4).tobytes() for seed in (0, 1, 2**32) for stream in (0, 1, 2)}

    assert len(drawn) == 9


def test_signs_integers_and_uniforms_stay_in_range() -> None:
    """±1; 0 to bound − 1, evenly within 6 standard deviations (once in 10⁷ seeds outside); strictly between 0 and 1."""
    raw = random_words.draw(1, 0, 0, 60_000, 1)[:, 0]
    edges = np.array([0, 2**64 - 1], dtype=np.uint64)
    for bound in (1, 3, 97, 2**31 + 11):
        assert random_words.below(edges, bound).tolist() == [0, bound - 1]
    counts = np.bincount(random_words.below(raw, 12), minlength=12)

    assert len(counts) == 12
    assert (np.abs(counts - 5000) <= 6 * np.sqrt(5000)).all()
    assert set(random_words.signs(raw).tolist()) == {-1.0, 1.0}
    assert abs(random_words.signs(raw).sum()) <= 6 * np.sqrt(60_000)
    assert (random_words.uniforms(edges) > 0).all()
    assert (random_words.uniforms(edges) < 1).all()
    assert abs(random_words.uniforms(raw).mean() - 0.5) <= 6 / np.sqrt(12 * 60_000)


# ---- columns ---------------------------------------------------------------------------------------------------------


def test_ratio_of_nothing_is_nothing() -> None:
    """0 above is 0 whatever is below; something above 0 is infinite."""
    assert ratio(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 2.0, 2.0, 0.0])).tolist() == [0.0, 0.0, 0.5, np.inf]


def test_powers_near_norms_are_exact_scales() -> None:
    """Powers of two within a factor 2 above the column norms, 1 for zero columns, also where squares over- or underflow."""
    V = np.array([[3.0, 0.0, 1e200, 1e-200], [4.0, 0.0, 1e200, 1e-200]])

    scale = powers_near_norms(V)

    assert (np.frexp(scale)[0] == 0.5).all()
    assert scale[1] == 1.0
    assert (np.linalg.norm(V / scale, axis=0)[[0, 2, 3]] <= 1).all()
    assert (np.linalg.norm(V / scale, axis=0)[[0, 2, 3]] >= 0.5).all()
    assert norms(V)[0] == 5.0


# ---- backward error --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1.0, 1e-12, 1e-6, 1e3])
@pytest.mark.parametrize("residual", [1e-12, 1e-6, 1.0, 1e3])
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8])
def test_estimate_is_within_a_factor_two_of_the_optimum(condition: float, residual: float, size: float) -> None:
    """Karlson–Waldén against the exact formula of Waldén, Karlson and Sun, for x wrong by any amount: theory says √2."""
    problem = tall(40, 5, condition=condition, residual=residual, seed=3)
    x = problem.x + size * np.random.default_rng(4).standard_normal(5)
    r = problem.b - problem.A @ x
    scale = powers_near_norms(problem.A)
    _, s, Vt = np.linalg.svd(problem.A / scale, full_matrices=False)

    found = backward_error(s, Vt, scale, x[:, None], (problem.A.T @ r)[:, None], np.array([r @ r]))[0]

    optimum = optimal_backward_error(problem.A, problem.b, x)
    # The exact formula is itself an SVD of a matrix with a part of size φ = ‖r‖/‖x‖: it is known to eps φ only.
    floor = 4 * EPS * max(1.0, float(np.linalg.norm(r) / np.linalg.norm(scale * x)))
    assert found <= 2 * optimum + floor
    assert optimum <= 2 * found + floor


@given(seed=st.integers(0, 2**32 - 1), digits=st.floats(0, 14))
def test_own_estimate_is_the_judge_s(seed: int, digits: float) -> None:
    """The library's estimate and the one recomputed in extended precision agree to a few digits, above rounding."""
    problem = tall(60, 4, condition=1e5, seed=seed % 1000, sides=2)
    x = problem.x * (1 + 10**-digits * np.random.default_rng(seed).standard_normal(problem.x.shape))
    r = problem.b - problem.A @ x
    scale = powers_near_norms(problem.A)
    _, s, Vt = np.linalg.svd(problem.A / scale, full_matrices=False)

    found = backward_error(s, Vt, scale, x, problem.A.T @ r, np.sum(r**2, axis=0))

    expected = estimated_backward_error(problem.A, problem.b, x)
    # Rounding of r and Aᵀr is worth (√n + d) eps of backward error at most.
    assert (np.abs(found - expected) <= 1e-6 * expected + 12 * EPS).all()


def test_backward_error_of_extremes() -> None:
    """Zero A is explained by anything; a zero gradient is zero; units of 1e±140 change nothing; beyond squares nothing is known."""
    eye, one, unit = np.eye(2), np.ones((2, 1)), np.ones(2)
    assert backward_error(np.zeros(2), eye, unit, one, np.zeros((2, 1)), np.ones(1)).tolist() == [0.0]
    assert backward_error(unit, eye, unit, one, np.zeros((2, 1)), np.ones(1)).tolist() == [0.0]
    plain = backward_error(unit, eye, unit, one, 0.1 * one, np.ones(1))
    for size in (1e140, 1e-140):
        of_A = backward_error(unit, eye, size * unit, one / size, 0.1 * size * one, np.ones(1))
        of_b = backward_error(unit, eye, unit, size * one, 0.1 * size * one, np.array([size**2]))
        of_one = backward_error(
            unit, eye, np.array([size, 1.0]), one / [[size], [1.0]], 0.1 * np.array([[size], [1.0]]), np.ones(1)
        )
        assert np.allclose([of_A, of_b, of_one], plain, rtol=1e-12)
    for size in (1e160, 1e-160):
        assert backward_error(unit, eye, unit, size * one, 0 * one, np.zeros(1)).tolist() == [np.inf]
        assert backward_error(unit, eye, size * unit, size * one, 0 * one, np.zeros(1)).tolist() == [np.inf]


def test_a_column_in_small_units_counts_like_any_other() -> None:
    """Wrong by 5 % in one coefficient is wrong by about that in backward error, whatever the unit of its column."""
    rng = np.random.default_rng(5)
    for unit in (1.0, 1e-8, 1e8, 1e-100):
        A = rng.standard_normal((200, 2)) * [1.0, unit]
        b = A @ [1.0, 1 / unit]
        x = np.array([[1.0], [1.05 / unit]])
        r, scale = b[:, None] - A @ x, powers_near_norms(A)
        _, s, Vt = np.linalg.svd(A / scale, full_matrices=False)

        assert 0.01 <= backward_error(s, Vt, scale, x, A.T @ r, np.sum(r**2, axis=0))[0] <= 0.05


# ---- triangles -------------------------------------------------------------------------------------------------------


def graded(d: int, condition: float, seed: int = 0) -> np.ndarray:
    """Return the triangle of a random matrix with singular values falling to 1/condition."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    return householder((U * np.geomspace(1, 1 / condition, d)) @ V.T)


@pytest.mark.parametrize("units", ["equal", "falling", "rising"])
@pytest.mark.parametrize("condition", [1e1, 1e8, 1e14])
@pytest.mark.parametrize("d", [5, BLOCK_COLUMNS + 40])
def test_whitener_is_backward_stable_row_by_row(d: int, condition: float, units: str) -> None:
    """‖y R − x‖ ≤ c d eps ‖y‖ ‖R‖ for every row, however ill-conditioned R and whatever the units of its columns: as a solve does."""
    exponents = {"equal": np.zeros(d), "falling": -np.arange(d), "rising": np.arange(d)}[units]
    scale = np.ldexp(1.0, np.round(exponents * 80 / d).astype(int))
    R = graded(d, condition) * scale
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, d)) @ R * np.geomspace(1, 1e-10, 200)[:, None]
    whitener = substitution(R)

    Y = whitener.apply(X)

    gap = np.linalg.norm((Y @ whitener.matrix - X) / scale, axis=1)
    assert whitener.rank == d
    assert (gap <= 4 * d * EPS * np.linalg.norm(Y, axis=1) * np.linalg.norm(R / scale, 2)).all()


@pytest.mark.parametrize("condition", [1e1, 1e8, 1e14])
def test_whitened_rows_are_orthonormal_to_sketch_level(condition: float) -> None:
    """With the R₀ of a sketch the columns of A R₀⁻¹ have a condition number below the 20 that the methods bear, at any kappa."""
    problem = tall(1500, 150, condition=condition)
    S = np.random.default_rng(2).standard_normal((600, 1500)) / np.sqrt(600)

    Y = substitution(householder(S @ problem.A)).apply(problem.A)

    assert np.linalg.cond(Y) < 20


def test_matrix_of_the_whitener_is_the_same_gram() -> None:
    """The rotated R has RᵀR unchanged to d eps: only the basis of Y differs."""
    R = graded(200, 1e3)
    whitener = substitution(R)

    assert np.abs(whitener.matrix.T @ whitener.matrix - R.T @ R).max() <= 200 * EPS
    assert np.allclose(dense(np.linalg.inv(R), R).apply(R), np.eye(200), atol=1e-9)


@pytest.mark.parametrize("condition", [1.0, 1e8, 1e15])
@pytest.mark.parametrize("weak", [False, True])
def test_randomized_cholesky_is_householder(condition: float, weak: bool) -> None:
    """R of the fast way has RᵀR = XᵀX to n eps whatever kappa, also where the sketch is no good and it falls back."""
    problem = tall(800, 20, condition=condition)
    rng = np.random.default_rng(0)
    sketched = np.zeros((80, 20)) if weak else rng.standard_normal((80, 800)) @ problem.A / np.sqrt(80)

    R = randomized_cholesky(problem.A, sketched)

    assert np.array_equal(R, np.triu(R))
    assert np.abs(R.T @ R - problem.A.T @ problem.A).max() <= 800 * EPS
    s = np.linalg.svd(R, compute_uv=False)
    assert np.abs(s - np.geomspace(1, 1 / condition, 20)).max() <= 20 * EPS


def test_randomized_cholesky_sees_a_sketch_that_lost_a_direction() -> None:
    """A sketch blind to one direction by 10⁻³ is refused, not trusted."""
    problem = tall(800, 6, condition=1.0)
    blind = np.diag([1, 1, 1, 1, 1, 1e-3]) @ np.linalg.svd(problem.A)[2]

    R = randomized_cholesky(problem.A, np.concatenate([blind, np.zeros((6, 6))]))

    assert np.abs(R.T @ R - np.eye(6)).max() <= 800 * EPS


# ---- threads ---------------------------------------------------------------------------------------------------------


def blas_threads() -> set[int]:
    """Return how many threads the BLAS libraries of this process use now."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_every_thread_finds_one_blas_thread() -> None:
    """Also the second of two threads that live side by side, whichever limited BLAS first: or the bits would depend on it."""

    def seen() -> set[int]:
        with one_blas_thread():
            return blas_threads()

    before = blas_threads()
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for pool in (first, second, first):
            assert pool.submit(seen).result() == {1}
            assert blas_threads() == before


def test_blas_has_one_thread_inside_and_its_own_outside() -> None:
    """Nested and concurrent uses count; the last one out restores what was there."""
    before = blas_threads()
    inside, may_leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_blas_thread():
            inside.set()
            may_leave.wait(60)

    thread = threading.Thread(target=other)
    with one_blas_thread():
        with one_blas_thread():
            assert blas_threads() == {1}
        thread.start()
        assert inside.wait(60)
    assert blas_threads() == {1}
    may_leave.set()
    thread.join()
    assert blas_threads() == before
