"""Judge any x by the data: one pass that knows nothing of how x was found."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import centre_answer
from dsketch.passes import Both, Look, Slope, Triangle
from dsketch.passes.base import Flow
from dsketch.problems.linear.by_target import groups_of, join_certificates, pick
from dsketch.problems.linear.centring import refine_intercept, restate_certificate
from dsketch.problems.linear.certificate import LinearCertificate, linear_certificate
from dsketch.problems.linear.method import LinearAnswer, backward_error_of
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.linear.statistics.rounding import require_squares_of_b
from dsketch.problems.linear.system import LinearSystem, penalize


def check_linear(system: LinearSystem, x: Floats) -> Flow[LinearCertificate]:
    """Judge x by a QR of A, the residual and the gradient at x, in one pass.

    Parameters
    ----------
    system : LinearSystem
        With shifted columns, if they are.
    x : ndarray, shape (d, k)
        For A as it is stored.  Where columns are shifted, what is judged is the best of the intercepts that x, rounded to float64, may
        stand for.

    Raises
    ------
    DataError
        If all weights are 0, or the squares of b are below what float64 holds.
    """
    (n, _), shift = system.shape, system.rows.shift
    given, x = x, centre_answer(x, shift)
    found, slope = yield Look(Both(Triangle(), system.slope_at(x)), system.rows)
    require_weight(slope.rows)
    require_squares_of_b(slope.peak if slope.has_moments else np.hypot(slope.peak, norms(found.R @ x)))
    if system.penalty.ndim == 1:
        return _judge(found.R, slope, x, given, system.penalty, n, shift)
    return join_certificates(
        [
            (places, _judge(found.R, pick(slope, places), x[:, places], given[:, places], penalty, n, shift))
            for places, penalty in groups_of(system.penalty)
        ]
    )


def _judge(
    R: Floats, slope: Slope, x: Floats, given: Floats, penalty: Floats, n: int, shift: AnyArray | None
) -> LinearCertificate:
    """Return what is known of x, by R of the rows, their slope at x and the penalty."""
    stacked = np.concatenate([R, np.diag(np.sqrt(penalty))]) if penalty.any() else R
    factor = Factor.of(stacked)
    x, slope, move = refine_intercept(x, factor, slope, shift, given)
    slope = penalize(slope, penalty, x)
    answer = LinearAnswer(x, factor, True, slope, backward_error_of(factor, x, slope), np.sqrt(slope.rr), move=move)
    return restate_certificate(linear_certificate(answer, n, by_column=True), answer, n, shift)
