"""Small symmetric matrices, one a target: products of rows in packed form, Cholesky factors and inverses, all targets side by side.

Arrays have the targets last, so that each step of an elimination is one sweep over them.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats


class Inverse(NamedTuple):
    """H⁻¹ of each target, shape (r, r, w), and a bound on the condition number of H, infinite where H is not positive."""

    K: Floats
    condition: Floats


@lru_cache(maxsize=8)
def _upper(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the packed entries, row by row of the upper triangle."""
    rows, columns = np.triu_indices(size)
    return rows, columns


def pack_rows(Y: Floats) -> Floats:
    """Return the products of two columns of each row, shape (n, r (r + 1)/2): yᵢyⱼ for i ≤ j."""
    rows, columns = _upper(Y.shape[1])
    return np.ascontiguousarray(Y[:, rows] * Y[:, columns])


def unpack(packed: Floats, size: int) -> Floats:
    """Return symmetric matrices, shape (r, r, w), of packed ones, shape (r (r + 1)/2, w)."""
    rows, columns = _upper(size)
    whole = np.empty((size, size, packed.shape[1]))
    whole[rows, columns], whole[columns, rows] = packed, packed
    return whole


def form(U: Floats) -> Floats:
    """Return what makes uᵀM u of a packed M, for each row u of U: shape (len(U), r (r + 1)/2)."""
    rows, columns = _upper(U.shape[1])
    return np.asarray(U[:, rows] * U[:, columns] * np.where(rows == columns, 1.0, 2.0))


def forms(U: Floats, M: Floats) -> Floats:
    """Return uᵀM u for each row of U and each target, shape (len(U), w); M of shape (r, r, w)."""
    rows, columns = _upper(U.shape[1])
    return np.asarray(form(U) @ M[rows, columns])


def quadratic(M: Floats, y: Floats) -> Floats:
    """Return yᵀM y of each target, shape (w,), for M of shape (r, r, w or 1) and y of shape (r, w)."""
    return np.asarray(np.einsum("iw,iw->w", y, apply(M, y)))


def apply(M: Floats, y: Floats) -> Floats:
    """Return M y of each target, shape (r, w)."""
    if M.shape[2] == 1:
        return np.asarray(M[:, :, 0] @ y)
    return np.asarray(np.einsum("ijw,jw->iw", M, y))


def invert(H: Floats) -> Inverse:
    """Return the inverse of each matrix by its Cholesky factor.

    The condition number of a positive matrix is at most tr H · tr H⁻¹.

    Parameters
    ----------
    H : ndarray, shape (r, r, w)
    """
    size = len(H)
    L, is_positive = _cholesky(H)
    inner = np.zeros_like(H)
    for column in range(size):
        inner[column, column] = 1.0 / L[column, column]
        for row in range(column + 1, size):
            inner[row, column] = -np.einsum("kw,kw->w", L[row, column:row], inner[column:row, column]) / L[row, row]
    K = np.einsum("kiw,kjw->ijw", inner, inner) if size > 1 else inner**2
    with np.errstate(over="ignore", invalid="ignore"):
        condition = np.einsum("iiw->w", H) * np.einsum("iiw->w", K)
    return Inverse(K, np.where(is_positive & np.isfinite(condition), condition, np.inf))


def _cholesky(H: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return lower factors, and where they exist; a pivot that is not positive is taken as 1."""
    size = len(H)
    L, is_positive = np.zeros_like(H), np.ones(H.shape[2], dtype=bool)
    for column in range(size):
        before = L[column, :column]
        pivot = H[column, column] - np.einsum("kw,kw->w", before, before)
        is_positive &= pivot > 0
        root = np.sqrt(np.where(pivot > 0, pivot, 1.0))
        L[column, column] = root
        if column + 1 < size:
            rest = H[column + 1 :, column] - np.einsum("ikw,kw->iw", L[column + 1 :, :column], before)
            L[column + 1 :, column] = rest / root
    return L, is_positive
