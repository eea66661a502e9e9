"""Gamma with the log link: positive amounts whose standard deviation grows as their mean."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gammaln

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss, Terms
from dsketch.losses.domain import refuse_rows
from dsketch.losses.saturation import CAP, LARGEST, MARGIN, clip_far, exponential, positive_mean
from dsketch.losses.unit_deviance import unit_deviance


@dataclass(frozen=True)
class Gamma(Loss):
    """φ = y e^−η + η − log y, φ′ = 1 − y e^−η, φ″ = y e^−η (its mean is 1), φ‴ = −φ″.

    With s = log y − η this is e^s − s: the unit of y does not matter, and the exponential saturates only where a mean is e^300 times
    too small.

    Notes
    -----
    Concordance 1: abs φ‴/φ″ = 1 exactly (and 0 where the exponential is saturated).

    References
    ----------
    P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed., Chapman & Hall, 1989, chapter 8.
    """

    family: ClassVar[str] = "gamma"
    link: ClassVar[str] = "log"
    has_dispersion: ClassVar[bool] = True

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and φ″."""
        s = np.log(y) - eta[:, 0]
        ratio = exponential(s)
        return Terms(ratio.value - clip_far(s), (1.0 - ratio.slope)[:, None], ratio.curvature)

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        s = np.log(y) - eta[:, 0]
        return exponential(s).value - clip_far(s)

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return 1, as y e^−η = y/μ has the mean 1."""
        return np.ones(len(eta))

    def mean(self, eta: Floats) -> Floats:
        """Return e^η."""
        return positive_mean(eta)

    def concordance(self, low: float, high: float) -> float:
        """Return 1; ∞ where log y − η may come near the saturation."""
        del high
        return 1.0 if np.log(LARGEST) - low <= CAP - MARGIN else np.inf

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is not above 0."""
        remedy = "Check the column, leave such rows out, or take family tweedie, which has zeros."
        refuse_rows(y, (y <= 0) | (y > LARGEST), start, "amounts above 0, up to 1e60, for family gamma", remedy)

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return 2[(y − μ)/μ − log(y/μ)]."""
        return unit_deviance(y, mean.reshape(y.shape), 2.0)

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return the log density with shape k = w/φ and mean μ: k log(ky/μ) − ky/μ − log Γ(k) − log y."""
        shape = weight / dispersion
        ratio = shape * y / mean.reshape(y.shape)
        return np.asarray(shape * np.log(ratio) - ratio - gammaln(shape) - np.log(y))

    def variance(self, mean: Floats) -> Floats:
        """Return μ²."""
        return mean * mean

    def start(self, y: Floats) -> Floats:
        """Return log y."""
        return np.log(y)
