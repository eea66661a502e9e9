"""What a convolution basis may do to attention: logits that deviate from it, FFT, and the rest of rounding.

Where every logit is within ε of the basis, weights are right up to a factor within e^±ε, and a weighted mean is off by at most
(e^{2ε} − 1) max|v|: the noise bound, twice as sharp as the paper's.  ε is measured, not proven: over probed rows and columns, and over the
first entries of every column.  What FFT rounds off is bounded row by row (:mod:`dsketch.passes.conv_tiles`).  The rest is as in
:mod:`dsketch.problems.attention.rounding`: a profile is itself a computed logit; g − M, and what is multiplied with its exponential, are
rounded; a row adds up a tile, and tiles.
"""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.conv_tiles import SMALL
from dsketch.passes.convolution import Tiling
from dsketch.problems.attention.rounding import U, gamma, logit_error, mean_error
from dsketch.problems.attention.system import Measured

DOUBT = 2.0  # times what tells profiles apart: a column like the first of its block, and that one like the first of its segment
_ROUNDED = 8.0  # times what rounding may do to one logit: of two that are compared, and of the numbers of the rows themselves
_USUAL = 1e-11  # the tolerance, where none is given: angles of positions are themselves rounded, by u times their size
_EXPONENTIALS = 9 * U  # two exponentials and their product
_FURTHER = 64  # halvings of a tile


def profile_tolerance(columns: int, logit: float, tol: float | None) -> float:
    """Return what two logits of one profile may differ by: rounding, or so much that the answer is right to the tolerance."""
    return max(_ROUNDED * logit_error(columns, logit), (tol or _USUAL) / 5)


def basis_eta(measured: Measured, tiling: Tiling, deviation: float) -> float:
    """Return η: a weight, and a sum of weights, is right up to a factor within e^±η, but for FFT, if no logit deviates by more.

    Parameters
    ----------
    deviation : float
        ε.
    """
    system = measured.system
    rows = system.K.shape[0]
    profiles = max(map(len, tiling.basis.starts))
    terms = min(tiling.height, rows) + profiles + rows // SMALL + _FURTHER
    exponent = deviation + logit_error(system.width, measured.logit) + 4 * U * measured.logit
    return float(exponent - np.log1p(-min(_EXPONENTIALS + gamma(terms), 0.5)))


def basis_error(measured: Measured, eta: float, carried: float) -> Floats:
    """Return what a number may be off by, relative to the largest |v| of its column, shape (k,).

    Parameters
    ----------
    eta : float
        η.
    carried : float
        What FFT may round off of numerators and denominators, relative to the sum of weights.
    """
    by_fft = 2 * carried / (1 - carried) if carried < 1 else float("inf")
    error = mean_error(eta, measured.system.K.shape[0], measured.values)
    return np.where(measured.values > 0, error + (1 + error) * by_fft, 0.0)
