"""Sketch and precondition in short refinement rounds: the frame of the iterative methods.

Sketch → R₀ and x₀ (sketch-and-solve); then rounds of: one gradient pass (true residual, certificate), a few inner steps on the
preconditioned normal equations R₀⁻ᵀAᵀA R₀⁻¹ y = R₀⁻ᵀAᵀr, x ← x + R₀⁻¹y.  Several short rounds beat few long ones: the inner
tolerance is not the lever of accuracy, the recomputed residual is.

References
----------
E. N. Epperly, M. Meier, Y. Nakatsukasa, "Fast randomized least-squares solvers can be just as accurate and stable as classical
direct solvers", arXiv 2406.03468, 2024 (SPIR, FOSSILS; the meta-solver).
M. Meier, Y. Nakatsukasa, A. Townsend, M. Webb, "Are sketch-and-precondition least squares solvers numerically stable?", arXiv
2302.07202, 2023 (why x₀ and the rounds).
"""

import math
from typing import ClassVar, Protocol

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor, solve_small
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, NORMAL, Work, sketching_kind
from dsketch.problems.linear.method import (
    DRAWING,
    LinearAnswer,
    LinearMethod,
    backward_error_of,
    require_full_rank,
    sketch_bytes,
    sketch_cubes,
    square_bytes,
)
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown
from dsketch.settings import Settings
from dsketch.sketch.draw import choose_rows, draw_sketch
from dsketch.sketch.size import FOR_ITERATING, distortion, surest_distortion


class Inner(Protocol):
    """An inner iteration."""

    def __call__(self, system: LinearSystem, factor: Factor, c: Floats, epsilon: float, tol: float, /) -> Flow[Floats]:
        """Return y ≈ H⁻¹c for H = R⁻ᵀAᵀA R⁻¹, to a relative tolerance; epsilon is the distortion of the sketch that gave R."""


_ROUNDS = 12
_INNER_TOL = 1e-6  # a round aims at this: two to four rounds reach rounding from any start
_STAGNATION = 0.5  # a round that does not halve the backward error has met its floor


def refine(system: LinearSystem, settings: Settings, inner: Inner) -> Flow[LinearAnswer]:
    """Solve by sketch, start and refinement rounds with the given inner iteration.

    Raises
    ------
    Breakdown
        If the rounds stop short of the accepted backward error.
    """
    sketch = draw_sketch(settings, system.shape[1], FOR_ITERATING)
    SA, Sb = yield from system.sketch(sketch)
    factor, x = solve_small(SA, Sb)
    require_full_rank(factor)
    epsilon, surest, best = distortion(system.shape[1], sketch.size), surest_distortion(system.shape[1], sketch.size), np.inf
    kept: LinearAnswer | None = None
    for _ in range(_ROUNDS):
        slope = yield from system.gradient(x)
        error = backward_error_of(factor, x, slope)
        worst = float(error.max(initial=0.0))
        yield Converged(worst, float(np.sqrt(slope.rr).max(initial=0.0)))
        if kept is None or worst < best:
            kept = LinearAnswer(x, factor, False, slope, error, np.sqrt(slope.rr), distortion=surest)
        if worst <= settings.goal or not worst < _STAGNATION * best:
            break
        best = worst
        y = yield from inner(
            system, factor, factor.solve_transposed(slope.g), epsilon, max(_INNER_TOL, settings.goal / worst / 4)
        )
        x = factor.shortest(x + factor.solve(y))
    if kept is None or not kept.backward_error.max(initial=0.0) <= settings.accepted:
        reached = np.nan if kept is None else kept.backward_error.max()
        raise Breakdown(f"refinement rounds made no more progress at a backward error of {reached:.1e}")
    return kept


class RefiningMethod(LinearMethod):
    """An iterative method: a sketch, and rounds of its inner iteration.

    Attributes
    ----------
    inner : callable
    """

    takes = DRAWING
    inner: ClassVar[Inner]

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return a pass for the sketch, one for each inner step, one for each round and the start."""
        steps, rounds = _steps(settings, d)
        return Work((sketching_kind(settings.sketch),)), Work((NORMAL,), steps), Work((GRADIENT,), rounds + 1)

    def cubes(self, settings: Settings, d: int) -> tuple[float, float]:
        """Return those of the QR of the sketch."""
        return 0.0, sketch_cubes(settings, d, FOR_ITERATING)

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the sketch."""
        return max(sketch_bytes(settings, d, k, FOR_ITERATING), square_bytes(d, k))

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve by sketch, start and rounds; ``start`` is not needed.

        Raises
        ------
        Breakdown
            If the rounds stop short of the accepted backward error.
        """
        del start
        return (yield from refine(system, settings, self.inner))


def _steps(settings: Settings, d: int) -> tuple[int, int]:
    """Return inner steps and rounds of the iterative methods: each step gains a factor √(d/m), a round at most 10⁶."""
    rate = distortion(d, choose_rows(settings, d, FOR_ITERATING))
    digits = math.log(1 / settings.goal) + math.log(1e3)  # from the sketch-and-solve start, with the floor of a round
    steps = math.ceil(digits / max(-math.log(rate), 0.02))
    return steps, max(2, math.ceil(steps / 12))
