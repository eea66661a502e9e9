"""What is rounding: where a residual, or the spread of b, is too small against the data to mean anything.

b and every column aⱼ come rounded, x is rounded, and Householder QR adds 0.2 to 1 eps of each column's norm; the parts are independent,
so ‖b − A x‖ of an exact fit is about eps √(‖b‖² + Σ ‖aⱼ‖² xⱼ²): measured 0.4 to 4.3 times that for n to 200,000, d to 600, powers of
years, and 23 times for a column of UNIX seconds after a weak sketch.  64 times is the limit: a residual above it has at least a digit,
one of 10⁻¹² ‖b‖ has two.
"""

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.errors import DataError
from dsketch.passes import Slope
from dsketch.settings import EPS

_LIMIT = 64 * EPS
_SMALLEST = 1e-140  # below this ‖b‖ the square of a residual of 10⁻¹³ ‖b‖ has lost its digits


def is_rounding(size: Floats, of: Floats) -> NDArray[np.bool_]:
    """Return where a norm is nothing but rounding of what it was computed from, whose norm is ``of``."""
    return np.asarray(size <= _LIMIT * of)


def size_of(slope: Slope) -> Floats:
    """Return √Σ w b² for each side; neither part cancels."""
    return np.asarray(np.hypot(np.sqrt(slope.spread), np.sqrt(slope.weight) * np.abs(slope.mean)))


def terms_of(R: Floats, x: Floats) -> Floats:
    """Return √Σ ‖aⱼ‖² xⱼ² for each side: the size of what A x is added up from.

    Parameters
    ----------
    R : ndarray, shape (d, d)
        With the column norms of √W A.
    x : ndarray, shape (d, k)
    """
    return norms(norms(R)[:, None] * x)


def require_squares_of_b(size: Floats) -> None:
    """Go on only with a b whose squares float64 holds, as it is asked of A; b = 0 is no harm.

    Parameters
    ----------
    size : ndarray, shape (k,)
        Near √Σ w b² or its largest term, computed without squares.

    Raises
    ------
    DataError
        Naming the side and the size.
    """
    lost = np.flatnonzero((size > 0) & (size < _SMALLEST))
    if lost.size:
        raise DataError(
            f"the squares of b must not be below what float64 holds; right-hand side {lost[0]} is of size {size[lost[0]]:.1e}. Rescale "
            "A and b (units!) to entries between 1e-140 and 1e150."
        )
