"""The Gram matrix of [A b], trusted only where the columns that are free vouch for it.

All that a penalty or a bound needs is d × d: AᵀA and Aᵀb.  Rounding changes AᵀA, columns scaled, by about u √n trace; where the smallest
eigenvalue of the free columns (and their ridge) is ten times as large, the pass that certifies also corrects x to what the data hold.
Kinks leave out most columns that are nearly dependent, so this reaches further than for least squares.  Passes: 1 + 1.
"""

from typing import Any

import numpy as np

from dsketch._linalg.columns import powers_near
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, GRAM, Work
from dsketch.problems.linear.method import require_squares, square_bytes
from dsketch.problems.method import Breakdown
from dsketch.problems.penalized.method import PenalizedAnswer, PenalizedCase, PenalizedMethod
from dsketch.problems.penalized.quadratic import GramQuadratic
from dsketch.problems.penalized.refinement import certify_and_correct, solve_points
from dsketch.problems.penalized.system import PenalizedSystem
from dsketch.problems.penalized.triangle import TrianglePoints
from dsketch.settings import EPS, ROUNDING, Settings

_CONTRACTION = 0.1  # the correction contracts by this at worst


def rounding_of_gram(rows: int, trace: float) -> float:
    """Return how far rounding may move an eigenvalue of AᵀA of this trace."""
    return 2 * EPS * float(np.sqrt(rows)) * trace


class GramPoints(PenalizedMethod):
    """AᵀA, the active sets on it, and a look that certifies."""

    name = "gram"
    successor = TrianglePoints.name
    is_squared = True

    def works(self, case: PenalizedCase) -> tuple[Work, ...]:
        """Return 1 + 1 passes."""
        del case
        return Work((GRAM,)), Work((GRADIENT,))

    def part_bytes(self, case: PenalizedCase) -> int:
        """Return the bytes of the Gram matrix."""
        return square_bytes(case.workload.d, case.sides_of_b)

    def unfit(self, case: PenalizedCase) -> str | None:
        """Speak up where a Gram matrix of rows like the probed ones would not vouch for itself even if all columns were free."""
        found = case.found
        if found.is_deficient or rounding_of_gram(case.workload.n, found.trace) * found.condition**2 <= _CONTRACTION:
            return None  # dependent columns: kinks leave them out, or the method gives way
        return f"the probed rows have condition {found.condition:.0e}: rounding could hide in AᵀA"

    def solve(self, system: PenalizedSystem, settings: Settings, start: Any = None) -> Flow[PenalizedAnswer]:
        """Solve by AᵀA if the free columns vouch for it; ``start`` is not needed.

        Raises
        ------
        Breakdown
            If they do not, or the corrected answer does not reach the goal.
        """
        del start
        sums = yield from system.gram(settings.seed)
        require_squares(sums.square)
        scale = powers_near(np.sqrt(np.diagonal(sums.square)))
        pull = system.baseline(sums.square, sums.sides)
        costs = [cost.scaled(scale) for cost in system.costs(sums.weight, pull)]
        H, c = sums.square / np.outer(scale, scale), sums.sides / scale[:, None]
        spread = rounding_of_gram(system.shape[0], float(np.trace(H)))
        of_sides = [GramQuadratic(H=H, pull=side, spread=spread) for side in c.T]
        quadratics = [of_sides[system.side_of(point)] for point in range(system.points)]
        z = solve_points(system, quadratics, costs)
        for quadratic, cost, column in zip(quadratics, costs, z.T, strict=True):
            free = np.flatnonzero(~cost.rests(column))
            found = quadratic.correct(free, np.zeros(free.size), cost.ridge[free])
            least = found.least if cost.is_zero else found.least_kept  # of many minimizers least squares wants the shortest
            if not spread < _CONTRACTION * least:
                raise Breakdown(
                    f"rounding moves the eigenvalues of AᵀA by up to {spread:.1e}, the smallest of the free columns is about {least:.1e}: "
                    "too near",
                    sums.folds,
                )
        answer = yield from certify_and_correct(system, quadratics, costs, z, scale, sums, pull, settings.tol or ROUNDING)
        if not (answer.backward_error <= settings.accepted).all():
            raise Breakdown(f"the corrected answer stopped at a backward error of {answer.backward_error.max():.1e}", sums.folds)
        return answer
