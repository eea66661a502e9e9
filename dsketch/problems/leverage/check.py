"""Judge any scores by the data: one pass for R of A, one that compares."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.leverages import LeverageGap
from dsketch.problems.leverage.certificate import LeverageCertificate
from dsketch.problems.leverage.system import LeverageSystem


def check_leverage(system: LeverageSystem, x: Floats) -> Flow[LeverageCertificate]:
    """Judge scores: the largest error of any of them stands as ``backward_error`` and ``forward_error``.

    Parameters
    ----------
    x : ndarray, shape (n, 1)
    """
    R, _, _ = yield from system.triangle(0)
    factor = Factor(R)
    rows, weights = system.rows, system.rows.weights
    beside = ArrayMatrix(x if weights is None else _undo_weights(x, weights.read(0, rows.shape[0])))
    gap, total, largest = yield Look(LeverageGap(factor.whitener), Rows(rows.A, beside, weights, rows.intercept))
    if weights is not None:
        total, largest = x.sum(), np.abs(x).max()
    return LeverageCertificate(
        backward_error=np.array([gap]),
        residual_norm=np.zeros(1),
        forward_error=np.array([gap]),
        condition=factor.condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        total=float(total),
        expected_total=system.total(factor),
        largest=float(largest),
        spread=(1.0, 1.0, 1.0),
        compared=0,
    )


def _undo_weights(x: Floats, weights: AnyArray) -> Floats:
    """Return what becomes x again where rows are multiplied by √w; of weight 0 it is 0 either way."""
    roots = np.sqrt(weights.astype(np.float64))
    return np.divide(x, roots, out=np.zeros_like(x), where=roots > 0)
