"""Sums of products without an error but the last rounding: what is left when large numbers cancel is then right to the last bit.

References
----------
T. J. Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik 18, 1971 (the product).
J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates", Discrete & Computational Geometry
18, 1997 (the sum, as :func:`math.fsum` has it).
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats

_SPLITTER = 2.0**27 + 1


def exact_product(left: Floats, right: Floats) -> Floats:
    """Return arrays whose sum is ``left`` · ``right`` exactly (but for underflow), stacked in front; they broadcast.

    Mantissas are multiplied and powers of two put back, so that nothing overflows on the way.
    """
    (mine, up), (other, more) = np.frexp(left), np.frexp(right)
    product = mine * other
    (a, b), (c, d) = _halves(mine), _halves(other)
    error = ((a * c - product) + a * d + b * c) + b * d
    with np.errstate(over="ignore", under="ignore"):
        return np.stack([np.ldexp(product, up + more), np.ldexp(error, up + more)])


def _halves(values: Floats) -> tuple[Floats, Floats]:
    """Return two arrays of 26 bits each that add up to ``values``."""
    wide = _SPLITTER * values
    high = wide - (wide - values)
    return high, values - high


def exact_sum(terms: Floats) -> Floats:
    """Return the sums over the first axis of an array of shape (m, k), each rounded once."""
    return np.array([_sum(column) for column in terms.T.tolist()])


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond float64, or infinities of both signs: what a plain sum makes of them
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.sum(values))


def float_parts(values: NDArray[np.generic]) -> Floats:
    """Return float64 arrays that add up to ``values`` exactly, stacked in front; 64-bit integers take two.

    Examples
    --------
    >>> float_parts(np.array([2**60 + 1]))
    array([[1.15292150e+18],
           [1.00000000e+00]])
    """
    near = values.astype(np.float64)
    if values.dtype.kind == "f":
        return near[None]
    rest = [int(value) - int(part) for value, part in zip(values.tolist(), near.tolist(), strict=True)]
    return np.stack([near, np.array(rest, dtype=np.float64)])
