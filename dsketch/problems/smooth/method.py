"""What a method for smooth problems finds, and what it costs."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.linked import Local
from dsketch.planning.price import Estimate, price_works
from dsketch.planning.work import Work
from dsketch.problems.method import Case, Method
from dsketch.problems.smooth.metric import Metric, Proof
from dsketch.problems.smooth.separation import Separation
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings

_LIKELY = 7  # passes of Newton's method from a common start, the light ones at the end counted


class Carry(NamedTuple):
    """Where a method begins: x, how many steps others took to it, and the units of columns that they found, shape (d,)."""

    x: Floats
    steps: int = 0
    lengths: Floats | None = None


@dataclass(frozen=True)
class SmoothAnswer:
    """What a method found, with what a certificate needs: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    x : ndarray, shape (d, outputs)
    local : Local
        Loss and gradient at x, penalty and all.
    metric : Metric
        The factor at hand, at x or near it.
    is_exact : bool
        Whether that factor is the Hessian's rather than a sketch's.
    backward_error : ndarray, shape (1,)
        Of x as an answer to the tangent least-squares problem, columns scaled.
    residual_norm : ndarray, shape (1,)
        F(x).
    decrement : float
        λ at x.
    proof : Proof
        With what rounding may hide, and how far x is from where the factor was taken.
    separation : Separation or None
        Why there is no minimizer.
    notes : tuple of str
    """

    x: Floats
    local: Local
    metric: Metric
    is_exact: bool
    backward_error: Floats
    residual_norm: Floats
    decrement: float
    proof: Proof
    separation: Separation | None = None
    notes: tuple[str, ...] = ()

    @property
    def factor(self) -> Factor:
        """Of the Hessian."""
        return self.metric.factor


class SmoothMethod(Method[Case, Model, SmoothAnswer]):
    """A method for smooth problems: its price is that of its passes."""

    @abstractmethod
    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return its passes, as many as are common."""

    @abstractmethod
    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of its largest part for d coefficients."""

    def price(self, case: Case) -> Estimate:
        """Return passes, seconds, memory."""
        workload = case.workload
        return price_works(self.works(case.settings, workload.d), self.part_bytes(case.settings, workload.d), workload)

    def details(self, case: Case) -> tuple[str, ...]:
        """Say that nobody knows the number of steps before."""
        del case
        return (f"about {_LIKELY} passes: steps depend on the data, and end when their size says so",)
