"""The pass behind heteroscedasticity-robust standard errors: Σ ωᵢ yᵢ yᵢᵀ in whitened coordinates.

References
----------
H. White, "A heteroskedasticity-consistent covariance matrix estimator and a direct test for heteroskedasticity", Econometrica 48,
1980 (HC0).
J. G. MacKinnon, H. White, "Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
properties", Journal of Econometrics 29, 1985 (HC1 to HC3).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch.linalg.whitener import Whitener
from dsketch.matrix.rows import Block
from dsketch.passes.base import Floats, Part, Pass, heavy_rows

# A row whose 1 − h is at most this is fitted by itself alone: r = 0 but for rounding, and r/(1 − h) would be noise over noise.
ALONE = 1e-10


@dataclass(frozen=True)
class Sandwich(Pass[tuple[Floats, int]]):
    """Finish to the meat ``M[s]`` = Σᵢ rᵢ²/(1 − hᵢ)^(2 power) yᵢ yᵢᵀ, shape (k, r, r), and the number of rows with leverage 1.

    Parameters
    ----------
    x : ndarray, shape (d, k)
        The solution; r = √w (b − A x).
    whitener : Whitener
        T with Y = √W A T orthonormal (from A's own factor), so that hᵢ = ‖yᵢ‖² is the leverage and the covariance is T M Tᵀ.
    power : float
        0 for HC0 (and HC1, which is HC0 · n/(n − rank)), ½ for HC2, 1 for HC3.

    Notes
    -----
    Rows with leverage 1 have r = 0; with a positive power they are left out, their share being 0/0.  One read, about 2.3 + 2k
    times n d² flops, k d² numbers a part.
    """

    x: Floats
    whitener: Whitener
    power: float = 0.0

    kind: ClassVar[str] = "sandwich"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's weighted Gram matrices."""
        k, r = self.x.shape[1], self.whitener.rank
        meat, alone = part or (np.zeros((k, r, r)), np.zeros(1))
        for _, X, B in block.slices(heavy_rows(block.columns)):
            Y = self.whitener.apply(X)
            residual = B - X @ self.x
            if self.power:
                room = 1.0 - np.einsum("ij,ij->i", Y, Y)[:, None]
                is_alone = room <= ALONE
                alone += np.count_nonzero(is_alone)
                residual = np.where(is_alone, 0.0, residual / np.where(is_alone, 1.0, room) ** self.power)
            for side in range(k):
                Z = Y * residual[:, side : side + 1]
                meat[side] += Z.T @ Z
        return meat, alone

    def finish(self, part: Part) -> tuple[Floats, int]:
        """Return the meats and the number of rows with leverage 1."""
        return part[0], int(part[1][0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return k d² numbers."""
        return 8 * sides * columns**2
