"""Layers of many numbers, by products in place of matrices: against differences, Levenberg's method and a certificate by QR."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import dsketch as ds
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes.layer_products import LayerCurve, LayerFollow, LayerSlope
from dsketch.passes.layer_sweep import Keys
from dsketch.passes.spans import Spans
from dsketch.problems.attention import layer_method, layer_system
from dsketch.problems.attention.layer_method import LayerCase
from dsketch.problems.attention.layer_price import Sweep
from dsketch.settings import EPS
from tests.others import are_same
from tests.problems.attention.layers import Layer, rows_of, slopes, solve


@pytest.fixture
def by_sums(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Callable[[], None]]:
    """Makes every layer one of many numbers, from the call on; what it returns ends that."""

    def begin() -> Callable[[], None]:
        monkeypatch.setattr(layer_system, "MOST_OF_MATRIX", 0)
        return monkeypatch.undo

    return begin


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("is_exact", [False, True])
def test_products_are_what_differences_show(heads: int, is_exact: bool) -> None:
    """The slope, and JᵀJ and the Hessian times a direction of X and Y, of blocks that are merged: to 1e-6."""
    case = Layer(noise=0.5, heads=heads)
    x = np.concatenate([case.near(0.3).reshape(-1), case.Y.reshape(-1) + 0.1])
    split, width = case.X.size, case.Y[..., 0].size
    order = np.arange(split).reshape(heads, 3, 2).swapaxes(0, 1).reshape(-1)
    places = np.concatenate([order, np.arange(split, len(x))])
    keys = Keys(Spans.of(ArrayMatrix(case.A2), ArrayMatrix(case.A3)), np.eye(2), np.eye(4), case.A2[0], case.A3[0])
    common = (keys, np.eye(3), x[order].reshape(3, -1), x[split:].reshape(width, -1), np.eye(3), np.eye(2))
    rows = Rows(ArrayMatrix(case.A1), ArrayMatrix(case.B))

    def look(pass_: Any) -> Any:
        parts = [pass_.map(rows.block(start, stop), None) for start, stop in ((0, 7), (7, 60))]
        return pass_.finish(pass_.merge(*parts))

    direction = np.random.default_rng(1).standard_normal(len(x))
    along, follow = direction[:split].reshape(3, -1), direction[split:].reshape(width, -1)
    r, J = case.residual(x), slopes(case.residual, x, 1e-6)[:, places]
    H = J.T @ J
    if is_exact:
        H = slopes(lambda at: slopes(case.residual, at, 1e-5).T @ case.residual(at), x, 1e-4)[np.ix_(places, places)]
    size = np.abs(H).max() * np.linalg.norm(direction)
    slope = look(LayerSlope(*common, True)).slope
    assert np.abs(slope.reshape(-1) - J[:, :split].T @ r).max() <= 1e-8 * np.linalg.norm(J) * np.linalg.norm(r)
    felt = look(LayerFollow(*common, along, is_exact))
    assert np.abs(felt.reshape(-1) - H[split:, :split] @ direction[:split]).max() <= 1e-6 * size
    curved = look(LayerCurve(*common, along, follow, is_exact))
    assert np.abs(curved.reshape(-1) - (H @ direction)[:split]).max() <= 1e-6 * size


@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ({"n": 300, "m": 200, "shapes": (4, 4, 4, 4)}, {}),
        ({"seed": 2, "n": 300, "m": 200, "heads": 2}, {}),
        ({"seed": 1, "shapes": (2, 2, 3, 3), "noise": 0.1}, {}),
        ({"seed": 1, "shapes": (2, 2, 3, 3), "noise": 0.1}, {"alpha": 0.05}),
    ],
)
def test_it_ends_where_levenberg_does(shape: dict[str, Any], options: dict[str, Any], share: float) -> None:
    """To what either's certificate leaves open, in few steps, with and without noise, penalty and heads."""
    case = Layer(**shape)
    problem = case.problem(start=case.near(share), **options)

    mine, other = solve(problem, method="gauss_newton_cg"), solve(problem, method="levenberg")

    open_ = mine.certificate.forward_error[0] + other.certificate.forward_error[0]
    assert mine.status is other.status
    assert mine.answer.answers[0].steps <= 15
    # Forward errors are relative to columns of J of length 1, whose lengths differ by the condition at most.
    assert np.linalg.norm(mine.x - other.x) <= open_ * mine.certificate.condition * np.linalg.norm(other.x)


def test_many_numbers_are_for_products() -> None:
    """Beyond 1,024 numbers of X the plan takes them by itself; other methods are refused with both numbers, below they are not offered."""
    case, small = Layer(0, n=50, m=20, shapes=(33, 33, 2, 2)), Layer(0)

    plans = [ds.plan(one.problem(), cluster="serial") for one in (case, small)]

    assert [plan.method for plan in plans] == ["gauss_newton_cg", "levenberg"]
    assert "gauss_newton_cg" in plans[1].rejected
    for method in ("levenberg", "alternating_newton"):
        with pytest.raises(ds.SpecError, match=r"at most 1,024 numbers.*1,089.*gauss_newton_cg"):
            ds.plan(case.problem(), cluster="serial", method=method)


@pytest.mark.parametrize("heads", [1, 2])
def test_a_layer_is_found_by_sums_alone(by_sums: Callable[[], Callable[[], None]], heads: int) -> None:
    """To a loss at rounding; rank and distance are not claimed."""
    case = Layer(0, n=200, m=100, shapes=(3, 3, 3, 3), heads=heads)
    by_sums()

    found = solve(case.problem(start=case.near(0.3)))

    assert found.method == "gauss_newton_cg"
    assert found.status is ds.Status.SOLVED
    assert 2 * found.certificate.loss <= 1e-28 * (case.B**2).sum()
    assert np.abs(found.answer.X - case.X).max() <= 1e-11
    assert np.isnan(found.certificate.forward_error).all()
    assert "rank not measured" in found.certificate.rank_reason
    assert any("products with JᵀJ" in note for note in found.notes)
    assert any("no bound on the distance of x from a minimizer is known, nor the rank" in note for note in found.notes)


def test_steps_that_end_at_rounding_say_so() -> None:
    """With what the last of them would have taken from the residual; steps that converged say nothing."""
    cases = [Layer(0, n=300, m=100, shapes=(3, 3, 4, 4), heads=3), Layer(0, n=300, m=100, shapes=(3, 3, 4, 4), noise=0.1)]

    for found in (solve(case.problem(start=case.near(0.1)), method="gauss_newton_cg") for case in cases):
        told = [note for note in found.notes if "ended at rounding" in note]
        assert len(told) == (found.answer.answers[0].end == "rounding")


def test_sums_claim_no_more_than_a_qr(by_sums: Callable[[], Callable[[], None]]) -> None:
    """At answers and off them: no smaller backward error, no smaller doubt, no smaller least eigenvalue of the Hessian of the best Y."""
    case = Layer(1, noise=0.1, shapes=(2, 2, 3, 3))
    problem = case.problem(start=case.near(0.1))
    answer = solve(problem).x
    rng = np.random.default_rng(0)
    points = [answer + size * rng.standard_normal(len(answer)) for size in (0.0, 1e-14, 1e-10, 1e-5, 1e-2)]
    points.append(np.concatenate([case.X.reshape(-1), case.Y.reshape(-1)]))
    exact = [ds.check(problem, x=x, cluster="serial", progress=False) for x in points]
    by_sums()

    summed = [ds.check(problem, x=x, cluster="serial", progress=False) for x in points]

    for mine, truth in zip(summed, exact, strict=True):
        assert mine.backward_error[0] >= truth.backward_error[0] * (1 - 1e-6)
        assert mine.backward_error[0] <= 1e3 * truth.backward_error[0]
        assert mine.loss == pytest.approx(truth.loss, rel=1e-12)
        assert mine.doubt == pytest.approx(truth.doubt, rel=1e-3)
        assert mine.gradient_norm == pytest.approx(truth.gradient_norm, rel=1e-3, abs=8 * EPS)
    assert 0 < summed[0].least_eigenvalue <= 1


def test_rounding_is_claimed_by_sums_as_by_a_qr(by_sums: Callable[[], Callable[[], None]]) -> None:
    """At the X and Y that made B the residual is below the claim, and the claim is not a hundred times as much."""
    case = Layer(0, n=1000, m=1500, shapes=(4, 4, 4, 4), heads=2)
    x = np.concatenate([case.X.reshape(-1), case.Y.reshape(-1)])
    by_sums()

    found = ds.check(case.problem(), x=x, cluster="serial", progress=False)

    assert 0 < found.residual_norm[0] <= found.doubt <= 100 * found.residual_norm[0]
    assert found.is_zero


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_with_noise_a_minimum_is_found_by_sums_alone(by_sums: Callable[[], Callable[[], None]], alpha: float) -> None:
    """The status claims a stationary point, and it is that which a QR certifies."""
    case = Layer(1, n=120, noise=0.1, shapes=(2, 2, 3, 3), heads=2)
    problem = case.problem(start=case.near(0.1), alpha=alpha)
    end = by_sums()

    found = solve(problem)

    assert found.method == "gauss_newton_cg"
    assert found.status is ds.Status.LOCAL
    assert found.certificate.least_eigenvalue > 0
    end()
    exact = ds.check(problem, x=found.x, cluster="serial", progress=False)
    assert exact.backward_error[0] <= found.certificate.backward_error[0] <= 1e-13
    assert exact.least_eigenvalue > 0


def test_a_saddle_is_told(by_sums: Callable[[], Callable[[], None]]) -> None:
    """Queries of both signs with the same B make X = 0 stationary, though the loss falls to either side: not solved, and why."""
    rng = np.random.default_rng(0)
    half, keys = rng.standard_normal((30, 1)), rng.standard_normal((20, 1))
    A1, A2 = np.concatenate([half, -half]), np.concatenate([keys, -keys])
    A3 = A2**2 + 0.05 * A2 + 1
    B = rows_of(A1, np.ones((1, 1)), A2, A3, np.ones((1, 1)))
    by_sums()

    found = ds.check(
        ds.AttentionLayer(A1, A2, A3, B + np.concatenate([B[30:], B[:30]])), x=np.array([0.0, 1.5]), cluster="serial"
    )

    assert found.is_saddle


def test_too_few_rows_are_told_by_counting(by_sums: Callable[[], Callable[[], None]]) -> None:
    """With fewer numbers in B than in X and Y the answer is one of many."""
    case = Layer(5, n=4, m=30, shapes=(3, 3, 3, 1))
    by_sums()

    found = solve(case.problem(start=case.near(0.1)))

    assert found.status is ds.Status.UNDETERMINED
    assert any("8 direction(s) of X and Y are not determined" in note for note in found.notes)


@pytest.mark.cluster
def test_workers_and_a_resumed_run_give_the_same_bits(
    by_sums: Callable[[], Callable[[], None]], tmp_path: Path, client: Client, stored: Any
) -> None:
    """Of a layer of many numbers: in this process, on two workers, and from a journal."""
    case = Layer(1, n=1100, m=30, shapes=(2, 2, 2, 2), noise=0.1)
    given = {name: stored(name, getattr(case, name), chunk_rows=100) for name in ("A1", "A2", "A3", "B")}
    problem = ds.AttentionLayer(**given, start=case.near(0.1), alpha=0.1)
    by_sums()

    here = solve(problem, tol=1e-3, journal=tmp_path / "run")
    there = ds.solve(problem, cluster=client, progress=False, tol=1e-3)
    again = ds.resume(tmp_path / "run", cluster="serial", progress=False)

    assert are_same(here, there)
    assert are_same(here, again)
    assert all(record.replayed for record in again.passes)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_plan_of_products_knows_the_passes_of_a_run(by_sums: Callable[[], Callable[[], None]], noise: float) -> None:
    """Within a factor of two, whether a layer fits or B has noise; products that look for a saddle, without a matrix, are in it."""
    case = Layer(1, n=300, m=200, shapes=(10, 10, 10, 10), noise=noise)
    problem = case.problem(start=case.near(0.1))
    few = ds.plan(problem, method="gauss_newton_cg", cluster="serial").estimate.passes
    by_sums()
    plan = ds.plan(problem, method="gauss_newton_cg", cluster="serial")

    found = ds.solve(plan, progress=False)

    fits, noisy = (int(number) for number in re.findall(r"(\d+) (?:passes )?where", str(plan)))
    assert plan.estimate.passes == round(math.sqrt(fits * noisy)) > few
    assert 0.5 <= len(found.passes) / plan.estimate.passes <= 2.0
    assert [record.kind for record in found.passes].count("layer sizes") == 1
    if noise:
        assert [record.kind for record in found.passes][-48::2] == ["layer follow"] * 24


def test_a_plan_adds_up_pairs_rows_and_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight looks of a step and the last one, each by its own pairs and rows, and the driver's decompositions."""
    monkeypatch.setattr(LayerCase, "step", Sweep(1e-6, 1e-3))
    monkeypatch.setattr(LayerCase, "examination", Sweep(2e-6, 5e-2))
    monkeypatch.setattr(layer_method, "driver_seconds", lambda *_: 7.0)

    plan = ds.plan(Layer(0, n=400, m=300).problem(), cluster="serial")

    fixed = 11 * 0.1  # what passes cost whatever they do, at most
    assert 0 <= plan.estimate.seconds - (8 * 400 * (300e-6 + 1e-3) + 400 * (600e-6 + 5e-2) + 7.0) <= fixed
    assert plan.estimate.passes == 11
