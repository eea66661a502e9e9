"""Logit, probit and complementary log-log: exact in both tails, and no wilder than they say."""

import itertools

import mpmath as mp
import numpy as np
import pytest

from dsketch.errors import DataError
from dsketch.losses.binomial import Binomial, Cloglog, Logit, Probit

EPS = np.finfo(float).eps
LINKS = {"logit": Logit(), "probit": Probit(), "cloglog": Cloglog()}
MEANS = {
    "logit": lambda t: 1 / (1 + mp.exp(-t)),
    "probit": mp.ncdf,
    "cloglog": lambda t: -mp.expm1(-mp.exp(t)),
}
REST = {"logit": lambda t: 1 / (1 + mp.exp(t)), "probit": lambda t: mp.ncdf(-t), "cloglog": lambda t: mp.exp(-mp.exp(t))}
# What one rounding of η does to a relative slope or curvature: η φ‴/φ″ and the like, at most η² in the tails of probit.
GRID = (-30.0, -9.0, -2.4, -0.3, 0.0, 0.4, 2.2, 3.4)
each_link = pytest.mark.parametrize("loss", LINKS.values(), ids=LINKS)


def exact(loss: Binomial, eta: float, y: float) -> list[mp.mpf]:
    """Return φ and its first two derivatives in 260 digits."""
    with mp.workdps(260):
        mean, rest = MEANS[loss.link], REST[loss.link]
        return [mp.diff(lambda t: -y * mp.log(mean(t)) - (1 - y) * mp.log(rest(t)), mp.mpf(eta), order) for order in range(3)]


@each_link
@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_terms_are_exact_in_both_tails(loss: Binomial, y: float) -> None:
    """Loss, slope and curvature keep their digits, whatever is left of a probability."""
    for eta in GRID:
        found = loss.terms(np.array([[eta]]), np.array([y]))
        for mine, true in zip((found.value[0], found.slope[0, 0], found.curvature[0]), exact(loss, eta, y), strict=True):
            assert abs(mine - true) <= 100 * EPS * (1 + eta**2) * abs(true)


@each_link
def test_curvatures_change_no_faster_than_claimed(loss: Binomial) -> None:
    """abs φ‴ ≤ c φ″ with the c of the interval: the logarithm of φ″ changes by at most c a unit of η."""
    eta = np.linspace(-12.0, 3.5, 3101)
    for y in (0.0, 0.2, 1.0):
        curvature = loss.terms(eta[:, None], np.full(eta.size, y)).curvature
        change = np.abs(np.diff(np.log(curvature))) / np.diff(eta)
        claimed = np.array([loss.concordance(low, high) for low, high in itertools.pairwise(eta)])
        assert (change <= claimed * (1 + 1e-9) + 1e-9).all()


@each_link
def test_expected_curvatures_are_means_over_y(loss: Binomial) -> None:
    """Fisher's information is μ φ″(η; 1) + (1 − μ) φ″(η; 0)."""
    eta = np.linspace(-6.0, 2.0, 41)[:, None]
    mean = loss.mean(eta)[:, 0]
    ones, zeros = (loss.terms(eta, np.full(len(eta), y)).curvature for y in (1.0, 0.0))

    found = loss.expected_curvature(eta)

    assert np.allclose(found, mean * ones + (1 - mean) * zeros, rtol=1e-12, atol=0)


@each_link
def test_far_points_are_finite(loss: Binomial) -> None:
    """A step that overshoots is a bad step, not an overflow."""
    eta = np.array([-1e150, -1e4, -710.0, 710.0, 1e4, 1e150])[:, None]
    for y in (0.0, 0.5, 1.0):
        found = loss.terms(eta, np.full(6, y))
        assert all(np.isfinite(array).all() for array in found)
        assert np.array_equal(loss.values(eta, np.full(6, y)), found.value)
        assert (found.curvature >= 0).all()


@each_link
@pytest.mark.parametrize(("bad", "text"), [(2.0, "row 102 is 2"), (-1.0, "row 102 is -1"), (np.nan, "row 102 is nan")])
def test_labels_outside_are_refused_by_row(loss: Binomial, bad: float, text: str) -> None:
    """The message has the global row and the value."""
    with pytest.raises(DataError, match=text):
        loss.require(np.array([0.0, 1.0, bad, 1.0]), 100)


def test_deviance_and_likelihood_agree() -> None:
    """The deviance is twice the difference of log-likelihoods from the saturated model's."""
    y, mean, weight = np.array([0.0, 0.25, 1.0]), np.array([0.2, 0.4, 0.7]), np.array([1.0, 8.0, 3.0])
    loss = Logit()
    gap = loss.log_likelihood(y, y, weight, 1.0) - loss.log_likelihood(y, mean, weight, 1.0)

    assert np.allclose(weight * loss.deviance(y, mean), 2 * gap, rtol=1e-12)
