"""Poisson: counts with mean e^η."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gammaln, xlogy

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss, Terms
from dsketch.losses.domain import refuse_rows
from dsketch.losses.saturation import CAP, LARGEST, MARGIN, clip_far, exponential, positive_mean
from dsketch.losses.unit_deviance import unit_deviance


@dataclass(frozen=True)
class Poisson(Loss):
    """φ = e^η − yη, φ′ = e^η − y, φ″ = φ‴ = e^η; the exponential saturates beyond η = 300.

    Notes
    -----
    Concordance 1: φ‴/φ″ = 1 exactly (and 0 where the exponential is saturated).

    References
    ----------
    P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed., Chapman & Hall, 1989, chapter 6.
    """

    family: ClassVar[str] = "poisson"
    link: ClassVar[str] = "log"

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and φ″."""
        power = exponential(eta[:, 0])
        return Terms(power.value - y * clip_far(eta[:, 0]), (power.slope - y)[:, None], power.curvature)

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        return exponential(eta[:, 0]).value - y * clip_far(eta[:, 0])

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return e^η: φ″ does not depend on y."""
        return exponential(eta[:, 0]).curvature

    def mean(self, eta: Floats) -> Floats:
        """Return e^η."""
        return positive_mean(eta)

    def concordance(self, low: float, high: float) -> float:
        """Return 1; ∞ so near the saturation that the minimizer may lie beyond it."""
        del low
        return 1.0 if high <= CAP - MARGIN else np.inf

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is below 0; fractions are let through, as quasi-likelihoods have them."""
        remedy = "Check the column, or choose another family (gaussian takes any number)."
        refuse_rows(y, (y < 0) | (y > LARGEST), start, "counts from 0 to 1e60 for family poisson", remedy)

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return 2[y log(y/μ) − (y − μ)]."""
        return unit_deviance(y, mean.reshape(y.shape), 1.0)

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return (w/φ) [y log μ − μ − log y!]."""
        mean = mean.reshape(y.shape)
        return np.asarray(weight / dispersion * (xlogy(y, mean) - mean - gammaln(y + 1.0)))

    def variance(self, mean: Floats) -> Floats:
        """Return μ."""
        return mean

    def start(self, y: Floats) -> Floats:
        """Return log(y + 0.1)."""
        return np.log(y + 0.1)
