"""The plan of a smooth problem: probe a few blocks, price the methods, choose."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.probe import probe, workload_of
from dsketch.problems.choose import plan_case
from dsketch.problems.linear.centring import shift_notes
from dsketch.problems.method import Case
from dsketch.problems.smooth.method import SmoothMethod
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings


def plan_smooth(methods: Mapping[str, SmoothMethod], model: Model, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan.

    The probed rows are those of A, without the curvatures that the answer will give them: their condition number is a hint.

    Raises
    ------
    PlanError
        If memory cannot do it.
    DataError
        If the probed blocks cannot be read or hold a NaN.
    """
    d, outputs = model.shape
    found = probe(model.rows, np.asarray(model.penalty.min(axis=1)))
    workload = workload_of(model.rows, model.rows.sides, found, machines)
    if outputs > 1:  # as rows of d · outputs columns would be, but for what is read
        workload = replace(workload, d=d * outputs, float_bytes=workload.float_bytes * outputs, outputs=outputs)
    choice = plan_case(methods, method, Case(settings, workload, found), model.rows, machines)
    return replace(choice, details=(*choice.details, *shift_notes(model.rows.shift)))
