"""The null model: a constant alone, besides the offset; passes over y and what belongs to it, never over A.

Without an offset every row has the same mean, the weighted mean of y whatever the link.  With one the constant is found by Newton steps
inside a bracket: the slope of a convex loss rises with the constant.
"""

import numpy as np

from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.constant_fit import Constant, ConstantFit
from dsketch.passes.fitted import Fitness
from dsketch.problems.smooth.system import Model

_MOST_STEPS = 60
_CLOSE = 1e-10  # the squared step in standard errors, which is how far the deviance is above the least
_LONGEST_STEP = 5.0  # a factor of 150 of a mean with a log link
_LEAST_MEAN = 1e-300  # stands for a mean of 0, where a family has none


def fit_constant(model: Model, fitness: Fitness, dispersion: float, *, has_mean: bool) -> Flow[tuple[Constant, int]]:
    """Return the sums of the null model, and how many light passes that took.

    Parameters
    ----------
    model : Model
    fitness : Fitness
        For what rows count, and where to begin.
    dispersion : float
        Of the log-likelihood.
    has_mean : bool
        Whether the best constant mean is that of y: of every family with a distribution.
    """
    if has_mean and "offset" not in model.places.names:
        mean = fitness.response / fitness.weight
        is_edge = mean == 0.0 and not model.loss.variance(np.zeros(1))[0]
        found = yield from _look(model, _LEAST_MEAN if is_edge else mean, dispersion, is_mean=True)
        return found, 1
    low, high, at = -np.inf, np.inf, fitness.beginning / fitness.weight
    found = yield from _look(model, at, dispersion)
    for count in range(1, _MOST_STEPS):
        low, high = (at, high) if found.slope < 0 else (low, at)
        step = float(np.clip(-found.slope / max(found.curvature, _LEAST_MEAN), -_LONGEST_STEP, _LONGEST_STEP))
        if step * step * found.curvature <= _CLOSE * _CLOSE:
            return found, count
        at = at + step if low < at + step < high else (low + high) / 2
        found = yield from _look(model, at, dispersion)
    return found, _MOST_STEPS


def _look(model: Model, at: float, dispersion: float, *, is_mean: bool = False) -> Flow[Constant]:
    pass_ = ConstantFit(model.loss, model.places, at, is_mean, dispersion, model.is_expected)
    assert model.rows.b is not None  # noqa: S101 - for type checkers: a model has y
    found: Constant = yield Look(pass_, Rows(model.rows.b))
    return found
