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

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.factor import Factor, solve_small
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.problems.linear.method import Answer, Breakdown, backward_error_of, require_full_rank
from dsketch.problems.linear.system import LinearSystem
from dsketch.settings import Settings
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_ITERATING, distortion

Floats = NDArray[np.float64]
# (problem, factor, right side c, distortion of the sketch, relative tolerance) → y
Inner = Callable[[LinearSystem, Factor, Floats, float, float], Flow[Floats]]

_ROUNDS = 12
_INNER_TOL = 1e-6  # of a round: two to four rounds reach rounding from any start
_STAGNATION = 0.5  # a round that does not halve the backward error has met its floor


def refined(problem: LinearSystem, settings: Settings, inner: Inner) -> Flow[Answer]:
    """Solve by sketch, start and refinement rounds with the given inner iteration.

    Raises
    ------
    Breakdown
        If the rounds stop short of the accepted backward error.
    """
    sketch = draw_sketch(settings, problem.shape[1], FOR_ITERATING)
    SA, Sb = yield from problem.sketch(sketch)
    factor, x = solve_small(SA, Sb)
    require_full_rank(factor)
    epsilon, best = distortion(problem.shape[1], sketch.size), np.inf
    kept: Answer | None = None
    for _ in range(_ROUNDS):
        slope = yield from problem.gradient(x)
        error = backward_error_of(factor, x, slope)
        worst = float(error.max(initial=0.0))
        yield Converged(worst, float(np.sqrt(slope.rr).max(initial=0.0)))
        if kept is None or worst < best:
            kept = Answer(x, factor, False, slope, error, np.sqrt(slope.rr), distortion=epsilon)
        if worst <= settings.goal or not worst < _STAGNATION * best:
            break
        best = worst
        y = yield from inner(
            problem, factor, factor.solve_transposed(slope.g), epsilon, max(_INNER_TOL, settings.goal / worst / 4)
        )
        x = factor.shortest(x + factor.solve(y))
    if kept is None or not kept.error.max(initial=0.0) <= settings.accepted:
        reached = np.nan if kept is None else kept.error.max()
        raise Breakdown(f"refinement rounds made no more progress at a backward error of {reached:.1e}")
    return kept
