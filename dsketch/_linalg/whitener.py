"""Apply T = (block triangular)⁻¹ to the rows of a matrix, at gemm speed and without losing what a triangular solve keeps.

A triangular solve is row-wise backward stable but slow; a product with an explicit inverse is fast but loses accuracy where the
columns of the inverse are not graded.  In between: block substitution whose diagonal blocks are inverted through their singular
value decomposition.  With R_JJ = U Σ Vᵀ the block row is rotated by Uᵀ (which changes the basis of Y, not its span) and T_JJ =
V Σ⁻¹: the error of column j is u‖x‖/σ_j, which R scales back by σ_j, so Y = (X + δ) T with ‖δ‖ ≤ c d u ‖y‖‖R‖ row by row, as a
triangular solve has it.  The columns
are scaled to norm one first (by powers of two: exactly), so that the bound holds in any units: a singular value decomposition of
columns 10²⁴ apart would leave nothing of the small ones.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.columns import powers_near_norms

BLOCK_COLUMNS = 128  # gemm is at full speed from so many columns; flops are n d² (1 + 128/d)


@dataclass(frozen=True)
class Whitener:
    """Rows x ↦ x T, where T has shape (d, r).

    Attributes
    ----------
    matrix : ndarray, shape (r, d)
        R with Y R ≈ A: block upper triangular if ``r == d`` and built by :func:`substitution`.
    inverses : tuple of ndarray
        One T_JJ a column block; a single dense T, shape (d, r), where directions were dropped.
    """

    matrix: Floats
    inverses: tuple[Floats, ...]

    def state(self) -> Iterator[State]:
        """Yield the bytes of its matrix, which tells all."""
        yield self.matrix.tobytes()

    @property
    def rank(self) -> int:
        """Columns r of Y."""
        return int(self.matrix.shape[0])

    def apply(self, X: Floats, out: Floats | None = None) -> Floats:
        """Return Y = X T, shape (rows, r), in ``out`` if that is given."""
        Y = np.empty((X.shape[0], self.rank)) if out is None else out
        if len(self.inverses) == 1:
            return np.matmul(X, self.inverses[0], out=Y)
        low = 0
        for inverse in self.inverses:
            high = low + inverse.shape[0]
            target = X[:, low:high] if not low else X[:, low:high] - Y[:, :low] @ self.matrix[:low, low:high]
            np.matmul(target, inverse, out=Y[:, low:high])
            low = high
        return Y


def substitution(R: Floats) -> Whitener:
    """Return the whitener of a nonsingular upper triangular R, shape (d, d)."""
    d, scale = R.shape[0], powers_near_norms(R)
    edges = [*range(0, d, BLOCK_COLUMNS), d]
    scaled, inverses = R / scale, []
    for low, high in itertools.pairwise(edges):
        U, s, Vt = sl.svd(scaled[low:high, low:high])
        scaled[low:high, low:] = U.T @ scaled[low:high, low:]
        inverses.append(Vt.T / s / scale[low:high, None])
    return Whitener(scaled * scale, tuple(inverses))


def dense(T: Floats, matrix: Floats) -> Whitener:
    """Return the whitener of an explicit T, shape (d, r), with Y ``matrix`` ≈ A."""
    return Whitener(matrix, (T,))
