"""Regressions on drawn rows: within 1 + ε, and what is measured of it is true."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client
from scipy import special

import dsketch as ds
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.ingest import write_csr
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.drawing import Drawing
from dsketch.problems.leverage.sampled_system import modelled_queries, rows_wanted
from dsketch.testing.flows import run_flow
from dsketch.testing.rational import Exact
from tests.matrix.csr import full_columns

EPS = float(np.finfo(float).eps)
N, D = 4000, 6
METHODS = ["exact", "sketched"]


def data(seed: int = 0, n: int = N, d: int = D, spikes: int = 5, sides: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of which some are heavy and off the line of the others, and right-hand sides with noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    A[:spikes] *= 200
    b = A @ rng.standard_normal((d, sides)) + rng.standard_normal((n, sides))
    b[:spikes] += 50 * rng.standard_normal((spikes, sides))
    return A, b[:, 0] if sides == 1 else b


def solve(A: Any, b: Any, method: str = "auto", seed: int = 0, **options: Any) -> ds.Solution:
    """Return the answer in this process."""
    return ds.solve(ds.SampledLeastSquares(A, b, **options), method=method, seed=seed, cluster="serial", progress=False)


def excess(A: np.ndarray, b: np.ndarray, x: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """Return how far ‖A x − b‖² + alpha ‖x‖² is above its minimum by LAPACK, relative to that."""
    M = np.concatenate([A, np.sqrt(alpha) * np.eye(A.shape[1])])
    z = np.concatenate([b.reshape(len(b), -1), np.zeros((A.shape[1], b.size // len(b)))])
    best = np.linalg.lstsq(M, z)[0]
    above, least = norms(M @ (x.reshape(best.shape) - best)) ** 2, norms(M @ best - z) ** 2
    return np.asarray(above / least)


@pytest.mark.parametrize("options", [{}, {"alpha": 30.0}, {"epsilon": 0.5}], ids=["plain", "ridge", "half"])
@pytest.mark.parametrize("method", METHODS)
def test_what_is_measured_is_true(method: str, options: dict[str, Any]) -> None:
    """By A's factor ε is known to rounding; by a sketch's its bar holds the truth, in 20 draws of 20 (one in a hundred may fail)."""
    A, b = data(sides=3)
    for seed in range(20):
        found = solve(A, b, method, seed, **options)

        truth, c = excess(A, b, found.x, options.get("alpha", 0.0)), found.certificate
        assert found.status is ds.Status.ESTIMATED
        assert found.method == method
        assert (c.excess_low <= truth * (1 + 1e-9)).all()
        assert (truth <= c.excess_high * (1 + 1e-9)).all()
        np.testing.assert_allclose(c.backward_error**2, c.excess, rtol=1e-12)
        if method == "exact":
            np.testing.assert_allclose(c.excess, truth, rtol=1e-9)
            np.testing.assert_allclose(c.excess_low, c.excess_high, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{}, {"sides": 25}, {"alpha": 200.0}], ids=["one side", "many sides", "ridge"])
def test_epsilon_is_kept(method: str, options: dict[str, Any]) -> None:
    """In each of 25 draws, for every side; benchmarks/leverage.py has 100 draws of each, and larger sizes."""
    sides, alpha = options.get("sides", 1), options.get("alpha", 0.0)
    A, b = data(sides=sides, spikes=2)

    worst = [solve(A, b, method, seed, alpha=alpha, epsilon=0.2).certificate.excess_low.max() for seed in range(25)]

    assert max(worst) <= 0.2


def test_even_chances_fail_where_leverage_does_not() -> None:
    """With as many rows drawn evenly the heavy ones are missed, and the residual is far above the least (the reason for it all)."""
    A, b = data()
    count = len(solve(A, b).answer.sample.drawn.numbers)
    failed = 0
    for seed in range(40):
        picked = np.random.default_rng(seed).choice(N, count, replace=False)
        failed += excess(A, b, np.linalg.lstsq(A[picked], b[picked])[0])[0] > 0.1

    assert failed >= 20


def test_rows_are_drawn_with_their_chances() -> None:
    """Heavy rows always; the others as often as their chance says, within five standard deviations over 300 seeds; each has its count."""
    A, b = data(n=300, d=3)
    factor = Factor.of(A)
    scores, rate = np.sum(factor.whitener.apply(A) ** 2, axis=1), 40.0
    chances, often = np.minimum(1.0, rate * scores), np.zeros(300)
    for seed in range(300):
        (drawn,) = [run_flow(_look(Drawing(factor.whitener, rate, seed), A, b)).result]
        often[drawn.numbers] += 1
        np.testing.assert_allclose(drawn.counts, 1 / chances[drawn.numbers], rtol=1e-12)
        assert np.array_equal(drawn.X, A[drawn.numbers])
        assert np.array_equal(drawn.Y[:, 0], b[drawn.numbers])

    assert (often[chances == 1] == 300).all()
    assert (chances == 1).sum() >= 5
    spread = np.sqrt(chances * (1 - chances) * 300)
    assert (np.abs(often - 300 * chances) <= 5 * spread + EPS).all()


def _look(pass_: Drawing, A: np.ndarray, b: np.ndarray) -> Any:
    return (yield Look(pass_, Rows(ds.open_matrix(A), ds.open_matrix(b))))


def test_numbers_of_the_paper() -> None:
    """s = 4 (d ln d + d/ε); √(n s) row queries: 2,828 for 20,000 rows and 400; both are told."""
    assert rows_wanted(20, 0.1) == pytest.approx(4 * (20 * np.log(20) + 200))
    assert rows_wanted(0.3, 0.1) == rows_wanted(1, 0.1) == pytest.approx(108.3, abs=0.1)
    assert round(modelled_queries(20_000, 400)) == 2828
    A, b = data()
    plan, found = ds.plan(ds.SampledLeastSquares(A, b), cluster="serial"), solve(A, b)
    wanted = rows_wanted(D, 0.1)
    assert f"about {round(wanted)} of 4,000 rows" in plan.details[0]
    assert f"√(n s) = {round(np.sqrt(N * wanted)):,} rows" in plan.details[1]
    assert found.certificate.modelled_queries == pytest.approx(np.sqrt(N * wanted))
    assert plan.estimate.passes == len(found.passes) == 3


def test_a_penalty_needs_fewer_rows() -> None:
    """The statistical dimension stands in for d: Σ σ²/(σ² + alpha) by both methods, the sketch's within its distortion."""
    A, b = data()
    singular = np.linalg.svd(A)[1] ** 2
    exact, sketched = (solve(A, b, method, alpha=N / 2) for method in METHODS)

    dimension = np.sum(singular / (singular + N / 2))
    assert exact.certificate.dimension == pytest.approx(dimension, rel=1e-9)
    assert exact.certificate.total == pytest.approx(dimension, rel=1e-9)
    assert sketched.certificate.dimension == pytest.approx(dimension, rel=0.2)
    assert exact.certificate.rows_wanted == pytest.approx(rows_wanted(dimension, 0.1))
    assert exact.certificate.rows_wanted < rows_wanted(D, 0.1)


@pytest.mark.parametrize("method", METHODS)
def test_weights_and_an_intercept(method: str) -> None:
    """They count as in least squares: the weighted residual with a column of ones is what is held to ε."""
    A, b = data()
    w = np.random.default_rng(1).uniform(0, 2, N)
    w[::3] = 0.0
    b = b + 7.0

    found = solve(A, b, method, weights=w, intercept=True, epsilon=0.2)

    root = np.sqrt(w)[:, None]
    truth = excess(root * np.column_stack([A, np.ones(N)]), root[:, 0] * b, found.x)
    assert truth[0] <= 0.2
    assert found.x[-1] == pytest.approx(7.0, abs=0.5)
    assert not np.isin(found.answer.sample.drawn.numbers, np.arange(0, N, 3)).any()


@pytest.mark.parametrize("method", METHODS)
def test_units_of_columns_do_not_matter(method: str) -> None:
    """Columns in units 1e±4: the same rows, the same fit."""
    A, b = data()
    units = np.geomspace(1e-4, 1e4, D)

    plain, scaled = solve(A, b, method), solve(A * units, b, method)

    if method == "exact":
        assert np.array_equal(plain.answer.sample.drawn.numbers, scaled.answer.sample.drawn.numbers)
    np.testing.assert_allclose(scaled.x * units, plain.x, rtol=0.5)
    assert scaled.certificate.excess[0] <= 0.1


def test_dependent_columns_give_the_shortest() -> None:
    """The sketch gives way to A's own factor, and x is the shortest of the minimizers on the rows drawn."""
    A, b = data()
    wide = np.column_stack([A, A[:, 0]])

    found = solve(wide, b, "sketched")

    assert found.method == "exact"
    assert found.certificate.rank == D
    assert found.x[0] == pytest.approx(found.x[-1])
    assert any("rank-deficient" in note for note in found.notes)
    assert excess(A, b, np.append(2 * found.x[0], found.x[1:-1]))[0] <= 0.1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (3, 3), (40, 1), (40, 2)])
def test_few_rows_are_all_drawn(method: str, n: int, d: int) -> None:
    """Where all rows are wanted, x is the minimizer itself."""
    rng = np.random.default_rng(n)
    A, b = rng.standard_normal((n, d)), rng.standard_normal(n)

    found = solve(A, b, method)

    np.testing.assert_allclose(found.x, np.linalg.lstsq(A, b)[0], rtol=1e-9)
    assert found.certificate.rows_drawn == n
    assert found.certificate.excess[0] <= 1e-12
    assert found.status is ds.Status.ESTIMATED


@pytest.mark.parametrize("method", METHODS)
def test_exact_fits_and_zeros(method: str) -> None:
    """Where the residual is rounding there is nothing to be above of; b = 0 gives 0, A = 0 too."""
    A, _ = data()
    x = np.arange(1.0, D + 1)

    fit, nothing, none = solve(A, A @ x, method), solve(A, np.zeros(N), method), solve(0 * A, A[:, 0], method)

    np.testing.assert_allclose(fit.x, x, rtol=1e-9)
    assert fit.certificate.excess[0] == fit.certificate.backward_error[0] == 0
    assert (nothing.x == 0).all()
    assert (none.x == 0).all()
    assert none.certificate.excess[0] == 0
    assert {fit.status, nothing.status, none.status} == {ds.Status.ESTIMATED}


def test_bad_numbers_are_named_whether_drawn_or_not() -> None:
    """A NaN of A or of b, an infinity, a masked value, a negative weight: by row, though hardly any row is drawn."""
    for name, place in (("A", (3333, 2)), ("b", (3333,))):
        for bad in (np.nan, np.inf):
            A, b = data()
            {"A": A, "b": b}[name][place] = bad
            for method in METHODS:
                with pytest.raises(ds.DataError, match=rf"{name} must be finite; row 3333"):
                    solve(A, b, method)
    A, b = data()
    with pytest.raises(ds.DataError, match="weights must be ≥ 0; row 9"):
        solve(A, b, weights=np.where(np.arange(N) == 9, -1.0, 1.0))
    with pytest.raises(ds.DataError, match="all of them are 0"):
        solve(A, b, weights=np.zeros(N))
    with pytest.raises(ds.DataError, match="3"):
        solve(np.ma.masked_equal(np.where(np.arange(N)[:, None] == 3, -99.0, A), -99.0), b)


def test_impossible_questions_are_refused() -> None:
    """ε at or beyond its ends, no number, a wide A."""
    A, b = data()
    for epsilon in (0.0, 1.0, -0.1, np.nan, "0.1", None):
        with pytest.raises(ds.SpecError, match="epsilon must lie between 0 and 1"):
            ds.SampledLeastSquares(A, b, epsilon=epsilon)  # type: ignore[arg-type]
    with pytest.raises(ds.DataError, match="tall"):
        ds.SampledLeastSquares(A[:3], b[:3])


def test_check_judges_any_x() -> None:
    """The minimizer is right, an x above ε is not, and how far above is told; one pass."""
    A, b = data()
    problem, best = ds.SampledLeastSquares(A, b), ds.lstsq(A, b, progress=False).x
    off = best.copy()
    off[0] += 0.2 * np.linalg.norm(A @ best - b) / np.linalg.norm(A[:, 0])

    right, near, far = (ds.check(problem, x, progress=False) for x in (best, off, best + 1))

    assert right.backward_error[0] <= 1e-9
    assert near.excess[0] == pytest.approx(0.04, rel=1e-6)
    assert near.backward_error[0] <= problem.accepted(None) == pytest.approx(np.sqrt(0.1))
    assert far.backward_error[0] > problem.accepted(None)


def test_a_tolerance_decides_what_is_solved() -> None:
    """tol is ‖A(x − x*)‖ relative to the least residual, in place of √ε; what misses it says what to do."""
    A, b = data()
    problem = ds.SampledLeastSquares(A, b)

    missed = ds.solve(problem, tol=1e-4, cluster="serial", progress=False)

    assert missed.status is ds.Status.NOT_SOLVED
    assert "another seed" in missed.notes[0]


# ---- laws --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_other_blocks_draw_the_same_rows(method: str) -> None:
    """However the rows are cut, the same are drawn: x changes in its last digits."""
    A, b = data()

    whole, cut = solve(A, b, method), solve(Recut(ds.open_matrix(A), [0, 7, 1000, 1001, 3999, N]), b, method)

    assert np.array_equal(whole.answer.sample.drawn.numbers, cut.answer.sample.drawn.numbers)
    np.testing.assert_allclose(cut.x, whole.x, rtol=1e-11)


@pytest.mark.parametrize("method", METHODS)
def test_sparse_rows(method: str, tmp_path: Path) -> None:
    """CSR rows are drawn as the dense ones are."""
    X = full_columns(2000)
    b = np.random.default_rng(0).standard_normal(2000)

    found = solve(write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=900), b, method, epsilon=0.5)
    dense = solve(X.toarray(), b, method, epsilon=0.5)

    assert np.array_equal(found.answer.sample.drawn.numbers, dense.answer.sample.drawn.numbers)
    np.testing.assert_allclose(found.x, dense.x, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_journals_resume_to_the_same_bits(method: str, tmp_path: Path, stored: Callable[..., str]) -> None:
    """From any of its records, without those after it; the draw is one of them."""
    A, b = data()
    problem = ds.SampledLeastSquares(stored("A", A, 500), stored("b", b, 700), epsilon=0.2)
    whole = ds.solve(problem, method=method, seed=3, journal=tmp_path / "j", cluster="serial", progress=False)
    for lost in (("pass-0003.npz",), ("pass-0002.npz", "pass-0003.npz")):
        for record in lost:
            (tmp_path / "j" / record).unlink()
        again = ds.resume(tmp_path / "j", progress=False)

        assert again.x.tobytes() == whole.x.tobytes()
        assert again.certificate.excess == whole.certificate.excess


@pytest.mark.parametrize("method", METHODS)
def test_replay_law(method: str) -> None:
    """Fed with the recorded parts, wholly or in part, the same looks and the same bits."""
    A, b = data()
    problem = ds.SampledLeastSquares(A, b)
    plan = ds.plan(problem, method=method, cluster="serial")
    first = run_flow(problem.answer(plan))
    for kept in (3, 1):
        again = run_flow(problem.answer(plan), first.parts[:kept])
        assert again.digests == first.digests
        assert np.array_equal(again.result.x, first.result.x)


@pytest.mark.cluster
@pytest.mark.parametrize("method", METHODS)
def test_same_bits_on_a_cluster(method: str, client: Client, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers draw the rows that this process draws, and give the same x."""
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 8 * D * 100)
    A, b = data(sides=2)
    problem = ds.SampledLeastSquares(stored("A", A, 100), stored("b", b, 100))

    alone, together = (ds.solve(problem, method=method, cluster=where, progress=False) for where in ("serial", client))

    assert np.array_equal(alone.x, together.x)
    assert np.array_equal(alone.certificate.excess, together.certificate.excess)


def test_wide_matrices_are_scored_in_few_directions() -> None:
    """Above 64 columns the sketched scores are in 64 random directions; ε is kept."""
    A, b = data(n=6000, d=80)

    found = solve(A, b, "sketched", epsilon=0.5)

    assert found.answer.sample.scores.whitener.rank == 64
    assert excess(A, b, found.x)[0] <= 0.5


@pytest.mark.parametrize("d", [1, 2, 4])
def test_few_columns_keep_epsilon_too(d: int) -> None:
    """ε is missed in one draw of a thousand, as χ² of d degrees has it: 4 d/ε rows for one column would miss it in five of a hundred."""
    for epsilon in (0.05, 0.3, 0.9):
        assert special.chdtrc(d, epsilon * rows_wanted(d, epsilon)) <= 1.001e-3
    A, b = data(n=1000, d=d, spikes=0)

    found = [solve(A, b, "exact", seed, epsilon=0.5) for seed in range(30)]

    assert {one.status for one in found} == {ds.Status.ESTIMATED}


def test_the_bar_holds_what_rounding_hides() -> None:
    """All rows drawn, columns that all but depend: x is above the least residual by rounding alone, told by A to no digit."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((40, 3))
        A[:, 2] = A[:, 0] + 1e-8 * A[:, 2]
        b = rng.standard_normal(40)
        found = solve(A, b, "exact", epsilon=0.1)
        exact = Exact.of(A, b, None, np.zeros(3), intercept=False)
        least, here = (
            sum(r * r for r in exact.residual(x)) for x in (exact.minimizer()[0], [Fraction(v) for v in found.x.tolist()])
        )
        assert found.certificate.excess_low[0] <= (here - least) / least <= found.certificate.excess_high[0]
