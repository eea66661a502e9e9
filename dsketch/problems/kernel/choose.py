"""The plan for a kernel: which method, what it costs, and which features it may take."""

from dataclasses import replace

from dsketch.matrix.rows import Rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.choose import plan_case
from dsketch.problems.kernel.case import KernelCase
from dsketch.problems.kernel.methods import METHODS
from dsketch.settings import Settings


def plan_kernel(rows: Rows, alpha: float, scale: float, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan for (K + λ I) x = b.

    Raises
    ------
    SpecError
        If the method that was asked for does not fit the ridge or the features.
    PlanError
        If vectors of n numbers do not fit into the driver, or a sweep or the features into a worker.
    DataError
        If a sampled row is too long, or holds a NaN.
    """
    case = KernelCase(settings, machines, rows.A, rows.sides, alpha, scale)
    choice = plan_case(METHODS, method, case, rows, machines)
    work = METHODS[choice.method].work(case)
    return replace(
        choice,
        settings=replace(settings, rank=max(work.rank, 1)),
        condition_hint=work.taken.condition,
        aim=f"relative residual ≤ {case.tol:.0e}",
    )
