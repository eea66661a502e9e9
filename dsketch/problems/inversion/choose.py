"""The plans of this wing: probe a few blocks, price the methods."""

from dataclasses import dataclass, replace
from typing import ClassVar

from dsketch.matrix.rows import Rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines, rate
from dsketch.planning.probe import probe, workload_of
from dsketch.planning.work import GRAM, LEVERAGES, TRIANGLE
from dsketch.problems.choose import plan_case
from dsketch.problems.inversion.distribution_methods import METHODS as SCORES
from dsketch.problems.inversion.method import GradientCase
from dsketch.problems.inversion.methods import METHODS
from dsketch.problems.nonlinear.method import NonlinearCase
from dsketch.settings import Settings


@dataclass(frozen=True)
class DistributionCase(NonlinearCase):
    """What a method for leverage scores is priced on: three looks a step, a tensor of d³ numbers."""

    looks_a_step: ClassVar[int] = 3

    @property
    def look_seconds(self) -> float:
        """Seconds a gigabyte of the three looks, for one start: a QR, the tensor, rows of J."""
        grams = 4.0 + 5.0 * self.workload.d / 3.0
        return rate(TRIANGLE, self.workload) + 2 * rate(LEVERAGES, self.workload) + grams * rate(GRAM, self.workload)

    @property
    def part_bytes(self) -> int:
        """Bytes of the tensor, for all starts."""
        d = self.workload.d
        return 8 * self.starts * (d**3 + 2 * d**2)


def plan_gradient(rows: Rows, asked: str, settings: Settings, machines: Machines, *, is_weighted: bool) -> Choice:
    """Return the plan for g(x) = c.

    Raises
    ------
    SpecError
        If the method asked for cannot answer the problem.
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    found = probe(rows)
    case = GradientCase(settings, workload_of(rows, rows.sides, found, machines), found, is_weighted)
    asked = "newton" if is_weighted and asked == "auto" else asked
    choice = plan_case(METHODS, asked, case, rows, machines)
    tol = settings.tol
    return replace(choice, aim="g(x) = c to rounding" if tol is None else f"relative change of slacks ≤ {tol:.0e}")


def plan_distribution(rows: Rows, asked: str, settings: Settings, machines: Machines, starts: int) -> Choice:
    """Return the plan for leverage scores.

    Parameters
    ----------
    starts : int
        Points to begin at.

    Raises
    ------
    SpecError, PlanError, DataError
        As :func:`plan_gradient`.
    """
    found = probe(rows)
    workload = workload_of(rows, 1, found, machines)
    case = DistributionCase(settings, workload, found, LEVERAGES, 0, True, starts)
    choice = plan_case(SCORES, asked, case, rows, machines)
    tol = settings.tol
    return replace(choice, aim="a stationary point to rounding" if tol is None else f"relative gradient or step ≤ {tol:.0e}")
