"""What a product leaves of a block: S − Q z in one sweep."""

import numpy as np
from scipy.linalg import blas

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch


def residual(S: Floats, Q: Floats, z: Floats) -> Floats:
    """Return S − Q z in memory that the next call of this thread overwrites.

    BLAS subtracts where it multiplies: a product that is stored first costs two more sweeps over memory, half as much again beside few
    columns.

    Parameters
    ----------
    S : ndarray, shape (n, w)
    Q : ndarray, shape (n, r)
    z : ndarray, shape (r, w)

    >>> residual(np.array([[3.0, 4.0]]), np.array([[2.0]]), np.array([[1.0, 2.0]]))
    array([[1., 0.]])
    """
    out = scratch("residual", (S.shape[0], S.shape[1]))
    np.copyto(out, S)
    return subtract(out, Q, z)


def subtract(S: Floats, Q: Floats, z: Floats) -> Floats:
    """Return S, C order, with S − Q z in its place.

    >>> subtract(np.array([[3.0, 4.0]]), np.array([[2.0]]), np.array([[1.0, 2.0]]))
    array([[1., 0.]])
    """
    if S.size and len(z):
        blas.dgemm(-1.0, z.T, Q.T, beta=1.0, c=S.T, overwrite_c=1)  # in columns, as BLAS has it: of all three the transposes
    return S
