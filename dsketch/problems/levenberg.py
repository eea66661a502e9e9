"""Levenberg and Marquardt's method as a flow: nonlinear least squares whose passes give loss, gradient and JᵀJ together.

The pass at a trial point is that of the next step, so that an accepted step costs one.  The damping μ diag(H) is in the units of the
columns (Marquardt) and follows the gain of good steps by Nielsen's rule; after one that failed it is raised to where the step is as short
as a parabola through what was found says, as eigenvalues are known: damping below them all changes no step.  Near a minimum differences
of losses are rounding; there a step counts as good if it makes the gradient smaller, in the metric of H.  A trial where the loss overflows
or does not exist is a rejected step.

References
----------
K. Levenberg, "A method for the solution of certain non-linear problems in least squares", Quart. Appl. Math. 2, 1944.
D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM J. Appl. Math. 11, 1963.
H. B. Nielsen, "Damping parameter in Marquardt's method", report IMM-REP-1999-05, Technical University of Denmark, 1999.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import powers_near
from dsketch._linalg.factor import RANK_TOLERANCE
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.settings import EPS, Settings

MOST_STEPS = 200  # trials, accepted or not; from a start within reach about ten are taken
_FIRST_DAMPING = 1e-3
_LARGEST_DAMPING = 1e20  # a step so damped changes no digit of x
# Differences of losses below this share of what was summed are not told from rounding: a one-pass loss turned −2.7e-20 at x exact.
BLIND = 1e-12
_SHARES = 0.1, 0.5  # of a step that failed, for the next one
_PATIENCE = 20  # trials in which something must have come of it
_LITTLE = 1e-4  # of the loss: with no more, and a decrement that has not been halved, the steps lead nowhere (a kink)
_FAR = 64.0  # so many times above rounding a larger gradient is the step's fault and not rounding's


@dataclass(frozen=True)
class Local:
    """What one look (or two) tells of the loss near an x.

    Attributes
    ----------
    value : float
        The loss; infinite where it cannot be had.
    gradient : ndarray, shape (d,)
    matrix : ndarray, shape (d, d)
        JᵀJ, or another symmetric positive semidefinite matrix that stands for the Hessian; a column without effect is 0.
    size : float
        What was summed to make the value, without signs: its rounding is a few eps of that.  The value itself where nothing cancels.
    root : ndarray, shape (d, d), or None
        R with RᵀR = ``matrix`` from a QR, where the digits of small eigenvalues count.
    doubt : float
        How far rounding may have moved the residual, in norm, where that is more than a few eps of ``size`` tell; half of it is a floor.
    kept : object
        Whatever the model wants to find again at the end.
    """

    value: float
    gradient: Floats
    matrix: Floats
    size: float
    root: Floats | None = None
    doubt: float = 0.0
    kept: Any = None

    @cached_property
    def scale(self) -> Floats:
        """D: powers of two near √diag(H), 1 for a column without effect."""
        return powers_near(np.sqrt(np.maximum(np.diag(self.matrix), 0.0)))

    @cached_property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues of D⁻¹HD⁻¹ above rounding, and their vectors as columns."""
        if self.root is not None:
            _, s, Vt = sl.svd(self.root / self.scale)
            values, V, least = s**2, Vt.T, (RANK_TOLERANCE * s[0]) ** 2
        else:
            values, V = sl.eigh(self.matrix / np.outer(self.scale, self.scale))
            least = len(values) * EPS * max(values[-1], 0.0)
        held = values > least
        return values[held], V[:, held]

    @cached_property
    def pieces(self) -> Floats:
        """The gradient in the directions of the spectrum, columns scaled."""
        return np.asarray(self.spectrum[1].T @ (self.gradient / self.scale))

    @property
    def decrement(self) -> float:
        """λ = √(gᵀH⁻¹g): of the residual what J can still reduce; the loss would fall by λ²/2 if it were quadratic."""
        return float(sl.norm(self.pieces / np.sqrt(self.spectrum[0])))

    @property
    def residual(self) -> float:
        """√(2 loss), or what of it is more than rounding of the sums."""
        return float(np.sqrt(2 * max(self.value, BLIND * self.size)))

    @property
    def floor(self) -> float:
        """The decrement that rounding leaves."""
        return max(2 * EPS * float(np.sqrt(2 * self.size)), 0.5 * self.doubt)

    def step(self, damping: float) -> Floats:
        """Return −(H + μ D²)⁻¹ g, in directions above rounding alone."""
        values, V = self.spectrum
        return -(V @ (self.pieces / (values + damping))) / self.scale

    def length(self, damping: float) -> float:
        """Return ‖D p‖ of that step."""
        values, _ = self.spectrum
        return float(sl.norm(self.pieces / (values + damping)))

    def promise(self, damping: float) -> float:
        """Return by how much the quadratic model falls along that step."""
        values, _ = self.spectrum
        shares = self.pieces**2 / (values + damping)
        return 0.5 * float(np.sum(shares * (1.0 + damping / (values + damping))))

    def measure(self, gradient: Floats) -> float:
        """Return the decrement that another gradient has in this H."""
        values, V = self.spectrum
        return float(sl.norm((V.T @ (gradient / self.scale)) / np.sqrt(values)))


class Model(Protocol):
    """A loss that looks at the data."""

    def evaluate(self, x: Floats) -> Flow[Local]:
        """Return what is known of the loss near x, shape (d,)."""


@dataclass(frozen=True)
class LevenbergAnswer:
    """Where the flow ended.

    Attributes
    ----------
    x : ndarray, shape (d,)
    local : Local
        There.
    losses : tuple of float
        Of the start and of every accepted step.
    trials : int
        Steps tried.
    end : str
        ``"converged"`` (to the tolerance), ``"rounding"`` (no step makes the gradient smaller), ``"stalled"`` (no step makes the loss
        smaller though the gradient says so, or by next to nothing), ``"limit"``, ``"outside"`` (the loss does not exist at the start).
    """

    x: Floats
    local: Local
    losses: tuple[float, ...]
    trials: int
    end: str

    @property
    def is_stationary(self) -> bool:
        """Whether the flow ended because there is no more to gain."""
        return self.end in ("converged", "rounding")


@dataclass
class _Damping:
    """μ, and by what the next rejection multiplies it."""

    value: float = _FIRST_DAMPING
    growth: float = 2.0

    def reward(self, gain: float) -> None:
        """Lower it after a good step, the better the model was the more, if it was not just raised; raise it a little after a poor one."""
        least = 1e-3 if self.growth == 2.0 else 1 / 3
        self.value *= max(least, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3)
        self.growth = 2.0

    def punish(self, here: Local, share: float) -> None:
        """Raise it to where the step is at most that share of the one that failed; below the eigenvalues it would not feel it."""
        wanted = share * here.length(self.value)
        self.value = max(self.value * self.growth, 1e-3 * float(here.spectrum[0].min()))
        while self.value <= _LARGEST_DAMPING and here.length(self.value) > wanted:
            self.value *= 2.0
        self.growth *= 2.0


def levenberg(model: Model, start: Floats, settings: Settings, *, most: int = MOST_STEPS) -> Flow[LevenbergAnswer]:
    """Return a stationary point of a sum of squares; one evaluation a trial, one more at the start.

    Ends where the decrement is below ``settings.goal`` of the residual, or at rounding; where the undamped step is below
    ``settings.goal`` of x (columns scaled); where no step makes the gradient smaller; after ``most`` trials.

    Parameters
    ----------
    model : Model
    start : ndarray, shape (d,)
    """
    x, here, damping = start, (yield from model.evaluate(start)), _Damping()
    losses, end, trials, marks = [here.value], "limit", 0, [here]
    if not np.isfinite(here.value):
        return LevenbergAnswer(x, here, tuple(losses), 0, "outside")
    while trials < most:
        yield Converged(relative_step(x, here), float(np.sqrt(2 * max(here.value, 0.0))))
        if _is_converged(x, here, settings.goal):
            end = "converged"
            break
        step, promise = here.step(damping.value), here.promise(damping.value)
        trial = x + step
        is_blind = promise <= BLIND * here.size
        there = (yield from model.evaluate(trial)) if np.isfinite(trial).all() else None
        trials += 1
        gain = _gain_of(here, there, promise, is_blind)
        marks.append(here)
        if len(marks) > _PATIENCE and _leads_nowhere(marks.pop(0), here):
            end = "stalled"
            break
        if there is not None and gain > 0:
            x, here = trial, there
            losses.append(here.value)
            damping.reward(gain)
        elif is_blind and here.decrement <= _FAR * here.floor:
            end = "rounding"
            break
        else:
            damping.punish(here, _share_to_take(here, there, step))
            if damping.value > _LARGEST_DAMPING or not (x + here.step(damping.value) != x).any():
                end = "rounding" if is_blind else "stalled"
                break
    return LevenbergAnswer(x, here, tuple(losses), trials, end)


def relative_step(x: Floats, here: Local) -> float:
    """Return ‖D p‖/‖D x‖ for the undamped step p; 0 where there is none, 1 where x is 0."""
    step, size = float(sl.norm(here.scale * here.step(0.0))), float(sl.norm(here.scale * x))
    return min(step / size, 1.0) if size > 0 else float(step > 0)


def _leads_nowhere(before: Local, here: Local) -> bool:
    return here.value > (1 - _LITTLE) * before.value and here.decrement > 0.5 * before.decrement


def _is_converged(x: Floats, here: Local, goal: float) -> bool:
    return here.decrement <= max(goal * here.residual, here.floor) or relative_step(x, here) <= goal


def _share_to_take(here: Local, there: Local | None, step: Floats) -> float:
    """Return where along a step that failed the loss is least: of the parabola through both values and the slope, within bounds."""
    least, most = _SHARES
    if there is None or not np.isfinite(there.value):
        return most
    slope = float(here.gradient @ step)
    bend = there.value - here.value - slope
    return min(max(-slope / (2.0 * bend), least), most) if bend > 0 else most


def _gain_of(here: Local, there: Local | None, promise: float, is_blind: bool) -> float:
    """Return the part of the promise that was kept: by the loss, or where that is rounding by the gradient (1 or −1)."""
    if there is None or not np.isfinite(there.value):
        return -1.0
    if is_blind:
        return 1.0 if here.measure(there.gradient) < here.decrement else -1.0
    return (here.value - there.value) / promise
