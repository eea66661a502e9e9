"""The largest eigenvalue of a symmetric operator by a few products, to a factor that is proven but for a stated chance.

From a random start, j steps of Lanczos find λ with (1 − ε) λ₁ ≤ λ ≤ λ₁ but for a chance of 1.648 √d exp(−√ε (2j − 1)), whatever the other
eigenvalues.  With ε = 1 − 1/1.21 and 32 steps it is below 10⁻⁹ for d to 12,000 and 2·10⁻⁹ at 40,000: singular values to a factor of 1.1.

References
----------
J. Kuczyński, H. Woźniakowski, "Estimating the largest eigenvalue by the power and Lanczos algorithms with a random start", SIAM J. Matrix
Anal. Appl. 13, 1992, theorem 4.2.
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg as sl
from scipy.special import ndtri

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import draw, uniforms
from dsketch._linalg.streams import SPECTRUM_START

SLACK = 1.1  # by which the root of an eigenvalue that was found may be too small
_STEPS = 32


def largest_eigenvalue(apply: Callable[[Floats], Floats], d: int) -> float:
    """Return the largest eigenvalue of a symmetric operator that is not negative, from below: too small by at most ``SLACK``².

    Parameters
    ----------
    apply : callable
        Its product with a vector of shape (d,).
    """
    basis = np.zeros((min(_STEPS, d) + 1, d))
    start = ndtri(uniforms(draw(0, SPECTRUM_START, 0, d, 1)[:, 0]))
    basis[0] = start / np.linalg.norm(start)
    diagonal, beside, scale = np.zeros(len(basis) - 1), np.zeros(len(basis) - 1), 0.0
    for step in range(len(diagonal)):
        w = apply(basis[step])
        diagonal[step] = basis[step] @ w
        known = basis[: step + 1]
        for _ in range(2):
            w = w - (known @ w) @ known
        beside[step], scale = np.linalg.norm(w), max(scale, abs(float(diagonal[step])))
        if not beside[step] > np.finfo(float).eps * scale:  # the Krylov space is whole
            diagonal = diagonal[: step + 1]
            break
        basis[step + 1] = w / beside[step]
    if not np.isfinite(diagonal).all():
        return float("nan")
    return float(sl.eigvalsh_tridiagonal(diagonal, beside[: len(diagonal) - 1])[-1])
