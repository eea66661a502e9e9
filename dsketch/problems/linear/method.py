"""What a method is: a generator that yields looks at the data and returns an answer; no engine, no clock, no I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.backward import backward_error
from dsketch._linalg.factor import Factor
from dsketch.passes import Slope
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.settings import EPS, Settings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """What a method found, with what a certificate needs.

    Attributes
    ----------
    x : ndarray, shape (d, k)
    factor : Factor
        Of A (and its penalty) if ``is_exact``, else of its sketch.
    slope : Slope or None
        Gradient and residual at x, from the data; None for sketch-and-solve.
    error : ndarray, shape (k,)
        Backward error, columns scaled; for sketch-and-solve an estimate from the sketch.
    residual : ndarray, shape (k,)
        ‖b − A x‖ (penalty included).
    gap : ndarray or None
        Estimate of ‖A (x − x*)‖ where x is only an estimate.
    distortion : float
        ε with 1 − ε ≤ ‖S A v‖/‖A v‖ ≤ 1 + ε where the factor is a sketch's; 0 for A's own.
    move : ndarray, shape (d, k), or None
        What was added to x after its slope was measured: the slope at x then follows from the factor.
    spread : float or ndarray, shape (k,)
        How far RᵀR is from AᵀA beyond rounding, columns scaled, where R comes from AᵀA.
    notes : tuple of str
        What the method decided on the way.
    """

    x: Floats
    factor: Factor
    is_exact: bool
    slope: Slope | None
    error: Floats
    residual: Floats
    gap: Floats | None = None
    distortion: float = 0.0
    move: Floats | None = None
    spread: float | Floats = 0.0
    notes: tuple[str, ...] = ()


@dataclass
class Breakdown(Exception):  # noqa: N818 - a turn of the road, not an error: the next method takes over
    """A method met what it cannot do.

    Attributes
    ----------
    reason : str
        A sentence for the status.
    start : Factor or None
        The factor of a good sketch, if one was made: the next method need not sketch again.
    """

    reason: str
    start: Factor | None = field(default=None)


MethodFlow = Callable[[LinearSystem, Settings, Factor | None], Flow[Answer]]


def backward_error_of(factor: Factor, x: Floats, slope: Slope) -> Floats:
    """Return the backward error of x for every right-hand side, columns scaled."""
    s, Vt = factor.scaled_decomposition
    return backward_error(s, Vt, factor.scale, x, slope.g, slope.rr)


def require_full_rank(start: Factor) -> None:
    """Go on only with a sketch of full rank: a weak sketch loses directions that A has, and only A's own factor can tell.

    Raises
    ------
    Breakdown
        If the sketch is rank-deficient.
    """
    if start.is_deficient:
        raise Breakdown(f"the sketch lacks rank, which a factor of A itself must confirm ({start.rank_reason})")


def require_squares(G: Floats, start: Factor | None = None) -> None:
    """Go on only with a Gram matrix of columns whose squares are normal numbers: others are gone, or have lost digits.

    Raises
    ------
    Breakdown
        If a column, not 0, is too small; ``start`` goes along.
    """
    squares = np.diag(G)
    if ((squares > 0) & (squares < np.finfo(float).tiny / EPS)).any():
        raise Breakdown("the squares of a column are below what float64 holds, so that AᵀA has lost it", start)
