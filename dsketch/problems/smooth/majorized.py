"""Steps by parabolas above the loss, for losses whose curvature vanishes afar: towards the minimizer until Newton's steps are short.

Far from the rows that count, the curvature of a robust loss is all but 0 and Newton's step many powers of ten too long.  The minimizer of
parabolas that touch each φ at η and lie above it is a step −M⁻¹g that never makes the loss larger, and neither does any s of it with
0 < s < 2: F(x + sp) ≤ F(x) − (s − s²/2) λ².  With so much pull of outliers that such steps shrink by a factor r each, s = 1/(1 − r) is the
one that ends them; r is told by two steps.  One pass a step.

References
----------
P. W. Holland, R. E. Welsch, "Robust regression using iteratively reweighted least-squares", Communications in Statistics A 6, 1977.
D. R. Hunter, K. Lange, "A tutorial on MM algorithms", The American Statistician 58, 2004.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.passes.linked import Local
from dsketch.problems.method import Breakdown
from dsketch.problems.smooth.metric import Metric, units_of
from dsketch.problems.smooth.system import Model, flat

_MOST = 16
_LONG = 0.5  # the root mean square of a step of η, in the unit in which curvatures change, beyond which Newton's steps are not trusted
_SLOW, _AFTER = 0.8, 4  # steps that shrink by less, after so many, are no faster than Newton's
_LONGEST = 1.9  # of s: below 2

Look = Callable[..., Flow[tuple[Local, Factor]]]


def is_far(model: Model, local: Local, decrement: float) -> bool:
    """Whether a step of that decrement moves rows, weighted by their curvature, by more than curvatures bear; also where these are 0."""
    unit = model.loss.concordance(local.low, local.high)
    return not unit * decrement < _LONG * np.sqrt(local.curvature)


def approach_by_parabolas(model: Model, see: Look, x: Floats) -> Flow[tuple[Floats, int]]:
    """Return where steps by parabolas lead, and how many were made.

    Parameters
    ----------
    see : callable
        Looks at x, with a factor of the parabolas' Hessian.
    """
    last: Any = None
    s, size = 1.0, np.inf
    for count in range(_MOST):
        try:
            local, factor = yield from see(x, lengths=None, begins=False)
        except Breakdown:
            return x, count
        metric = Metric(factor, x, units_of(factor, model.shape))
        step, decrement = metric.step(local.gradient)
        yield Converged(decrement / max(float(np.sqrt(local.ratio)), np.finfo(float).tiny), local.loss)
        if last is not None:
            s = _lengthen(s, factor.R @ flat(step), factor.R @ flat(last))
        before, size = size, decrement / max(float(np.sqrt(local.curvature)), np.finfo(float).tiny)
        x, last = x + s * step, step
        if not is_far(model, local, decrement) or (count >= _AFTER and size > _SLOW * before):
            return x, count + 1
    return x, _MOST


def _lengthen(s: float, step: Floats, last: Floats) -> float:
    """Return the multiple of a step that would end it, from the multiple s of the step before and what it left of it, in one metric."""
    squares = float(np.vdot(last, last))
    left = float(np.vdot(step, last)) / squares if squares > 0 else 0.0
    return float(np.clip(s / (1.0 - left), 1.0, _LONGEST)) if left < 1.0 else _LONGEST
