"""The attention kernel from the public interface: answers, certificates and refusals judged against the dense kernel."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from distributed import Client

import dsketch as ds
from dsketch._cli import main
from dsketch.engine.journal import Journal
from dsketch.errors import DataError, PlanError, SpecError
from dsketch.problems.kernel.certificate import KernelCertificate
from dsketch.problems.outcome import Status

EPS = float(np.finfo(float).eps)
N, D = 400, 5
ALPHA = 0.05
Floats = np.ndarray[Any, np.dtype[np.float64]]


def data(sides: int | None = None, n: int = N, seed: int = 0) -> tuple[Floats, Floats]:
    """Return rows of moderate length and right-hand sides without structure."""
    rng = np.random.default_rng(seed)
    return 0.7 * rng.standard_normal((n, D)) + 0.2, rng.standard_normal((n, sides) if sides else n)


def dense(A: Floats, alpha: float = ALPHA, scale: float = 1.0) -> Floats:
    """Return exp(s A Aᵀ) + λ I."""
    return np.exp(scale * A @ A.T) + alpha * np.eye(len(A))


def residual(M: Floats, x: Floats, b: Floats) -> Floats:
    """Return ‖b − M x‖ for each side."""
    return np.linalg.norm((b - M @ x).reshape(len(b), -1), axis=0)


# ---- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", [None, 3])
def test_answer_solves_the_dense_system(sides: int | None) -> None:
    """The relative residual meets the default of 1e-10, and x has b's shape."""
    A, b = data(sides)

    found = ds.solve(ds.ExpKernel(A, b, alpha=ALPHA, scale=0.8))

    assert found.status is Status.SOLVED
    assert found.method == "conjugate_gradient"
    assert found.x.shape == b.shape
    assert (residual(dense(A, ALPHA, 0.8), found.x, b) <= 1.01e-10 * np.linalg.norm(b.reshape(N, -1), axis=0)).all()


def test_certificate_is_what_the_dense_kernel_says() -> None:
    """Residual, backward error and condition are those of K + λ I, the norm from below; check finds the same with sweeps of its own."""
    A, b = data(2)
    M = dense(A)
    norm = np.linalg.norm(M, 2)

    found = ds.solve(ds.ExpKernel(A, b, alpha=ALPHA), tol=1e-7)
    judged = ds.check(ds.ExpKernel(A, b, alpha=ALPHA), found.x)

    true = residual(M, found.x, b)
    backward = true / (norm * np.linalg.norm(found.x, axis=0) + np.linalg.norm(b, axis=0))
    for certificate in (found.certificate, judged):
        assert isinstance(certificate, KernelCertificate)
        assert np.allclose(certificate.residual_norm, true, rtol=1e-4)
        assert np.allclose(certificate.relative_residual, true / np.linalg.norm(b, axis=0), rtol=1e-4)
        assert (certificate.backward_error >= 0.999 * backward).all()  # ‖K + λ I‖ is met from below
        assert (certificate.backward_error <= 1.1 * backward).all()
        assert certificate.condition == pytest.approx(norm / ALPHA, rel=0.1)
        assert np.linalg.norm(found.x - np.linalg.solve(M, b)) <= np.linalg.norm(certificate.forward_error) * np.linalg.norm(
            found.x
        )


def test_check_sees_a_wrong_answer() -> None:
    """A perturbed x has the residual that the perturbation makes."""
    A, b = data()
    x = np.linalg.solve(dense(A), b)
    wrong = x * (1 + 1e-3 * np.sin(np.arange(N)))

    judged = ds.check(ds.ExpKernel(A, b, alpha=ALPHA), wrong)

    assert judged.residual_norm[0] == pytest.approx(float(residual(dense(A), wrong, b)[0]), rel=1e-6)


def test_long_rows_do_not_end_the_iteration_early() -> None:
    """A few long rows make ‖K‖ large, not the rounding of the others: what a direct solver reaches is reached, and called solved."""
    rng = np.random.default_rng(3)
    A = np.sqrt(0.5) * rng.standard_normal((600, 8))
    b = np.sin(A[:, 0]) + 0.1 * rng.standard_normal(600)
    alpha = 1e-4 * float(np.mean(np.exp(np.sum(A * A, axis=1))))

    found = ds.solve(ds.ExpKernel(A, b, alpha=alpha), tol=1e-12, features="taylor", rank=495, cluster="serial")

    M = dense(A, alpha)
    direct = residual(M, np.linalg.solve(M, b), b)[0]
    assert direct <= 1e-12 * np.linalg.norm(b)
    assert found.status is Status.SOLVED
    assert residual(M, found.x, b)[0] <= 2e-12 * np.linalg.norm(b)


def test_a_tolerance_that_rounding_forbids_ends_rounded() -> None:
    """At λ = 1e-12 no x in double precision has a residual of 1e-13 of b; the backward error is rounding all the same."""
    A, b = data()

    found = ds.solve(ds.ExpKernel(A, b, alpha=1e-12), tol=1e-13)

    M = dense(A, 1e-12)
    backward = residual(M, found.x, b) / (np.linalg.norm(M, 2) * np.linalg.norm(found.x) + np.linalg.norm(b))
    assert found.status is Status.ROUNDED
    assert backward[0] <= 16 * EPS
    assert found.certificate.backward_error[0] >= 0.999 * backward[0]


def test_without_a_ridge_the_rank_and_the_shortest_minimizer_are_found() -> None:
    """Fifty rows eight times: LEAST_SQUARES, the rank in words, x and its residual those of the pseudoinverse."""
    rng = np.random.default_rng(3)
    A, b = np.repeat(0.8 * rng.standard_normal((50, D)), 8, axis=0), rng.standard_normal(400)
    M = dense(A, 0.0)
    expected = np.linalg.pinv(M, rcond=400 * EPS, hermitian=True) @ b

    found = ds.solve(ds.ExpKernel(A, b, alpha=0))

    assert found.status is Status.LEAST_SQUARES
    assert found.method == "low_rank"
    assert found.certificate.rank == 50
    assert "numerical rank 50 of 400" in found.certificate.rank_reason
    assert np.linalg.norm(found.x - expected) <= 100 * EPS * found.certificate.condition * np.linalg.norm(expected)
    assert found.certificate.residual_norm[0] == pytest.approx(float(residual(M, expected, b)[0]), rel=1e-9)
    assert found.certificate.backward_error[0] <= 16 * EPS
    assert ds.check(ds.ExpKernel(A, b, alpha=0), found.x).backward_error[0] <= 64 * EPS


def test_without_a_ridge_b_in_the_range_is_solved() -> None:
    """B = K z for a K of numerical rank below n: solved to the residual, whose floor is rounding."""
    A, _ = data()
    A = A[:, :2]
    b = dense(A, 0.0) @ np.random.default_rng(1).standard_normal(N)

    found = ds.solve(ds.ExpKernel(A, b, alpha=0))

    assert found.status is Status.SOLVED
    assert found.certificate.rank < N
    assert residual(dense(A, 0.0), found.x, b)[0] <= 1e-10 * np.linalg.norm(b)


def test_a_rank_that_does_not_fit_gives_way() -> None:
    """With fewer columns than the rank conjugate gradients take over, and the note says so."""
    rng = np.random.default_rng(5)
    A, b = rng.standard_normal((150, 40)) / 5, rng.standard_normal(150)

    found = ds.solve(ds.ExpKernel(A, b, alpha=0), rank=60)

    assert found.method == "conjugate_gradient"
    assert "low_rank gave way to conjugate_gradient: 60 columns fit" in found.notes[0]
    assert residual(dense(A, 0.0), found.x, b)[0] <= 1.01e-10 * np.linalg.norm(b)


@pytest.mark.parametrize("features", ["auto", "taylor", "tensor_sketch", "pivoted_cholesky"])
def test_feature_space_is_labelled_with_its_distance(features: str) -> None:
    """APPROXIMATE, with the residual of the exact kernel, its distance and the stable rank of the features in the notes."""
    A, b = data()

    found = ds.solve(ds.ExpKernel(A, b, alpha=1.0), method="feature_space", features=features, rank=60)

    assert found.status is Status.APPROXIMATE
    assert found.certificate.residual_norm[0] == pytest.approx(float(residual(dense(A, 1.0), found.x, b)[0]), rel=1e-6)
    assert found.certificate.distance > 0
    assert any("stable rank" in note for note in found.notes)
    assert any("distance to the exact kernel" in note for note in found.notes)


def test_predictions_are_rows_of_the_kernel() -> None:
    """Predicting from new rows multiplies exp(s⟨a, a_j⟩) by x."""
    A, b = data(2)
    new = data(n=77, seed=9)[0]
    found = ds.solve(ds.ExpKernel(A, b, alpha=1.0, scale=0.5))

    expected = np.exp(0.5 * new @ A.T) @ found.x

    assert np.allclose(
        ds.predict(found, new), expected, rtol=0, atol=1e3 * EPS * np.abs(np.exp(0.5 * new @ A.T)) @ np.abs(found.x)
    )


# ---- plans -------------------------------------------------------------------------------------------------------------


def test_plan_forecasts_the_preconditioner() -> None:
    """The plan names the preconditioner, its forecast condition number and iterations, and fixes how many columns it may have."""
    A, b = data()

    made = ds.plan(ds.ExpKernel(A, b, alpha=ALPHA))

    assert made.method == "conjugate_gradient"
    assert "forecast from sampled rows" in made.details[0]
    assert made.settings.rank == N
    assert "relative residual ≤ 1e-10" in str(made)
    assert "sketch" not in str(made)
    assert made.estimate.seconds > 0
    assert set(made.rejected) == {"low_rank", "feature_space"}
    assert json.dumps(made.to_dict(), default=float)


def test_iterations_stay_near_those_of_the_plan() -> None:
    """The forecast is an upper bound of the kind that conjugate gradients meet to a factor three."""
    A, b = data()
    made = ds.plan(ds.ExpKernel(A, b, alpha=ALPHA))

    found = ds.solve(made)

    assert len(found.passes) <= 3 * made.estimate.passes + 10


@pytest.mark.parametrize(
    ("words", "choices", "message"),
    [
        ({"alpha": -1.0}, {}, r"alpha must be a number ≥ 0; got -1.0"),
        ({"alpha": float("nan")}, {}, r"alpha must be a number ≥ 0; got nan"),
        ({"scale": 0.0}, {}, r"scale must be a number above 0; got 0.0"),
        ({}, {"method": "tsqr"}, r"method must be one of auto, conjugate_gradient, feature_space, low_rank; got 'tsqr'"),
        ({}, {"features": "fourier"}, r"features must be one of auto, .*; got 'fourier'"),
        ({}, {"rank": 0}, r"rank must be a number of features ≥ 1; got 0"),
        ({}, {"method": "low_rank"}, r"low_rank is for alpha=0; got alpha=1. Use conjugate_gradient"),
        ({}, {"method": "feature_space", "features": "none"}, r"features must be one of .* to stand for the kernel; got 'none'"),
        ({}, {"tol": 2.0}, r"tol must lie between 0 and 1"),
    ],
)
def test_impossible_wishes_are_refused(words: dict[str, Any], choices: dict[str, Any], message: str) -> None:
    """One sentence each: what was expected, what was found, what to do."""
    A, b = data()

    with pytest.raises(SpecError, match=message):
        ds.solve(ds.ExpKernel(A, b, **words), **choices)


def test_a_b_of_the_wrong_length_is_refused() -> None:
    """B belongs to the rows."""
    A, b = data()

    with pytest.raises(DataError, match=r"b must have one row for each of the 400 rows of A; its shape is \(5, 1\)"):
        ds.ExpKernel(A, b[:D])


def test_rows_too_long_are_refused_before_anything_is_solved() -> None:
    """The plan's sample or the first pass names the row and the scale that would do."""
    A, b = data()

    with pytest.raises(DataError, match=r"row \d+ has .* Use scale ≤ "):
        ds.solve(ds.ExpKernel(60 * A, b))
    A[17] *= 60
    with pytest.raises(DataError, match=r"row 17 has .* Use scale ≤ "):
        ds.solve(ds.ExpKernel(A, b, scale=float(1400 / np.sort(np.sum(A * A, axis=1))[-2]) / 4))


def test_a_nan_is_named() -> None:
    """A NaN of A is found where it is read, not in a kernel value."""
    A, b = data()
    A[301, 2] = np.nan

    with pytest.raises(DataError, match=r"A must be finite; row 301, column 2 is nan"):
        ds.solve(ds.ExpKernel(A, b))


def test_features_beyond_memory_are_refused() -> None:
    """The message has the rank, what it needs, what there is, and the rank that would fit."""
    A, b = data()

    with pytest.raises(PlanError, match=r"features of rank 9000 need 3.24 GB a thread; .* Use rank ≤ \d+"):
        ds.plan(ds.ExpKernel(A, b), rank=9000, memory_limit="1 GB", cluster="serial")


def test_workers_too_small_for_a_sweep_are_refused() -> None:
    """Before anything is read but the sample, with both sizes."""
    A, b = data()

    with pytest.raises(
        PlanError, match=r"a task must fit in .* MB \(80% of .* MB a thread\); a sweep of the kernel needs 1\d\d MB"
    ):
        ds.plan(ds.ExpKernel(A, b), memory_limit="50 MB", cluster="serial")


def test_vectors_beyond_the_driver_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of n numbers live in the driver; the message says how many bytes they take."""
    monkeypatch.setattr("dsketch.problems.kernel.method._DRIVER_BYTES", 10_000)
    A, b = data(3)

    with pytest.raises(PlanError, match=r"400 × 3 take .*Give fewer right-hand sides"):
        ds.plan(ds.ExpKernel(A, b))


# ---- runs --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def paths(stored: Callable[..., str]) -> tuple[str, str]:
    """Return A and b in compressed Zarr with chunks that do not match."""
    A, b = data()
    return stored("A", A, 90, compressors=zarr.codecs.ZstdCodec()), stored("b", b, 77)


@pytest.mark.parametrize("words", [{"alpha": ALPHA}, {"alpha": 0.0}])
def test_a_resumed_run_has_the_bits_of_a_whole_one(paths: tuple[str, str], tmp_path: Path, words: dict[str, float]) -> None:
    """Without the later records of its journal a run goes on from the earlier ones, bit for bit, whatever memory there is by then."""
    journal = tmp_path / "run"
    whole = ds.solve(ds.ExpKernel(*paths, **words), journal=journal, memory_limit="2 GB", cluster="serial", tol=1e-4)
    records = sorted(journal.glob("pass-*.npz"))
    for record in records[len(records) // 2 :]:
        record.unlink()

    resumed = ds.resume(journal, memory_limit="500 MB", cluster="serial")

    assert np.array_equal(resumed.x, whole.x)
    assert sum(record.replayed for record in resumed.passes) == len(records) // 2
    assert Journal(journal).header() is not None


@pytest.mark.cluster
def test_a_cluster_gives_the_bits_of_one_thread(paths: tuple[str, str], client: Client) -> None:
    """The same x from two worker processes and from this process."""
    alone = ds.solve(ds.ExpKernel(*paths, alpha=ALPHA), cluster="serial", tol=1e-6, features="taylor", rank=56)

    together = ds.solve(ds.ExpKernel(*paths, alpha=ALPHA), cluster=client, tol=1e-6, features="taylor", rank=56)

    assert np.array_equal(alone.x, together.x)
    assert len(alone.passes) == len(together.passes)


def test_command_line_solves_writes_and_checks(paths: tuple[str, str], tmp_path: Path) -> None:
    """``dsketch solve exp-kernel`` writes x to Zarr, shows the certificate, and ``dsketch check`` judges what was written."""
    A, b = data()
    out, words = str(tmp_path / "x.zarr"), ["exp-kernel", *paths, "--alpha", str(ALPHA)]

    solved = CliRunner().invoke(main, ["solve", *words, "--features", "taylor", "--out", out])
    checked = CliRunner().invoke(main, ["check", words[0], *paths, out, "--alpha", str(ALPHA), "--json"])

    assert solved.exit_code == 0, solved.output
    assert "iterations with taylor" in solved.output
    assert residual(dense(A), zarr.open_array(out, mode="r")[:], b)[0] <= 1.01e-10 * np.linalg.norm(b)
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.stdout)["relative_residual"][0] <= 1.01e-10


def test_a_kernel_beyond_float64_says_in_which_rows_its_norms_are() -> None:
    """exp(s‖a‖²) overflows, exp(s‖a‖²/2) does not: the answer is right in scaled rows, and nobody is led to read it otherwise."""
    A = np.array([[28.0, 0.0], [0.0, 28.0], [1.0, 1.0]])  # s‖a‖² = 784
    x = np.array([0.0, 0.0, 0.5])
    plain = np.exp(A[:2] @ A[2])

    solution = ds.solve(ds.ExpKernel(A, np.append(plain, np.exp(2.0) + 1.0) * 0.5, alpha=1.0), cluster="serial")

    assert solution.certificate.is_scaled
    assert "all in rows scaled by" in str(solution)
    assert np.allclose(solution.x, x, atol=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_one_row_is_known_no_better_than_its_kernel(seed: int) -> None:
    """Of one row, x = b/(exp(s‖a‖²) + λ) to 60 digits: what an exponential is rounded by counts, though the residual is 0."""
    rng = np.random.default_rng(seed)
    A, b, alpha = rng.standard_normal((1, 2)) * rng.choice([0.1, 1.0, 3.0]), rng.standard_normal(1), float(seed % 2)

    found = ds.solve(ds.ExpKernel(A, b, alpha=alpha), cluster="serial", progress=False)

    with mpmath.workdps(60):
        right = mpmath.mpf(float(b[0])) / (mpmath.exp(mpmath.fsum(mpmath.mpf(v) ** 2 for v in A.ravel().tolist())) + alpha)
        off = float(abs(mpmath.mpf(float(found.x[0])) / right - 1))
    assert off <= found.certificate.forward_error[0]
