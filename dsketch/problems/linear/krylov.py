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

from dataclasses import replace
from typing import Any

import numpy as np

from dsketch._linalg.bounds import Bounds
from dsketch._units import format_seconds
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate, price_works
from dsketch.planning.work import GRADIENT, NORMAL, SQUARES, Work
from dsketch.problems.linear.cholesky import Cholesky
from dsketch.problems.linear.krylov_steps import ROUND, rounds_to, steps_to, steps_worth
from dsketch.problems.linear.krylov_way import Way, norms_of
from dsketch.problems.linear.method import LinearAnswer, LinearMethod
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown, Case
from dsketch.settings import Settings

_ROUNDS = 12
_BELOW = 32  # the last round goes so far below the goal: a few steps more, and x is right to its rounding
_FINER = 8  # and ends so far below it, if that is rounding's
_STAGNATION = 0.5  # a round that does not halve the backward error has met its floor


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
        rounds = rounds_to(settings)
        return Work((SQUARES,)), Work((NORMAL,), steps_to(settings, condition) + rounds), Work((GRADIENT,), rounds)

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of a gradient, or of a product with one side more."""
        del settings
        return 8 * (k + 1) * (d + 5)

    def price(self, case: Case) -> Estimate:
        """Return passes, seconds, memory at the condition number of the probed rows."""
        w = case.workload
        steps = min(steps_to(case.settings, case.found.condition), steps_worth(w.n, w.d, w.k, w.nonzeros))
        works = (*self._works(case.settings, 1.0)[::2], Work((NORMAL,), steps + rounds_to(case.settings)))
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
        steps, limit = steps_to(case.settings, found.condition), steps_worth(w.n, w.d, w.k, w.nonzeros)
        if steps <= limit:
            return None
        return f"the probed rows have condition {found.condition:.0e}: some {steps:,} steps, a factor of A is worth {limit:,}"

    def details(self, case: Case) -> tuple[str, ...]:
        """Say what is stored, and how many steps are foretold."""
        w = case.workload
        stored = "" if w.nonzeros is None else f"{w.nonzeros / w.n:.3g} stored numbers a row, "
        seconds = format_seconds(price_works((Work((NORMAL,)),), 0, w).seconds)
        steps = steps_to(case.settings, case.found.condition)
        probed = f"condition {case.found.condition:.2g} of the probed rows (columns scaled): some {steps} steps"
        return (f"{stored}a light pass {seconds}; {probed}",)

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
        scale, g = norms_of(sums.squares), sums.products
        way = Way.begin(system, scale, settings, is_rough=bool(sums.unsorted.any()))
        x, best = np.zeros((system.shape[1], system.sides)), np.inf
        kept: LinearAnswer | None = None
        share, enough = np.ones(system.sides), settings.tol or settings.goal / _FINER
        for _ in range(_ROUNDS):
            aim = np.maximum(ROUND, settings.goal / np.maximum(share, settings.goal) / _BELOW)
            x = x + (yield from way.descend(g, aim)) / scale[:, None]
            slope = yield from system.gradient(x)
            g = slope.g
            error = way.guess().backward_error(x, slope.g, slope.rr)
            if error.max(initial=0.0) <= enough and not way.is_proven:
                yield from way.prove()
                error = way.guess().backward_error(x, slope.g, slope.rr)
            if error.max(initial=0.0) > settings.goal and way.is_proven and way.is_rough:
                yield from way.measure()
                error = way.guess().backward_error(x, slope.g, slope.rr)
            share, worst = error, float(error.max(initial=0.0))
            yield Converged(worst, float(np.sqrt(slope.rr).max(initial=0.0)))
            if kept is None or worst < best:
                kept = LinearAnswer(x, way.guess(), False, slope, error, np.sqrt(slope.rr))
            if worst <= enough or not worst < _STAGNATION * best:
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
