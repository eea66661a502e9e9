"""Least squares of more than 128 columns, of which no singular values are computed: judged by A and b."""

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch.errors import PlanError
from dsketch.planning.probe import probe
from dsketch.problems import LeastSquares
from dsketch.problems.outcome import Status
from dsketch.testing.judge import estimated_backward_error

EPS = np.finfo(float).eps
N, D = 900, 150


def rows(condition: float, residual: float, sides: int = 1, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Return A with graded singular values and columns in units, b, and x."""
    rng = np.random.default_rng(seed)
    U, V = np.linalg.qr(rng.standard_normal((N, D + sides)))[0], np.linalg.qr(rng.standard_normal((D, D)))[0]
    A = (U[:, :D] * np.geomspace(1.0, 1 / condition, D)) @ V * np.geomspace(1e-2, 1e4, D)
    x = rng.standard_normal((D, sides)) / np.linalg.norm(A, axis=0)[:, None]
    return A, A @ x + residual * U[:, D:], x


@pytest.mark.parametrize("method", ["cholesky", "gram", "whitened", "tsqr", "conjugate_gradient"])
@pytest.mark.parametrize(("condition", "residual"), [(10.0, 1.0), (1e3, 1e-8), (1e3, 10.0)])
def test_claims_of_wide_systems_hold(method: str, condition: float, residual: float) -> None:
    """Every method reaches rounding; its backward error is that of the judge and its forward error above the truth."""
    A, b, x = rows(condition, residual, sides=3)

    found = ds.lstsq(A, b, method=method, cluster="serial")

    judged = estimated_backward_error(A, b, found.x)
    assert found.status is Status.SOLVED
    assert (judged <= 1.5 * found.certificate.backward_error + 2 * EPS).all()
    assert (found.certificate.backward_error <= 8 * EPS).all()
    far = np.linalg.norm(np.linalg.norm(A, axis=0)[:, None] * (found.x - x), axis=0)
    size = np.linalg.norm(np.linalg.norm(A, axis=0)[:, None] * x, axis=0)
    assert (far / size <= found.certificate.forward_error + 4 * EPS * condition).all()
    s = np.linalg.svd(A / np.linalg.norm(A, axis=0), compute_uv=False)
    assert found.certificate.rank == D
    assert 0.25 * s[0] / s[-1] <= found.certificate.scaled_condition <= 4 * s[0] / s[-1]  # columns to powers of two


@pytest.mark.parametrize("condition", [1e9, 1e13])
def test_ill_conditioned_wide_systems_are_solved(condition: float) -> None:
    """With an inverse that proves the rank, and beyond it with singular values: LAPACK's accuracy."""
    A, b, _ = rows(condition, 1e-3)

    found = ds.lstsq(A, b, cluster="serial")

    assert found.status is Status.SOLVED
    assert found.certificate.rank == D
    assert estimated_backward_error(A, b, found.x).max() <= 8 * EPS


def test_a_lost_rank_is_seen_although_no_sampled_column_tells() -> None:
    """Two equal columns of 600, most of which the probe does not look at: the answer is the shortest one, of rank 599."""
    A = np.random.default_rng(1).standard_normal((1500, 600))
    A[:, 590] = A[:, 23]
    b = A @ np.ones(600)

    found = ds.lstsq(A, b, cluster="serial")

    assert found.certificate.rank == 599
    assert found.x[590] == pytest.approx(found.x[23], rel=1e-6)
    assert not probe(LeastSquares(A, b).rows).is_deficient


def test_few_columns_are_all_probed() -> None:
    """Up to 256 columns the probe judges all of them: a lost rank among sampled rows shows at once."""
    A = np.random.default_rng(1).standard_normal((1500, 200))
    A[:, 190] = A[:, 23]

    assert probe(LeastSquares(A, A[:, 0]).rows).is_deficient


def test_too_many_columns_are_refused_before_anything_is_read() -> None:
    """A matrix of NaN, which reading would refuse, is refused for its width: nothing was read."""
    A = np.full((700, 600), np.nan)

    with pytest.raises(PlanError, match="a task must fit in"):
        ds.plan(LeastSquares(A, np.ones(700)), cluster="serial", memory_limit="8MB")


@pytest.mark.parametrize("method", ["cholesky", "whitened", "tsqr"])
def test_bits_do_not_depend_on_the_driver_s_threads(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """x and every claim have the same bits with one processor between passes, and with three."""
    A, b, _ = rows(1e4, 1e-2, 2)
    told = []
    for processors in (1, 3):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, count=processors: set(range(count)))
        found = ds.lstsq(A, b, method=method, cluster="serial")
        claims = found.certificate
        told.append((found.x.tobytes(), claims.condition, claims.backward_error.tolist(), claims.forward_error.tolist()))

    assert told[0] == told[1]
