"""Damped Newton steps for g(x) = c: min V(x) − cᵀx, where no slack may change its sign; two looks a step, at most a few more far away.

A step p = −K⁻¹(g − c) is tried whole, for whichever K a method takes.  The look that factors S⁻¹A there also tells whether a slack changed
its sign on the way, how much of the step would keep all signs, and V, so that a step that is too long is found out before its second look.
While √(pᵀKp) is above ¼ the same look sums V at several shares of the step, and the best of them is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.problems.inversion.system import Edge, GradientSystem, Place
from dsketch.settings import Settings

_FAR_AWAY = 0.25  # √(pᵀKp) below which whole steps are good ones
_SHARES = (3.0, 2.0, 1.4, 0.7, 0.5, 0.35, 0.25, 0.17, 0.12, 0.06, 0.03)
_DECREASE = 1e-4  # of what the slope promises
_ROOM = 0.9  # of the way to the nearest slack of 0 on a step
_CUTS = 60  # a step that short changes no digit
_FAR = 64.0  # a decrement within so many times its rounding that is not halved any more is at rounding
_LINEAR = 10  # steps in which one that converges linearly must halve it
_PATIENCE = 30  # steps without a new least decrement, after which no more is gained

# From where x is: the step p, and √(pᵀKp), 0 if it is to be taken whole.
Step = Callable[[Place], Flow[tuple[Floats, float]]]


@dataclass(frozen=True)
class DescentAnswer:
    """Where the flow ended.

    Attributes
    ----------
    place : Place
    decrements : tuple of float
        Of the start and after every step.
    cuts : int
        Steps that were cut short, or looks that were spent on it.
    end : str
        ``"converged"``, ``"rounding"``, ``"stalled"``, ``"limit"``.
    """

    place: Place
    decrements: tuple[float, ...]
    cuts: int
    end: str

    @property
    def steps(self) -> int:
        """How many were taken."""
        return len(self.decrements) - 1


def descend(
    system: GradientSystem, start: Edge, find_step: Step, settings: Settings, *, has_cube: bool, most: int
) -> Flow[DescentAnswer]:
    """Return a point where the decrement is below ``settings.goal`` of its size, or at rounding.

    Raises
    ------
    DataError
        If products with c or x overflow at the start.
    """
    here = yield from system.measure(start, has_cube=has_cube)
    if not np.isfinite(here.decrement):
        raise DataError(
            "products with c and x must be finite in float64; they overflow at the start. Give columns other units, or another start."
        )
    last = 1 if has_cube else _LINEAR
    decrements, cuts, end = [here.decrement], 0, "limit"
    while True:
        yield Converged(here.decrement / here.size, float(np.linalg.norm(here.misfit)))
        if (stop := _find_end(here, decrements, settings.goal, last)) is not None:
            end = stop
            break
        if len(decrements) > most:
            break
        step, root = yield from find_step(here)
        edge, spent = yield from _walk(system, here, step, root)
        cuts += spent
        if edge is None:
            end = "rounding" if here.decrement <= _FAR * here.doubt else "stalled"
            break
        there = yield from system.measure(edge, has_cube=has_cube)
        if not np.isfinite(there.decrement):  # c is so large, or x so far away, that products with them overflow
            end = "stalled"
            break
        here = there
        decrements.append(here.decrement)
    return DescentAnswer(here, tuple(decrements), cuts, end)


def _find_end(here: Place, decrements: list[float], goal: float, last: int) -> str | None:
    """Return how it ended, None if it did not: at rounding where a decrement near it has not been halved in the ``last`` steps."""
    if here.decrement <= goal * here.size:
        return "converged"
    if here.decrement <= _FAR * here.doubt and len(decrements) > last and here.decrement > 0.5 * decrements[-1 - last]:
        return "rounding"
    is_stalled = len(decrements) > _PATIENCE and min(decrements[-_PATIENCE:]) >= min(decrements[:-_PATIENCE])
    return "stalled" if is_stalled else None


def _walk(system: GradientSystem, here: Place, step: Floats, root: float) -> Flow[tuple[Edge | None, int]]:
    """Return what is known where the step leads, cut short until signs are kept and the value falls, and how often it was cut."""
    slope = float(here.slope @ (here.factor.whitener.matrix @ step))
    share, is_far = 1.0, root >= _FAR_AWAY
    for cut in range(_CUTS):
        moved = share * step
        x = here.x + moved
        if not (x != here.x).any() or not np.isfinite(x).all():
            return None, cut
        edge, best = yield from _try(system, here, moved, is_line=is_far and not cut)
        allowed = here.value + _DECREASE * share * slope + here.value_doubt
        if best == 1.0 and edge.facts.is_inside and edge.value <= allowed:
            return edge, cut
        share *= best if best != 1.0 else min(0.5, _ROOM * edge.facts.room)
    return None, _CUTS


def _try(system: GradientSystem, here: Place, step: Floats, *, is_line: bool) -> Flow[tuple[Edge, float]]:
    """Return what is known where the step leads, and the share of it with the least value among several; 1 if none is below."""
    if not is_line:
        return (yield from system.approach(here.x + step, step)), 1.0
    edge, changes = yield from system.approach_beside(here, step, _SHARES)
    values = here.value + changes - np.array(_SHARES) * float(here.c @ step)
    lowest = int(np.argmin(values))
    limit = min(here.value, edge.value if edge.facts.is_inside else np.inf)
    return edge, _SHARES[lowest] if values[lowest] < limit else 1.0
