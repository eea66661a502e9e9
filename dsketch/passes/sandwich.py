"""The pass behind heteroscedasticity-robust standard errors: Σ ωᵢ yᵢ yᵢᵀ in whitened coordinates, for HC0 to HC3 at once.

References
----------
J. G. MacKinnon, H. White, "Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
properties", Journal of Econometrics 29, 1985.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch.linalg.whitener import Whitener
from dsketch.matrix.rows import Block
from dsketch.passes.base import Floats, Part, Pass, heavy_rows


@dataclass(frozen=True)
class Sandwich(Pass[Floats]):
    """Finish to the meats ``M[c, s]`` = Σᵢ ω_c(rᵢ, hᵢ) yᵢ yᵢᵀ, shape (3, k, r, r): c = HC0, HC2, HC3.

    Parameters
    ----------
    x : ndarray, shape (d, k)
        The solution; r = b − A x.
    whitener : Whitener
        T with Y = A T orthonormal, so that hᵢ = ‖yᵢ‖² is the leverage and the covariance is T M Tᵀ.

    Notes
    -----
    ω is r², r²/(1 − h), r²/(1 − h)²; HC1 is HC0 · n/(n − d).  One read, about 2.3 + 3k times n d² flops.
    """

    x: Floats
    whitener: Whitener

    kind: ClassVar[str] = "sandwich"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's weighted Gram matrices."""
        k, r = self.x.shape[1], self.whitener.rank
        (meat,) = part or (np.zeros((3, k, r, r)),)
        for _, X, B in block.slices(heavy_rows(block.columns)):
            Y = self.whitener.apply(X)
            residual = np.abs(B - X @ self.x)
            room = np.maximum(1.0 - np.einsum("ij,ij->i", Y, Y), np.finfo(float).eps)[:, None]
            for case, weighted in enumerate((residual, residual / np.sqrt(room), residual / room)):
                for side in range(k):
                    Z = Y * weighted[:, side : side + 1]
                    meat[case, side] += Z.T @ Z
        return (meat,)

    def finish(self, part: Part) -> Floats:
        """Return the meats."""
        meat: Floats = part[0]
        return meat

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 3 k d² numbers."""
        return 8 * 3 * sides * columns**2
