"""The plan of a linear system: probe a few blocks, price the methods, choose."""

from dsketch.planning.choice import Choice, describe_data, describe_machines
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.problems.choose import choose_method
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
    workload = workload_of(shifted.rows, stored.sides, found, machines)
    verdict = choose_method(METHODS, method, Case(settings, workload, found))
    return Choice(
        verdict.name,
        settings,
        verdict.estimate,
        verdict.rejected,
        describe_data(stored.rows, stored.sides),
        describe_machines(machines, found),
        verdict.why,
        verdict.estimate.passes * stored.rows.nbytes,
        found.condition,
        workload.memory_bytes,
        details=shift_notes(shifted.rows.shift),
        takes=METHODS[verdict.name].takes,
    )
