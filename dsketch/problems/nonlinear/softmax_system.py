"""½‖f − b‖² with f = exp(A x)/⟨exp(A x), 1⟩.

With c = f − b, s = ⟨f, c⟩, q = f∘(c − s), f̄ = Aᵀf and F = A − 1 f̄ᵀ, whose rows are all that f feels::

    ∇L = Fᵀq      J = diag(f) F      ∇²L = JᵀJ + Fᵀdiag(q)F − (∇L f̄ᵀ + f̄ ∇Lᵀ with f̄ measured from the centre of the sums)

f does not change where a constant is added to A x: columns are summed about the centre that the last look found, so that nothing
cancels, and a v with A v constant is a direction that no data determine.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow, Pass
from dsketch.passes.extent import Extent
from dsketch.passes.jacobian import SoftmaxRows
from dsketch.passes.softmax_sums import SoftmaxFacts, SoftmaxSums
from dsketch.problems.nonlinear.row_system import Reading, SumSystem
from dsketch.problems.nonlinear.system import Curvature, Examination
from dsketch.settings import EPS

GRAMS = {Curvature.NONE: 0, Curvature.SQUARED: 1, Curvature.EXACT: 3}
# A column whose part in JᵀJ is that small beside what was summed for it is rounding: constant, but for digits that no sum resolves.
_NOTHING = 1e-13
_CONSTANT = 64 * EPS  # of the absolute sum in a row: A v of a null vector of J is as constant as rounding allows


@dataclass(frozen=True)
class SoftmaxSystem(SumSystem):
    """½‖f − b‖² + ½ alpha ‖x‖² with f = exp(A x)/⟨exp(A x), 1⟩."""

    def sums(self, x: Floats, curvature: Curvature, near: Reading | None) -> Pass[SoftmaxFacts]:
        """Return the pass, about the centre that the last look found."""
        centre = np.zeros(len(x)) if near is None else cast(SoftmaxRows, near.rows).centre
        return SoftmaxSums(x, centre, GRAMS[curvature])

    def read(self, x: Floats, pass_: Pass[SoftmaxFacts], facts: SoftmaxFacts) -> Reading:
        """Turn sums into gradient and matrices."""
        centre, mean, ff, fb = cast(SoftmaxSums, pass_).centre, facts.mean, facts.ff, facts.fb
        s = ff - fb
        gradient = facts.square - facts.cross - s * mean
        squared = hessian = None
        if len(facts.grams):
            first = np.outer(facts.square, mean)
            squared = facts.grams[0] - (first + first.T) + ff * np.outer(mean, mean)
            summed = np.diag(facts.grams[0]) + 2 * np.abs(np.diag(first)) + ff * mean**2
            lost = np.diag(squared) <= _NOTHING * summed
            squared[lost], squared[:, lost], gradient[lost] = 0.0, 0.0, 0.0
            if len(facts.grams) == 3:
                bend = facts.grams[0] - facts.grams[1] - s * facts.grams[2]
                turned = np.outer(gradient, mean)
                # Cᵀdiag(q)C about the centre of the sums; about f̄ instead both outer products of the gradient go.
                hessian = squared + bend - (turned + turned.T)
                hessian[lost], hessian[:, lost] = 0.0, 0.0
        moved = centre + mean  # rounded; what it moved by is exact, and so is the normalizer about it
        rows = SoftmaxRows(x, moved, facts.top - float((moved - centre) @ x), facts.total)
        value = 0.5 * (ff - 2 * fb + facts.bb)
        size = 0.5 * (ff + 2 * abs(fb) + facts.bb)
        return Reading(max(value, 0.0), size, gradient, squared, hessian, rows, float(np.sqrt(ff)), float(np.sqrt(facts.bb)))

    def shortest(self, x: Floats, found: Examination) -> Flow[Floats | None]:
        """Return the shortest x with the same f, if A v is constant for every v that J does not feel."""
        null = found.factor.null
        low, high, size = yield from self.look(Extent(null))
        if not (high - low <= _CONSTANT * np.sqrt(len(x)) * size).all():
            return None
        return found.factor.shortest(x[:, None])[:, 0]
