"""The plan of leverage scores: probe a few blocks, price the methods, choose."""

from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.problems.choose import plan_case
from dsketch.problems.leverage.methods import METHODS
from dsketch.problems.leverage.system import LeverageSystem
from dsketch.problems.method import Case
from dsketch.settings import Settings


def plan_leverage(system: LeverageSystem, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan.

    Raises
    ------
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    found = probe(system.rows, system.penalty)
    case = Case(settings, workload_of(system.rows, 0, found, machines), found)
    return plan_case(METHODS, method, case, system.rows, machines)
