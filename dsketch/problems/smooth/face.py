"""The face: what the factor of a Hessian drops, and whether rows know of it.

A Hessian lacks rank for two reasons.  Columns depend on each other: then no row moves along its null directions, and x is the
shortest of the minimizers.  Or curvatures have vanished: rows that are fitted to the last bit, a group of labels that are all 1 at
η = 1000, weigh 0, and what moves only these is a null direction as well; x lies on a flat face of the loss as float64 has it, far from
a minimizer, or there is none.  One look at the rows tells.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.dropped import Dropped, Movement
from dsketch.passes.linked import Local
from dsketch.problems.smooth.metric import Metric
from dsketch.problems.smooth.system import Model
from dsketch.settings import EPS

_SAFE = 2.0  # the columns that are not 0 are factored once more


class _Directions(NamedTuple):
    """What a factor keeps and drops, T and N of shape (d · outputs, ·), columns that are 0 aside, and by how much N may move a row."""

    kept: Floats
    dropped: Floats
    empty: NDArray[np.intp]
    allowed: float


def lacks_look(model: Model, local: Local, metric: Metric) -> bool:
    """Whether a proof by this factor still needs a look at the rows along what it drops; where curvatures are constant, it does not."""
    is_constant = model.loss.concordance(local.low, local.high) == 0.0
    return metric.factor.is_deficient and not is_constant and not metric.is_whole


def look_along_dropped(model: Model, local: Local, metric: Metric) -> Flow[Metric]:
    """Return the metric with ``is_whole`` known, and the longest row.  One light pass.

    With R D⁻¹ = U S Vᵀ, T = D⁻¹ V S⁻¹ of what is kept and N = D⁻¹ V of what is dropped.  N of dependent columns moves a row by rounding
    alone: R is right up to an E of the size of the rank's tolerance, which turns N by (E N)ᵀU S⁻¹ in the kept directions, and moves the
    row a by at most ‖E N‖ ‖Tᵀa‖; a product of d numbers is rounded by d eps of its size.  Where columns are independent by as little as the
    tolerance drops, a row of the mean curvature h may move by the tolerance times 1/√h.
    """
    found = _directions(metric.factor)
    shape = metric.x.shape[1], metric.x.shape[0]
    kept, dropped = (V.reshape(*shape, -1).transpose(1, 0, 2) for V in (found.kept, found.dropped))
    floor = np.sqrt(max(local.rows, 1.0)) / np.sqrt(max(local.curvature, np.finfo(float).tiny))
    empty = np.unique(found.empty % shape[1])
    movement: Movement = yield Look(Dropped(model.places, kept, dropped, empty, float(floor)), model.rows)
    return metric.seeing(is_whole=bool(movement.moved <= found.allowed), measured=movement.longest)


def _directions(factor: Factor) -> _Directions:
    """Return what the factor keeps and drops.  A column that is 0 has no unit: it is looked at by itself, and must be 0 in all rows."""
    size = len(factor.R)
    is_empty = ~factor.scaled.any(axis=0)
    present = np.flatnonzero(~is_empty)
    if not present.size:
        return _Directions(np.zeros((size, 0)), np.zeros((size, 0)), np.flatnonzero(is_empty), 0.0)
    inner = Factor.of(factor.R[:, present]) if is_empty.any() else factor
    kept, dropped = np.zeros((size, inner.rank)), np.zeros((size, len(present) - inner.rank))
    kept[present] = inner.solve(np.eye(inner.rank))
    dropped[present] = inner.scaled_null / inner.scale[:, None]
    allowed = _SAFE * (factor.rank_tolerance + size * EPS) * float(inner.scaled_singular[0])
    return _Directions(kept, dropped, np.flatnonzero(is_empty), allowed)
