"""No claim is better than the truth: gaps, distances and verdicts of any x, on random small problems of all kinds."""

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch.problems.penalized.active_set import minimize
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.gap import Measured, measure
from dsketch.problems.penalized.gram import rounding_of_gram
from dsketch.problems.penalized.quadratic import GramQuadratic, Quadratic, TriangleQuadratic
from tests.problems.penalized.cases import EPS, data, solve


def _matrix(rng: np.random.Generator) -> Floats:
    """Return a small matrix with columns scaled by powers of two; some are duplicates, zero, or nearly dependent."""
    n, d = int(rng.integers(2, 40)), int(rng.integers(1, 12))
    A = rng.standard_normal((n, d))
    if rng.random() < 0.3:
        A[:, 0] = A[:, -1]
    if rng.random() < 0.2:
        A[:, int(rng.integers(d))] = 0
    if rng.random() < 0.3:
        A = A * 10.0 ** rng.uniform(-1, 1, d) @ rng.standard_normal((d, d))
    return A / np.exp2(np.ceil(np.log2(np.maximum(np.linalg.norm(A, axis=0), 1e-3))))


def _cost(rng: np.random.Generator, d: int, pull: float) -> Cost:
    """Return a penalty, bounds, or both; some columns without."""
    kind = rng.integers(4)
    lasso = np.full(d, 0.0 if kind == 1 else pull * 10.0 ** rng.uniform(-4, 0.2))
    ridge = np.full(d, 10.0 ** rng.uniform(-4, 1) if rng.random() < 0.4 else 0.0)
    lower, upper = np.full(d, -np.inf), np.full(d, np.inf)
    if kind in (1, 2):
        lower = np.where(rng.random(d) < 0.7, rng.uniform(-1, 0.5, d).round(1), lower)
        upper = np.where(rng.random(d) < 0.5, np.maximum(lower, -2) + rng.integers(0, 3, d), upper)
    if rng.random() < 0.3:
        lasso[-1] = 0
    if rng.random() < 0.2:
        ridge[-1] = 0
    return Cost(lasso, ridge, lower, upper)


def _quadratics(A: Floats, b: Floats) -> tuple[Quadratic, Quadratic]:
    d = A.shape[1]
    R = np.linalg.qr(np.column_stack([A, b]), mode="r")
    R = np.concatenate([R, np.zeros((max(d + 1 - len(R), 0), d + 1))])
    triangle = TriangleQuadratic(R=R[:d, :d], side=R[:d, d], pull=R[:d, :d].T @ R[:d, d])
    return GramQuadratic(H=A.T @ A, pull=A.T @ b, spread=rounding_of_gram(len(A), float(np.sum(A**2)))), triangle


def _objective(A: Floats, b: Floats, cost: Cost, z: Floats) -> float:
    return float(0.5 * np.sum((b - A @ z) ** 2)) + cost.value(z)


@pytest.mark.parametrize("seed", range(4))
def test_gaps_and_distances_hold(seed: int) -> None:
    """Of minimizers and of points at any distance from them: the gap is at least what the objective can fall, no minimizer is farther."""
    rng = np.random.default_rng(seed)
    claimed = 0
    for _ in range(100):
        A = _matrix(rng)
        (n, d), b = A.shape, rng.standard_normal(A.shape[0]) * 10.0 ** rng.uniform(-3, 3)
        cost = _cost(rng, d, float(np.abs(A.T @ b).max()))
        found = [minimize(quadratic, cost, cost.start()) for quadratic in _quadratics(A, b)]
        least = min(_objective(A, b, cost, z) for z in found)
        for quadratic, z in zip(_quadratics(A, b), found, strict=True):
            for far in (0.0, 1e-9, 1e-4, 0.1, 3.0):
                x = z + far * rng.standard_normal(d) * (rng.random(d) < 0.7) * max(np.abs(z).max(), 1e-3)
                x = np.clip(np.where(rng.random(d) < (0.2 if far else 0.0), 0.0, x), cost.lower, cost.upper)
                pull, value = A.T @ (b - A @ x), _objective(A, b, cost, x)
                told = measure(quadratic.around(x, pull, 0.0), cost, Measured(x, pull, float(np.sum((b - A @ x) ** 2)), n))
                assert told.gap >= value - least - 64 * EPS * value
                if not far:
                    assert told.gap <= 1e-10 * max(value, EPS * (b @ b))
                if np.isfinite(told.far):
                    claimed += 1
                    assert np.linalg.norm(x - z) <= told.far * (1 + 1e-9) + 1e-11 * np.linalg.norm(z)
    assert claimed > 500


def test_the_two_curvatures_find_the_same() -> None:
    """By Gram matrix and by triangle, where the minimizer is unique."""
    A, b = data(60, 20)
    A /= 2.0 ** np.ceil(np.log2(np.linalg.norm(A, axis=0)))
    cost = Cost.elastic(0.05 * np.abs(A.T @ b).max(), 0.01, 20, intercept=False)

    first, second = (minimize(quadratic, cost, cost.start()) for quadratic in _quadratics(A, b))

    assert np.abs(first - second).max() <= 1e-12 * np.abs(first).max()
    assert np.array_equal(first == 0, second == 0)


@pytest.mark.parametrize("problem", [ds.ElasticNet, ds.Bounded])
def test_check_tells_right_from_wrong(problem: type[ds.ElasticNet] | type[ds.Bounded]) -> None:
    """The x that was found is within what is accepted; one that is off by 1e-9 is not, and its gap and errors say how far."""
    A, b = data()
    asked = problem(A, b, intercept=True)
    x = solve(asked).x

    right = ds.check(asked, x, progress=False)
    wrong = ds.check(asked, x * (1 + 1e-9), progress=False)

    assert right.backward_error[0] <= asked.accepted(None)
    assert right.gap[0] <= 1e-24
    assert wrong.backward_error[0] > asked.accepted(None)
    assert 1e-22 < wrong.gap[0] < 1e-14
    assert (np.abs(x * 1e-9) <= wrong.coefficient_errors[:, 0]).all()


def test_check_of_an_x_out_of_its_bounds() -> None:
    """It is no answer, however near."""
    A, b = data()
    found = ds.check(ds.Bounded(A, b), solve(ds.Bounded(A, b)).x - 1e-12, progress=False)

    assert found.backward_error[0] == np.inf
    assert found.gap[0] == np.inf


def test_a_gap_of_the_whole_problem() -> None:
    """With an intercept and weights: the gap of a rough x is at least what the objective loses, computed from A and b."""
    A, b = data()
    w = np.random.default_rng(0).uniform(0.1, 2, len(b))
    asked = ds.ElasticNet(A, b, alpha=0.2, intercept=True, weights=w)
    x = solve(asked).x

    def objective(z: Floats) -> float:
        r = b - A @ z[:-1] - z[-1]
        return float(w @ r**2 / 2 + w.sum() * 0.2 * (0.5 * np.abs(z[:-1]).sum() + 0.25 * (z[:-1] @ z[:-1])))

    for size in (1e-6, 1e-3, 0.3):
        rough = x + size * np.random.default_rng(1).standard_normal(9)
        told = ds.check(asked, rough, progress=False)
        loss = (objective(rough) - objective(x)) / objective(rough)
        assert loss * (1 - 1e-6) <= told.gap[0] <= 3 * loss
