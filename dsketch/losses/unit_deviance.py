"""The unit deviance of a variance μ^p, without the cancellation that its closed form has near y = μ."""

import numpy as np
from scipy.special import xlogy

from dsketch._linalg.arrays import Floats

_NODES, _WEIGHTS = (0.5 * (1.0 + np.polynomial.legendre.leggauss(12)[0]), 0.5 * np.polynomial.legendre.leggauss(12)[1])
_NEAR = 0.5  # the nearest pole of the integrand lies at |v| = 2: 12 nodes leave an error of (3 + √8)^-24 = 4e-19


def unit_deviance(y: Floats, mean: Floats, power: float) -> Floats:
    """Return d(y, μ) = 2 ∫_μ^y (y − t) t^−p dt of each row.

    Far from μ this is 2[y^{2−p}/((1−p)(2−p)) − yμ^{1−p}/(1−p) + μ^{2−p}/(2−p)] with its limits at p = 1 (Poisson) and 2 (gamma).  Within
    half of μ its three terms cancel; there t = μ(1 + sv), s = y/μ − 1 gives 2μ^{2−p}s² ∫₀¹ (1 − v)(1 + sv)^−p dv, a sum of positive
    terms by Gauss's rule.

    Parameters
    ----------
    y, mean : ndarray, shape (rows,)
    power : float
        p.

    Examples
    --------
    >>> unit_deviance(np.array([0.0, 2.0]), np.array([1.5, 2.0]), 1.0).tolist()
    [3.0, 0.0]
    """
    ratio = y / mean
    offset = (y - mean) / mean
    near = np.abs(offset) <= _NEAR
    units = np.empty_like(offset)
    units[near] = _near(offset[near], power)
    units[~near] = _far(ratio[~near], power)
    return 2.0 * mean ** (2.0 - power) * units


def _near(offset: Floats, power: float) -> Floats:
    integral = np.zeros_like(offset)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        integral += weight * (1.0 - node) * (1.0 + offset * node) ** -power
    return offset * offset * integral


def _far(ratio: Floats, power: float) -> Floats:
    if power == 1.0:
        return np.asarray(xlogy(ratio, ratio) - (ratio - 1.0))
    if power == 2.0:
        return ratio - 1.0 - np.log(ratio)
    one, two = 1.0 - power, 2.0 - power
    return (ratio**two - two * ratio + one) / (one * two)
