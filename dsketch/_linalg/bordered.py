"""Cholesky factors of blocks of one matrix, one after the other: what a block shares with the one before is factored once.

The factor is kept packed, column after column, so that columns are appended where they are: k²/2 numbers read for each, where a new factor
of order k takes k³/3 flops.
"""

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.settings import EPS

# So many columns are appended one by one before a new factor is cheaper: k²/3000, by timing both for k from 30 to 400.
_WORTH_ONE_BY_ONE = 3000


class Bordered:
    """UᵀU = H + diag(ridge) for some columns of H, in an order of its own; columns that leave take those behind them along.

    Parameters
    ----------
    H : ndarray, shape (d, d)
        Symmetric, not negative.
    """

    def __init__(self, H: Floats) -> None:
        d = len(H)
        self._H, self._diagonal = H, np.diagonal(H)
        self._packed, self._ridge = np.zeros(d * (d + 1) // 2), np.zeros(d)
        self._columns = np.zeros(0, dtype=np.intp)
        self._inverse, self._known = np.zeros(d), 0  # the squares of the columns of U⁻¹, of as many as are known

    def factor(self, columns: NDArray[np.intp], ridge: Floats) -> bool:
        """Turn to some columns; return whether they, with their ridge, are independent beyond rounding.

        Parameters
        ----------
        columns : ndarray of int, shape (c,)
        ridge : ndarray, shape (c,)
        """
        wanted, size = np.zeros(len(self._H), dtype=np.bool_), float((self._diagonal[columns] + ridge).max(initial=0.0))
        wanted[columns] = True
        wanted_ridge = np.zeros(len(self._H))
        wanted_ridge[columns] = ridge
        stays = wanted[self._columns] & (wanted_ridge == self._ridge)[self._columns]
        kept = len(stays) if stays.all() else int(np.argmin(stays))
        behind = self._columns[kept:]
        wanted[self._columns[:kept]] = False
        behind = behind[wanted[behind]]
        wanted[behind] = False
        order = np.concatenate([self._columns[:kept], behind, np.flatnonzero(wanted)])
        self._ridge, least = wanted_ridge, 4 * EPS * len(columns) * (size or 1.0)
        if len(order) - kept > max(len(order) ** 2 / _WORTH_ONE_BY_ONE, 1):
            return self._replace(order, least)
        self._known = min(self._known, kept)
        for place in range(kept, len(order)):
            if not self._append(order[: place + 1], least):
                self._columns = order[:place]
                return False
        self._columns = order
        return True

    def solve(self, columns: NDArray[np.intp], side: Floats) -> Floats:
        """Return (UᵀU)⁻¹ side for the columns that were turned to last."""
        if not columns.size:
            return np.zeros(0)
        whole = np.zeros(len(self._H))
        whole[columns] = side
        whole[self._columns] = sl.lapack.dpptrs(columns.size, self._packed, whole[self._columns])[0]
        return whole[columns]

    def extent(self) -> tuple[float, float]:
        """Return 1/‖U⁻¹‖², a lower bound of the smallest eigenvalue of UᵀU within a factor of its order, and about the condition of U."""
        k = len(self._columns)
        if k - self._known > max(k**2 / _WORTH_ONE_BY_ONE, 1):
            inverse = sl.lapack.dtrtri(sl.lapack.dtpttr(k, self._packed[: k * (k + 1) // 2])[0])[0]
            self._inverse[:k] = np.einsum("ij,ij->j", inverse, inverse)
        else:
            for place in range(self._known, k):
                start = place * (place + 1) // 2
                column, last = self._packed[start : start + place], self._packed[start + place]
                above = sl.blas.dtpsv(place, self._packed, column) if place else column
                self._inverse[place] = (1.0 + above @ above) / last**2
        self._known = k
        inverse_squares = float(self._inverse[:k].sum())
        squares = float((self._diagonal + self._ridge)[self._columns].sum())
        return 1 / inverse_squares, float(np.sqrt(squares * inverse_squares)) / k

    def _append(self, order: NDArray[np.intp], least: float) -> bool:
        """Append the last of the columns to the factor of those before; return whether it is independent of them."""
        place, new = len(order) - 1, order[-1]
        column = self._H[new].take(order)
        if place:
            column[:-1] = sl.blas.dtpsv(place, self._packed, column[:-1], trans=1)
        square = float(column[-1] + self._ridge[new] - column[:-1] @ column[:-1])
        if not square > least:
            return False
        column[-1] = np.sqrt(square)
        start = place * (place + 1) // 2
        self._packed[start : start + place + 1] = column
        return True

    def _replace(self, order: NDArray[np.intp], least: float) -> bool:
        """Factor all anew; return whether they are independent."""
        M = block(self._H, order, self._ridge[order])
        U, info = sl.lapack.dpotrf(M.T, overwrite_a=1, clean=0)
        if info or not float(np.diagonal(U).min()) ** 2 > least:
            self._columns, self._known = order[:0], 0
            return False
        self._packed[: len(order) * (len(order) + 1) // 2] = sl.lapack.dtrttp(U)[0]
        self._columns, self._known = order, 0
        return True


def block(H: Floats, columns: NDArray[np.intp], ridge: Floats) -> Floats:
    """Return H + diag(ridge) for some columns."""
    M = H.take(columns, axis=0).take(columns, axis=1)  # three times faster than by one index, of 400 columns
    M.flat[:: len(M) + 1] += ridge
    return M
