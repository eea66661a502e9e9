"""½‖f − b‖² with u = exp(A x) + A x, α = ⟨u, 1⟩, f = u/α.

With e = exp(A x), v = e + 1, c = f − b, p = ⟨f, c⟩ and q = v∘(c − p)/α::

    ∇L = Aᵀq      J = (diag(v) − f vᵀ)A/α      ∇²L = JᵀJ + Aᵀdiag(e∘(c − p))A/α − (Aᵀv ∇Lᵀ + ∇L vᵀA)/α

A x is signed, so that α may vanish, where f does not exist: an α below √eps of Σ abs(u) has lost half its digits, and is refused.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Pass
from dsketch.passes.jacobian import ResnetRows
from dsketch.passes.resnet_sums import ResnetFacts, ResnetSums
from dsketch.passes.softmax_rows import LEAST_ALPHA
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.row_system import Reading, SumSystem
from dsketch.problems.nonlinear.system import Curvature

GRAMS = {Curvature.NONE: 0, Curvature.SQUARED: 1, Curvature.EXACT: 4}


@dataclass(frozen=True)
class ResnetSystem(SumSystem):
    """½‖f − b‖² + ½ alpha ‖x‖² with f = (exp(A x) + A x)/⟨exp(A x) + A x, 1⟩."""

    def sums(self, x: Floats, curvature: Curvature, near: Reading | None) -> Pass[ResnetFacts]:
        """Return the pass."""
        del near
        return ResnetSums(x, GRAMS[curvature])

    def read(self, x: Floats, pass_: Pass[ResnetFacts], facts: ResnetFacts) -> Reading | str:
        """Turn sums into gradient and matrices."""
        del pass_
        if not facts.alpha > LEAST_ALPHA * facts.size:
            share = facts.alpha / max(facts.size, np.finfo(float).tiny)
            found = float(np.exp(min(facts.top, 700.0))) * facts.alpha
            return (
                f"α = ⟨exp(A x) + A x, 1⟩ must be above {LEAST_ALPHA:.1e} of the sum of absolute values; it is {share:.1e} of it "
                f"({found:.3g})"
            )
        ff, fb, slope = facts.ff, facts.fb, facts.slope
        p = ff - fb
        gradient = facts.square - facts.cross - p * slope
        squared = hessian = None
        if len(facts.grams):
            first = np.outer(facts.square, slope)
            squared = facts.grams[0] - (first + first.T) + ff * np.outer(slope, slope)
            if len(facts.grams) == 4:
                moved = np.outer(slope, gradient)
                hessian = squared + facts.grams[1] - facts.grams[2] - p * facts.grams[3] - (moved + moved.T)
        rows = ResnetRows(x, slope, facts.top, facts.alpha)
        value, size = 0.5 * (ff - 2 * fb + facts.bb), 0.5 * (ff + 2 * abs(fb) + facts.bb)
        return Reading(max(value, 0.0), size, gradient, squared, hessian, rows, float(np.sqrt(ff)), float(np.sqrt(facts.bb)))

    def explain_absence(self, near: Local) -> str:
        """Return what α was."""
        return near.kept if isinstance(near.kept, str) else super().explain_absence(near)
