"""Conjugate gradients on AᵀA with columns divided by their norms: no sketch, no d × d matrix, a light pass a step.

What others pay for once (the d² numbers of AᵀA or of R, and d³ flops on the driver) is more, where A is sparse and well-conditioned,
than the steps that it would spare: with columns scaled the error shrinks by (κ − 1)/(κ + 1) a step.  Rounds of them, each from the
residual that the data say, are as accurate as a direct method.  Beside the right-hand sides goes a random one, whose residual tells
between which bounds the singular values of A lie (:mod:`dsketch._linalg.bounds`): so rank, condition and backward error are known
without a factor.  Where that cannot be shown, or the steps would be more work than a factor, it gives way.  Passes: 10 to 100.

References
----------
M. R. Hestenes, E. Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res. NBS 49, 1952.
A. van der Sluis, "Condition numbers and equilibration of matrices", Numer. Math. 14, 1969: columns of one norm are within √d of the best.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Bounds, Spectrum, spectrum_of
from dsketch._linalg.columns import norms
from dsketch._linalg.streams import KRYLOV_START
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate, price_works
from dsketch.planning.work import GRADIENT, GRAM, NORMAL, SQUARES, Work
from dsketch.problems.iterations import Recurrence, Step, pcg
from dsketch.problems.linear.cholesky import Cholesky
from dsketch.problems.linear.method import CUBE_SECONDS, LinearAnswer, LinearMethod
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown, Case
from dsketch.settings import EPS, Settings

_ROUNDS = 12
_ROUND = 1e-8  # a round aims at this: two of them reach rounding
_BELOW = 32  # the last round goes so far below the goal: a few steps more, and x is right to its rounding
_STAGNATION = 0.5  # a round that does not halve the backward error has met its floor
_SPENT = 1e-14  # of a right-hand side: when no more of its residual is left, it tells nothing further
_LEAST_LIMIT = 100  # steps that are taken in any case: about as many as are foretold where there is nothing to compare with
_BLAS_SECONDS = 0.04e-9  # a product of AᵀA by BLAS, one thread
_TRIED = 8  # after this share of the limit, or 16 steps, the rate is believed


_NOTHING = Spectrum(0.0, np.inf, 0.0, np.inf)


class Krylov(LinearMethod):
    """Conjugate gradients on AᵀA, columns scaled."""

    name = "krylov"
    successor = Cholesky.name
    squares = 0

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return the passes at a condition number of 2."""
        del d
        return self._works(settings, 2.0)

    def _works(self, settings: Settings, condition: float) -> tuple[Work, ...]:
        rounds = _rounds(settings)
        return Work((SQUARES,)), Work((NORMAL,), _steps(settings, condition) + rounds), Work((GRADIENT,), rounds)

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of a gradient, or of a product with one side more."""
        del settings
        return 8 * (k + 1) * (d + 5)

    def price(self, case: Case) -> Estimate:
        """Return passes, seconds, memory at the condition number of the probed rows."""
        w = case.workload
        steps = min(_steps(case.settings, case.found.condition), _limit(w.n, w.d, w.k, w.nonzeros))
        works = (*self._works(case.settings, 1.0)[::2], Work((NORMAL,), steps + _rounds(case.settings)))
        return price_works(works, self.part_bytes(case.settings, w.d, w.k), replace(w, k=w.k + 1))

    def unfit(self, case: Case) -> str | None:
        """Speak up where A is dense, b is wide, or the probed rows ask for more steps than a factor of A is worth."""
        found, w = case.found, case.workload
        if w.nonzeros is None:
            return "A is dense: a factor of it is cheaper than many passes"
        if w.k > w.d:
            return "b has more columns than A: it would be read in every step"
        if found.is_deficient:
            return "the probed rows lack rank"
        steps, limit = _steps(case.settings, found.condition), _limit(w.n, w.d, w.k, w.nonzeros)
        if steps <= limit:
            return None
        return f"the probed rows have condition {found.condition:.0e}: some {steps:,} steps, a factor of A is worth {limit:,}"

    def details(self, case: Case) -> tuple[str, ...]:
        """Say what is stored, and how many steps are foretold."""
        w = case.workload
        stored = "" if w.nonzeros is None else f"{w.nonzeros / w.n:.3g} stored numbers a row; "
        steps = _steps(case.settings, case.found.condition)
        return (f"{stored}condition {case.found.condition:.2g} of the probed rows (columns scaled): some {steps} steps",)

    def solve(self, system: LinearSystem, settings: Settings, start: Any = None) -> Flow[LinearAnswer]:
        """Solve by rounds of conjugate gradients; ``start`` is not needed.

        Raises
        ------
        Breakdown
            If a column is 0 or out of range, steps would be too many, or the rounds prove no full rank or no small backward error.
        """
        del start
        if system.rows.shift is not None or system.sides > system.shape[1]:
            what = "b has more columns than A" if system.rows.shift is None else "columns are shifted on the way"
            raise Breakdown(f"{what}, and what is told of x then needs a factor of A")
        sums = yield from system.column_sums()
        scale, g = _scale(sums.squares), sums.products
        way = _Way.begin(system, scale, settings, is_rough=bool(sums.unsorted.any()))
        x, best = np.zeros((system.shape[1], system.sides)), np.inf
        kept: LinearAnswer | None = None
        share = np.ones(system.sides)
        for _ in range(_ROUNDS):
            aim = np.maximum(_ROUND, settings.goal / np.maximum(share, settings.goal) / _BELOW)
            x = x + (yield from way.descend(g, aim)) / scale[:, None]
            slope = yield from system.gradient(x)
            g = slope.g
            error = way.guess().backward_error(x, slope.g, slope.rr)
            if error.max(initial=0.0) <= settings.goal and not way.is_proven:
                yield from way.prove()
                error = way.guess().backward_error(x, slope.g, slope.rr)
            if error.max(initial=0.0) > settings.goal and way.is_proven and way.is_rough:
                yield from way.measure()
                error = way.guess().backward_error(x, slope.g, slope.rr)
            share, worst = error, float(error.max(initial=0.0))
            yield Converged(worst, float(np.sqrt(slope.rr).max(initial=0.0)))
            if kept is None or worst < best:
                kept = LinearAnswer(x, way.guess(), False, slope, error, np.sqrt(slope.rr))
            if worst <= settings.goal or not worst < _STAGNATION * best:
                break
            best = worst
        yield from way.prove()
        return _conclude(kept, way.guess(), settings)


def _conclude(kept: LinearAnswer | None, bounds: Bounds, settings: Settings) -> LinearAnswer:
    """Return the best answer with what is proven of it.

    Raises
    ------
    Breakdown
        If that is too little.
    """
    assert kept is not None and kept.slope is not None  # noqa: S101, PT018 - for type checkers
    error = bounds.backward_error(kept.x, kept.slope.g, kept.slope.rr)
    if not error.max(initial=0.0) <= settings.accepted:
        raise Breakdown(f"rounds made no more progress at a proven backward error of {error.max():.1e}")
    return replace(kept, factor=bounds, backward_error=error)


def _scale(squares: Floats) -> Floats:
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


@dataclass
class _Way:
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
    def begin(cls, system: LinearSystem, scale: Floats, settings: Settings, *, is_rough: bool) -> "_Way":
        (n, d), k = system.shape, system.sides
        v = ndtri(random_words.uniforms(random_words.draw(settings.seed, KRYLOV_START, 0, d, 1)))
        at = Recurrence.begin(np.concatenate([np.zeros((d, k)), v], axis=1))
        return cls(system, scale, at, float(norms(v)[0]), _limit(n, d, k, system.rows.A.nonzeros), is_rough)

    @property
    def is_proven(self) -> bool:
        """Whether the bounds are as good as they get."""
        return self.spectrum.is_sharp

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
        self.norms, self.is_rough = _scale(sums.squares), False

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

        yield from pcg(self._apply, _itself, at, self.limit + 1, going, self._note)
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

        yield from pcg(self._apply, _itself, self.at, self.limit + 1, going, self._note)
        if not self.is_proven:
            raise Breakdown(
                "a random right-hand side does not prove that A has full rank, which a factor of A itself must decide"
            )

    def _apply(self, p: Floats) -> Flow[Floats]:
        scale = self.scale[:, None]
        return (yield from self.system.normal(p / scale)) / scale

    @property
    def _is_spent(self) -> bool:
        """Whether the random side has told what it can."""
        return self.is_proven or self._left <= _SPENT * self.start

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
        foretold = float(self.steps)
        if steps >= max(16, self.limit // _TRIED):
            with np.errstate(divide="ignore"):
                foretold += float(np.max(steps * (np.log(aim) / np.minimum(np.log(left), -1e-3) - 1), initial=0.0))
        if self.steps >= self.limit or foretold > 2 * self.limit:
            raise Breakdown(
                f"after {self.steps} steps, of which A is worth {self.limit}, as many as {foretold:.0f} are foretold: a factor is cheaper"
            )


def _itself(r: Floats) -> Flow[Floats]:
    yield from ()
    return r


def _rounds(settings: Settings) -> int:
    """Return how many rounds reach the goal."""
    return max(1, math.ceil(math.log(settings.goal) / math.log(_ROUND)))


def _steps(settings: Settings, condition: float) -> int:
    """Return the steps that reach the goal at a condition number, columns scaled: each gains (κ − 1)/(κ + 1)."""
    rate = (condition - 1) / (condition + 1)
    digits = math.log(2 / min(settings.goal, 1e-14))  # the proof asks for so many in any case
    return math.ceil(digits / max(-math.log(max(rate, 1e-2)), 1e-9))


def _limit(n: int, d: int, k: int, nonzeros: int | None) -> int:
    """Return how many steps are as much work as AᵀA and a factor of it."""
    if nonzeros is None or not nonzeros:
        return max(_LEAST_LIMIT, d // 2)
    assert GRAM.sparse_seconds is not None and NORMAL.sparse_seconds is not None  # noqa: S101, PT018 - for type checkers
    pairs = nonzeros * min(GRAM.sparse_seconds(k, n, nonzeros), _BLAS_SECONDS * n * d**2 / nonzeros)
    light = nonzeros * NORMAL.sparse_seconds(k + 1, n, nonzeros)
    return max(_LEAST_LIMIT, int((pairs + CUBE_SECONDS * d**3) / light))
