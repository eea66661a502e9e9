"""The plan of a nonlinear problem: probe a few blocks, price the methods."""

from dataclasses import replace
from typing import Protocol

from dsketch.matrix.rows import Rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.planning.work import Kind
from dsketch.problems.choose import plan_case
from dsketch.problems.nonlinear.method import NonlinearCase
from dsketch.problems.nonlinear.methods import METHODS
from dsketch.settings import Settings


class _Asked(Protocol):
    """What a plan needs to know of a problem."""

    rows: Rows
    units: int

    @property
    def work(self) -> Kind:
        """One look of a step."""

    @property
    def has_row_sums(self) -> bool:
        """Whether the Hessian has a sum over rows to sample from."""

    @property
    def starts(self) -> int:
        """Points to begin at."""


def plan_nonlinear(problem: _Asked, asked: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan of a problem.

    Raises
    ------
    SpecError
        If the method asked for cannot answer the problem.
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    found = probe(problem.rows)
    workload = workload_of(problem.rows, problem.rows.sides, found, machines)
    case = NonlinearCase(settings, workload, found, problem.work, problem.units, problem.has_row_sums, problem.starts)
    choice = plan_case(METHODS, asked, case, problem.rows, machines)
    tol = settings.tol
    return replace(choice, aim="a stationary point to rounding" if tol is None else f"relative gradient or step ≤ {tol:.0e}")
