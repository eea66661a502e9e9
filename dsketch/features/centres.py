"""Kernel columns: G(c_i, z_j) for given centres z_j, with an optional triangular mix; Nyström and pivoted Cholesky features.

With Φ = G(rows, centres) and a factor of G(centres, centres) = RᵀR, F = Φ R⁻¹ gives the Nyström approximation F Fᵀ of G; pass
``mix`` = R⁻¹.  Without a mix Φ itself is the matrix of the restricted problem min ‖Φ w − y‖² + λ wᵀ G(centres, centres) w.
Exponents come from one matrix product with two more columns, so a feature costs 2 (d + 2) flops and one exponential.

References
----------
C. Williams, M. Seeger, "Using the Nyström method to speed up kernel machines", NeurIPS 2000.
Y. Chen, E. N. Epperly, J. A. Tropp, R. J. Webber, "Randomly pivoted Cholesky", Communications on Pure and Applied Mathematics, 2025.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import SpecError
from dsketch.features.base import PRODUCT_ROWS, GaussianMap, multiply_rows, squares

# With as many rows half a megabyte: written by the product, clipped and exponentiated before it leaves the cache.
_PANEL_COLUMNS = 256


@dataclass(frozen=True, eq=False)
class Centres(GaussianMap):
    """Columns of the Gaussian form at given centres.

    Attributes
    ----------
    centres : ndarray, shape (M, d)
        In the coordinates of A (the mean is taken from them as well).
    mix : ndarray, shape (M, M), upper triangular, optional
        T of F = Φ T.
    """

    centres: Floats
    mix: Floats | None = None

    name: ClassVar[str] = "centres"

    def __post_init__(self) -> None:
        """Check at the door."""
        super().__post_init__()
        centres = np.array(self.centres, dtype=np.float64)
        if centres.ndim != 2 or centres.shape[1] != len(self.mean) or not len(centres) or not np.isfinite(centres).all():
            raise SpecError(
                f"centres must be a finite array of at least one row and {len(self.mean)} columns; its shape is {centres.shape}. "
                "Take rows of A."
            )
        object.__setattr__(self, "centres", centres)
        if self.mix is not None:
            mix, count = np.array(self.mix, dtype=np.float64), len(centres)
            if mix.shape != (count, count) or np.tril(mix, -1).any():
                raise SpecError(f"mix must be an upper triangular {count} × {count} array; its shape is {mix.shape}.")
            object.__setattr__(self, "mix", mix)

    def width(self, columns: int) -> int:
        """Return M."""
        self.require_columns(columns)
        return len(self.centres)

    def rows_at_once(self, columns: int) -> int:
        """Return the height of one product."""
        del columns
        return PRODUCT_ROWS

    def expand(self, C: Floats, weight: Floats, out: Floats) -> None:
        """Write Φ, or Φ T by panels of columns that leave out what the triangle has below."""
        del weight
        if self.mix is None:
            self._columns(C, out)
            return
        count = len(self.centres)
        plain = scratch("kernel columns", (len(C), count))
        self._columns(C, plain)
        for low in range(0, count, _PANEL_COLUMNS):
            high = min(low + _PANEL_COLUMNS, count)
            multiply_rows(plain[:, :high], self.mix[:high, low:high], out[:, low:high])

    def _columns(self, C: Floats, out: Floats) -> None:
        """Write G(C, centres) = exp(min(0, [C, −‖C‖²/2, 1] · [Z, 1, −‖Z‖²/2]ᵀ)) into ``out``."""
        h, d = C.shape
        augmented = scratch("augmented", (h, d + 2))
        augmented[:, :d] = C
        augmented[:, d] = -0.5 * squares(C)
        augmented[:, d + 1] = 1.0
        for low in range(0, len(self.centres), _PANEL_COLUMNS):
            panel = out[:, low : low + _PANEL_COLUMNS]
            multiply_rows(augmented, self._targets[:, low : low + _PANEL_COLUMNS], panel)
            np.minimum(panel, 0.0, out=panel)
            np.exp(panel, out=panel)

    @cached_property
    def _targets(self) -> Floats:
        """[Z, 1, −‖Z‖²/2]ᵀ of the centred, scaled centres, shape (d + 2, M)."""
        Z = (self.centres - self.mean) * np.sqrt(self.scale)
        return np.vstack([Z.T, np.ones(len(Z)), -0.5 * squares(Z)])
