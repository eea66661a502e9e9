"""Judge any scores, or any x of a regression, by the data: R of A, and what it tells."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Gradient, Look, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.leverages import LeverageGap
from dsketch.problems.leverage.certificate import LeverageCertificate
from dsketch.problems.leverage.sampled_certificate import SampledCertificate, checked_certificate
from dsketch.problems.leverage.sampled_system import SampledSystem
from dsketch.problems.leverage.system import LeverageSystem
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.linear.statistics.rounding import require_squares_of_b


def check_leverage(system: LeverageSystem, x: Floats) -> Flow[LeverageCertificate]:
    """Judge scores: ``forward_error`` is the largest relative error of any of them, ``backward_error`` what change of A explains it.

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
        backward_error=np.array([gap / factor.scaled_condition]),
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


def check_sampled(system: SampledSystem, x: Floats) -> Flow[SampledCertificate]:
    """Judge x, shape (d, k), by how far it is above the least residual; one pass.

    Raises
    ------
    DataError
        If all weights are 0, or the squares of b are below what float64 holds.
    """
    n = system.shape[0]
    found, slope = yield Look(Both(Triangle(), Gradient(x)), system.rows)
    require_weight(slope.rows)
    require_squares_of_b(slope.peak)
    factor = Factor.of(np.concatenate([found.R, np.diag(np.sqrt(system.penalty))]))
    weighted = system.penalty[:, None] * x
    slope = slope._replace(g=slope.g - weighted, rr=slope.rr + np.einsum("ij,ij->j", x, weighted))
    return checked_certificate(x, factor, slope, n, system.epsilon)
