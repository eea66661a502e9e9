"""The way towards the minimizer by a factor of a sketched Hessian, to where a few exact Newton steps end it.

A sketch makes no claim about x: what is claimed comes from the exact Hessian, at which every method of this wing ends.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.passes.linked import Local
from dsketch.problems.iterations import damp
from dsketch.problems.smooth.method import Carry
from dsketch.problems.smooth.metric import Metric, units_of
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings
from dsketch.sketch import Sketch
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_ITERATING, distortion

_SLOPE = 1e-4
_SHORTER = tuple(0.5**power for power in range(1, 13))


class Sight(NamedTuple):
    """An x, loss and gradient there, and a factor to step by."""

    x: Floats
    local: Local
    metric: Metric

    @property
    def newton(self) -> tuple[Floats, float]:
        """The step by that factor, and about the decrement."""
        return self.metric.step(self.local.gradient)


See = Callable[[Floats, Sight], Flow[Sight]]
Direct = Callable[[Sight, Floats], Flow[Floats]]


def with_momentum(model: Model, sketch: Sketch) -> Direct:
    """Return steps that a sketched Hessian gives, damped, with momentum: they contract by the sketch's distortion ε where F is a parabola.

    I. K. Ozaslan, M. Pilanci, O. Arikan, "Iterative Hessian sketch with momentum", ICASSP 2019.
    """
    epsilon = distortion(model.shape[0] * model.shape[1], sketch.size)

    def direct(at: Sight, last: Floats) -> Flow[Floats]:
        yield from ()
        damped = damp(at.newton[0], epsilon)
        step = damped + epsilon**2 * last
        return step if np.vdot(at.local.gradient, step) < 0 else damped

    return direct


def sketch_for(model: Model, settings: Settings) -> Sketch:
    """Return the sketch that settings ask for, of the rows of √H A."""
    d, outputs = model.shape
    return draw_sketch(settings, d * outputs, FOR_ITERATING)


def see_sketched(model: Model, sketch: Sketch, x: Floats, *, begins: bool = False) -> Flow[Sight]:
    """Return what is seen at x, with a factor of the sketched Hessian there.  One pass."""
    local, SA = yield from model.look_with_sketch(x, sketch, begins=begins)
    factor = Factor.of(SA)
    return Sight(x, local, Metric(factor, x, units_of(factor, model.shape)))


def begin_sketched(model: Model, sketch: Sketch, start: Carry | None) -> Flow[Sight]:
    """Return what is seen at the start, or where the sketch of the loss's own beginning leads."""
    if start is not None or model.shape[1] > 1:
        return (yield from see_sketched(model, sketch, np.zeros(model.shape) if start is None else start.x))
    first = yield from see_sketched(model, sketch, np.zeros(model.shape), begins=True)
    return (yield from see_sketched(model, sketch, first.newton[0]))


def approach(model: Model, at: Sight, direct: Direct, see: See, until: float, most: int) -> Flow[Carry]:
    """Step along directions until the decrement is small, or nothing gets better.

    Parameters
    ----------
    direct : callable
        Gives the step from a sight, and is told the step before, 0 at first.
    see : callable
        Looks at an x, and is told the sight before.
    until : float
        About the decrement at which to end.
    most : int
        Steps.
    """
    last = np.zeros(model.shape)
    for count in range(most):
        decrement = at.newton[1]
        yield Converged(decrement / max(float(np.sqrt(at.local.ratio)), np.finfo(float).tiny), at.local.loss)
        if decrement <= until:
            return Carry(at.x, count, at.metric.lengths)
        step = yield from direct(at, last)
        moved = yield from see(at.x + step, at)
        if not _is_better(at, step, moved):
            losses = yield from model.trials(at.x, step, _SHORTER)
            best = int(np.argmin(losses))
            if not losses[best] < at.local.loss:
                return Carry(at.x, count, at.metric.lengths)
            moved = yield from see(at.x + _SHORTER[best] * step, at)
        at, last = moved, moved.x - at.x
    return Carry(at.x, most, at.metric.lengths)


def _is_better(at: Sight, step: Floats, moved: Sight) -> bool:
    """Whether the loss fell enough, or its slope along the step did."""
    slope = float(np.vdot(at.local.gradient, step))
    is_lower = moved.local.loss <= at.local.loss + _SLOPE * slope
    return is_lower or abs(float(np.vdot(moved.local.gradient, step))) <= abs(slope) / 2
