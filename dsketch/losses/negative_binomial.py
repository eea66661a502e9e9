"""Negative binomial with the log link: counts that vary more than Poisson's, V(μ) = μ + μ²/θ with θ given."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betaln, expit, xlog1py

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss, Terms
from dsketch.losses.domain import refuse_rows, require_parameter
from dsketch.losses.saturation import LARGEST, clip_far, positive_mean
from dsketch.losses.unit_deviance import unit_deviance


@dataclass(frozen=True)
class NegativeBinomial(Loss):
    """φ = θ log(1 + e^s) + y log(1 + e^−s), s = η − log θ; φ′ = θσ(s) − yσ(−s), φ″ = (θ + y)σ(s)σ(−s).

    Both parts are positive and nothing cancels in either tail; there is nothing to saturate.

    Parameters
    ----------
    theta : float
        θ > 0, known: the variance is μ + μ²/θ (statsmodels: alpha = 1/θ).

    Notes
    -----
    Concordance 1: φ‴ = φ″ (σ(−s) − σ(s)), and abs(σ(−s) − σ(s)) = abs tanh(s/2) < 1.

    References
    ----------
    J. M. Hilbe, Negative Binomial Regression, 2nd ed., Cambridge, 2011.
    """

    theta: float
    family: ClassVar[str] = "negative_binomial"
    link: ClassVar[str] = "log"

    def __post_init__(self) -> None:
        remedy = "The variance is μ + μ²/theta; for a very large theta take family poisson."
        require_parameter("theta", self.theta, 0.0, LARGEST, remedy)

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and φ″."""
        s = clip_far(eta[:, 0] - np.log(self.theta))
        up, down = expit(s), expit(-s)
        return Terms(self._value(s, y), (self.theta * up - y * down)[:, None], (self.theta + y) * up * down)

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        return self._value(clip_far(eta[:, 0] - np.log(self.theta)), y)

    def _value(self, s: Floats, y: Floats) -> Floats:
        small = np.log1p(np.exp(-np.abs(s)))
        return np.asarray(self.theta * (small + np.maximum(s, 0.0)) + y * (small + np.maximum(-s, 0.0)))

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return θσ(s) = μθ/(μ + θ)."""
        return np.asarray(self.theta * expit(eta[:, 0] - np.log(self.theta)))

    def mean(self, eta: Floats) -> Floats:
        """Return e^η."""
        return positive_mean(eta)

    def concordance(self, low: float, high: float) -> float:
        """Return 1."""
        del low, high
        return 1.0

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is below 0."""
        remedy = "Check the column, or choose another family (gaussian takes any number)."
        refuse_rows(y, (y < 0) | (y > LARGEST), start, "counts from 0 to 1e60 for family negative_binomial", remedy)

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return 2[y log(y/μ) − (y + θ) log((y + θ)/(μ + θ))], as a difference of two Poisson deviances."""
        mean = mean.reshape(y.shape)
        return unit_deviance(y, mean, 1.0) - unit_deviance(y + self.theta, mean + self.theta, 1.0)

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return (w/φ) log[Γ(y + θ)/(Γ(θ) y!) (μ/(μ + θ))^y (θ/(μ + θ))^θ]."""
        mean = mean.reshape(y.shape)
        ways = -np.log(y + self.theta) - betaln(self.theta, y + 1.0)
        return np.asarray(weight / dispersion * (ways - xlog1py(y, self.theta / mean) - self.theta * np.log1p(mean / self.theta)))

    def variance(self, mean: Floats) -> Floats:
        """Return μ + μ²/θ."""
        return mean + mean * mean / self.theta

    def start(self, y: Floats) -> Floats:
        """Return log(y + 0.1)."""
        return np.log(y + 0.1)
