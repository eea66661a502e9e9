"""The plan of a linear system: probe a few blocks, price the methods, choose."""

from dataclasses import replace

from dsketch._units import format_bytes, format_count, format_counted
from dsketch.errors import PlanError, SpecError
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import Probe, block_bytes_of, probe, workload_of
from dsketch.problems.choose import plan_case, require_room
from dsketch.problems.linear.centring import shift_notes
from dsketch.problems.linear.full import price_full
from dsketch.problems.linear.full_answer import FULL
from dsketch.problems.linear.method import LinearMethod
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.tsqr import Tsqr
from dsketch.problems.method import Case
from dsketch.settings import Settings


def require_room_for_columns(system: LinearSystem, method: str, settings: Settings, machines: Machines) -> None:
    """Refuse, before anything is read, so many columns that no method has room for them.

    Raises
    ------
    PlanError
        If a task thread, or the driver, has too little memory for d × d numbers.
    """
    d, unknown = system.shape[1], Probe(1.0, False, 1e9, block_bytes_of(system.rows))
    names = require_room(METHODS, method, Case(settings, workload_of(system.rows, system.sides, unknown, machines), unknown))
    least = min(METHODS[name].squares for name in names)
    if (need := least * 8 * d**2) > machines.driver_bytes:
        raise PlanError(
            f"the driver must hold {least} arrays of {format_count(d)} × {format_count(d)}, {format_bytes(need)}; "
            f"{format_bytes(machines.driver_bytes)} are free there. Solve for fewer columns, or on a machine with more memory."
        )


def plan_system(stored: LinearSystem, shifted: LinearSystem, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan for a system whose columns are shifted on the way, or are not.

    Raises
    ------
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    by_target = shifted.penalty.ndim > 1
    if by_target:
        method = _require_tsqr(method)
    found = probe(shifted.rows, shifted.penalty.min(axis=1) if by_target else shifted.penalty)
    case = Case(settings, workload_of(shifted.rows, stored.sides, found, machines), found)
    methods = METHODS if settings.max_passes is None or by_target else _of_few_passes(method, settings.max_passes, case)
    choice = plan_case(methods, method, case, stored.rows, machines)
    if by_target:
        choice = replace(choice, why="one triangle of A serves every alpha")
    if settings.accuracy == FULL:
        choice = price_full(choice, case, stored.rows.nbytes)
    return replace(choice, details=(*choice.details, *shift_notes(shifted.rows.shift)))


def _of_few_passes(asked: str, most: int, case: Case) -> dict[str, LinearMethod]:
    """Return the methods that read all rows so often at most.

    Raises
    ------
    SpecError
        If none does, or not the one asked for.
    """
    readings = {name: method.readings(case) for name, method in METHODS.items() if asked in ("auto", name)}
    few = {name: METHODS[name] for name, count in readings.items() if count <= most}
    if not any(method.is_offered or name == asked for name, method in few.items()):
        needs = ", ".join(f"{name} {count}" for name, count in readings.items() if METHODS[name].is_offered or name == asked)
        raise SpecError(
            f"a method that reads all rows {format_counted(most, 'time', 'times')} at most was expected; to a backward error of "
            f"{case.settings.accepted:.0e} they are read: {needs}. Give a larger tol, or a larger max_passes, or leave it out."
        )
    return few


def _require_tsqr(method: str) -> str:
    """Return the method for penalties one a target.

    Raises
    ------
    SpecError
        If another was asked for.
    """
    if method not in ("auto", Tsqr.name):
        raise SpecError(
            f"alpha one a target is solved by {Tsqr.name}, whose triangle serves every alpha; got method={method!r}. Leave it out."
        )
    return Tsqr.name
