"""Elastic nets guessed by their signs are those that steps downhill find, from near and from far."""

import numpy as np
import pytest

from dsketch._linalg.arrays import Floats
from dsketch.problems.penalized import guess
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.quadratic import GramQuadratic
from dsketch.settings import EPS

D = 24
KINDS = ["plain", "correlated", "dependent", "wide", "with a zero column"]


def pose(kind: str, seed: int, *, ridge: float) -> tuple[GramQuadratic, Cost]:
    """Return a quadratic of columns of norm about one, with an intercept, and 20 points of a path."""
    rng = np.random.default_rng(seed)
    n = D // 2 if kind == "wide" else 300
    A = rng.standard_normal((n, D)) + (3 * rng.standard_normal((n, 1)) if kind == "correlated" else 0.0)
    if kind == "dependent":
        A[:, 1], A[:, 2] = A[:, 0], A[:, 3] - A[:, 4]
    if kind == "with a zero column":
        A[:, 5] = 0.0
    A[:, -1] = 1.0
    A /= np.sqrt(n * np.maximum(np.mean(A**2, axis=0), EPS))
    b = A @ rng.standard_normal(D) + 0.1 * rng.standard_normal(n)
    sizes = np.geomspace(np.abs(A.T @ b).max(), 1e-3, 20)
    return GramQuadratic(H=A.T @ A, pull=A.T @ b), Cost.elastic(sizes, ridge * sizes, D, intercept=True)


def violations(quadratic: GramQuadratic, cost: Cost, z: Floats) -> Floats:
    """Return by how much the optimality conditions are violated, over what rounding may do."""
    excess = np.abs(cost.excess(z, quadratic.slope(z)))
    return np.asarray(excess / (quadratic.noise(z) + EPS * cost.lasso + np.finfo(float).tiny))


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_near", [True, False])
def test_all_points_are_optimal(kind: str, ridge: float, is_near: bool) -> None:
    """From nothing, and from the minimizers of other data, to the conditions that make a minimizer."""
    for seed in range(5):
        quadratic, cost = pose(kind, seed, ridge=ridge)
        start = np.zeros((D, 20))
        if is_near:
            start = guess.minimize_all(*pose(kind, seed + 100, ridge=ridge), start)

        z = guess.minimize_all(quadratic, cost, start)

        assert violations(quadratic, cost, z).max() <= 4  # one is rounding; steps that are left to themselves end near it
        if kind in ("plain", "correlated"):
            one_by_one = np.column_stack([guess.minimize(quadratic, cost.of(point), np.zeros(D)) for point in range(20)])
            least = np.linalg.eigvalsh(quadratic.H)[0]
            assert np.abs(z - one_by_one).max() <= 100 * D * EPS * np.abs(z).max() / least


def test_what_is_not_proven_is_left_to_steps_downhill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a single guess the answer is the same; with guesses plain data need no step."""
    quadratic, cost = pose("plain", 0, ridge=0.0)
    start, steps = np.zeros((D, 20)), []
    downhill = guess.minimize
    monkeypatch.setattr(guess, "minimize", lambda *given: steps.append(1) or downhill(*given))

    guessed = guess.minimize_all(quadratic, cost, start)
    assert not steps
    monkeypatch.setattr(guess, "_GUESSES", 0)
    stepped = guess.minimize_all(quadratic, cost, start)

    assert len(steps) == 20
    assert np.allclose(guessed, stepped, rtol=0, atol=1e-12 * np.abs(stepped).max())
    assert np.array_equal(guessed == 0, stepped == 0)
