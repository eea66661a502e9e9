"""The two tails of Student's t, and their logarithm where they are below what float64 holds.

P(|T| > |t|) = I_x(ν/2, ½) with x = ν/(ν + t²), the regularized incomplete beta function.  Far out it underflows (t = 40 at ν = 10⁵ is
10⁻³⁴⁶); its logarithm is then that of the prefactor x^a (1 − x)^b / (a B(a, b)) and of a continued fraction near 1.

References
----------
M. Abramowitz, I. Stegun, "Handbook of mathematical functions", 1964, 26.5.8 and 26.7.1.
W. Lentz, "Generating Bessel functions in Mie scattering calculations using continued fractions", Applied Optics 15, 1976.
"""

import numpy as np
import scipy.special

from dsketch._linalg.arrays import Floats

_FAR = 1e-280  # below it digits are lost to denormal numbers, soon all
_MOST_TERMS = 5000
_TINY = 1e-300


def two_tails(t: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """Return P(|T| > |t|) and −log₁₀ of it.

    Parameters
    ----------
    t : ndarray
        NaN gives NaN.
    freedom : ndarray of the same shape
        Degrees of freedom ν; the result is NaN where they are below 1.

    >>> p, decades = two_tails(np.array([0.0, 40.0]), np.array([5.0, 1e5]))
    >>> p.round(12).tolist(), decades.round(3).tolist()
    ([1.0, 0.0], [-0.0, 346.382])
    """
    with np.errstate(all="ignore"):
        p = np.where(freedom >= 1, 2 * scipy.special.stdtr(freedom, -np.abs(t)), np.nan)
        decades = -np.log10(p)
    if (far := np.flatnonzero(p.ravel() < _FAR)).size:
        decades.ravel()[far] = _far_decades(t.ravel()[far], freedom.ravel()[far])
    return p, decades


def _far_decades(t: Floats, freedom: Floats) -> Floats:
    """Return −log₁₀ of the two tails by the logarithm of their prefactor."""
    a, b = freedom / 2, 0.5
    log_x, log_rest = -np.log1p(t * t / freedom), -np.log1p(freedom / (t * t))
    log_p = a * log_x + b * log_rest - np.log(a) - scipy.special.betaln(a, b) + np.log(_fraction(a, b, np.exp(log_x)))
    return np.asarray(-log_p / np.log(10))


def _fraction(a: Floats, b: float, x: Floats) -> Floats:
    """Return the continued fraction of the incomplete beta function, by Lentz's method: I_x = x^a (1 − x)^b / (a B) times it."""
    c, d = np.ones_like(x), 1 / _away(1 - (a + b) * x / (a + 1))
    found = d.copy()
    for m in range(1, _MOST_TERMS):
        before = found.copy()
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / _away(1 + step * d), _away(1 + step / c)
            found = found * c * d
        if (np.abs(found - before) <= 4 * np.finfo(float).eps * np.abs(found)).all():
            break
    return found


def _away(value: Floats) -> Floats:
    """Return a denominator that is not 0."""
    return np.where(np.abs(value) < _TINY, _TINY, value)
