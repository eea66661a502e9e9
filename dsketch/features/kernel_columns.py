"""Columns of the exponential kernel itself at given centres: what the restricted problem is made of.

exp(s⟨a, z⟩) = e^{s‖a‖²/2} G(a, z) e^{s‖z‖²/2}; the last factor is left to the coefficients, the first multiplies the row.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.features.base import squares
from dsketch.features.centres import Centres


@dataclass(frozen=True, eq=False)
class GrownCentres(Centres):
    """Rows e^{s‖a‖²/2} G(a, centres) T; fields as those of :class:`~dsketch.features.centres.Centres`."""

    name: ClassVar[str] = "grown_centres"

    def fill(self, X: Any, out: Floats) -> None:
        """Expand the Gaussian form, then multiply each row by its own growth; an overflow is found as what is not finite."""
        super().fill(X, out)
        with np.errstate(over="ignore"):
            out *= np.exp(0.5 * self.scale * squares(X))[:, None]
