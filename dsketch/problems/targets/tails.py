"""Two-sided p of Student's t for many t of one number of degrees: cubics between points of log p.

One by one they cost as much as the fit.  log p is smooth in |t|: with points 1/256 apart a cubic that meets values and slopes is off by
2⁻³²/384 times the fourth derivative, which is below 1 for more than two degrees: p keeps the eleven digits that SciPy's own has.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dsketch._linalg.arrays import Floats

_STEP = 256.0  # points a unit of t
_REACH = 32  # beyond, one by one
_FEW = 2_000  # fewer one by one: the points cost as much as some 9,000 by themselves, once a process for all pieces of b
_LEAST_DEGREES = 3  # of fewer the fourth derivative near 0 is larger


def tail(t: Floats, degrees: NDArray[np.int64]) -> Floats:
    """Return the probability of a larger |t|, shape of t; NaN for NaN.

    Parameters
    ----------
    t : ndarray, shape (d, w)
    degrees : ndarray of int, shape (w,)
    """
    size, first = np.abs(t), int(degrees[0]) if degrees.size else 0
    if t.size < _FEW or first < _LEAST_DEGREES or not (degrees == first).all():
        return np.asarray(2 * special.stdtr(degrees, -size))
    place = np.minimum(size, _REACH - 1e-9)
    place *= _STEP
    with np.errstate(invalid="ignore"):
        number = np.where(np.isnan(place), 0.0, place).astype(np.intp)
    a, b, c, e = _cubics(first)
    rest = place - number
    found = e[number] * rest
    for coefficient in (c, b):
        found += coefficient[number]
        found *= rest
    found += a[number]
    np.exp(found, out=found)
    far = size >= _REACH
    if far.any():
        found[far] = 2 * special.stdtr(first, -size[far])
    return np.asarray(found)


@lru_cache(maxsize=4)
def _cubics(degrees: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return, for each interval between points, the coefficients of log p in the share of the interval."""
    t = np.arange(int(_REACH * _STEP) + 1) / _STEP
    p = 2 * special.stdtr(degrees, -t)
    density = np.exp(-(degrees + 1) / 2 * np.log1p(t**2 / degrees)) / (np.sqrt(degrees) * special.beta(0.5, degrees / 2))
    value, slope = np.log(p), -2 * density / p / _STEP
    rise = np.diff(value)
    return value[:-1], slope[:-1], 3 * rise - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * rise
