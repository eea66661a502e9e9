"""Small words about columns: norms, exact scales and safe ratios."""

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats

_SMALLEST, _LARGEST = 1e-250, 1e300  # sums of squares between these have lost nothing to the ends of float64


def norms(V: Floats) -> Floats:
    """Return the Euclidean norm of each column; its square may be beyond or below what float64 holds.

    Columns whose squares may not be normal numbers are divided by powers of two, which changes no bit of the norm of any other.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->j", V, V)
        found = np.asarray(np.sqrt(squares))
    far = np.flatnonzero(~((squares > _SMALLEST) & (squares < _LARGEST)))
    if far.size and V[:, far].any():
        found[far] = _far_norms(V)[far]
    return found


def _far_norms(V: Floats) -> Floats:
    peaks = np.frexp(np.abs(V).max(axis=0, initial=0.0))[1]
    powers = np.ldexp(1.0, np.clip(peaks, -1021, 1023))
    near_one = V / powers
    return np.asarray(np.sqrt(np.einsum("ij,ij->j", near_one, near_one)) * powers)


def powers_near_norms(V: Floats) -> Floats:
    """Return a power of two near the norm of each column, 1 for zero columns: dividing by it is exact."""
    return powers_near(np.array([sl.norm(column, check_finite=False) for column in V.T]))  # of ∞ the pass tells


def powers_near(sizes: Floats) -> Floats:
    """Return a power of two near each size, 1 for zero."""
    return np.asarray(np.ldexp(1.0, np.where(sizes > 0, np.frexp(np.where(sizes > 0, sizes, 1.0))[1], 0)))


def ratio(above: Floats, below: Floats) -> Floats:
    """Return above/below, 0 where above is 0, infinite where float64 cannot hold it."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(above > 0, above / below, 0.0)


def beside(v: Floats, like: Floats) -> Floats:
    """Return v, one number a row, as it broadcasts against a vector or the columns of a matrix."""
    return v if like.ndim == 1 else v[:, None]
