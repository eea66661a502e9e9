"""Newton's method: each pass looks at the full step, and is the next iteration already.

While far away a pass sums the Hessian as well; near the end, where it can no longer change by much, the old factor serves (*chord steps*).
A full step that does not make the loss smaller is taken back by one light pass that tries shorter ones.  It ends when the backward error of
the tangent problem is at its goal and the decrement is small or no longer shrinks; and as long as nothing is proven, it goes on and asks
whether the data are separated.

References
----------
S. Boyd, L. Vandenberghe, "Convex Optimization", Cambridge, 2004, Section 9.5.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.passes.linked import Local
from dsketch.problems.method import Breakdown
from dsketch.problems.smooth.certificate import answer_at
from dsketch.problems.smooth.face import lacks_look, look_along_dropped
from dsketch.problems.smooth.majorized import approach_by_parabolas, is_far
from dsketch.problems.smooth.method import Carry, SmoothAnswer
from dsketch.problems.smooth.metric import Metric, units_of
from dsketch.problems.smooth.separation import Separation, look_for_separation
from dsketch.problems.smooth.standing import Standing, backward_of, standing
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings

_MOST_STEPS = 200
# Decrements, in standard errors, that end it: far below what anybody can see; only the backward error is blind to columns in small units.
_CLOSE, _CLOSE_ENOUGH = 1e-11, 1e-8
_CHORD_DECREMENT, _CHORD = 1e-3, 0.01  # below both the old factor contracts by 0.01 a step
_NEAR_LOCAL = 1e-4  # where no concordance is known
_STALLED, _STALLED_LOCAL = 0.5, 0.95
_UNPROVEN = 0.5  # λκ of separated data is at least 1
_SUSPECT = (5, 7, 10, 14, 19, 25, 32, 40, 49, 59, 70, 82, 95)  # steps after which separation is looked for
_LOST = 4  # so many shortened steps from a given start are worse than another start
_CRAWL = (
    20  # and so many of any kind: where an exponential is far too large, a full step takes 1 from η (from 700 hundreds of them)
)
_SLOPE = 1e-4  # of Armijo's rule
# A loss that is all but flat far away (pseudo-Huber's, with outliers) has full steps that are many powers of ten too long.
_SHORTER = tuple(0.5**power for power in (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 24, 28, 34, 40, 48, 56))


class See(Protocol):
    """How a method looks at x: loss, gradient and a factor of the Hessian."""

    def __call__(self, model: Model, x: Floats, *, lengths: Floats | None, begins: bool) -> Flow[tuple[Local, Factor]]:
        """Return both.  One pass; :class:`~dsketch.problems.method.Breakdown` if the Hessian cannot be factored so."""


@dataclass(frozen=True)
class Position:
    """An x, what was seen there, and where it stands by the factor at hand."""

    x: Floats
    local: Local
    metric: Metric
    standing: Standing
    step: Floats
    steps: int

    @property
    def slope(self) -> float:
        """gᵀp."""
        return float(np.vdot(self.local.gradient, self.step))

    @property
    def is_proven(self) -> bool:
        """Whether a minimizer is proven to be within reach."""
        return bool(np.isfinite(self.standing.proof.reach))

    @property
    def is_lost(self) -> bool:
        """Whether rows have directions of which the Hessian knows nothing: no step goes there."""
        return self.metric.is_whole is False

    @property
    def is_near(self) -> bool:
        """Whether the Hessian is all but constant from here to the minimizer."""
        kappa, decrement = self.standing.proof.kappa, self.standing.inflated
        if not np.isfinite(kappa):
            return False
        return decrement * kappa < _CHORD


def descend(model: Model, settings: Settings, see: See, start: Carry | None) -> Flow[SmoothAnswer]:
    """Minimize by Newton steps.

    Parameters
    ----------
    start : Carry or None
        None: where the loss itself would begin.

    Raises
    ------
    Breakdown
        If a Hessian cannot be factored as the method does it; x goes along.
    """
    at = yield from _begin(model, see, start)
    before: Position | None = None
    rank, shortened, given = at.metric.factor.rank, 0, at.steps
    while True:
        yield Converged(_glimpse(at), at.local.loss)
        is_stalled = before is not None and _has_stalled(model, before, at)
        if is_stalled and before is not None and before.standing.decrement < at.standing.decrement:
            at = before
        if _is_done(at, settings, is_stalled):
            at = yield from _measure_rows(model, at)
            if start is not None and _is_far_out(model, at):
                if separation := (yield from _look_for_separation_at(model, at)):
                    return _answer(at, separation=separation)
                start, before, at = None, None, (yield from _begin(model, see, None))
                continue
            if at.is_proven or not model.loss.is_convex or is_stalled or at.standing.decrement == 0.0 or at.is_lost:
                return (yield from _end(model, at))
        if _is_suspect(model, at, rank) and (separation := (yield from _look_for_separation_at(model, at))):
            return _answer(at, separation=separation)
        if at.steps >= _MOST_STEPS:
            return _answer(at, f"no end after {at.steps} steps")
        moved = yield from _advance(model, see, at)
        shortened += moved is None or not np.array_equal(moved.x, at.x + at.step)
        if start is not None and not at.is_near and (moved is None or shortened >= _LOST or at.steps - given >= _CRAWL):
            start, before, at = None, None, (yield from _begin(model, see, None))  # from that start steps lead nowhere, or crawl
            continue
        if moved is None:
            at = yield from _measure_rows(model, at)
            return (yield from _end(model, at, "no shorter step makes the loss smaller"))
        before, at = at, moved


def _begin(model: Model, see: See, start: Carry | None) -> Flow[Position]:
    """Return the first position: one or two passes."""
    x, steps, lengths = start or Carry(np.zeros(model.shape))
    if start is None and model.shape[1] == 1:
        local, factor = yield from _see_from(model, see, x, 0, None, begins=True)
        metric = Metric(factor, x, units_of(factor, model.shape))
        x = x + metric.step(local.gradient)[0]
        local, factor = yield from _see_from(model, see, x, 1, metric.lengths)
        at = _place(model, x, local, Metric(factor, x, metric.lengths, local.longest), 1)
        return (yield from _draw_near(model, see, at))
    local, factor = yield from _see_from(model, see, x, steps, lengths)
    metric = Metric(factor, x, units_of(factor, model.shape)) if lengths is None else Metric(factor, x, lengths, local.longest)
    return (yield from _draw_near(model, see, _place(model, x, local, metric, steps)))


def _draw_near(model: Model, see: See, at: Position) -> Flow[Position]:
    """Return the position from which Newton's steps can be trusted, by parabolas above the loss where they are needed."""
    loss = model.loss.majorizing
    if loss is None or not is_far(model, at.local, at.standing.decrement):
        return at
    x, count = yield from approach_by_parabolas(model, partial(see, replace(model, loss=loss)), at.x)
    return (yield from _look(model, see, replace(at, steps=at.steps + count - 1), x, False)) if count else at


def _see_from(
    model: Model, see: See, x: Floats, steps: int, lengths: Floats | None, *, begins: bool = False
) -> Flow[tuple[Local, Factor]]:
    """Return what is seen at x; a method that breaks down there hands x over."""
    try:
        return (yield from see(model, x, lengths=lengths, begins=begins))
    except Breakdown as stop:
        raise Breakdown(stop.reason, None if begins else Carry(x, steps, lengths)) from stop


def _place(model: Model, x: Floats, local: Local, metric: Metric, steps: int) -> Position:
    step, decrement = metric.step(local.gradient)
    return Position(x, local, metric, standing(model, x, local, metric, decrement), step, steps)


def _has_stalled(model: Model, before: Position, at: Position) -> bool:
    """Whether steps no longer gain: what is left is rounding."""
    if not model.loss.is_convex:
        return before.standing.decrement < _NEAR_LOCAL and at.standing.decrement > _STALLED_LOCAL * before.standing.decrement
    return before.is_near and at.standing.decrement > _STALLED * before.standing.decrement


def _is_far_out(model: Model, at: Position) -> bool:
    """Whether curvatures that have vanished may be why nothing is left to do, and nothing is proven."""
    if at.is_proven:
        return False
    return at.standing.decrement == 0.0 or at.is_lost or (model.loss.is_convex and at.metric.factor.is_deficient)


def _is_done(at: Position, settings: Settings, is_stalled: bool) -> bool:
    """Whether backward error and decrement are where they should be."""
    if is_stalled or at.standing.decrement == 0.0:
        return True
    close = _CLOSE if settings.tol is None else _CLOSE_ENOUGH
    return at.standing.decrement <= close and float(backward_of(at.local, at.metric.factor, at.x)[0]) <= settings.goal


def _glimpse(at: Position) -> float:
    """Return the decrement relative to the size of the residual: the order of the backward error, for listeners."""
    return at.standing.decrement / max(float(np.sqrt(at.local.ratio)), np.finfo(float).tiny)


def _is_suspect(model: Model, at: Position, rank: int) -> bool:
    """Whether separation should be looked for here."""
    if not model.loss.is_convex:
        return False
    is_unproven = np.isfinite(at.metric.length) and not at.standing.inflated * at.standing.proof.kappa < _UNPROVEN
    return is_unproven and (at.steps in _SUSPECT or (at.steps > 1 and at.metric.factor.rank < rank))


def _look_for_separation_at(model: Model, at: Position) -> Flow[Separation | None]:
    """Return the separation that is found from here; None of a loss that is not convex, whose rows tell nothing."""
    if not model.loss.is_convex:
        return None
    return (yield from look_for_separation(model, at.metric, at.step, at.x))


def _advance(model: Model, see: See, at: Position) -> Flow[Position | None]:
    """Return the position after the full step, or the best of shorter ones; None if none makes the loss smaller."""
    is_lame = not at.is_near and np.array_equal(at.x + at.step, at.x)
    if is_lame or not np.isfinite(at.step).all():  # x, or slopes over curvatures that have all but vanished, beyond all measure
        return None
    is_light = at.is_near and (at.standing.inflated < _CHORD_DECREMENT or at.standing.proof.kappa == 0.0)
    moved = yield from _look(model, see, at, at.x + at.step, is_light)
    if _is_accepted(model, at, moved):
        return moved
    losses = yield from model.trials(at.x, at.step, _SHORTER)
    best = int(np.argmin(losses))
    if not losses[best] < at.local.loss:
        return None
    return (yield from _look(model, see, at, at.x + _SHORTER[best] * at.step, False))


def _look(model: Model, see: See, at: Position, x: Floats, is_light: bool) -> Flow[Position]:
    steps = at.steps + 1
    if is_light:
        return _place(model, x, (yield from model.look(x, has_gram=False)), at.metric, steps)
    is_new = not np.isfinite(at.metric.longest)
    local, factor = yield from _see_from(model, see, x, steps, at.metric.lengths if is_new else None)
    longest = local.longest if is_new else at.metric.longest
    return _place(model, x, local, Metric(factor, x, at.metric.lengths, longest), steps)


def _is_accepted(model: Model, at: Position, moved: Position) -> bool:
    """Whether the loss fell, or, where differences of losses are rounding, its slope along the step did."""
    if at.is_near or (not model.loss.is_convex and at.standing.decrement < _NEAR_LOCAL):
        return True
    if moved.local.loss <= at.local.loss + _SLOPE * at.slope:
        return True
    return model.loss.is_convex and abs(float(np.vdot(moved.local.gradient, at.step))) <= abs(at.slope) / 2


def _measure_rows(model: Model, at: Position) -> Flow[Position]:
    """Return the position with what rows say of the factor, as far as a proof needs it.  Up to one light pass."""
    if at.is_proven:
        return at
    if lacks_look(model, at.local, at.metric):
        return _place(model, at.x, at.local, (yield from look_along_dropped(model, at.local, at.metric)), at.steps)
    if not (model.loss.is_convex and at.metric.factor.rank):
        return at
    if model.shape[1] == 1:
        lengths = at.metric.whitening
    elif np.isfinite(at.metric.longest):
        return at
    else:
        lengths = at.metric.lengths
    local = yield from model.look(at.x, has_gram=False, lengths=lengths)
    return _place(model, at.x, at.local, at.metric.knowing(lengths, local.longest), at.steps)


def _end(model: Model, at: Position, note: str = "") -> Flow[SmoothAnswer]:
    """Return the answer; where nothing is proven, ask once more whether the data are separated."""
    if not at.is_proven and (separation := (yield from _look_for_separation_at(model, at))):
        return _answer(at, separation=separation)
    return _answer(at, note)


def _answer(at: Position, note: str = "", separation: Separation | None = None) -> SmoothAnswer:
    return answer_at(at.x, at.local, at.metric, at.standing, separation, (note,) if note else ())
