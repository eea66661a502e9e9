"""Conjugate gradients on D⁻¹AᵀA D⁻¹ with a random side beside the right-hand sides, which proves what they cannot know."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Bounds, Spectrum, spectrum_of
from dsketch._linalg.columns import norms
from dsketch._linalg.streams import KRYLOV_START
from dsketch.passes.base import Flow
from dsketch.problems.iterations import Recurrence, Step, pcg, unpreconditioned
from dsketch.problems.linear.krylov_steps import steps_worth
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown
from dsketch.settings import EPS, Settings

_BLURRED = 1 / 16  # of the smallest Ritz value: what a lower bound is at least, if rounding ends the steps before it is sharp
_GROWN = 1e6  # a residual grows by the condition number at most, and far smaller ones are too many steps
_SPENT = 1e-14  # of a right-hand side: when no more of its residual is left, it tells nothing further
_TRIED = 8  # after this share of the limit, or 16 steps, the rate is believed
_NOTHING = Spectrum(0.0, np.inf, 0.0, np.inf)


@dataclass
class Way:
    """Where the iteration is: its sides, and behind them the random one.

    Attributes
    ----------
    at : Recurrence
        For D⁻¹AᵀA D⁻¹.
    start : float
        ‖v‖ of the random side.
    limit : int
        Steps that may be taken in all.
    is_rough : bool
        Whether ``scale`` are not the norms of the columns themselves, which ``norms`` then are once they are measured.
    """

    system: LinearSystem
    scale: Floats
    at: Recurrence
    start: float
    limit: int
    is_rough: bool
    norms: Floats | None = None
    steps: int = 0
    lengths: list[float] = field(default_factory=list)
    betas: list[float] = field(default_factory=list)
    spectrum: Spectrum = _NOTHING

    @classmethod
    def begin(cls, system: LinearSystem, scale: Floats, settings: Settings, *, is_rough: bool) -> "Way":
        """Return the start, the random side drawn."""
        (n, d), k = system.shape, system.sides
        v = ndtri(random_words.uniforms(random_words.draw(settings.seed, KRYLOV_START, 0, d, 1)))
        at = Recurrence.begin(np.concatenate([np.zeros((d, k)), v], axis=1))
        return cls(system, scale, at, float(norms(v)[0]), steps_worth(n, d, k, system.rows.A.nonzeros), is_rough)

    @property
    def is_proven(self) -> bool:
        """Whether the bounds are as good as they get."""
        seen = self.spectrum
        return seen.is_sharp or (self._is_mute and seen.least > _BLURRED * seen.first)

    def guess(self) -> Bounds:
        """Return the bounds; before they are proven, what they may come to be."""
        seen = self.spectrum
        least = seen.least if self.is_proven else seen.first / 2
        most = min(seen.most, float(len(self.scale))) if self.is_proven else 2 * seen.last
        found = Bounds(self.scale, math.sqrt(least), math.sqrt(most), is_rough=self.is_rough and self.is_proven)
        return found if self.norms is None else found.measure(self.norms)

    def measure(self) -> Flow[None]:
        """Measure the norms of the columns, entries of one place added."""
        sums = yield from self.system.column_sums(is_exact=True)
        self.norms, self.is_rough = norms_of(sums.squares), False

    def descend(self, g: Floats, aim: Floats) -> Flow[Floats]:
        """Return y near M⁻¹D⁻¹g, each side to its aim, relatively; the random side goes along."""
        at, k = self.at, self.system.sides
        c = g / self.scale[:, None]
        at.y[:, :k], at.r[:, :k], at.p[:, :k], at.rho[:k] = 0.0, c, -0.0, 0.0
        wanted, first = aim * norms(c), self.steps

        def going() -> Any:
            left = norms(at.r[:, :k])
            todo = np.flatnonzero(left > wanted)
            if not todo.size:
                return None
            self._require_progress(self.steps - first, left[todo] / norms(c[:, todo]), aim[todo])
            return todo if self._is_spent else np.append(todo, k)

        yield from pcg(self._apply, unpreconditioned, at, self.limit + 1, going, self._note)
        return at.y[:, :k].copy()

    def prove(self) -> Flow[None]:
        """Go on with the random side alone until its bounds are proven.

        Raises
        ------
        Breakdown
            If they will not be.
        """
        alone = np.array([self.system.sides])

        def going() -> Any:
            if self._is_spent:
                return None
            self._require_progress(0, np.zeros(0), np.zeros(0))
            return alone

        yield from pcg(self._apply, unpreconditioned, self.at, self.limit + 1, going, self._note)
        if not self.is_proven:
            raise Breakdown(
                "a random right-hand side does not prove that A has full rank, which a factor of A itself must decide"
            )

    def _apply(self, p: Floats) -> Flow[Floats]:
        scale = self.scale[:, None]
        return (yield from self.system.without_sides.normal(p / scale)) / scale

    @property
    def _is_spent(self) -> bool:
        """Whether the random side has told what it can."""
        return self._is_mute or self.spectrum.is_sharp

    @property
    def _is_mute(self) -> bool:
        """Whether nothing but rounding is left of the random side."""
        return self._left <= _SPENT * self.start

    @property
    def _left(self) -> float:
        return float(norms(self.at.r[:, -1:])[0])

    def _note(self, step: Step) -> None:
        self.steps += 1
        if step.sides[-1] != self.system.sides or not step.is_good[-1]:  # type: ignore[index]
            return
        self.lengths.append(float(step.lengths[-1]))
        self.betas.append(float(step.betas[-1]))
        self.spectrum = spectrum_of(self.lengths, self.betas, self._left, self.start)

    def _require_progress(self, steps: int, left: Floats, aim: Floats) -> None:
        """Go on only while the steps are worth it.

        Raises
        ------
        Breakdown
            If they are not.
        """
        if not max(float(left.max(initial=0.0)), self._left / self.start) <= _GROWN:
            raise Breakdown(f"a residual grew beyond {_GROWN:.0e} times its start, as where A lacks rank")
        foretold = float(self.steps)
        if steps >= max(16, self.limit // _TRIED):
            with np.errstate(divide="ignore"):
                foretold += float(np.max(steps * (np.log(aim) / np.minimum(np.log(left), -1e-3) - 1), initial=0.0))
        if self.steps >= self.limit or foretold > 2 * self.limit:
            raise Breakdown(
                f"after {self.steps} steps, of which A is worth {self.limit}, as many as {foretold:.0f} are foretold: a factor is cheaper"
            )


def norms_of(squares: Floats) -> Floats:
    """Return the norms of the columns.

    Raises
    ------
    Breakdown
        If one is 0, or its square is below what float64 holds.
    """
    if (squares == 0).any():
        raise Breakdown(
            f"{np.count_nonzero(squares == 0)} columns are 0, and only a factor of A itself decides a rank below all of them"
        )
    if (squares < np.finfo(float).tiny / EPS).any():
        raise Breakdown("the squares of a column are below what float64 holds")
    return np.asarray(np.sqrt(squares))
