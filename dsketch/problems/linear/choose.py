"""The plan of a linear system: probe a few blocks, price the methods, choose."""

from dataclasses import replace

from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.problems.choose import plan_case
from dsketch.problems.linear.centring import shift_notes
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Case
from dsketch.settings import Settings


def plan_system(stored: LinearSystem, shifted: LinearSystem, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan for a system whose columns are shifted on the way, or are not.

    Raises
    ------
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    found = probe(shifted.rows, shifted.penalty)
    case = Case(settings, workload_of(shifted.rows, stored.sides, found, machines), found)
    choice = plan_case(METHODS, method, case, stored.rows, machines)
    return replace(choice, details=(*choice.details, *shift_notes(shifted.rows.shift)))
