"""R of a tall slice in memory: Householder QR, or randomized Cholesky QR where that is faster.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM J. Sci.
Comput. 34, 2012 (TSQR).
A. Higgins, D. Szyld, E. Boman, I. Yamazaki, "Analysis of randomized Householder-Cholesky QR factorization with multisketching",
arXiv 2309.05868, 2023.
"""

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.tiled import triangularize
from dsketch._linalg.whitener import substitution

# Below so many columns LAPACK's QR of a cache-sized slice is at least as fast (measured, d = 100 … 1000).
CHOLESKY_FROM_COLUMNS = 384
TILED_FROM_COLUMNS = 1024  # LAPACK's takes a second on one thread; tiles run side by side between passes
_WORST_CONDITION = 20.0  # a good sketch leaves the Cholesky factor of Y a condition of 3; beyond this the sketch was unlucky


def householder(X: Floats) -> Floats:
    """Return the upper triangular R of X = Q R, shape (min(rows, c), c); in tiles where it is wide."""
    if X.shape[1] >= TILED_FROM_COLUMNS:
        return triangularize(X)
    return np.asarray(np.linalg.qr(X, mode="r"))


def randomized_cholesky(X: Floats, sketched: Floats) -> Floats:
    """Return R of X = Q R through the R₀ of its sketch: Y = X R₀⁻¹, YᵀY = L Lᵀ, R = QR(Lᵀ R₀).

    Falls back to :func:`householder` where the sketch is singular to working precision or proved too weak.

    Parameters
    ----------
    X : ndarray, shape (rows, c)
    sketched : ndarray, shape (m, c)
        S X with m ≥ 2c.
    """
    R0 = householder(sketched)
    scale = np.sqrt(np.einsum("ij,ij->j", R0, R0))
    if not (scale > 0).all() or not np.isfinite(scale).all():
        return householder(X)
    if sl.lapack.dtrcon(R0 / scale)[0] < 1e-14:
        return householder(X)
    whitener = substitution(R0)
    Y = whitener.apply(X)
    try:
        L = sl.cholesky(Y.T @ Y, lower=True, check_finite=False)
    except sl.LinAlgError:
        return householder(X)
    diagonal = np.diag(L)
    if diagonal.max() > _WORST_CONDITION * diagonal.min():
        return householder(X)
    return householder(L.T @ whitener.matrix)
