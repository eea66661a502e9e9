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
from dsketch.problems.linear.method import Answer, Breakdown, require_squares
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.whitened import lower_factor
from dsketch.settings import Settings
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_GUARDING

TRUSTED_CONDITION = 1e6  # columns scaled: u·kappa² = 1e-4 is the contraction of the refinement


def gram(problem: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[Answer]:
    """Solve through AᵀA if the sketch vouches for it.

    Raises
    ------
    Breakdown
        If A is rank-deficient, its condition number above 1e6, or the refinement does not reach the goal; the factor of the sketch
        goes along.
    """
    (SA, _), (G, c, _) = yield from problem.sketch_and_gram(draw_sketch(settings, problem.shape[1], FOR_GUARDING, nonzeros=2))
    start = Factor.of(SA)
    require_squares(G, start)
    if start.is_deficient:
        raise Breakdown(f"the Gram matrix of a rank-deficient A cannot be trusted ({start.rank_reason})", start)
    if start.scaled_condition > TRUSTED_CONDITION:
        raise Breakdown(
            f"the condition number is {start.scaled_condition:.1e} (columns scaled); a Gram matrix is trusted to 1e6",
            start,
        )
    L = lower_factor(start.solve_transposed(start.solve_transposed(G).T))
    factor = Factor(L.T @ start.R)
    x = factor.solve(sl.solve_triangular(L, start.solve_transposed(c), lower=True))
    answer = yield from certify_and_correct(problem, factor, x, settings, squared=True)
    if answer.error.max(initial=0.0) > settings.accepted:
        raise Breakdown(f"refinement of the Gram solution stopped at a backward error of {answer.error.max():.1e}", start)
    return answer
