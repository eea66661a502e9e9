"""So far from the minimizer that curvatures vanish and slopes do not: nothing may be called proven there."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds

RNG = np.random.default_rng(0)
A = RNG.standard_normal((300, 3))
CHANCE = RNG.random(300) < 1 / (1 + np.exp(-A @ [1.0, -0.5, 0.2]))
COUNTS = RNG.poisson(np.exp(A @ [0.3, -0.2, 0.1] + 0.5)).astype(float)
LOSSES: dict[str, dict[str, Any]] = {
    "logit": {"y": CHANCE},
    "huber": {"y": COUNTS, "family": "huber", "delta": 1.0},
    "negative": {"y": COUNTS, "family": "negative_binomial", "theta": 2.0},
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1e20, 1e150, -1e300])
def test_vanished_curvature_proves_nothing(name: str, size: float) -> None:
    """An x whose rows are all straight lines is no minimizer of rank 0; from there a solve begins anew and has the answer."""
    far = np.array([size, 0.0, size, 1.0])
    problem = ds.GLM(A, intercept=True, **LOSSES[name])
    found = ds.check(problem, far)
    right = ds.solve(problem)

    assert not np.isfinite(found.reach)
    assert right.status is ds.Status.SOLVED
    for method in ("newton", "newton_qr"):
        again = ds.solve(ds.GLM(A, intercept=True, start=far, **LOSSES[name]), method=method)
        assert again.status is ds.Status.SOLVED
        assert np.allclose(again.x, right.x, rtol=1e-11)


def test_a_loss_that_is_not_convex_is_never_solved() -> None:
    """Neither far out, where slope and curvature underflow, nor at an exact fit."""
    far = ds.solve(ds.GLM(A, COUNTS + 1, family="inverse_gaussian", intercept=True, start=[-1e3, 0, -1e3, 1]))
    exact = ds.solve(ds.GLM(A, np.ones(300), family="inverse_gaussian", intercept=True))

    assert far.status in (ds.Status.LOCAL, ds.Status.NOT_SOLVED)
    assert exact.status is ds.Status.LOCAL
    assert not np.isfinite(exact.certificate.reach)


def test_classes_far_out() -> None:
    """Of several classes as well."""
    y = RNG.integers(0, 3, 300)
    far = np.full((3, 2), 1e20) * [1, -1]
    found = ds.check(ds.Multinomial(A, y), far)

    assert not np.isfinite(found.reach)
    assert np.allclose(ds.solve(ds.Multinomial(A, y, start=far)).x, ds.solve(ds.Multinomial(A, y)).x, rtol=1e-11)


@pytest.mark.parametrize("unit", [1.0, 1e-10, 1e10])
def test_dependent_columns_are_still_proven(unit: float) -> None:
    """A zero column, a duplicate and a sum hide no slope: the shortest x with its proof, in any unit."""
    wide = unit * np.c_[A, np.zeros(300), A[:, 0], A[:, 0] + A[:, 1]]
    for columns in (wide, wide[:, :4], wide[:, :5]):
        solution = ds.solve(ds.GLM(columns, CHANCE, intercept=True))
        assert solution.status is ds.Status.MINIMUM_NORM
        assert solution.certificate.reach < 1e-11


def test_no_wrong_x_is_called_right() -> None:
    """A hundred times the minimizer and more has a tangent problem whose backward error is tiny; the minimizer itself is right."""
    problem = ds.GLM(A, CHANCE, intercept=True)
    x = ds.solve(problem).x
    wrong = [ds.check(problem, x * factor) for factor in (10.0, 1e2, 1e3, 1e4, 1e5, 1e20)]

    assert not any(found.is_right(1e-14) for found in wrong)
    assert ds.check(problem, x).is_right(1e-14)


def test_separated_data_far_out_are_not_proven() -> None:
    """Where all slopes and curvatures underflow there is still no minimizer."""
    problem = ds.GLM(A, A[:, 0] > 0)
    assert not any(ds.check(problem, [size, 0.0, 0.0]).is_right(1e-14) for size in (1e2, 1e4, 1e6, 1e20))
    assert ds.solve(ds.GLM(A, A[:, 0] > 0, start=[1e6, 0.0, 0.0])).status is ds.Status.SEPARATED


def test_a_stationary_point_is_right() -> None:
    """Of a loss that is not convex, without a proof."""
    problem = ds.GLM(A, COUNTS + 1, family="inverse_gaussian", intercept=True)
    found = ds.check(problem, ds.solve(problem).x)
    assert found.decrement < 1e-10
    assert found.is_right(1e-10)
    assert not ds.check(problem, [100.0, 0.0, 0.0, 0.0]).is_right(1e-10)


@pytest.mark.parametrize("high", [400.0, 700.0, 1e4])
def test_a_start_far_above_the_means_is_given_up(high: float) -> None:
    """From e^high full steps come down by 1 each; the family's own start takes over, and has the same answer."""
    counts = np.random.default_rng(0).poisson(np.exp(A[:, 0] / 2 + 1)).astype(float)
    own = ds.solve(ds.GLM(A, counts, family="poisson", intercept=True))

    solution = ds.solve(ds.GLM(A, counts, family="poisson", intercept=True, start=[0.0, 0.0, 0.0, high]))

    assert solution.status is ds.Status.SOLVED
    assert len(solution.passes) <= 45
    np.testing.assert_allclose(solution.x, own.x, rtol=1e-12)


def test_offsets_near_the_end_of_float64() -> None:
    """Beside an offset of 650, of which e is 1e282, the intercept takes it back: proven, and the slopes are those without it."""
    counts = np.random.default_rng(0).poisson(np.exp(A[:, 0] / 2 + 1)).astype(float)
    own = ds.solve(ds.GLM(A, counts, family="poisson", intercept=True))

    far = ds.solve(ds.GLM(A, counts, family="poisson", intercept=True, offset=np.full(len(A), 650.0)))

    assert far.status is ds.Status.SOLVED
    assert far.certificate.reach <= 1e-8
    np.testing.assert_allclose(far.x, own.x - [0.0, 0.0, 0.0, 650.0], atol=1e-11)
