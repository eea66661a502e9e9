"""Leverage scores against LAPACK and 60 digits: every row, every kind of data, and claims that hold."""

from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from distributed import Client

import dsketch as ds
from dsketch._linalg.factor import Factor
from dsketch.engine.journal import digest
from dsketch.ingest import write_csr
from dsketch.matrix.regrid import Recut
from dsketch.problems.leverage.certificate import score_error
from dsketch.testing.flows import run_flow
from tests.matrix.csr import full_columns

EPS = float(np.finfo(float).eps)
N, D = 400, 6


def dense(A: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """Return the scores by LAPACK: squared lengths of rows of Q of the whole matrix."""
    Q = np.linalg.qr(np.concatenate([A, np.sqrt(alpha) * np.eye(A.shape[1])]))[0]
    return np.sum(Q[: len(A)] ** 2, axis=1)


def matrix(condition: float = 10.0, heavy: int = 3, seed: int = 0) -> np.ndarray:
    """Return rows of a known condition number, some of them heavy."""
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.standard_normal((N, D)))[0] * np.geomspace(1, 1 / condition, D)
    A[:heavy] *= 100
    return A @ np.linalg.qr(rng.standard_normal((D, D)))[0]


def scores(A: Any, **options: Any) -> ds.Solution:
    """Return the scores in this process."""
    return ds.leverage_scores(A, cluster="serial", progress=False, **options)


def allowed(A: np.ndarray) -> float:
    """Return what two backward stable computations may differ by, relatively: the claim, twice."""
    return 2 * score_error(Factor.of(A))


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("units", [1.0, 1e4], ids=["even", "uneven"])
def test_scores_are_those_of_a_dense_qr(condition: float, units: float) -> None:
    """Every score to the claimed digits, also where columns have units 1e±4; they add up to the rank."""
    A = matrix(condition) * np.geomspace(units, 1 / units, D)

    found = scores(A)

    expected = dense(A)
    assert found.status is ds.Status.SOLVED
    assert np.abs(found.x / expected - 1).max() <= allowed(A)
    assert abs(found.certificate.total - D) <= D * allowed(A)
    assert found.certificate.expected_total == D
    assert found.certificate.largest == found.x.max()
    assert found.certificate.forward_error[0] == pytest.approx(score_error(Factor.of(A)), rel=0.01)


def test_claimed_errors_hold_for_every_row() -> None:
    """Against 60 digits, in 60 small problems of condition 1 to 1e10, no score is farther off than is claimed."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        d, condition = 1 + seed % 4, 10.0 ** (seed % 11)
        A = rng.standard_normal((12, d)) * rng.choice([1e-3, 1.0, 1e3], (12, 1))
        A = A @ np.diag(np.geomspace(1, 1 / condition, d)) @ rng.standard_normal((d, d))
        with mpmath.workdps(60):
            exact = mpmath.matrix(A.tolist())
            hat = exact * mpmath.inverse(exact.T * exact) * exact.T
            truth = np.array([float(hat[i, i]) for i in range(12)])

        found = scores(A)

        claimed = found.certificate.forward_error[0]
        assert np.abs(found.x / truth - 1).max() <= claimed, (seed, condition)
        assert claimed <= 100 * EPS * Factor.of(A).scaled_condition


@pytest.mark.parametrize("alpha", [1e-3, 2.5, 1e6])
def test_ridge_scores_add_up_to_the_statistical_dimension(alpha: float) -> None:
    """Σ h = Σ σ²/(σ² + alpha), by the factor and over the rows; an intercept is not penalized."""
    A = matrix(100.0)
    singular = np.linalg.svd(A)[1] ** 2

    found, beside = scores(A, alpha=alpha), scores(A, alpha=alpha, intercept=True)

    dimension = np.sum(singular / (singular + alpha))
    assert found.certificate.expected_total == pytest.approx(dimension, rel=1e-9, abs=8 * D * EPS)
    assert found.certificate.total == pytest.approx(dimension, rel=1e-9, abs=8 * D * EPS)
    np.testing.assert_allclose(found.x, dense(A, alpha), rtol=1e-11)
    centred = A - A.mean(axis=0)
    np.testing.assert_allclose(beside.x, dense(centred, alpha) + 1 / N, rtol=1e-11)


def test_weights_scale_the_rows() -> None:
    """Scores are the diagonal of the weighted hat matrix; rows of weight 0 have none."""
    A, w = matrix(), np.random.default_rng(1).uniform(0, 2, N)
    w[::7] = 0.0

    found = scores(A, weights=w)

    np.testing.assert_allclose(found.x, dense(np.sqrt(w)[:, None] * A), rtol=1e-11, atol=EPS**1.5)
    assert (found.x[::7] == 0).all()
    assert ds.check(ds.LeverageScores(A, weights=w), found.x, cluster="serial").forward_error[0] <= allowed(A)


def test_deficient_rows_get_the_scores_of_their_range() -> None:
    """With dependent columns the scores are those of the range, and add up to the rank; a note says so."""
    A = np.column_stack([matrix(), matrix()[:, 0] * 3, np.zeros(N)])

    found = scores(A)

    np.testing.assert_allclose(found.x, dense(matrix()), rtol=1e-11)
    assert found.certificate.rank == D
    assert found.certificate.total == pytest.approx(D, abs=1e-9)
    assert any("rank-deficient" in note for note in found.notes)


@pytest.mark.parametrize(
    ("A", "expected"),
    [
        (np.zeros((5, 2)), np.zeros(5)),
        (np.arange(1.0, 5.0)[:, None], np.arange(1.0, 5.0) ** 2 / 30),
        (np.eye(3), np.ones(3)),
        (np.ones((1, 1)), np.ones(1)),
    ],
    ids=["zeros", "one column", "square", "one row"],
)
def test_smallest_matrices(A: np.ndarray, expected: np.ndarray) -> None:
    """No rows to spare, one column, nothing at all."""
    found = scores(A)

    np.testing.assert_allclose(found.x, expected, rtol=64 * EPS, atol=0)
    assert found.status is ds.Status.SOLVED


@pytest.mark.parametrize("method", ["exact", "sketched"])
def test_other_blocks_change_last_bits_only(method: str) -> None:
    """However the rows are cut, the same scores, and the same sketch."""
    A = matrix(100.0)
    cuts = [0, 1, 60, 61, 250, N]

    whole, cut = scores(A, method=method), scores(Recut(ds.open_matrix(A), cuts), method=method)

    np.testing.assert_allclose(cut.x, whole.x, rtol=allowed(A))
    assert whole.certificate.compared == cut.certificate.compared


def test_sparse_rows(tmp_path: Path) -> None:
    """CSR rows, from Zarr, have the scores of the dense ones; those of empty rows are 0."""
    X = full_columns()
    found = scores(write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=300))

    np.testing.assert_allclose(found.x, dense(X.toarray()), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_rows_are_named(bad: float) -> None:
    """A NaN or an infinity is refused with its row and column, by either method."""
    A = matrix()
    A[123, 4] = bad
    for method in ("exact", "sketched"):
        with pytest.raises(ds.DataError, match=r"row 123, column 4"):
            scores(A, method=method)
    masked = np.ma.masked_invalid(A)
    with pytest.raises(ds.DataError, match=r"123"):
        scores(masked)


def test_impossible_questions_are_refused() -> None:
    """A wide A, a negative penalty, weights below 0."""
    with pytest.raises(ds.DataError, match="tall"):
        scores(np.ones((2, 3)))
    with pytest.raises(ds.SpecError, match="alpha"):
        scores(matrix(), alpha=-1.0)
    with pytest.raises(ds.DataError, match="row 7"):
        scores(matrix(), weights=np.where(np.arange(N) == 7, -1.0, 1.0))


# ---- sketched ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 5.0])
def test_sketched_scores_come_with_their_measured_spread(alpha: float) -> None:
    """ESTIMATED; the spread of a sample of rows is that of these rows against LAPACK, and bounds most of all others."""
    A = np.random.default_rng(3).standard_normal((3000, 10))
    A[:5] *= 100

    found = scores(A, alpha=alpha, method="sketched", seed=5)

    ratios = found.x / dense(A, alpha)
    low, middle, high = found.certificate.spread
    assert found.status is ds.Status.ESTIMATED
    assert found.certificate.compared > 400
    assert middle == pytest.approx(np.median(ratios), rel=0.05)
    assert ratios.min() <= low * (1 + 1e-9)
    assert high * (1 - 1e-9) <= ratios.max()
    assert np.mean((ratios >= low) & (ratios <= high)) > 0.98
    assert found.certificate.forward_error[0] == max(high - 1, 1 - low)


def test_a_sketch_that_lacks_rank_gives_way() -> None:
    """Of dependent columns only A's own factor can tell: the exact scores, and a note."""
    A = np.column_stack([matrix(), matrix()[:, 0]])

    found = scores(A, method="sketched")

    assert found.method == "exact"
    assert "gave way" in found.notes[0]
    np.testing.assert_allclose(found.x, dense(matrix()), rtol=1e-11)


# ---- judged ------------------------------------------------------------------------------------------------------------


def test_check_finds_the_wrong_score() -> None:
    """Right scores are right, one wrong by a millionth is not, and its error is told; a tolerance may allow it."""
    A = matrix(1e3)
    found, problem = scores(A), ds.LeverageScores(A)
    wrong = found.x.copy()
    wrong[77] *= 1 + 1e-6

    right, judged = (ds.check(problem, x, cluster="serial") for x in (found.x, wrong))

    assert right.backward_error[0] <= problem.accepted(None)
    assert judged.forward_error[0] == pytest.approx(1e-6, rel=1e-3)
    assert problem.accepted(None) < judged.backward_error[0] < problem.accepted(1e-6)


def test_settings_are_read() -> None:
    """Every setting that the problem offers is read by one of its methods, and features are refused."""
    with pytest.raises(ds.SpecError, match="features"):
        ds.plan(ds.LeverageScores(matrix()), features="taylor", cluster="serial")
    plan = ds.plan(ds.LeverageScores(matrix()), cluster="serial")
    assert plan.method == "exact"
    assert "sketched" in plan.rejected
    assert plan.estimate.passes == 2


# ---- laws --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exact", "sketched"])
def test_replay_law(method: str) -> None:
    """Fed with recorded parts, the same looks and the same way to make the rows."""
    problem = ds.LeverageScores(matrix(1e4))
    plan = ds.plan(problem, method=method, cluster="serial")
    first = run_flow(problem.answer(plan))
    again = run_flow(problem.answer(plan), first.parts)

    assert again.digests == first.digests
    assert digest(again.result.rows.look) == digest(first.result.rows.look)


@pytest.mark.cluster
@pytest.mark.parametrize("method", ["exact", "sketched"])
def test_same_bits_on_a_cluster(
    method: str, client: Client, tmp_path: Path, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers write the bits that this process writes, and that come back as an array."""
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
    A = stored("A", np.tile(matrix(1e3), (3, 1)), 100)

    gathered = ds.leverage_scores(A, method=method, cluster=client, progress=False)
    written = ds.leverage_scores(A, tmp_path / "h.zarr", method=method, cluster=client, progress=False)
    alone = scores(A, method=method)

    assert np.array_equal(gathered.x, alone.x)
    assert np.array_equal(written.x[...], alone.x)
    assert written.certificate.total == pytest.approx(alone.x.sum(), rel=3 * N * EPS)
