"""Gram matrices that grow slice by slice: XᵀX added in place, one triangle, the other when all rows are in.

``X.T @ X`` computes one triangle and copies it to the other, entry by entry, into fresh memory, for every slice: up to a quarter of the
time at d = 500 (measured).  A slice is summed by itself before it is added: that bounds the roundings that a product goes through by the
height of a slice and the number of slices, whatever BLAS does.
"""

from typing import Any

import numpy as np
from scipy.linalg import blas

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch


def add_gram(G: Floats, X: Floats) -> None:
    """Add the lower triangle of XᵀX to that of G, in place; above the diagonal G stays as it is.

    Parameters
    ----------
    G : ndarray, shape (d, d)
        C order, float64.
    X : ndarray, shape (rows, d)
        C order, float64; another order is copied.

    Raises
    ------
    ValueError
        For a G of another order, to a copy of which would be added.

    >>> G = np.zeros((2, 2))
    >>> add_gram(G, np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> G.tolist(), mirror(G).tolist()
    ([[10.0, 0.0], [14.0, 20.0]], [[10.0, 14.0], [14.0, 20.0]])
    """
    if not G.flags.c_contiguous:
        raise ValueError("a C-order array was expected: what is added to a copy would be lost")
    if len(X):
        one = scratch("gram", G.shape)
        one[...] = 0.0  # above the diagonal BLAS leaves what it finds
        _syrk(1.0, X.T, c=one.T, overwrite_c=1)
        G += one


def mirror(G: Floats) -> Floats:
    """Return the symmetric matrix whose lower triangle is that of G, shape (d, d)."""
    lower = np.tril(G)
    return np.asarray(lower + np.tril(G, -1).T)


_syrk: Any = blas.dsyrk
