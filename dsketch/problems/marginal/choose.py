"""The plan of marginal regressions: read a block, time a product, price."""

import time
from dataclasses import replace

import numpy as np

from dsketch._linalg.threads import one_blas_thread
from dsketch._units import format_bytes, format_count
from dsketch.passes.column_tiles import TILE_SAMPLES, Columns
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.choose import plan_case
from dsketch.problems.marginal.method import MarginalCase
from dsketch.problems.marginal.methods import METHODS
from dsketch.problems.marginal.system import MarginalSystem
from dsketch.settings import Settings

_COLUMNS = 256  # of a product that is timed
_TIMES = 3


def plan_marginal(system: MarginalSystem, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan.

    Raises
    ------
    PlanError
        If blocks, targets and covariates do not fit into a worker.
    DataError
        If targets, covariates or the first block cannot be read.
    """
    case = MarginalCase(settings, machines, system, _flop_seconds(system), _column_seconds(system))
    choice = plan_case(METHODS, method, case, system.rows, machines)
    given = {"G": system.columns, "Y": system.sides.Y, "covariates": system.sides.C}
    matrix = "; ".join(
        f"{name} {format_count(one.shape[0])} × {format_count(one.shape[1])} {one.dtype} · {format_bytes(one.nbytes)} · {one.describe()}"
        for name, one in given.items()
        if one is not None
    )
    beside = system.sides.Y.nbytes + (0 if system.sides.C is None else system.sides.C.nbytes)
    return replace(choice, matrix=matrix, aim="to rounding", read_bytes=system.rows.nbytes + beside)


def _flop_seconds(system: MarginalSystem) -> float:
    """Return the seconds of a multiplication and addition in such products, one thread, by the best of a few."""
    width = min(system.sides.Y.shape[1] + system.covariates, 1024)
    left, right = np.ones((_COLUMNS, TILE_SAMPLES)), np.ones((TILE_SAMPLES, width))
    best = float("inf")
    with one_blas_thread():
        for _ in range(_TIMES):
            began = time.perf_counter()
            left @ right
            best = min(best, time.perf_counter() - began)
    return best / (2 * _COLUMNS * TILE_SAMPLES * width)


def _column_seconds(system: MarginalSystem) -> float:
    """Return the seconds to read a column and to widen it, by the first chunk of columns."""
    stop = min(system.columns.chunk, int(system.columns.cuts[1]))
    began = time.perf_counter()
    block = system.columns.read(0, stop)
    for _ in Columns(block, None, system.columns.marks).tiles():
        pass
    return (time.perf_counter() - began) / stop
