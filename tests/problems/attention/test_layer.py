"""Attention layers: the loss, its derivatives and its minima against dense formulas and differences."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import dsketch as ds
from tests.problems.attention.layers import Layer, rows_of, solve


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_layer_is_found_that_made_the_data(seed: int, share: float) -> None:
    """From starts 10 % and 30 % off: in at most 8 steps, to a loss of 1e-28 of ‖B‖², and X and Y are those."""
    case = Layer(seed, n=300, m=200, shapes=(4, 4, 4, 4))

    found = solve(case.problem(start=case.near(share)))

    assert found.status is ds.Status.SOLVED
    assert found.answer.answers[0].steps <= 8
    assert 2 * found.certificate.loss <= 1e-28 * (case.B**2).sum()
    assert np.abs(found.answer.X - case.X).max() <= 1e-12
    assert np.abs(found.answer.Y - case.Y).max() <= 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_with_noise_it_ends_where_the_gradient_is_0(alpha: float) -> None:
    """By the exact Hessian in few steps; the status claims a minimum nearby and no more, and no small step in any direction is better."""
    case = Layer(1, noise=0.1, shapes=(2, 2, 3, 3))

    found = solve(case.problem(start=case.near(0.1), alpha=alpha))

    def loss(x: np.ndarray) -> float:
        return 0.5 * float((case.residual(x) ** 2).sum() + alpha * x @ x)

    x = found.x
    assert found.status is ds.Status.LOCAL
    assert found.answer.answers[0].steps <= 10
    assert found.certificate.loss == pytest.approx(loss(x), rel=1e-12)
    assert found.certificate.least_eigenvalue > 0
    rng = np.random.default_rng(0)
    for _ in range(20):
        v = rng.standard_normal(len(x))
        ahead, behind = loss(x + 1e-4 * v), loss(x - 1e-4 * v)
        assert min(ahead, behind) > loss(x)
        assert abs(ahead - behind) <= 1e-2 * (ahead + behind - 2 * loss(x))


def test_the_judge_knows_an_answer_from_another_point() -> None:
    """By the data alone: the answer passes, and a Y that is off does not."""
    case = Layer(2, noise=0.1)
    problem = case.problem(start=case.near(0.1))
    x = solve(problem).x

    good, bad = (
        ds.check(problem, x=at, cluster="serial", progress=False) for at in (x, x + np.append(np.zeros(len(x) - 1), 0.1))
    )

    assert good.backward_error.max() <= 1e-13
    assert bad.backward_error.max() >= 1e-4


def test_directions_that_softmax_does_not_see_are_0_and_told() -> None:
    """A column of ones among keys, a query column twice, a value column that is 0: the shortest X and Y, which give the same rows."""
    case = Layer(3, n=200, m=100)
    A1, A2 = np.concatenate([case.A1, case.A1[:, :1]], axis=1), np.concatenate([case.A2, np.ones((100, 1))], axis=1)
    A3 = np.concatenate([case.A3, np.zeros((100, 1))], axis=1)
    start = np.zeros((4, 3))
    start[:3, :2] = case.near(0.1)

    found = solve(ds.AttentionLayer(A1, A2, A3, case.B, start=start))

    X, Y = found.answer.X, found.answer.Y
    assert found.status is ds.Status.MINIMUM_NORM
    assert any("does not see 6 of the 12 directions of X" in note for note in found.notes)
    assert any("Y plays no part in 1 direction(s)" in note for note in found.notes)
    assert np.abs(rows_of(A1, X, A2, A3, Y) - case.B).max() <= 1e-12
    assert np.abs(X[:, 2]).max() <= 1e-12
    assert np.abs(X[0] - X[3]).max() <= 1e-12
    assert np.abs(X[0, :2] - case.X[0] / 2).max() <= 1e-12
    assert np.abs(Y[4]).max() <= 1e-15


def test_a_penalty_makes_them_0() -> None:
    """With alpha nothing is taken out beforehand, from wherever one begins."""
    case = Layer(3, n=200, m=100)
    A2 = np.concatenate([case.A2, np.ones((100, 1))], axis=1)
    start = np.concatenate([case.near(0.1), np.ones((3, 1))], axis=1)
    problem = ds.AttentionLayer(case.A1, A2, case.A3, case.B, start=start, alpha=0.1)

    found = solve(problem)

    assert found.status is ds.Status.LOCAL
    assert np.abs(found.answer.X[:, 2]).max() <= 1e-12
    assert any("does not see 3 of the 9 directions of X" in note and "the penalty makes them 0" in note for note in found.notes)
    moved = found.x + np.eye(len(found.x))[2]  # what softmax does not see costs its penalty, and the judge sees that
    assert ds.check(problem, x=found.x, cluster="serial", progress=False).backward_error.max() <= 1e-13
    assert ds.check(problem, x=moved, cluster="serial", progress=False).backward_error.max() >= 1e-6


def test_logits_of_any_size_do_not_overflow() -> None:
    """A softmax that picks one key for most rows is fitted all the same, and a start that overflows is refused."""
    case = Layer(2, n=200, m=50, shapes=(2, 2, 2, 2))
    B = rows_of(case.A1, 400 * case.X, case.A2, case.A3, case.Y)

    found = solve(ds.AttentionLayer(case.A1, case.A2, case.A3, B, start=400 * case.X))

    assert np.isfinite(found.x).all()
    assert np.abs(rows_of(case.A1, found.answer.X, case.A2, case.A3, found.answer.Y) - B).max() <= 1e-10
    with pytest.raises(ds.SpecError, match="Give a smaller start"):
        solve(case.problem(start=1e200))


@pytest.mark.parametrize("angle", [1e-3, 1e-5])
def test_columns_that_are_all_but_dependent_cost_no_steps(angle: float) -> None:
    """Queries and keys of condition 1/angle each, J of their product: to a loss at rounding, as with other columns."""
    case = Layer(4, n=200, m=100, shapes=(3, 3, 3, 3))
    for A in (case.A1, case.A2):
        A[:, 2] = A[:, 1] + angle * A[:, 2]
    B = rows_of(case.A1, case.X, case.A2, case.A3, case.Y)

    found = solve(ds.AttentionLayer(case.A1, case.A2, case.A3, B, start=case.near(0.1)))

    assert found.status is ds.Status.SOLVED
    assert found.answer.answers[0].steps <= 8
    assert found.certificate.scaled_condition > angle**-2
    assert np.abs(rows_of(case.A1, found.answer.X, case.A2, case.A3, found.answer.Y) - B).max() <= 1e-13


def test_what_rounding_may_do_is_not_less_than_it_does() -> None:
    """At the X and Y that made B the residual is rounding alone: below the claim, and the claim is not a hundred times as much."""
    case = Layer(0, n=1000, m=2000, shapes=(4, 4, 4, 4))
    x = np.concatenate([case.X.reshape(-1), case.Y.reshape(-1)])

    found = ds.check(case.problem(), x=x, cluster="serial", progress=False)

    assert 0 < found.residual_norm[0] <= found.doubt <= 100 * found.residual_norm[0]
    assert found.is_zero


def test_keys_far_from_0_lose_no_digits() -> None:
    """Softmax does not feel an offset of all keys; nor does X."""
    case = Layer(4, n=200, m=100)
    offset = np.array([2.0**20, -(2.0**17)])
    stored = case.A2 + offset  # rounds the keys: B is made of what is stored
    B = rows_of(case.A1, case.X, stored - offset, case.A3, case.Y)

    found = solve(ds.AttentionLayer(case.A1, stored, case.A3, B, start=case.near(0.1)))

    assert found.status is ds.Status.SOLVED
    assert np.abs(found.answer.X - case.X).max() <= 1e-8


def test_too_few_rows_leave_x_open() -> None:
    """With fewer numbers in B than in X and Y the answer is one of many, and the status says so."""
    case = Layer(5, n=4, m=30, shapes=(3, 3, 3, 1))

    found = solve(case.problem(start=case.near(0.1)))

    assert found.status is ds.Status.UNDETERMINED
    assert any("direction(s) of X and Y are not determined" in note for note in found.notes)


def test_new_rows_are_predicted() -> None:
    """By X, Y and the keys and values of the problem."""
    case = Layer(6)
    found = solve(case.problem(start=case.near(0.1)))
    new = np.random.default_rng(1).standard_normal((1000, 3))

    assert np.abs(found.predict(new) - rows_of(new, case.X, case.A2, case.A3, case.Y)).max() <= 1e-11


def test_an_answer_is_a_start() -> None:
    """Its X is taken: what is left is to find that it is one."""
    case = Layer(7)
    first = solve(case.problem(start=case.near(0.1)))

    second = solve(case.problem(start=first))

    assert second.answer.answers[0].steps <= 1
    assert np.abs(second.x - first.x).max() <= 1e-12


def test_drawn_starts_share_every_reading() -> None:
    """The best is kept and the notes have all losses."""
    case = Layer(8, n=200, m=100, shapes=(2, 2, 3, 3))

    found = solve(case.problem(restarts=3))

    values = [answer.local.value for answer in found.answer.answers]
    assert len(values) == 4
    assert found.answer.best == int(np.argmin(values))
    assert len(found.passes) <= max(answer.steps for answer in found.answer.answers) * 2 + 6
    assert any("the best of 4 starts" in note for note in found.notes)


# ---- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"B": np.ones((59, 2))}, "B must have one row for each of the 60 of A1"),
        ({"A3": np.ones((44, 2))}, "A3 must have one row for each of the 45 of A2"),
        ({"A1": np.ones((60, 257)), "A2": np.ones((45, 257))}, "d to 256 of one head"),
        ({"start": np.ones(5)}, "start must be one number, or of shape"),
        ({"restarts": -1}, "restarts must be an integer ≥ 0"),
        ({"alpha": -1.0}, "alpha must be a number"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    """With the numbers, before anything is read."""
    case = Layer()
    given = {"A1": case.A1, "A2": case.A2, "A3": case.A3, "B": case.B}

    with pytest.raises(ds.DsketchError, match=said):
        ds.AttentionLayer(**{**given, **change})


@pytest.mark.parametrize(("name", "said"), [("A1", "A1 must have"), ("A2", "A2 must have"), ("A3", "A3 must have")])
def test_data_that_nothing_changes_are_refused(name: str, said: str) -> None:
    """Queries or values that are 0, keys that are all the same."""
    case = Layer()
    given = {"A1": case.A1, "A2": case.A2, "A3": case.A3}

    with pytest.raises(ds.DataError, match=said):
        solve(ds.AttentionLayer(**{**given, name: np.full_like(given[name], float(name == "A2"))}, B=case.B))


@pytest.mark.parametrize("name", ["A1", "A2", "A3", "B"])
def test_a_number_that_is_not_finite_is_named(name: str) -> None:
    """With its matrix and row."""
    case = Layer()
    given = {"A1": case.A1, "A2": case.A2, "A3": case.A3, "B": case.B}
    given[name][7, 1] = np.nan

    with pytest.raises(ds.DataError, match=rf"{name}.*7"):
        solve(ds.AttentionLayer(**given))


# ---- other ways --------------------------------------------------------------------------------------------------------


def test_the_papers_way_ends_at_the_same_point() -> None:
    """Alternating Newton steps take more looks to the same minimum."""
    case = Layer(1, noise=0.1, shapes=(2, 2, 3, 3))

    problem = case.problem(start=case.near(0.1))

    mine, theirs = solve(problem), solve(problem, method="alternating_newton", tol=1e-6)

    assert mine.status is theirs.status is ds.Status.LOCAL
    assert np.abs(mine.x - theirs.x).max() <= 1e-4
    assert len(theirs.passes) > len(mine.passes)


def test_a_drawn_start_far_off_ends_at_a_minimum() -> None:
    """With much misfit on the way the Hessian bends down in places: steps go on along these, with fewer rejections than trials."""
    case = Layer(2, n=600, m=400, shapes=(10, 10, 10, 10), noise=0.1)

    found = solve(case.problem())

    (answer,) = found.answer.answers
    assert found.status is ds.Status.LOCAL
    assert not any("saddle" in note for note in found.notes)
    assert answer.steps < 100


def few_rows(d: int, seed: int, noise: float) -> tuple[np.ndarray, ...]:
    """Return A₁, A₂, A₃ and B with 16 rows for each column, of a layer whose logits have a spread of 1, and noise."""
    rng = np.random.default_rng(seed)
    A1, A2, A3 = rng.standard_normal((3, 16 * d, d))
    X, Y, _ = rng.standard_normal((d, d)) / d, rng.standard_normal((d, d)), rng.standard_normal((d, d))
    B = rows_of(A1, X, A2, A3, Y)
    return A1, A2, A3, B + noise * np.linalg.norm(B) / np.sqrt(B.size) * rng.standard_normal(B.shape)


@pytest.mark.parametrize(("d", "seed", "noise"), [(6, 0, 0.1), (9, 1, 0.3), (9, 2, 0.3)])
def test_few_rows_with_noise_end_at_a_minimum(d: int, seed: int, noise: float) -> None:
    """From starts that are drawn, along valleys that end: the gradient is rounding."""
    found = solve(ds.AttentionLayer(*few_rows(d, seed, noise)))

    assert found.status is ds.Status.LOCAL
    assert found.certificate.backward_error[0] <= 1e-14


def test_a_valley_without_an_end_is_told_and_a_penalty_ends_it() -> None:
    """A B that is linear in A₁ is met ever better by a smaller X and a larger Y, and never quite; with alpha there is an end."""
    rng = np.random.default_rng(1)
    A1, A2, A3 = rng.standard_normal((3, 40, 3))
    B = A1 @ rng.standard_normal((3, 3))

    found, other = (solve(ds.AttentionLayer(A1, A2, A3 - A3.mean(axis=0), B, alpha=alpha)) for alpha in (0.0, 1e-4))

    assert found.status is ds.Status.NOT_SOLVED
    assert found.certificate.loss < 1e-8 * (B**2).sum()
    assert any("along a valley" in note and "alpha > 0" in note for note in found.notes)
    assert np.linalg.norm(found.answer.Y) > 1e4 * np.linalg.norm(other.answer.Y)
    assert other.certificate.gradient_norm <= 1e-13
    assert not any("valley" in note for note in other.notes)


def test_a_saddle_is_left() -> None:
    """Queries of both signs with the same B make X = 0 stationary, though the loss falls to either side: the answer is not there."""
    rng = np.random.default_rng(0)
    half, keys = rng.standard_normal((30, 1)), rng.standard_normal((20, 1))
    A1, A2 = np.concatenate([half, -half]), np.concatenate([keys, -keys])
    A3 = A2**2 + 0.05 * A2 + 1
    B = rows_of(A1, np.ones((1, 1)), A2, A3, np.ones((1, 1)))
    B = B + np.concatenate([B[30:], B[:30]])

    found = solve(ds.AttentionLayer(A1, A2, A3, B, start=0.0))

    assert found.status is ds.Status.LOCAL
    assert any("left a saddle" in note for note in found.notes)
    assert abs(found.answer.X[0, 0]) > 0.5
    assert found.certificate.least_eigenvalue > 0


@pytest.mark.parametrize("rows", [60, 13])
def test_chunks_and_sparse_queries_change_last_bits_only(rows: int, stored: Any) -> None:
    """However A1 and B are stored, x is the same to rounding."""
    case = Layer(9, noise=0.1)
    case.A1[np.random.default_rng(0).random(case.A1.shape) < 0.3] = 0.0
    given = {name: stored(f"{name}{rows}", getattr(case, name), chunk_rows=rows) for name in ("A1", "A2", "A3", "B")}
    start = case.near(0.1)

    here = solve(case.problem(start=start))
    there = solve(ds.AttentionLayer(**given, start=start))
    sparse = solve(ds.AttentionLayer(sp.csr_array(case.A1), case.A2, case.A3, case.B, start=start))

    for other in (there, sparse):
        assert other.status is here.status
        assert np.abs(other.x - here.x).max() <= 1e-10


@pytest.mark.parametrize("method", ["levenberg", "gauss_newton_cg", "alternating_newton"])
@pytest.mark.parametrize("heads", [1, 2])
def test_a_target_of_0_with_a_penalty_is_met_at_once(method: str, heads: int) -> None:
    """X = 0 and Y = 0 have the least loss, 0: SOLVED without a step, whatever the start."""
    case = Layer(0, heads=heads)
    case.B[:] = 0

    found = solve(case.problem(alpha=0.1, start=case.near(0.1), restarts=1), method=method)

    assert found.status is ds.Status.SOLVED
    assert not found.x.any()
    assert found.certificate.loss == 0
    assert any("x = 0 is the one minimizer" in note for note in found.notes)
