"""The iterations that several families run on their own systems, as flows: what a step costs, and when to stop, is the caller's."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dsketch.passes.base import Flow

Floats = NDArray[np.float64]


def heavy_ball(
    descent: Callable[[Floats], Flow[Floats | None]],
    y: Floats,
    epsilon: float,
    is_last: Callable[[Floats, Floats], bool],
    *,
    before: Floats | None = None,
) -> Flow[Floats]:
    """Return y near the zero of a residual c − H y, the spectrum of H within [1/(1 + ε)², 1/(1 − ε)²].

    With momentum ε² and damping (1 − ε²)² the error shrinks by ε a step, as that of conjugate gradients does, with nothing to measure
    on the way but the residual itself.

    Parameters
    ----------
    descent : callable
        Looks at the data for the (preconditioned) residual at y, shape (d, k); None ends the iteration at this y.
    y : ndarray, shape (d, k)
        Where to begin.
    epsilon : float
        The distortion that a sketch promised.
    is_last : callable
        Told every step and the y after it; whether to end there, without another look.
    before : ndarray, shape (d, k), optional
        What came before y; y itself if left out.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Comput. Math. Math. Phys. 4, 1964.
    I. K. Ozaslan, M. Pilanci, O. Arikan, "Iterative Hessian sketch with momentum", ICASSP 2019.
    """
    momentum, old = epsilon**2, y if before is None else before
    while (residual := (yield from descent(y))) is not None:
        step = damp(residual, epsilon) + momentum * (y - old)
        y, old = y + step, y
        if is_last(step, y):
            break
    return y


def damp(residual: Floats, epsilon: float) -> Floats:
    """Return the part of a heavy ball's step that its residual gives: the whole step from rest."""
    return (1 - epsilon**2) ** 2 * residual
