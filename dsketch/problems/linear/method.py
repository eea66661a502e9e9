"""What a method for linear systems finds, and what it costs; its flow knows no engine, no clock, no I/O."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.backward import backward_error_by
from dsketch._linalg.bounds import Bounds, Known
from dsketch._linalg.factor import Factor
from dsketch.passes import Slope
from dsketch.planning.price import Estimate, price_works, seconds_between
from dsketch.planning.work import Work
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import SKETCHING, Breakdown, Case, Method
from dsketch.settings import EPS, MAX_PASSES, Settings
from dsketch.sketch.draw import choose_rows

# Of a factor and what is told by it, over d³, on one thread and on all: scales, Lanczos; Cholesky, inverse, its rows, a regularized square
# (measured, d = 1,000 … 2,500).
_CERTIFIED = 1.0, 3.0
QR_FLOPS = 2.0  # of a Gram matrix's, for one of Householder's
# The same for a rule of thumb, in seconds of one thread.
CUBE_SECONDS = 0.1e-9


@dataclass(frozen=True)
class LinearAnswer:
    """What a method found, with what a certificate needs: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    x : ndarray, shape (d, k)
    factor : Factor or Bounds
        Of A (and its penalty) if ``is_exact``, else of its sketch, or what is known without one.
    slope : Slope or None
        Gradient and residual at x, from the data; None for sketch-and-solve.
    backward_error : ndarray, shape (k,)
        Backward error, columns scaled; for sketch-and-solve an estimate from the sketch.
    residual_norm : ndarray, shape (k,)
        ‖b − A x‖ (penalty included).
    gap : ndarray or None
        Estimate of ‖A (x − x*)‖ where x is only an estimate.
    distortion : float
        ε with 1 − ε ≤ ‖S A v‖/‖A v‖ ≤ 1 + ε where the factor is a sketch's; 0 for A's own.
    move : ndarray, shape (d, k), or None
        What was added to x after its slope was measured: the slope at x then follows from the factor.
    spread : float or ndarray, shape (k,)
        How far RᵀR is from AᵀA beyond rounding, columns scaled, where R comes from AᵀA.
    blur : ndarray, shape (2, k), or None
        Where nothing was measured at x: how far the residual may be off, and D⁻¹ times the slope beyond that.
    squares : ndarray, shape (k,), or None
        Then: ‖b − A x‖² as the factor tells it, of which ``slope`` has a bound.
    notes : tuple of str
        What the method decided on the way.
    """

    x: Floats
    factor: Known
    is_exact: bool
    slope: Slope | None
    backward_error: Floats
    residual_norm: Floats
    gap: Floats | None = None
    distortion: float = 0.0
    move: Floats | None = None
    spread: float | Floats = 0.0
    blur: Floats | None = None
    squares: Floats | None = None
    notes: tuple[str, ...] = ()

    @property
    def triangle(self) -> Factor:
        """The factor, of an answer that has one: of whatever lacks rank, or whose columns were shifted."""
        assert isinstance(self.factor, Factor)  # noqa: S101 - for type checkers
        return self.factor


DRAWING = (*SKETCHING, MAX_PASSES.name)  # the settings that a method of this wing reads if it draws a sketch


class LinearMethod(Method[Case, LinearSystem, LinearAnswer]):
    """A method for linear systems: its price is that of its passes.

    Attributes
    ----------
    is_direct : bool
        Whether it promises LAPACK's accuracy in a number of passes that no condition number changes.
    is_estimate : bool
        Whether it promises an error bar instead of a certified answer.
    squares : int
        Arrays of d × d that the driver holds at once: what a pass found, a factor, that scaled, its inverse, a regularized square.
    """

    squares: ClassVar[int] = 5
    takes: ClassVar[tuple[str, ...]] = (MAX_PASSES.name,)
    is_direct: ClassVar[bool] = False
    is_estimate: ClassVar[bool] = False

    @abstractmethod
    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return its passes over d columns."""

    @abstractmethod
    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the largest part that it makes, for k right-hand sides."""

    def works_of(self, case: Case) -> tuple[Work, ...]:
        """Return its passes for a case: those over d columns, unless the case tells more."""
        return self.works(case.settings, case.workload.d)

    def readings(self, case: Case) -> int:
        """Return how often it reads all rows."""
        return sum(work.times for work in self.works_of(case) if work.share)

    def price(self, case: Case) -> Estimate:
        """Return passes, seconds, memory."""
        workload = case.workload
        part = self.part_bytes(case.settings, workload.d, workload.k)
        price = price_works(self.works_of(case), part, workload)
        alone, tiled = self.cubes(case.settings, workload.d)
        return replace(price, seconds=price.seconds + seconds_between(workload.d, alone + _CERTIFIED[0], tiled + _CERTIFIED[1]))

    def cubes(self, settings: Settings, d: int) -> tuple[float, float]:
        """Return the flops of what it does between passes, its certificate aside, over d³: on one thread, and on all of the driver's."""
        del settings, d
        return 0.0, 0.0


def square_bytes(d: int, k: int) -> int:
    """Return the bytes of a triangle, or a Gram matrix, of A, what goes with it for each column of b, and the squares of that."""
    return 8 * (d * (d + k) + k)


def sketch_cubes(settings: Settings, d: int, purpose: int) -> float:
    """Return the flops of the QR of a sketch, over d³."""
    return 2 * QR_FLOPS * choose_rows(settings, d, purpose) / max(d, 1)


def sketch_bytes(settings: Settings, d: int, k: int, purpose: int) -> int:
    """Return the bytes of S [A b], drawn for a purpose (:mod:`dsketch.sketch.size`)."""
    return 8 * choose_rows(settings, d, purpose) * (d + k)


def backward_error_of(factor: Known, x: Floats, slope: Slope) -> Floats:
    """Return the backward error of x for every right-hand side, columns scaled; where there is no factor, a bound on it."""
    if isinstance(factor, Bounds):
        return factor.backward_error(x, slope.g, slope.rr)
    return backward_error_by(factor, x, slope.g, slope.rr)


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
