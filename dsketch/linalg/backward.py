"""Backward error of a least-squares answer: how little A must change for x to be exact.

References
----------
R. Karlson, B. Waldén, "Estimation of optimal backward perturbation bounds for the linear least squares problem", BIT 37, 1997.
S. Gratton, P. Jiránek, D. Titley-Peloquin, "On the accuracy of the Karlson–Waldén estimate of the backward error for linear least
squares problems", SIAM J. Matrix Anal. Appl. 33, 2012: the estimate is within a factor √2 of the optimum.
"""

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch.linalg.columns import norms

Floats = NDArray[np.float64]

# Within these, eps ‖A‖² (the gradient of an x that is right to rounding, at a residual of A's size) is a normal number.
_SMALLEST, _LARGEST = 1e-145, 1e153


def backward_error(s: Floats, Vt: Floats, x: Floats, g: Floats, rr: Floats) -> Floats:
    """Return the Karlson–Waldén estimate of the backward error in A, relative to ‖A‖_F, for each right-hand side.

    ::

        η = ‖(‖x‖² AᵀA + ‖r‖² I)^(-1/2) Aᵀr‖ / ‖A‖_F

    Parameters
    ----------
    s, Vt : ndarray, shapes (d,) and (d, d)
        Singular values and right singular vectors of A (of R).
    x : ndarray, shape (d, k)
    g : ndarray, shape (d, k)
        Aᵀ(b − A x), computed from the data.
    rr : ndarray, shape (k,)
        ‖b − A x‖².

    Returns
    -------
    ndarray, shape (k,)
        0 where the gradient is exactly 0; infinite where the squares of A over- or underflow, so that g and rr say nothing.
    """
    size = float(sl.norm(s, check_finite=False))
    if size == 0:
        return np.zeros(x.shape[1])
    if not _SMALLEST < size < _LARGEST:
        return np.full(x.shape[1], np.inf)
    length = norms(x)
    # Divided through by ‖A‖_F, so that nothing under- or overflows for A as large as 1e150 or as small as 1e-150.
    weight = np.hypot(np.outer(s / size, length), np.sqrt(rr) / size)
    pieces = np.abs(Vt @ (g / size)) / size
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(pieces > 0, pieces / weight, 0.0)
    return norms(ratio)
