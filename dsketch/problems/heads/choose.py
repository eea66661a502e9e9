"""The plan of several heads: that of the first, the others by its method."""

from collections.abc import Sequence
from dataclasses import replace

from dsketch._units import format_bytes
from dsketch.errors import PlanError
from dsketch.matrix.rows import Rows
from dsketch.planning.choice import MEMORY_SHARE, Choice
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.base import Problem, require_names
from dsketch.settings import Settings


def plan_heads(problems: Sequence[Problem], rows: Rows, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan; the work adds up, the passes do not.

    Parameters
    ----------
    rows : Rows
        Of the matrix that all heads are taken from.

    Raises
    ------
    PlanError
        If the parts of all heads together do not fit in memory.
    """
    plans: list[Choice] = []
    for problem in problems:
        require_names(problem, method, settings)
        plans.append(problem.plan(method, settings, machines))
        method = plans[0].method
    first, passes = plans[0], max(made.estimate.passes for made in plans)
    parts = sum(made.estimate.part_bytes for made in plans[1:])
    memory = max(made.estimate.memory_bytes for made in plans) + 2 * parts
    if memory > (room := MEMORY_SHARE * first.memory_limit_bytes):
        raise PlanError(
            f"the heads together need {format_bytes(memory)} of {format_bytes(room)} a thread. Solve them in groups, or give workers "
            "more memory."
        )
    cost = Estimate(passes, sum(made.estimate.seconds for made in plans), memory, first.estimate.part_bytes + parts)
    return replace(
        first,
        estimate=cost,
        matrix=f"{len(plans)} heads of {rows.A.describe()}, the first: {first.matrix}",
        read_bytes=passes * rows.nbytes,
        details=(*first.details, f"{len(plans)} heads share every reading; seconds are those of each alone, together"),
    )
