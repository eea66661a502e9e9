"""Judge any x by the data: two passes that know nothing of how x was found."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
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
    """
    local, R = yield from model.look_with_triangle(x, 0)
    factor = Factor(R)
    metric = Metric(factor, x, units_of(factor, model.shape))
    if factor.rank:
        lengths = metric.whitening if model.shape[1] == 1 else metric.lengths
        longest = (yield from model.look(x, has_gram=False, lengths=lengths)).longest
        metric = metric.knowing(lengths, longest)
    decrement = metric.step(local.gradient)[1]
    at = standing(model, x, local, metric, decrement)
    answer = SmoothAnswer(x, local, metric, True, backward_of(local, factor, x), np.array([local.loss]), decrement, at.proof)
    return smooth_certificate(model, answer)
