"""Pseudo-Huber: least squares near 0, absolute values afar, smooth between: what outliers do not pull away."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch.losses.base import Loss, Terms
from dsketch.losses.domain import require_parameter


@dataclass(frozen=True)
class Huber(Loss):
    """φ = δ²(√(1 + t²) − 1), t = (η − y)/δ; φ′ = δt/√(1 + t²), φ″ = (1 + t²)^−3/2.

    Parameters
    ----------
    delta : float
        δ, in the unit of y: residuals well below it count as in least squares, those above linearly.

    Notes
    -----
    Concordance 1.5/δ: φ‴ = −3t(1 + t²)^−5/2/δ, so abs φ‴/φ″ = (3/δ) abs t/(1 + t²), which is largest at abs t = 1.  It is an
    M-estimator: there is no distribution of y behind it, so no log-likelihood, and φ″ has no mean given η (``expected_curvature`` is NaN;
    a table takes the observed one and the sandwich).

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.
    R. Hartley, A. Zisserman, Multiple View Geometry in Computer Vision, 2nd ed., Cambridge, 2003, appendix 6.8 (the smooth form).
    """

    delta: float
    family: ClassVar[str] = "huber"
    link: ClassVar[str] = "identity"
    has_dispersion: ClassVar[bool] = True

    def __post_init__(self) -> None:
        remedy = "1.345 times the spread of the residuals is common."
        require_parameter("delta", self.delta, 0.0, 1e100, remedy)

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and φ″."""
        t = (eta[:, 0] - y) / self.delta
        root = np.hypot(1.0, t)
        sine = t / root
        return Terms(self._value(t, root), (self.delta * sine)[:, None], (1.0 / root) ** 3)

    def values(self, eta: Floats, y: Floats) -> Floats:
        """Return φ."""
        t = (eta[:, 0] - y) / self.delta
        return self._value(t, np.hypot(1.0, t))

    def _value(self, t: Floats, root: Floats) -> Floats:
        """Return δ²(√(1 + t²) − 1) without cancellation near 0 or overflow afar."""
        return np.asarray(self.delta * (self.delta * t * (t / (root + 1.0))))

    @property
    def majorizing(self) -> Loss:
        """φ with the weights φ′/(η − y) of iteratively reweighted least squares."""
        return MajorizedHuber(self.delta)

    def expected_curvature(self, eta: Floats) -> Floats:
        """Return NaN: without a distribution of y there is none."""
        return np.full(len(eta), np.nan)

    def mean(self, eta: Floats) -> Floats:
        """Return η."""
        return eta

    def concordance(self, low: float, high: float) -> float:
        """Return 1.5/δ."""
        del low, high
        return 1.5 / self.delta

    def require(self, y: Floats, start: int) -> None:
        """Refuse nothing: every finite number may be."""

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return 2φ."""
        return 2.0 * self.values(mean.reshape(-1, 1), y)

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return NaN: there is none."""
        del mean, weight, dispersion
        return np.full(y.shape, np.nan)

    def variance(self, mean: Floats) -> Floats:
        """Return 1."""
        return np.ones_like(mean)

    def start(self, y: Floats) -> Floats:
        """Return y."""
        return y


class MajorizedHuber(Huber):
    """Pseudo-Huber with 1/√(1 + t²) for a curvature: as φ is concave in t², its parabola in η through y lies above φ.

    References
    ----------
    D. Geman, C. Yang, "Nonlinear image recovery with half-quadratic regularization", IEEE Transactions on Image Processing 4, 1995.
    """

    def terms(self, eta: Floats, y: Floats) -> Terms:
        """Return φ, φ′ and φ′/(η − y)."""
        terms = super().terms(eta, y)
        return terms._replace(curvature=1.0 / np.hypot(1.0, (eta[:, 0] - y) / self.delta))

    def state(self) -> Iterator[State]:
        """Yield what tells it from the loss itself."""
        yield "majorized"
        yield from super().state()
