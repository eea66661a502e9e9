"""The density of a Tweedie variable with 1 < p < 2, by its series, summed where its terms count."""

import numpy as np
from scipy.special import gammaln

from dsketch._linalg.arrays import Floats

_ROWS = 4096  # rows at a time: about 100 terms each
_SPREAD = 12.0  # terms fall as e^−t²/2, t in standard deviations from the largest: e^−72 at the end of the window
_FIRST = 30  # more terms above the largest, for those that fall as 1/j! where the largest is one of the first
_FINE = 2.5  # steps a standard deviation: a sum of every h-th term is right to 2e^{−2π²·2.5²} = 1e-53


def log_density(y: Floats, mean: Floats, dispersion: Floats, power: float) -> Floats:
    """Return log f(y; μ, φ, p), rows of y = 0 as the probability of 0.

    f = e^{(yθ − κ)/φ} W/y, θ = μ^{1−p}/(1−p), κ = μ^{2−p}/(2−p), W = Σ_{j≥1} z^j/(j! Γ(ja)), a = (2−p)/(p−1),
    log z = a log y − a log(p−1) − (1+a) log φ − log(2−p).  The terms are log-concave in j with the largest near
    y^{2−p}/((2−p)φ) and a spread σ of √(j/(1+a)); a window of ±12σ is summed, and where σ is large every (σ/2.5)-th term stands for
    its neighbours, which Poisson's summation formula says is as exact.

    Parameters
    ----------
    y, mean, dispersion : ndarray, shape (rows,)
    power : float
        p.

    References
    ----------
    P. K. Dunn, G. K. Smyth, "Series evaluation of Tweedie exponential dispersion model densities", Statistics and Computing 15, 2005.
    """
    mass = -(mean ** (2.0 - power)) / (dispersion * (2.0 - power))
    above = np.flatnonzero(y > 0)
    result = np.array(mass, dtype=np.float64)
    for begin in range(0, len(above), _ROWS):
        rows = above[begin : begin + _ROWS]
        tilt = y[rows] * mean[rows] ** (1.0 - power) / ((1.0 - power) * dispersion[rows])
        result[rows] += tilt + _log_series(y[rows], dispersion[rows], power) - np.log(y[rows])
    return result


def _log_series(y: Floats, dispersion: Floats, power: float) -> Floats:
    """Return log W of each row."""
    a = (2.0 - power) / (power - 1.0)
    log_z = a * (np.log(y) - np.log(power - 1.0)) - (1.0 + a) * np.log(dispersion) - np.log(2.0 - power)
    largest = np.maximum(y ** (2.0 - power) / ((2.0 - power) * dispersion), 1.0)
    spread = np.sqrt(largest / (1.0 + a))
    stride = np.maximum(np.floor(spread / _FINE), 1.0)
    first = np.maximum(np.floor(largest - _SPREAD * spread), 1.0)
    last = largest + _SPREAD * spread + _FIRST
    steps = int(np.max((last - first) / stride)) + 1
    j = first[:, None] + stride[:, None] * np.arange(steps)
    logs = j * log_z[:, None] - gammaln(j + 1.0) - gammaln(a * j)
    top = logs.max(axis=1)
    return np.asarray(top + np.log(stride * np.exp(logs - top[:, None]).sum(axis=1)))
