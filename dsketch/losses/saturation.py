"""The exponential, saturated: what overshoots is far too large, and finite, so that it and its squares can be summed.

A full Newton step from afar may put η at 1e5.  e^η would overflow and look like a fault of the data.  Here it goes on beyond ``CAP`` as
the parabola that has its value, slope and curvature there, and from ``FLAT`` further as a line.  So the function stays convex with a
continuous curvature; its third derivative is at most its second everywhere, as e^t's is; and what minimizes a sum of such functions
with all t below ``CAP`` minimizes the sum with e^t as well (both are convex and agree near that point).
"""

from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats

CAP = 300.0  # e^300 = 2e130: squares, times squares of entries and rows, stay below 1e308
FLAT = 1e6  # beyond CAP: slopes stay below e^300·1e6 = 2e136
FAR = 1e100  # η is taken as this much at most where it stands linearly: products with y stay finite
LARGEST = 1e60  # no y of a family with a log link is larger
MARGIN = 3.0  # what a proof may add to t: −ln(1 − 0.9) = 2.3, rounded up


class Exponential(NamedTuple):
    """Value, slope and curvature of the saturated exponential, each shaped as t."""

    value: Floats
    slope: Floats
    curvature: Floats


def exponential(t: Floats) -> Exponential:
    """Return e^t up to ``CAP`` with its derivatives, and its parabola beyond.

    Examples
    --------
    >>> [float(part[0]) for part in exponential(np.array([0.0]))]
    [1.0, 1.0, 1.0]
    >>> bool(np.isfinite(exponential(np.array([1e300]))).all())
    True
    """
    power = np.exp(np.minimum(t, CAP))
    if np.max(t, initial=-np.inf) <= CAP:
        return Exponential(power, power, power)
    over = np.clip(t - CAP, 0.0, FAR)
    bent = np.minimum(over, FLAT)
    slope = power * (1.0 + bent)
    return Exponential(power * (1.0 + bent + bent * bent / 2.0) + slope * (over - bent), slope, power)


def clip_far(eta: Floats) -> Floats:
    """Return η, no further than ``FAR`` from 0."""
    return np.clip(eta, -FAR, FAR)


def positive_mean(eta: Floats) -> Floats:
    """Return e^η as a positive finite number: the mean of a log link."""
    return np.exp(np.clip(eta, -700.0, 709.0))
