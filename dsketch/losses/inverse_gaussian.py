"""Inverse Gaussian with the log link: positive amounts with the heaviest right tail of the classical families."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.tweedie import SteepTweedie


@dataclass(frozen=True)
class InverseGaussian(SteepTweedie):
    """φ = ½ y e^−2η − e^−η, φ′ = e^−η − y e^−2η, φ″ = 2y e^−2η − e^−η: Tweedie's p = 3, with a density in closed form.

    Notes
    -----
    Not convex: φ″ < 0 where y < μ/2.  What is found is a stationary point; the expected curvature e^−η is positive everywhere.

    References
    ----------
    P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed., Chapman & Hall, 1989, table 2.1.
    """

    power: float = field(default=3.0, init=False)
    family: ClassVar[str] = "inverse_gaussian"

    def deviance(self, y: Floats, mean: Floats) -> Floats:
        """Return (y − μ)²/(yμ²)."""
        gap = y / mean.reshape(y.shape) - 1.0
        return gap * gap / y

    def log_likelihood(self, y: Floats, mean: Floats, weight: Floats, dispersion: float) -> Floats:
        """Return the log density with dispersion φ/w: −½[w d/φ + log(2πφy³/w)]."""
        scale = np.log(2.0 * np.pi * dispersion / weight) + 3.0 * np.log(y)
        return np.asarray(-0.5 * (weight / dispersion * self.deviance(y, mean) + scale))
