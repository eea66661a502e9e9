"""Sketched leverage scores: ‖Gᵀ R_S⁻ᵀaᵢ‖² with R_S from a sketch of A and few Gaussian directions G, 64 numbers a row in place of d.

Two approximations: R_S stretches scores by about m/(m − d − 1), G spreads each by √(2/64).  Both are measured: one pass whitens A by
R_S, which gives R of A itself, and picks some rows, whose exact scores then stand beside.  Passes: 1 + 1 + 1.

References
----------
P. Drineas, M. Magdon-Ismail, M. W. Mahoney, D. P. Woodruff, "Fast approximation of matrix coherence and statistical leverage", Journal
of Machine Learning Research 13, 2012.
"""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes import Both, Look, WhitenedGram
from dsketch.passes.base import Flow
from dsketch.passes.leverages import Leverages
from dsketch.passes.rowwise import Picked, RowSquares
from dsketch.planning.work import GRADIENT, WHITENED_GRAM, Work, sketching_kind
from dsketch.problems.leverage.directions import directions, pick_rows
from dsketch.problems.leverage.exact import Exact
from dsketch.problems.leverage.method import LeverageAnswer, LeverageMethod
from dsketch.problems.leverage.system import LeverageSystem
from dsketch.problems.linear.method import require_full_rank
from dsketch.problems.linear.whitened import lower_factor
from dsketch.problems.method import SKETCHING
from dsketch.settings import Settings
from dsketch.sketch.draw import choose_rows, draw_sketch
from dsketch.sketch.size import FOR_GUARDING

_COMPARED = 500  # rows whose exact scores are computed too


class Sketched(LeverageMethod):
    """A sketch's triangle, in few random directions."""

    name = "sketched"
    successor = Exact.name
    takes = SKETCHING
    is_offered = False
    aside = "scores with a measured spread; for columns by the hundred"

    def works(self, settings: Settings) -> tuple[Work, ...]:
        """Return 1 + 1 + 1 passes."""
        return Work((sketching_kind(settings.sketch, FOR_GUARDING),)), Work((WHITENED_GRAM,)), Work((GRADIENT,))

    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the sketch, or of the Gram matrix and the rows picked."""
        return 8 * d * max(choose_rows(settings, d, FOR_GUARDING), d + _COMPARED)

    def solve(self, system: LeverageSystem, settings: Settings, start: Any = None) -> Flow[LeverageAnswer]:
        """Return the scores by a sketch, and how far those of some rows are from the exact ones.

        Raises
        ------
        Breakdown
            If the sketch lacks rank, or did not whiten A: only A's own factor can tell then.
        """
        del start
        SA, _ = yield from system.sketch(draw_sketch(settings, system.shape[1], FOR_GUARDING))
        rough = Factor.of(SA)
        require_full_rank(rough)
        T = np.linalg.multi_dot([rough.whitener.apply(np.eye(len(rough.R))), directions(settings.seed, rough.rank)])
        rows = pick_rows(settings.seed, system.shape[0], _COMPARED)
        whitener = rough.whitener
        (W, _), picked = yield Look(Both(WhitenedGram(whitener), Picked(rows)), system.rows)
        if system.is_penalized:
            below_ = whitener.apply(np.diag(np.sqrt(system.penalty)))
            W = W + below_.T @ below_
        factor = Factor.of(lower_factor(W).T @ whitener.matrix)
        return LeverageAnswer(RowSquares(T), factor, False, _spread_of(T, factor, picked), len(rows))


def _spread_of(T: Floats, factor: Factor, X: Floats) -> tuple[float, float, float]:
    """Return least, middle and largest ratio of sketched to exact scores of rows; rows of zeros have none."""
    exact = Leverages(factor.whitener).of(X, np.zeros((len(X), 0)))[:, 0]
    found = np.einsum("ij,ij->i", X @ T, X @ T)
    ratios = found[exact > 0] / exact[exact > 0]
    return (float(ratios.min()), float(np.median(ratios)), float(ratios.max())) if ratios.size else (1.0, 1.0, 1.0)
