"""Judge any x by the data: two passes that know nothing of how x was found."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.centring import centre_answer
from dsketch.passes.base import Flow
from dsketch.problems.smooth.centring import refine_intercepts
from dsketch.problems.smooth.certificate import SmoothCertificate, smooth_certificate
from dsketch.problems.smooth.method import SmoothAnswer
from dsketch.problems.smooth.metric import Metric, units_of
from dsketch.problems.smooth.standing import backward_of, standing
from dsketch.problems.smooth.system import Model


def check_smooth(model: Model, x: Floats) -> Flow[SmoothCertificate]:
    """Judge x by a QR of √H A and the gradient at x, and by the longest row in the metric of the Hessian.

    Parameters
    ----------
    x : ndarray, shape (d, outputs)
        For A as it is stored.  Where columns are shifted, what is judged is the best of the intercepts that x, rounded to float64, may
        stand for.
    """
    given, x = x, centre_answer(x, model.rows.shift)
    local, R = yield from model.look_with_triangle(x, 0)
    factor = Factor(R)
    metric = Metric(factor, x, units_of(factor, model.shape))
    x, off = refine_intercepts(given, x, local, factor, model.rows.shift)
    if factor.rank:
        lengths = metric.whitening if model.shape[1] == 1 else metric.lengths
        seen = yield from model.look(x, has_gram=False, lengths=lengths)
        local, metric = local if np.array_equal(x, metric.x) else seen, metric.knowing(lengths, seen.longest)
    decrement = metric.step(local.gradient)[1]
    at = standing(model, x, local, metric, decrement)
    answer = SmoothAnswer(x, local, metric, True, backward_of(local, factor, x), np.array([local.loss]), decrement, at.proof)
    return smooth_certificate(model, answer, off)
