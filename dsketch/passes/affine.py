"""The row pass of linear predictions: X w and a constant for every side."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.rowwise import Rowwise


@dataclass(frozen=True)
class Affine(Rowwise):
    """Finish to X w + shift, shape (n, k).

    Parameters
    ----------
    w : ndarray, shape (d, k)
    shift : ndarray, shape (k,)
        The intercept.  Adding it here rather than as a column of ones lets raw float64 rows be used where they lie.

    Notes
    -----
    One read, 2 n d k flops.  Each entry is within d u |xᵢ|ᵀ|w| of the exact one (N. J. Higham, Accuracy and Stability of Numerical
    Algorithms, 2nd edition, 2002, (3.12)), and the last bits depend on the cut of the rows into blocks as BLAS does.
    """

    shift: Floats

    kind: ClassVar[str] = "affine"

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return X w + shift."""
        return super().of(X, Y) + self.shift


def affine(x: Floats, *, intercept: bool) -> Affine:
    """Return the row pass of a linear answer x, whose last row is the intercept if there is one.

    Parameters
    ----------
    x : ndarray, shape (d, k) or (d + 1, k)

    Examples
    --------
    >>> affine(np.array([[2.0], [1.0]]), intercept=True).of(np.ones((3, 1)), np.empty((3, 0))).ravel()
    array([3., 3., 3.])
    """
    return Affine(x[:-1], x[-1]) if intercept else Affine(x, np.zeros(x.shape[1]))
