"""Losses against their definitions in 60 digits: values, slopes, curvatures, in both tails."""

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from dsketch.losses.base import Loss
from dsketch.losses.tweedie import Tweedie
from tests.losses.examples import EXAMPLES, Example, pairs

EPS = np.finfo(float).eps
Formula = Callable[[mpmath.mpf, mpmath.mpf], mpmath.mpf]


def formula(loss: Loss) -> Formula:
    """Return φ(η, y) of a loss as the textbooks write it."""
    exp, log = mpmath.exp, mpmath.log
    match loss.family:
        case "poisson":
            return lambda eta, y: exp(eta) - y * eta
        case "gamma":
            return lambda eta, y: y * exp(-eta) + eta - log(y)
        case "gaussian":
            return lambda eta, y: (eta - y) ** 2 / 2
        case "inverse_gaussian":
            return lambda eta, y: y * exp(-2 * eta) / 2 - exp(-eta)
        case "tweedie":
            assert isinstance(loss, Tweedie)
            p = mpmath.mpf(loss.power)
            return lambda eta, y: y * exp((1 - p) * eta) / (p - 1) + exp((2 - p) * eta) / (2 - p)
        case "negative_binomial":
            theta = mpmath.mpf(loss.theta)  # type: ignore[attr-defined]
            return lambda eta, y: (
                (y + theta) * log(theta + exp(eta)) - y * eta - theta * log(theta) - y * log(theta) + y * log(theta)
            )
        case _:
            delta = mpmath.mpf(loss.delta)  # type: ignore[attr-defined]
            return lambda eta, y: delta**2 * (mpmath.sqrt(1 + ((eta - y) / delta) ** 2) - 1)


def sizes(loss: Loss, eta: float, y: float) -> tuple[float, float, float]:
    """Return how large the terms are of which value, slope and curvature are sums: rounding is relative to them."""
    match loss.family:
        case "poisson":
            return np.exp(eta) + abs(y * eta), np.exp(eta) + y, np.exp(eta)
        case "gamma":
            return y * np.exp(-eta) + abs(np.log(y)) + abs(eta), y * np.exp(-eta) + 1, y * np.exp(-eta)
        case "gaussian":
            return (abs(eta) + abs(y)) ** 2, abs(eta) + abs(y), 1.0
        case "inverse_gaussian" | "tweedie":
            assert isinstance(loss, Tweedie)
            a, b = y * np.exp((1 - loss.power) * eta), np.exp((2 - loss.power) * eta)
            c, e = abs(loss.power - 1), abs(2 - loss.power)
            return a / c + b / e, a + b, c * a + e * b
        case "negative_binomial":
            theta = loss.theta  # type: ignore[attr-defined]
            size = (theta + y) * (abs(eta) + abs(np.log(theta)) + 1)
            return size, theta / (1 + theta * np.exp(-eta)) + y / (1 + np.exp(eta) / theta), 0.0
        case _:
            return 0.0, 0.0, 0.0


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_values_and_derivatives_are_those_of_the_definition(example: Example) -> None:
    """φ, φ′ and φ″ are right to rounding of η and of the terms that they are sums of."""
    eta, y = pairs(example, -30.0, 30.0, 25)
    terms = example.loss.terms(eta, y)
    assert np.array_equal(terms.value, example.loss.values(eta, y))
    with mpmath.workdps(60):
        phi = formula(example.loss)
        for row in range(len(y)):
            at, response = mpmath.mpf(float(eta[row, 0])), mpmath.mpf(float(y[row]))
            exact = [float(found) for found in mpmath.taylor(lambda t, response=response: phi(t, response), at, 2)]
            found = terms.value[row], terms.slope[row, 0], terms.curvature[row] / 2
            for value, truth, size in zip(found, exact, sizes(example.loss, eta[row, 0], y[row]), strict=True):
                # an exponent of 60 has lost 60 eps; a few operations follow
                assert abs(value - truth) <= 100 * EPS * (abs(truth) + size)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
@pytest.mark.parametrize("far", [750.0, 1e5, 1e12, 1e300])
def test_a_step_that_overshoots_is_finite(example: Example, far: float) -> None:
    """Whatever a trial step makes of η, values, slopes, curvatures and their squares can be summed, and no warning is given."""
    if example.loss.link == "identity":
        far = min(far, 1e140)  # squares of η itself are the data's own: entries below 1e150 are asked for everywhere
    eta = np.array([[-far], [far]] * len(example.y))
    terms = example.loss.terms(eta, np.repeat(example.y, 2))
    for part in (terms.slope, terms.curvature):
        assert (np.abs(part) < 1e141).all()
    mean = example.loss.mean(eta)
    assert np.isfinite(terms.value).all()
    assert np.isfinite(mean).all()
    assert (mean > 0).all() or example.loss.link == "identity"


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_slopes_are_the_slope_of_the_values_in_the_saturation(example: Example) -> None:
    """Beyond η = 300 the loss is still one function: its slopes and curvatures are the differences of what they say they are."""
    eta, y = pairs(example, -700.0, 700.0, 57)
    step = 1e-4
    above, below, here = (example.loss.terms(eta + shift, y) for shift in (step, -step, 0.0))
    for higher, lower, rate in (
        (above.value, below.value, here.slope[:, 0]),
        (above.slope[:, 0], below.slope[:, 0], here.curvature),
    ):
        difference = (higher - lower) / (2 * step)
        scale = np.maximum(np.abs(higher), np.abs(lower))
        # curvatures are continuous but have corners, third derivatives are at most (p − 1)² ≤ 4 times the function
        assert (np.abs(difference - rate) <= 4 * step * (scale + np.abs(rate))).all()


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_a_convex_loss_curves_upwards(example: Example) -> None:
    """``is_convex`` is said of those whose curvature is nowhere negative, and of no other."""
    eta, y = pairs(example, -800.0, 800.0, 1601)
    is_upwards = bool((example.loss.terms(eta, y).curvature >= 0).all())
    assert is_upwards == example.loss.is_convex


def test_the_mean_of_the_curvature_is_the_expected_one() -> None:
    """Every curvature is linear in y, so that its mean is what it is at y = μ, where the slope is 0."""
    for name, example in EXAMPLES.items():
        if example.loss.family == "huber":
            continue
        eta = np.linspace(-3.0, 3.0, 13)[:, None]
        mean = example.loss.mean(eta)[:, 0]
        found = example.loss.terms(eta, mean).curvature
        expected = example.loss.expected_curvature(eta)
        assert np.allclose(found, expected, rtol=1e-13, atol=0), name
        slope = example.loss.terms(eta, mean).slope
        assert (np.abs(slope[:, 0]) <= 20 * EPS * (np.abs(mean) + 1)).all(), name
