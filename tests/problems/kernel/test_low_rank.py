"""The kernel without a ridge: the shortest least squares answer."""

import numpy as np
import pytest

from dsketch.problems.fallback import with_fallback
from dsketch.problems.kernel.low_rank import Minimizer, solve_shortest
from dsketch.problems.kernel.methods import METHODS
from dsketch.problems.kernel.pivoted_cholesky import choose_pivots
from dsketch.problems.method import Breakdown
from dsketch.settings import Settings
from dsketch.testing.flows import run_flow
from tests.problems.kernel.dense import answered, data, kernel, system

EPS = float(np.finfo(float).eps)


def test_duplicate_rows_give_the_shortest_least_squares_answer() -> None:
    """Each of 40 rows ten times: rank 40, and x, residual and outside part are those of the pseudoinverse."""
    rng = np.random.default_rng(0)
    A, b = np.repeat(rng.standard_normal((40, 5)), 10, axis=0), rng.standard_normal((400, 2))
    K = kernel(A)

    found = answered(solve_shortest(system(A, b, 0.0), 400, 0))

    assert isinstance(found, Minimizer)
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

    found = answered(solve_shortest(system(A, b, 0.0), 300, 0))

    assert abs(found.rank - np.count_nonzero(values > 300 * EPS * values[-1])) <= 2
    residual = np.linalg.norm(b - K @ found.x)
    assert residual <= 300 * EPS * (values[-1] * np.linalg.norm(found.x) + np.linalg.norm(b))


def test_full_rank_is_solved_outright() -> None:
    """Forty columns make K well-conditioned: rank n and the solution of K x = b."""
    A, b = data("wide", 150)
    K = kernel(A)

    found = answered(solve_shortest(system(A, b, 0.0), 150, 0))

    assert found.rank == 150
    expected = np.linalg.solve(K, b)
    assert np.linalg.norm(found.x - expected) <= 100 * EPS * np.linalg.cond(K) * np.linalg.norm(expected)


def test_a_rank_beyond_the_columns_is_said() -> None:
    """With fewer columns than the rank there is no decomposition: the reason has the columns and the share of the trace left."""
    A, b = data("wide", 150)

    with pytest.raises(Breakdown) as stopped:
        answered(solve_shortest(system(A, b, 0.0), 50, 0))

    assert "50 columns fit" in stopped.value.reason
    assert stopped.value.start.rank == 50


def test_pivots_go_along_with_the_one_who_takes_over() -> None:
    """Conjugate gradients are preconditioned with the pivots that low_rank made: no pass of theirs is repeated."""
    A, b = data("wide", 150)
    given = system(A, b, 0.0)
    pivots = run_flow(choose_pivots(given, 50, 0, 0.0)).digests

    run = run_flow(with_fallback(METHODS, "low_rank", given, Settings(rank=50)))

    answer, method = run.result
    assert method == "conjugate_gradient"
    assert answer.columns == 50
    assert run.digests[: len(pivots)] == pivots
    assert not set(pivots) & set(run.digests[len(pivots) :])
