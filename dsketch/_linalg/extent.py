"""What an inverse proves of a triangle: that its rank is full, and how far its singular values reach, without finding them.

Substitution gives X with R X = I + E, ‖E‖_F ≤ 2 d u ‖R‖_F ‖X‖_F = e.  Where e ≤ 1/10, R is regular, and ‖R⁻¹‖ is ‖X‖ to a factor
1 ± 1.2 e, row by row.  ‖R‖_F ‖X‖_F is then below 1/(20 d u): the condition number is hundreds of times below where a rank is in doubt.
The ends of the spectrum follow by Lanczos on R and on X (:mod:`~dsketch._linalg.lanczos`).  All of it takes d³/3 flops, at the speed of
products; a singular value decomposition takes twenty to sixty times as many, half of them at the speed of memory.

References
----------
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002, Sections 8.1 and 14.2 (E), 15.1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.lanczos import SLACK, largest_eigenvalue
from dsketch._linalg.tiled import invert, multiply_by_square, multiply_by_turned_square, norms_of_square
from dsketch.settings import EPS

DECOMPOSED_COLUMNS = 128  # up to so many columns a decomposition takes milliseconds and tells all
_REGULAR = 0.1


@dataclass(frozen=True)
class Extent:
    """The inverse of a regular upper triangle whose columns have norms near one.

    Attributes
    ----------
    R, X : ndarray, shape (d, d)
        The triangle, and its inverse as it was computed.
    doubt : float
        How far a row of X, or its norm, may be from that of the inverse, relatively.
    """

    R: Floats
    X: Floats
    doubt: float

    @cached_property
    def largest(self) -> float:
        """The largest singular value of R, from below, to a factor of 1.1."""
        return float(np.sqrt(largest_eigenvalue(lambda v: multiply_by_square(self.R, v), len(self.R))))

    @cached_property
    def least(self) -> float:
        """The least singular value of R, from above, to a factor of 1.1 and ``doubt``."""
        return float(1 / np.sqrt(largest_eigenvalue(lambda v: multiply_by_turned_square(self.X, v), len(self.X))))

    @cached_property
    def row_norms(self) -> tuple[Floats, Floats]:
        """Upper bounds of the norms of the rows of R⁻¹ and of R⁻¹R⁻ᵀ, shape (d,) each."""
        more = 1 + self.doubt
        return more * np.sqrt(np.einsum("ij,ij->i", self.X, self.X)), more**2 * norms_of_square(self.X)

    @property
    def bounds(self) -> tuple[float, float]:
        """A lower bound of all singular values of R, and an upper one."""
        across = min(SLACK / self.least, float(np.linalg.norm(self.X))) * (1 + self.doubt)
        return 1 / across, min(SLACK * self.largest, float(np.linalg.norm(self.R)))

    def condition(self, units: Floats) -> float:
        """Return the condition number of R diag(units), to a factor of 1.1² from below, for units whose squares are normal numbers."""
        if (units == units[0]).all():
            return self.largest / self.least
        d = len(units)
        largest = largest_eigenvalue(lambda v: units * multiply_by_square(self.R, units * v), d)
        across = largest_eigenvalue(lambda v: multiply_by_turned_square(self.X, v / units) / units, d)
        return float(np.sqrt(largest) * np.sqrt(across))


def extent_of(R: Floats) -> Extent | None:
    """Return what the inverse of an upper triangle proves, or None where it proves nothing, or a decomposition is cheap."""
    d = len(R)
    if d <= DECOMPOSED_COLUMNS or not np.diagonal(R).all():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        X = invert(R)
        error = d * EPS * float(np.linalg.norm(R)) * float(np.linalg.norm(X))
    return Extent(R, X, error / (1 - error)) if error <= _REGULAR else None
