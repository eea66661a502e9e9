"""Backward error of a least-squares answer: how little A must change for x to be exact, each column in its own unit.

A change E of A is measured by ‖E D⁻¹‖_F / ‖A D⁻¹‖_F, with D the norms of the columns (to a factor of two, so that dividing is exact).
Measured by ‖A‖_F alone, a column in small units could be replaced by anything: x would be called right whatever its coefficient.

References
----------
R. Karlson, B. Waldén, "Estimation of optimal backward perturbation bounds for the linear least squares problem", BIT 37, 1997.
S. Gratton, P. Jiránek, D. Titley-Peloquin, "On the accuracy of the Karlson–Waldén estimate of the backward error for linear least
squares problems", SIAM J. Matrix Anal. Appl. 33, 2012: the estimate is within a factor √2 of the optimum.
"""

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch._linalg.regularized import divide_by_root

# Within these, the square of a residual, and eps times a column times a residual (the gradient of an x that is right to rounding),
# are normal numbers.
_SMALLEST, _LARGEST = 1e-145, 1e153


def backward_error(s: Floats, Vt: Floats, scale: Floats, x: Floats, g: Floats, rr: Floats) -> Floats:
    """Return the Karlson–Waldén estimate of the backward error of each right-hand side, columns scaled.

    ::

        η = ‖(‖D x‖² D⁻¹AᵀA D⁻¹ + ‖r‖² I)^(-1/2) D⁻¹Aᵀr‖ / ‖A D⁻¹‖_F

    Parameters
    ----------
    s, Vt : ndarray, shapes (d,) and (d, d)
        Singular values and right singular vectors of A D⁻¹ (of R D⁻¹).
    scale : ndarray, shape (d,)
        D, near the norms of the columns.
    x : ndarray, shape (d, k)
    g : ndarray, shape (d, k)
        Aᵀ(b − A x), computed from the data.
    rr : ndarray, shape (k,)
        ‖b − A x‖².

    Returns
    -------
    ndarray, shape (k,)
        0 where the gradient is exactly 0; infinite where squares over- or underflow, so that g and rr say nothing.
    """
    size = float(sl.norm(s, check_finite=False))
    if size == 0:
        return np.zeros(x.shape[1])
    with np.errstate(over="ignore"):
        length, residual = norms(scale[:, None] * x), np.sqrt(rr)
    weight = np.hypot(np.outer(s, length), residual)
    pieces = np.abs(Vt @ (g / scale[:, None]))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(pieces > 0, pieces / weight, 0.0) / size
    return np.where(_is_normal(scale, np.hypot(length, residual)), norms(ratio), np.inf)


def backward_error_by(factor: Factor, x: Floats, g: Floats, rr: Floats) -> Floats:
    """Return the same by a factor of A: without singular values, and then by a tenth above the estimate at most, where it has an extent."""
    scale, extent = factor.scale, factor.extent
    if extent is not None:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            length, residual = norms(scale[:, None] * x), np.sqrt(rr)
            found = divide_by_root(extent, g / scale[:, None], length, residual)
        if found is not None:
            known = _is_normal(scale, np.hypot(length, residual))
            return np.where(known, found / float(np.linalg.norm(factor.scaled)), np.inf)
    s, Vt = factor.scaled_decomposition
    return backward_error(s, Vt, scale, x, g, rr)


def _is_normal(scale: Floats, fitted: Floats) -> NDArray[np.bool_]:
    """Return whether squares of b, and products of b with a column, of the size of what was fitted, are far from the ends of float64."""
    least, most = float(scale.min()), float(scale.max())
    with np.errstate(over="ignore", under="ignore"):
        products = (least * fitted > _SMALLEST**2) & (most * fitted < _LARGEST**2)
    return np.asarray((fitted == 0) | ((fitted > _SMALLEST) & (fitted < _LARGEST) & products))
