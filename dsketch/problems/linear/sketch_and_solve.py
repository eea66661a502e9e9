"""Sketch and solve: min ‖S(A x − b)‖, one pass, with an error bar instead of a certificate.

The residual is above the optimum by a factor of about 1/√(1 − d/m), 2.6 % at m = 20 d.  The bar comes from the sketch alone:
‖A(x − x*)‖ ≈ ‖S r‖ √(d/m)/(1 − d/m), measured within 0.7 to 1.3 of the truth on incoherent, heavy-tailed and coherent rows.

References
----------
T. Sarlós, "Improved approximation algorithms for large matrices via random projections", FOCS 2006.
"""

import numpy as np

from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor, solve_small
from dsketch.passes.base import Flow
from dsketch.planning.work import Work, sketching_kind
from dsketch.problems.linear.method import DRAWING, LinearAnswer, LinearMethod, sketch_bytes, sketch_cubes, square_bytes
from dsketch.problems.linear.system import LinearSystem
from dsketch.settings import QR_LEVEL, Settings
from dsketch.sketch import CountSketch
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_SOLVING, distortion

_HEAVY_TAIL = 2.0


class SketchAndSolve(LinearMethod):
    """The minimizer of one sketch, an estimate."""

    name = "sketch_and_solve"
    takes = DRAWING
    is_offered = False
    is_estimate = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 1 pass."""
        del d
        return (Work((sketching_kind(settings.sketch),)),)

    def cubes(self, settings: Settings, d: int) -> tuple[float, float]:
        """Return those of the QR of the sketch."""
        return 0.0, sketch_cubes(settings, d, FOR_SOLVING)

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the sketch."""
        return max(sketch_bytes(settings, d, k, FOR_SOLVING), square_bytes(d, k))

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Estimate x from one sketch; ``start`` is not needed."""
        del start
        sketch = draw_sketch(settings, system.shape[1], FOR_SOLVING)
        SA, Sb = yield from system.sketch(sketch)
        factor, x = solve_small(SA, Sb)
        share = distortion(system.shape[1], sketch.size) ** 2
        seen = np.linalg.norm(Sb - SA @ x, axis=0)
        gap = seen * np.sqrt(share) / (1 - share)
        # A(x − x*) is orthogonal to the optimal residual, so Aᵀr = AᵀA(x* − x): ‖gap‖ ‖A‖ bounds it, and moving A by gap/‖x‖ explains it.
        length, size = norms(factor.scale[:, None] * x), float(np.linalg.norm(factor.scaled))
        # ‖A(x − x*)‖ is spread like the length of d normal numbers: up to that many times its mean, but once in a million; where few
        # heavy rows fall into one bucket of CountSketch it is more, up to 1.9 times that in 2,245 small problems.
        tail = 1 + np.sqrt(2 * np.log(1e6) / max(factor.rank, 1))
        tail *= _HEAVY_TAIL if sketch.name == CountSketch.name else 1.0
        error = np.minimum(ratio(tail * gap, size * length) + QR_LEVEL * (length > 0), 1.0)
        return LinearAnswer(x, factor, False, None, error, seen / (1 - share), gap)
