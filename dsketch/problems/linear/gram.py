"""Gram with the sketch as its safety net: AᵀA, Aᵀb and S A in one pass, trusted only where the sketch's R₀ says so.

H = R₀⁻ᵀ(AᵀA)R₀⁻¹ has a condition number of about 9 in exact arithmetic and an error of about u·kappa²; if kappa allows it, R = LᵀR₀
with H = L Lᵀ, and x follows from two triangular systems.  The certificate pass that comes next is also a refinement step with
contraction u·kappa².  Passes: 1 + 1.  The cheapest way for well-conditioned A.

References
----------
I. C. F. Ipsen, "Solution of least squares problems with randomized preconditioned normal equations", arXiv 2507.18466, 2025.
"""

import scipy.linalg as sl

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, GRAM, Work, sketching_kind
from dsketch.problems.linear.method import (
    DRAWING,
    LinearAnswer,
    LinearMethod,
    require_squares,
    sketch_bytes,
    sketch_cubes,
    square_bytes,
)
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.whitened import Whitened, lower_factor
from dsketch.problems.method import Breakdown, Case
from dsketch.settings import Settings
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_GUARDING

_SIGNS = 2  # so many a row of the sparse sketch: it judges a condition number and need not be sharp
_TRUSTED_CONDITION = 1e6  # at this condition, columns scaled, refinement contracts by u·kappa² = 1e-4


class Gram(LinearMethod):
    """AᵀA and a sketch in one pass, if the sketch vouches for it."""

    name = "gram"
    successor = Whitened.name
    takes = DRAWING
    is_squared = True
    is_direct = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 1 + 1 passes."""
        del d
        return Work((sketching_kind(settings.sketch, FOR_GUARDING, _SIGNS), GRAM)), Work((GRADIENT,))

    def cubes(self, settings: Settings, d: int) -> tuple[float, float]:
        """Return those of the QR of the sketch, and R₀⁻ᵀ G R₀⁻¹ on one thread."""
        return 6.0, sketch_cubes(settings, d, FOR_GUARDING)

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the sketch and the Gram matrix."""
        return sketch_bytes(settings, d, k, FOR_GUARDING) + square_bytes(d, k)

    def unfit(self, case: Case) -> str | None:
        """Speak up where the probed rows are worse than a Gram matrix can bear."""
        found = case.found
        if not found.is_deficient and found.condition <= _TRUSTED_CONDITION:
            return None
        hint = "lack rank" if found.is_deficient else f"have condition {found.condition:.0e}"
        return f"the probed rows {hint}; a Gram matrix is trusted to {_TRUSTED_CONDITION:.0e}"

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve through AᵀA if the sketch vouches for it; ``start`` is not needed.

        Raises
        ------
        Breakdown
            If A is rank-deficient, its condition number above 1e6, or the refinement does not reach the goal; the factor of the sketch
            goes along.
        """
        sketch = draw_sketch(settings, system.shape[1], FOR_GUARDING, nonzeros=_SIGNS)
        (SA, _), (G, c, _) = yield from system.sketch_and_gram(sketch)
        start = Factor.of(SA)
        require_squares(G, start)
        if start.is_deficient:
            raise Breakdown(f"the Gram matrix of a rank-deficient A cannot be trusted ({start.rank_reason})", start)
        if start.scaled_condition > _TRUSTED_CONDITION:
            raise Breakdown(
                f"the condition number is {start.scaled_condition:.1e} (columns scaled); a Gram matrix is trusted to 1e6",
                start,
            )
        L = lower_factor(start.solve_transposed(start.solve_transposed(G).T))
        factor = Factor(L.T @ start.R)
        x = factor.solve(sl.solve_triangular(L, start.solve_transposed(c), lower=True))
        answer = yield from certify_and_correct(system, factor, x, settings, squared=self.is_squared)
        if answer.backward_error.max(initial=0.0) > settings.accepted:
            raise Breakdown(
                f"refinement of the Gram solution stopped at a backward error of {answer.backward_error.max():.1e}", start
            )
        return answer
