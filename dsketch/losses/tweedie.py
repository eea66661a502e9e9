"""Tweedie with the log link: variance μ^p; for 1 < p < 2 amounts with exact zeros, sums of a Poisson number of gammas."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss, Terms
from dsketch.losses.domain import refuse_rows, require_parameter
from dsketch.losses.saturation import CAP, LARGEST, MARGIN, Exponential, exponential, positive_mean
from dsketch.losses.tweedie_density import log_density
from dsketch.losses.unit_deviance import unit_deviance

_NOTHING = -1e300  # in place of log 0, which makes e^s 0 without a warning


@dataclass(frozen=True)
class Tweedie(Loss):
    """φ = y e^{(1−p)η}/(p − 1) + e^{(2−p)η}/(2 − p); φ′ = e^{(2−p)η} − y e^{(1−p)η}.

    y enters as e^{log y + (1−p)η}, so that the exponential saturates only where a mean is e^{300/(p−1)} times too small.

    Parameters
    ----------
    power : float
        p, 1 < p < 2.

    Notes
    -----
    φ″ = (p − 1) y e^{(1−p)η} + (2 − p) e^{(2−p)η} ≥ 0 and φ‴ = −(p − 1)² y e^{(1−p)η} + (2 − p)² e^{(2−p)η}.  Both terms of φ″ are
    not negative, so abs φ‴ ≤ max(p − 1, 2 − p) φ″: the concordance, reached in either tail.

    References
    ----------
    B. Jørgensen, "Exponential dispersion models", Journal of the Royal Statistical Society B 49, 1987.
    """

    power: float = 1.5
    family: ClassVar[str] = "tweedie"
    link: ClassVar[str] = "log"
    has_dispersion: ClassVar[bool] = True

    def __post_init__(self) -> None:
        remedy = "1 is family poisson, 2 gamma, 3 inverse_gaussian, 0 gaussian."
        require_parameter("power", self.power, *self._range(), remedy)

    def _range(self) -> tuple[float, float]:
        return 1.0, 2.0

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and φ″."""
        low, high = self._powers(eta[:, 0], y)
        p = self.power
        value = low.value / (p - 1.0) + high.value / (2.0 - p)
        return Terms(value, (high.slope - low.slope)[:, None], (p - 1.0) * low.curvature + (2.0 - p) * high.curvature)

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        low, high = self._powers(eta[:, 0], y)
        return low.value / (self.power - 1.0) + high.value / (2.0 - self.power)

    def _powers(self, eta: Floats, y: Floats) -> tuple[Exponential, Exponential]:
        """Return y e^{(1−p)η} and e^{(2−p)η}."""
        log_y = np.log(y, out=np.full_like(y, _NOTHING), where=y > 0)
        return exponential(log_y + (1.0 - self.power) * eta), exponential((2.0 - self.power) * eta)

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return e^{(2−p)η}."""
        return exponential((2.0 - self.power) * eta[:, 0]).curvature

    def mean(self, eta: Floats) -> Floats:
        """Return e^η."""
        return positive_mean(eta)

    def concordance(self, low: float, high: float) -> float:
        """Return max(p − 1, 2 − p); ∞ where an exponent may come near the saturation."""
        p, limit = self.power, CAP - MARGIN
        is_inside = np.log(LARGEST) + (1.0 - p) * low <= limit and (2.0 - p) * high <= limit
        return max(p - 1.0, 2.0 - p) if is_inside else np.inf

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is below 0."""
        remedy = "Check the column, or choose another family (gaussian takes any number)."
        refuse_rows(y, (y < 0) | (y > LARGEST), start, "amounts from 0 to 1e60 for family tweedie", remedy)

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return 2[y^{2−p}/((1−p)(2−p)) − yμ^{1−p}/(1−p) + μ^{2−p}/(2−p)]."""
        return unit_deviance(y, mean.reshape(y.shape), self.power)

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return the log density with dispersion φ/w, by its series."""
        return log_density(y, mean.reshape(y.shape), dispersion / weight, self.power)

    def variance(self, mean: Floats) -> Floats:
        """Return μ^p."""
        return np.asarray(mean**self.power)

    def start(self, y: Floats) -> Floats:
        """Return log(y + 0.1), without the 0.1 where y is above 0."""
        return np.log(np.where(y > 0, y, 0.1))


@dataclass(frozen=True)
class SteepTweedie(Tweedie):
    """p > 2: positive amounts with heavy tails; φ is as for p < 2 but not convex, so that an answer is stationary and no more.

    Notes
    -----
    φ″ = (p − 1) y e^{(1−p)η} − (p − 2) e^{(2−p)η} is negative where y/μ < (p − 2)/(p − 1): there is no concordance.  The density of
    p > 2 is no sum of positive terms; the log-likelihood is NaN.
    """

    power: float = 3.0
    is_convex: ClassVar[bool] = False

    def _range(self) -> tuple[float, float]:
        return 2.0, 100.0

    def concordance(self, low: float, high: float) -> float:
        """Return ∞: there is none."""
        del low, high
        return np.inf

    def require(self, y: Floats, start: int) -> None:
        """Refuse what is not above 0."""
        remedy = "Check the column, leave such rows out, or take a power between 1 and 2, which has zeros."
        refuse_rows(y, (y <= 0) | (y > LARGEST), start, f"amounts above 0, up to 1e60, for family {self.family}", remedy)

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return NaN."""
        del mean, weight, dispersion
        return np.full(y.shape, np.nan)
