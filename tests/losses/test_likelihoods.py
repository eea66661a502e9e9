"""Deviances, log-likelihoods and variances against statsmodels, scipy and integrals."""

import mpmath
import numpy as np
import pytest
import scipy.stats as st
from statsmodels.genmod import families as sm

from dsketch.losses.base import Loss
from dsketch.losses.table import loss_of
from dsketch.losses.unit_deviance import unit_deviance

EPS = np.finfo(float).eps
LOG = sm.links.Log()
PEERS = {
    "poisson": (loss_of("poisson"), sm.Poisson(LOG)),
    "gamma": (loss_of("gamma"), sm.Gamma(LOG)),
    "gaussian": (loss_of("gaussian"), sm.Gaussian()),
    "inverse_gaussian": (loss_of("inverse_gaussian"), sm.InverseGaussian(LOG)),
    "negative_binomial": (loss_of("negative_binomial", theta=1.6), sm.NegativeBinomial(LOG, alpha=1 / 1.6)),
    "tweedie": (loss_of("tweedie", power=1.4), sm.Tweedie(LOG, var_power=1.4)),
    "tweedie 2.5": (loss_of("tweedie", power=2.5), sm.Tweedie(LOG, var_power=2.5)),
}


def rows(loss: Loss, count: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return y, means and weights of a family."""
    random = np.random.default_rng(7)
    mean = np.exp(random.normal(size=count))
    y = (
        random.poisson(3 * mean).astype(float)
        if "poisson" in loss.family or "binomial" in loss.family
        else random.gamma(2.0, mean)
    )
    return y, mean, random.uniform(0.5, 3.0, count)


@pytest.mark.parametrize(("loss", "peer"), PEERS.values(), ids=PEERS.keys())
def test_deviances_and_variances_are_statsmodels(loss: Loss, peer: sm.Family) -> None:
    """Unit deviances and variance functions are the textbook's."""
    y, mean, _ = rows(loss)
    # statsmodels' closed forms cancel: relative to the terms of the sum, and it cuts y and means at 1e-16 or so
    size = 1 + y**2 + mean**2
    assert (np.abs(loss.deviance(y, mean[:, None]) - peer.resid_dev(y, mean) ** 2) <= 2000 * EPS * size).all()
    assert np.allclose(loss.variance(mean), peer.variance(mean), rtol=10 * EPS, atol=0)


@pytest.mark.parametrize("name", ["poisson", "gamma", "gaussian", "inverse_gaussian", "negative_binomial"])
@pytest.mark.parametrize("dispersion", [1.0, 0.3])
def test_log_likelihoods_are_statsmodels(name: str, dispersion: float) -> None:
    """Each row's log-likelihood, with prior weights and a dispersion, is statsmodels'."""
    loss, peer = PEERS[name]
    y, mean, weight = rows(loss)
    found = loss.log_likelihood(y, mean[:, None], weight, dispersion)
    assert np.allclose(found, peer.loglike_obs(y, mean, weight, dispersion), rtol=1e-11, atol=1e-11)


def test_log_likelihoods_are_those_of_distributions() -> None:
    """Without weights they are the logarithms of the densities in scipy."""
    y, mean, _ = rows(loss_of("gamma"))
    one = np.ones_like(y)
    count = np.floor(3 * y)
    theta, dispersion = 2.5, 0.7
    found = loss_of("negative_binomial", theta=theta).log_likelihood(count, mean, one, 1.0)
    assert np.allclose(found, st.nbinom.logpmf(count, theta, theta / (theta + mean)), rtol=1e-12, atol=1e-11)
    assert np.allclose(
        loss_of("poisson").log_likelihood(count, mean, one, 1.0), st.poisson.logpmf(count, mean), rtol=1e-12, atol=1e-11
    )
    gamma = st.gamma.logpdf(y, 1 / dispersion, scale=mean * dispersion)
    assert np.allclose(loss_of("gamma").log_likelihood(y, mean, one, dispersion), gamma, rtol=1e-12, atol=1e-11)
    inverse = st.invgauss.logpdf(y, mean * dispersion, scale=1 / dispersion)
    assert np.allclose(loss_of("inverse_gaussian").log_likelihood(y, mean, one, dispersion), inverse, rtol=1e-11, atol=1e-11)


def tweedie(y: float, mean: float, dispersion: float, power: float) -> float:
    """Return log f by the definition: a Poisson number of gammas, summed in 40 digits."""
    with mpmath.workdps(40):
        p, phi, m, x = (mpmath.mpf(value) for value in (power, dispersion, mean, y))
        rate = m ** (2 - p) / (phi * (2 - p))
        if y == 0:
            return float(-rate)
        shape, scale = (2 - p) / (p - 1), phi * (p - 1) * m ** (p - 1)

        def term(j: float) -> mpmath.mpf:
            j = int(j)
            logs = -rate + j * mpmath.log(rate) - mpmath.loggamma(j + 1) + (j * shape - 1) * mpmath.log(x)
            return mpmath.exp(logs - x / scale - j * shape * mpmath.log(scale) - mpmath.loggamma(j * shape))

        centre = float(x ** (2 - p) / ((2 - p) * phi))
        width = 14 * np.sqrt(centre) + 60
        return float(mpmath.log(mpmath.fsum(term(j) for j in range(max(1, int(centre - width)), int(centre + width)))))


@pytest.mark.parametrize("power", [1.05, 1.5, 1.95])
@pytest.mark.parametrize("dispersion", [0.003, 0.6, 20.0])
def test_tweedie_densities_are_sums_of_gammas(power: float, dispersion: float) -> None:
    """The series is right where one term counts, where hundreds do, and where every h-th is summed; zeros have their probability."""
    y, mean = np.array([0.0, 0.01, 0.9, 4.0]), np.array([0.8, 0.5, 1.1, 2.5])
    found = loss_of("tweedie", power=power).log_likelihood(y, mean, np.full(4, 2.0), 2 * dispersion)
    for row in range(4):
        exact = tweedie(y[row], mean[row], dispersion, power)
        terms = 1 + (y[row] + mean[row]) / (dispersion * min(power - 1, 2 - power))  # what cancels in yθ − κ and log W
        assert abs(found[row] - exact) <= 200 * EPS * terms * (1 + np.log(terms))


@pytest.mark.parametrize("power", [1.0, 1.3, 2.0, 2.7, 3.0])
def test_unit_deviances_keep_their_digits_near_the_mean(power: float) -> None:
    """At y = μ(1 + s) the deviance is right to a few eps of itself, for s from 1e-7 to 3; at y = μ it is 0."""
    s = np.array([1e-7, -1e-7, 1e-3, -0.3, 0.49, -0.49, 0.51, -0.6, 3.0])
    mean = np.linspace(0.4, 40.0, len(s))
    y = mean * (1.0 + s)
    found = unit_deviance(y, mean, power)
    with mpmath.workdps(40):
        for row in range(len(s)):
            top, base = mpmath.mpf(float(y[row])), mpmath.mpf(float(mean[row]))
            exact = float(2 * mpmath.quad(lambda t, top=top: (top - t) * t ** -mpmath.mpf(power), [base, top]))
            assert abs(found[row] - exact) <= 100 * EPS * abs(exact)
    assert not unit_deviance(mean, mean, power).any()


def test_an_estimator_without_a_distribution_has_no_likelihood() -> None:
    """Pseudo-Huber has twice its loss for a deviance and NaN for what it has not."""
    loss = loss_of("huber", delta=2.0)
    y, mean = np.array([0.0, 5.0]), np.array([1.0, 1.0])
    assert np.allclose(loss.deviance(y, mean), 8 * (np.sqrt(1 + (y - mean) ** 2 / 4) - 1), rtol=10 * EPS)
    assert np.isnan(loss.log_likelihood(y, mean, np.ones(2), 1.0)).all()
    assert np.isnan(loss.expected_curvature(mean[:, None])).all()
    assert np.isnan(loss_of("tweedie", power=2.5).log_likelihood(y + 1, mean, np.ones(2), 1.0)).all()
