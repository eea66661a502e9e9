"""Newton's or Gauss–Newton's method by conjugate gradients in a trust region, as a flow: for losses whose matrix nobody sums.

A step is where conjugate gradients on H p = −g have a residual small enough, or where their path leaves the region: iterates grow along
it, and the loss of the model falls.  A smaller region after a step that failed needs no further product: its step lies on the same path.
Where JᵀJ no longer is the Hessian, as steps lower neither the loss by much nor the gradient as they should, products are with the Hessian
itself; along a direction in which it is not positive the step goes to the border.

References
----------
T. Steihaug, "The conjugate gradient method and trust regions in large scale optimization", SIAM J. Numer. Anal. 20, 1983.
S. Eisenstat, H. Walker, "Choosing the forcing terms in an inexact Newton method", SIAM J. Sci. Comput. 17, 1996 (choice 2).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.problems.levenberg import BLIND, MOST_STEPS
from dsketch.settings import EPS, Settings

MOST_PRODUCTS = 200  # of a step
_ROUGH = 0.1  # of the gradient: a step at which conjugate gradients stop at most
_FORCING = 0.9  # of the square by which the gradient fell
_LEAST_GAIN, _GOOD_GAIN = 0.25, 0.75  # of what was promised: the region shrinks below, grows above
_SMALLER, _LARGER = 0.25, 2.0
_PATIENCE, _LITTLE = 20, 1e-4  # as Levenberg's: trials in which something must come of it, of the loss
_FLAT, _SLOW = (
    0.1,
    0.25,
)  # of the loss and of the gradient: steps that lower both by less have JᵀJ for what is no longer the Hessian
_FAR = 64.0  # so many times above rounding a larger gradient is the step's fault


@dataclass(frozen=True)
class Place:
    """A point, and what is known of the loss there.

    Attributes
    ----------
    x : ndarray, shape (D,)
    value : float
        The loss; infinite where it cannot be had.
    size : float
        What was summed to make it, without signs.
    floor : float
        The decrement that rounding leaves.
    gradient : ndarray, shape (D,)
        Empty until it is asked for.
    kept : object
        Whatever the model wants to find again.
    """

    x: Floats
    value: float
    size: float
    floor: float
    gradient: Floats = field(default_factory=lambda: np.zeros(0))
    kept: Any = None

    @property
    def slope(self) -> float:
        """‖gradient‖."""
        return float(np.linalg.norm(self.gradient))


class ProductModel(Protocol):
    """A loss that looks at the data."""

    def evaluate(self, x: Floats) -> Flow[Place]:
        """Return the loss at x."""

    def differentiate(self, place: Place) -> Flow[Place]:
        """Return a place with its gradient."""

    def multiply(self, place: Place, direction: Floats, *, is_exact: bool) -> Flow[Floats]:
        """Return the Hessian, or JᵀJ, at a place times a direction."""


class _Leg(NamedTuple):
    """A step of conjugate gradients: from where, along what, how far, and the model's slope and curvature along it."""

    start: Floats
    along: Floats
    length: float  # infinite where the curvature is not positive
    rho: float
    kappa: float
    promise: float  # of the start

    def until(self, t: float) -> tuple[Floats, float]:
        """Return the point at t, and by how much the model falls up to it."""
        return self.start + t * self.along, self.promise + t * self.rho - 0.5 * t**2 * self.kappa


@dataclass
class Path:
    """Where conjugate gradients went.

    Attributes
    ----------
    legs : list
    relative : float
        The residual at the end, relative to the gradient.
    """

    legs: list[_Leg] = field(default_factory=list)
    relative: float = 1.0

    @property
    def promise(self) -> float:
        """By how much the model falls up to the end; half the square of the decrement, once the residual is small."""
        last = self.legs[-1]
        return last.until(last.length)[1] if np.isfinite(last.length) else np.inf

    def step(self, radius: float) -> tuple[Floats, float, bool]:
        """Return the step within a region, by how much the model falls along it, and whether it ends at the border."""
        for leg in self.legs:
            if np.isfinite(leg.length) and np.linalg.norm(leg.start + leg.length * leg.along) <= radius:
                continue
            a, b, c = float(leg.along @ leg.along), float(leg.start @ leg.along), float(leg.start @ leg.start) - radius**2
            t = (-b + np.sqrt(max(b**2 - a * c, 0.0))) / a
            return *leg.until(t), True
        return *self.legs[-1].until(self.legs[-1].length), False


@dataclass(frozen=True)
class TruncatedAnswer:
    """Where the flow ended.

    Attributes
    ----------
    place : Place
    trials, products : int
    end : str
        As of :class:`~dsketch.problems.levenberg.LevenbergAnswer`.
    is_exact : bool
        Whether the last steps were Newton's.
    left : float
        What the model promised to take from the residual √(2 loss) still, where that was below rounding of the loss; 0 where the flow ended
        otherwise.
    first : Place or None
        The start.
    """

    place: Place
    trials: int
    products: int
    end: str
    is_exact: bool
    left: float = 0.0
    first: Place | None = None


def truncated_newton(model: ProductModel, start: Floats, settings: Settings, *, most: int = MOST_STEPS) -> Flow[TruncatedAnswer]:
    """Return a stationary point; the radius of the first region is the length of the start, at least 1.

    Ends where the decrement is below ``settings.goal`` of the residual, or at rounding; where no step makes the gradient smaller; after
    ``most`` trials.

    Parameters
    ----------
    model : ProductModel
    start : ndarray, shape (D,)
        In a metric in which the Hessian is as near to a multiple of 1 as one knows.
    """
    here = yield from model.evaluate(start)
    if not np.isfinite(here.value):
        return TruncatedAnswer(here, 0, 0, "outside", is_exact=False)
    first = here
    here = yield from model.differentiate(here)
    radius, share, is_exact, products, marks = max(float(np.linalg.norm(start)), 1.0), _ROUGH, False, 0, [here]
    path, end, trials, left = None, "limit", 0, 0.0
    while trials < most:
        if not here.slope > 0:
            end = "converged"
            break
        if path is None:
            path = yield from _descend(model, here, radius, share, _limit(here, settings), is_exact=is_exact)
            products += len(path.legs)
            size = float(np.linalg.norm(here.x))
            length = float(np.linalg.norm(path.step(radius)[0]))
            yield Converged(min(length / size, 1.0) if size > 0 else float(length > 0), float(np.sqrt(2 * max(here.value, 0.0))))
            if np.sqrt(2 * path.promise) <= _limit(here, settings) or length <= settings.goal * size:
                end = "converged"
                break
        step, promise, is_border = path.step(radius)
        there, gain, is_blind = yield from _try(model, here, step, promise)
        trials += 1
        marks.append(here)
        if len(marks) > _PATIENCE and _leads_nowhere(marks.pop(0), here):
            end = "stalled"
            break
        if gain > 0:
            share = float(np.clip(_FORCING * (there.slope / here.slope) ** 2, EPS, _ROUGH))
            is_exact = is_exact or _is_slow(here, there)
            radius = _resize(radius, float(np.linalg.norm(step)), gain, is_border=is_border)
            here, path = there, None
            continue
        if is_blind and np.sqrt(2 * path.promise) <= _FAR * here.floor:
            end, left = "rounding", float(np.sqrt(2 * path.promise))
            break
        radius = _SMALLER * min(radius, float(np.linalg.norm(step)))
        if not (here.x + path.step(radius)[0] != here.x).any():
            end, left = ("rounding", float(np.sqrt(2 * path.promise))) if is_blind else ("stalled", 0.0)
            break
    return TruncatedAnswer(here, trials, products, end, is_exact, left, first)


def _try(model: ProductModel, here: Place, step: Floats, promise: float) -> Flow[tuple[Place, float, bool]]:
    """Return the place at the end of a step, which part of the promise was kept, and whether the gradient tells, as the loss is rounding.

    The place has its gradient if it is better.
    """
    is_blind = promise <= BLIND * here.size
    there = yield from model.evaluate(here.x + step)
    if not np.isfinite(there.value):
        return there, -1.0, is_blind
    gain = 1.0 if is_blind else (here.value - there.value) / promise
    if gain > 0:
        there = yield from model.differentiate(there)
        if is_blind and not there.slope < here.slope:
            gain = -1.0
    return there, gain, is_blind


def _resize(radius: float, step: float, gain: float, *, is_border: bool) -> float:
    if gain < _LEAST_GAIN:
        return _SMALLER * min(radius, step)
    return _LARGER * radius if gain > _GOOD_GAIN and is_border else radius


def _is_slow(before: Place, now: Place) -> bool:
    is_left = now.value > BLIND * now.size  # a misfit that is rounding bends nothing
    return is_left and before.value - now.value <= _FLAT * before.value and now.slope > _SLOW * before.slope


def _limit(here: Place, settings: Settings) -> float:
    return max(settings.goal * float(np.sqrt(2 * max(here.value, BLIND * here.size))), here.floor)


def _leads_nowhere(before: Place, here: Place) -> bool:
    return here.value > (1 - _LITTLE) * before.value and here.slope > 0.5 * before.slope


def _descend(model: ProductModel, here: Place, radius: float, share: float, limit: float, *, is_exact: bool) -> Flow[Path]:
    """Take conjugate gradients to a residual of a share of the gradient, to the border, or to where the decrement is below a limit."""
    path, r = Path(), -here.gradient
    step, along, promise, rho = np.zeros_like(r), r, 0.0, float(r @ r)
    first = rho
    for _ in range(MOST_PRODUCTS):
        curved = yield from model.multiply(here, along, is_exact=is_exact)
        kappa = float(along @ curved)
        if not kappa > 0:
            path.legs.append(_Leg(step, along, np.inf, rho, kappa, promise))
            break
        length = rho / kappa
        path.legs.append(_Leg(step, along, length, rho, kappa, promise))
        step, promise = path.legs[-1].until(length)
        r = r - length * curved
        new = float(r @ r)
        path.relative = float(np.sqrt(new / first))
        decrement = float(np.sqrt(2 * promise))
        enough = max(share, _ROUGH * limit / decrement) if decrement > limit else _ROUGH
        if path.relative <= enough or np.linalg.norm(step) >= radius:
            break
        along, rho = r + new / rho * along, new
    return path
