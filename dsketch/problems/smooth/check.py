"""Judge any x by the data: passes that know nothing of how x was found."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.centring import centre_answer
from dsketch.passes.base import Flow
from dsketch.passes.linked import Local
from dsketch.problems.smooth.centring import refine_intercepts
from dsketch.problems.smooth.certificate import SmoothCertificate, answer_at, smooth_certificate
from dsketch.problems.smooth.face import lacks_look, look_along_dropped
from dsketch.problems.smooth.metric import Metric, units_of
from dsketch.problems.smooth.separation import look_for_separation
from dsketch.problems.smooth.standing import standing
from dsketch.problems.smooth.system import Model


def check_smooth(model: Model, x: Floats, names: tuple[str, ...] | None = None) -> Flow[SmoothCertificate]:
    """Judge x by a QR of √H A and the gradient at x, and by the longest row in the metric of the Hessian: two passes.

    A third looks at the rows along what the factor drops, if it does.  Where nothing is proven, a few look for a separation from x.

    Parameters
    ----------
    x : ndarray, shape (d, outputs)
        For A as it is stored.  Where columns are shifted, what is judged is the best of the intercepts that x, rounded to float64, may
        stand for.
    names : tuple of str or None
        Of A's columns, for a separation.
    """
    shift = model.rows.shift
    stored = centre_answer(x, shift)
    local, R = yield from model.look_with_triangle(stored, 0)
    factor = Factor(R)
    x, off = refine_intercepts(x, stored, local, factor, shift)
    local, metric = yield from _measure(model, x, local, Metric(factor, stored, units_of(factor, model.shape)))
    step, decrement = metric.step(local.gradient)
    at = standing(model, x, local, metric, decrement)
    is_open = model.loss.is_convex and not at.proof.reach < float("inf")
    separation = (yield from look_for_separation(model, metric, step, x)) if is_open else None
    return smooth_certificate(model, answer_at(x, local, metric, at, separation), names, off)


def _measure(model: Model, x: Floats, local: Local, metric: Metric) -> Flow[tuple[Local, Metric]]:
    """Return what is seen at x, and the metric with the longest row and with what rows say of its null directions."""
    if lacks_look(model, local, metric):
        metric = yield from look_along_dropped(model, local, metric)
    elif metric.factor.rank:
        lengths = metric.whitening if model.shape[1] == 1 else metric.lengths
        seen = yield from model.look(x, has_gram=False, lengths=lengths)
        return local if np.array_equal(x, metric.x) else seen, metric.knowing(lengths, seen.longest)
    if np.array_equal(x, metric.x):
        return local, metric
    return (yield from model.look(x, has_gram=False)), metric
