"""The plan of a penalized or bounded problem: probe a few blocks, price the methods, choose."""

from collections.abc import Mapping
from dataclasses import replace

from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.problems.choose import plan_case
from dsketch.problems.linear.centring import shift_notes
from dsketch.problems.penalized.method import PenalizedCase, PenalizedMethod
from dsketch.problems.penalized.system import PenalizedSystem
from dsketch.settings import Settings


def plan_penalized(
    methods: Mapping[str, PenalizedMethod],
    stored: PenalizedSystem,
    shifted: PenalizedSystem,
    method: str,
    settings: Settings,
    machines: Machines,
) -> Choice:
    """Return the plan for a system whose columns are shifted on the way, or are not.

    Raises
    ------
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    found = probe(shifted.rows)
    workload = workload_of(shifted.rows, stored.points, found, machines)
    case = PenalizedCase(settings, workload, found, stored.rows.sides, stored.folds)
    choice = plan_case(methods, method, case, stored.rows, machines)
    return replace(choice, details=(*choice.details, *_points_text(stored), *shift_notes(shifted.rows.shift)))


def _points_text(system: PenalizedSystem) -> tuple[str, ...]:
    """Return how many points a path has, and folds."""
    if system.points == system.rows.sides and not system.folds:
        return ()
    folds = f", each fitted without each of {system.folds} folds too" if system.folds else ""
    return (f"{system.points} points{folds}; passes are those of one",)
