"""The plan of a function of AᵀA: probe a few blocks, price the methods, choose."""

from collections.abc import Mapping
from typing import Any

from dsketch.matrix.rows import Rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.problems.choose import plan_case
from dsketch.problems.method import Method
from dsketch.problems.powers.method import PowerCase
from dsketch.settings import Settings


def plan_powers(
    methods: Mapping[str, Method[Any, Any, Any]],
    asked: str,
    rows: Rows,
    sides: int,
    settings: Settings,
    machines: Machines,
    *,
    stages: int,
    checked: int,
) -> Choice:
    """Return the plan of a problem.

    Parameters
    ----------
    asked : str
        ``"auto"``, or the name of a method.
    sides : int
        Right-hand sides k.
    stages, checked : int
        As in :class:`~dsketch.problems.powers.method.PowerCase`.

    Raises
    ------
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    found = probe(rows)
    case = PowerCase(settings, workload_of(rows, sides, found, machines), found, stages, checked)
    return plan_case(methods, asked, case, rows, machines)
