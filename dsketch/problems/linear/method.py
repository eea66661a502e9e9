"""What a method is: a generator that yields looks at the data and returns an answer; no engine, no clock, no I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dsketch.factor import Factor
from dsketch.linalg.backward import backward_error
from dsketch.passes import Slope
from dsketch.sketch import SKETCHES, Sketch, SparseSign
from dsketch.sketch.size import rows_for
from dsketch.system import Flow, LinearSystem

Floats = NDArray[np.float64]

EPS = float(np.finfo(float).eps)
# Householder QR leaves a backward error of 0.2 to 1 eps on the matrices measured (benchmarks/accuracy.py).
QR_LEVEL = 2 * EPS  # what tol=None aims at: no further pass below it
ROUNDING = EPS / 2  # below it a correction that costs nothing is not worth its own rounding either
ACCEPTED = 16 * EPS  # what tol=None still calls solved: the certificate itself is uncertain by a few eps at large residuals


@dataclass(frozen=True)
class Settings:
    """What the user may choose about a method.

    Attributes
    ----------
    tol : float or None
        Backward error to reach, columns scaled; None means as accurate as Householder QR.
    sketch : str
        Name of a sketch.
    sketch_rows : int or None
        m; None means the rule of :mod:`dsketch.sketch.size`.
    seed : int
        Of all random words.
    features : str
        Of a kernel: the family of features that preconditions or replaces it.
    rank : int or None
        How many of them; None means the rule of the family.
    """

    tol: float | None = None
    sketch: str = "sparse_sign"
    sketch_rows: int | None = None
    seed: int = 0
    features: str = "auto"
    rank: int | None = None

    @property
    def goal(self) -> float:
        """Backward error at which a method stops."""
        return QR_LEVEL if self.tol is None else max(self.tol, QR_LEVEL)

    @property
    def accepted(self) -> float:
        """Backward error that still counts as solved."""
        return max(ACCEPTED, self.tol or 0.0)

    def draw(self, problem: LinearSystem, purpose: int, *, nonzeros: int = 8) -> Sketch:
        """Return the sketch of the asked family and of a size that fits ``purpose``."""
        size = self.sketch_rows or rows_for(problem.shape[1], purpose, self.sketch)
        if self.sketch == SparseSign.name:
            return SparseSign(size, self.seed, nonzeros=nonzeros)
        return SKETCHES[self.sketch](size, self.seed)


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


def measured(factor: Factor, x: Floats, slope: Slope) -> Floats:
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
