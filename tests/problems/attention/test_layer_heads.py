"""Layers of several heads that add up: found, judged, and what is the same layer told."""

import numpy as np
import pytest

import dsketch as ds
from tests.problems.attention.layers import Layer, rows_of, solve


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_heads_are_found_that_made_the_data(seed: int, share: float) -> None:
    """From starts 10 % and 30 % off: X and Y of each head, to a loss at rounding."""
    case = Layer(seed, n=300, m=200, shapes=(4, 4, 4, 4), heads=2)

    found = solve(case.problem(start=case.near(share)))

    assert found.status is ds.Status.SOLVED
    assert found.answer.X.shape == found.answer.Y.shape == (2, 4, 4)
    assert 2 * found.certificate.loss <= 1e-28 * (case.B**2).sum()
    assert np.abs(found.answer.X - case.X).max() <= 1e-12
    assert np.abs(found.answer.Y - case.Y).max() <= 1e-12
    assert any("may change places" in note for note in found.notes)
    assert np.abs(found.predict(case.A1[:9]) - case.B[:9]).max() <= 1e-12


def test_a_constant_among_values_is_shared() -> None:
    """Y of one head may give its part to another: told, and x is the shortest, which no such change makes shorter."""
    case = Layer(0, n=300, m=200, heads=3)
    case.A3[:, 1] = 1.0
    B = rows_of(case.A1, case.X, case.A2, case.A3, case.Y)

    found = solve(ds.AttentionLayer(case.A1, case.A2, case.A3, B, heads=3, start=case.near(0.1)))

    assert found.status is ds.Status.MINIMUM_NORM
    assert any("in 4 direction(s) of Y" in note for note in found.notes)
    assert np.abs(rows_of(case.A1, found.answer.X, case.A2, case.A3, found.answer.Y) - B).max() <= 1e-12
    assert np.abs(np.ptp(found.answer.Y[:, 1], axis=0)).max() <= 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_with_noise_heads_end_at_a_minimum(alpha: float) -> None:
    """The status claims no more, and no small step is better; the judge agrees, and sees a step."""
    case = Layer(1, n=120, noise=0.1, shapes=(2, 2, 3, 3), heads=2)
    problem = case.problem(start=case.near(0.1), alpha=alpha)

    found = solve(problem)

    def loss(x: np.ndarray) -> float:
        return 0.5 * float((case.residual(x) ** 2).sum() + alpha * x @ x)

    assert found.status is ds.Status.LOCAL
    assert found.certificate.loss == pytest.approx(loss(found.x), rel=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(20):
        v = rng.standard_normal(len(found.x))
        assert min(loss(found.x + 1e-4 * v), loss(found.x - 1e-4 * v)) > loss(found.x)
    good, bad = (ds.check(problem, x=at, cluster="serial", progress=False) for at in (found.x, found.x + 0.01))
    assert good.backward_error.max() <= 1e-13
    assert bad.backward_error.max() >= 1e-5


def test_drawn_heads_are_in_order() -> None:
    """By falling norms of X, as no start tells which is the first."""
    case = Layer(2, n=200, m=100, shapes=(2, 2, 3, 3), heads=2)

    found = solve(case.problem(restarts=3))

    sizes = np.linalg.norm(found.answer.X, axis=(1, 2))
    assert (np.diff(sizes) <= 0).all()
    assert found.certificate.loss == pytest.approx(0.5 * float((case.residual(found.x) ** 2).sum()), rel=1e-9, abs=1e-20)


def test_what_rounding_may_do_to_heads_is_not_less_than_it_does() -> None:
    """At the X and Y that made B the residual is rounding alone: below the claim."""
    case = Layer(0, n=1000, m=1500, shapes=(4, 4, 4, 4), heads=2)
    x = np.concatenate([case.X.reshape(-1), case.Y.reshape(-1)])

    found = ds.check(case.problem(), x=x, cluster="serial", progress=False)

    assert 0 < found.residual_norm[0] <= found.doubt <= 100 * found.residual_norm[0]
    assert found.is_zero


def test_what_rounding_hides_is_told_with_the_tolerance_that_takes_it() -> None:
    """Where f is small next to the misfit its rounding alone is more than the default accepts: a note says so, and its tol is right."""
    case = Layer(1, noise=0.1, shapes=(1, 1, 1, 1))
    problem = case.problem(start=case.near(0.05))

    found = solve(problem)
    (note,) = found.notes
    taken = solve(problem, tol=float(note.partition("tol=")[2].split()[0]))

    assert found.status is ds.Status.NOT_SOLVED
    assert found.certificate.gradient_norm <= 1e-15
    assert taken.status is ds.Status.LOCAL


def test_a_loss_of_zero_has_no_backward_error() -> None:
    """Of B = 0 and a penalty the answer is 0, which nothing is better than: not an error that is infinite."""
    case = Layer(5)

    found = solve(ds.AttentionLayer(case.A1, case.A2, case.A3, 0 * case.B, alpha=1.0), method="gauss_newton_cg")

    assert found.status is ds.Status.SOLVED
    assert found.certificate.loss == 0
    assert found.certificate.backward_error[0] == 0
