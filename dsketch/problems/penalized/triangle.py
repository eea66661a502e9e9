"""The triangle of [A b]: one QR of all rows, the active sets on it, and a look that certifies; stable for every condition number.

Passes: 1 + 1.  Prefer it for ill-conditioned A, for d to a few hundred, or on slow storage.

References
----------
C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, 1974, chapters 23 and 24.
"""

from typing import Any

import numpy as np

from dsketch._linalg.factor import Factor
from dsketch.matrix.centring import shortest
from dsketch.passes.base import Flow
from dsketch.passes.fold_grams import FoldSums
from dsketch.planning.work import GRADIENT, TRIANGLE, Work
from dsketch.problems.linear.method import square_bytes
from dsketch.problems.penalized.method import PenalizedAnswer, PenalizedCase, PenalizedMethod
from dsketch.problems.penalized.quadratic import TriangleQuadratic
from dsketch.problems.penalized.refinement import certify_and_correct, solve_points
from dsketch.problems.penalized.system import PenalizedSystem
from dsketch.settings import EPS, ROUNDING, Settings


class TrianglePoints(PenalizedMethod):
    """The triangle of [A b] and the active sets on it."""

    name = "triangle"
    is_safe = True

    def works(self, case: PenalizedCase) -> tuple[Work, ...]:
        """Return 1 + 1 passes."""
        del case
        return Work((TRIANGLE,)), Work((GRADIENT,))

    def part_bytes(self, case: PenalizedCase) -> int:
        """Return the bytes of the triangle."""
        return square_bytes(case.workload.d, case.sides_of_b)

    def solve(self, system: PenalizedSystem, settings: Settings, start: Any = None) -> Flow[PenalizedAnswer]:
        """Solve by the triangle of [A b]; ``start`` may be what folds sum to."""
        sums = yield from system.triangle(settings.seed, start if isinstance(start, FoldSums) else None)
        factor = Factor(sums.square)
        scale, R = factor.scale, factor.scaled
        pull = system.baseline(sums.square.T @ sums.square, sums.square.T @ sums.sides)
        costs = [cost.scaled(scale) for cost in system.costs(sums.weight, pull)]
        sides = [sums.sides[:, system.side_of(point)] for point in range(system.points)]
        spread = EPS * float(np.sqrt(len(R)))
        quadratics = [TriangleQuadratic(R=R, side=side, pull=R.T @ side, spread=spread) for side in sides]
        z = solve_points(system, quadratics, costs)
        if factor.is_deficient and all(cost.is_zero for cost in costs):  # least squares: of all minimizers the shortest
            z = shortest(factor.shortest(z / scale[:, None]), factor, system.rows.shift) * scale[:, None]
        return (yield from certify_and_correct(system, quadratics, costs, z, scale, sums, pull, settings.tol or ROUNDING, factor))
