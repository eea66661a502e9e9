"""An attention layer as Levenberg's method looks at it: in X alone, with the Y that is best.

A look needs Y before it is known: it takes the one that J at the last point foretells, which is right to the second order; if it proves
poor, as at the start, one more look takes the right one.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.problems.attention.visible_layer import Point, VisibleLayer
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.system import LARGEST, absent

# Of ‖U Y‖: with a Y that is off by no more J is right to that share, and each step makes it its square.
_NEAR = 0.1
# Of the loss, and of the decrement: steps that lower both by less have JᵀJ for what is no longer the Hessian.
_LITTLE, _SLOW = 0.1, 0.25


@dataclass
class Elimination:
    """A layer as a :class:`~dsketch.problems.levenberg.Model` in Z alone: each look has the Y that the last one foretells.

    Attributes
    ----------
    layer : VisibleLayer
    last : Local or None
        The last one looked at.
    first : ndarray or None
        The Y that was best at the first point.
    is_exact : bool
        Whether looks take the Hessian in place of JᵀJ: once steps lower neither the loss by much nor the decrement as they should.  The
        misfit is then what is left, and what JᵀJ leaves out is as large as itself.
    holds_y : bool
        Whether steps are those with Y held, which is made anew after each: alternation in place of elimination.
    """

    layer: VisibleLayer
    last: Local | None = None
    first: Floats | None = None
    is_exact: bool = False
    holds_y: bool = False

    def evaluate(self, x: Floats) -> Flow[Local]:
        """Return what is known of the loss near Z with the best Y; nothing where Z is so large that products with it overflow."""
        if np.abs(x).max(initial=0.0) > LARGEST:
            return absent(x)
        kept: Point | None = None if self.last is None else self.last.kept
        Y = self.layer.no_values if kept is None else kept.Y if self.holds_y else kept.foretell(x)
        local, gap = yield from self.layer.sum_up(x, Y, is_exact=self.is_exact, holds_y=self.holds_y)
        if gap > _NEAR:
            local, _ = yield from self.layer.sum_up(x, local.kept.Y, is_exact=self.is_exact, holds_y=self.holds_y)
        if np.isfinite(local.value):
            self.is_exact = self.is_exact or (self.last is not None and _is_slow(self.last, local))
            self.last = local
            self.first = local.kept.Y if self.first is None else self.first
        return local


def _is_slow(before: Local, now: Local) -> bool:
    return abs(now.value - before.value) <= _LITTLE * before.value and now.decrement > _SLOW * before.decrement
