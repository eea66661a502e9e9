"""Judge any x by the data: one pass that knows nothing of how x was found."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.matrix.centring import centre_answer
from dsketch.passes import Both, Look, Triangle
from dsketch.passes.base import Flow
from dsketch.problems.linear.centring import refine_intercept, restate_certificate
from dsketch.problems.linear.certificate import LinearCertificate, linear_certificate
from dsketch.problems.linear.method import LinearAnswer, backward_error_of
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.linear.statistics.rounding import require_squares_of_b
from dsketch.problems.linear.system import LinearSystem


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
    stacked = np.concatenate([found.R, np.diag(np.sqrt(system.penalty))]) if system.is_penalized else found.R
    factor = Factor.of(stacked)
    x, slope, move = refine_intercept(x, factor, slope, shift, given)
    weighted = system.penalty[:, None] * x
    slope = slope._replace(g=slope.g - weighted, rr=slope.rr + np.einsum("ij,ij->j", x, weighted))
    answer = LinearAnswer(x, factor, True, slope, backward_error_of(factor, x, slope), np.sqrt(slope.rr), move=move)
    return restate_certificate(linear_certificate(answer, n, by_column=True), answer, n, shift)
