"""Gaussian with the identity link: least squares as a member of the family."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss, Terms


@dataclass(frozen=True)
class Gaussian(Loss):
    """φ = ½(η − y)², φ′ = η − y, φ″ = 1: one Newton step is the answer.

    Notes
    -----
    Concordance 0: φ‴ = 0, so that the decrement itself is the distance.
    """

    family: ClassVar[str] = "gaussian"
    link: ClassVar[str] = "identity"
    has_dispersion: ClassVar[bool] = True

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and φ″."""
        gap = eta[:, 0] - y
        return Terms(0.5 * gap * gap, gap[:, None], np.ones_like(gap))

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        gap = eta[:, 0] - y
        return 0.5 * gap * gap

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return 1."""
        return np.ones(len(eta))

    def mean(self, eta: Floats) -> Floats:
        """Return η."""
        return eta

    def concordance(self, low: float, high: float) -> float:
        """Return 0."""
        del low, high
        return 0.0

    def require(self, y: Floats, start: int) -> None:
        """Refuse nothing: every finite number may be."""

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return (y − μ)²."""
        gap = y - mean.reshape(y.shape)
        return gap * gap

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return the log density with variance φ/w: −½[w(y − μ)²/φ + log(2πφ/w)]."""
        return np.asarray(-0.5 * (weight / dispersion * self.deviance(y, mean) + np.log(2.0 * np.pi * dispersion / weight)))

    def variance(self, mean: Floats) -> Floats:
        """Return 1."""
        return np.ones_like(mean)

    def start(self, y: Floats) -> Floats:
        """Return y."""
        return y
