"""Rows drawn by sketched leverage scores: R_S of a sketch, and 64 random directions where columns are more.  Passes: 1 + 1 + 1.

Every pass is light: d³ flops nowhere but on the driver, 64 numbers a row in place of d.  The sketch overstates scores by m/(m − d − 1), so
that so many more rows are drawn, and tells the distance to the least residual up to its own distortion.
"""

import numpy as np

from dsketch._linalg.factor import Factor
from dsketch._linalg.whitener import Whitener, dense
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, LEVERAGES_NARROW, Work, sketching_kind
from dsketch.problems.leverage.directions import WIDTH, directions
from dsketch.problems.leverage.sampled_exact import SampledExact
from dsketch.problems.leverage.sampled_method import SampledMethod, Scores
from dsketch.problems.leverage.sampled_system import SampledSystem
from dsketch.problems.linear.method import require_full_rank
from dsketch.problems.method import SKETCHING
from dsketch.settings import Settings
from dsketch.sketch.draw import choose_rows, draw_sketch
from dsketch.sketch.size import FOR_ITERATING, distortion

_DOUBT = np.log(100.0)  # the distortion is larger than is said in one sketch of a hundred, at most


class SampledSketched(SampledMethod):
    """Scores by the triangle of a sketch, in few random directions."""

    name = "sketched"
    successor = SampledExact.name
    takes = SKETCHING

    def works(self, settings: Settings) -> tuple[Work, ...]:
        """Return 1 + 1 + 1 passes."""
        return Work((sketching_kind(settings.sketch),)), Work((LEVERAGES_NARROW,)), Work((GRADIENT,))

    def score_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the sketch."""
        return 8 * choose_rows(settings, d, FOR_ITERATING) * d

    def score(self, system: SampledSystem, settings: Settings) -> Flow[Scores]:
        """Return the scores by a sketch.

        Raises
        ------
        Breakdown
            If the sketch lacks rank: only A's own factor can tell whether A does.
        """
        sketch = draw_sketch(settings, system.shape[1], FOR_ITERATING)
        SA, _ = yield from system.sketch(sketch)
        factor = Factor.of(SA)
        require_full_rank(factor)
        return Scores(factor, narrow(factor.whitener, settings.seed), system.total(factor), _distortion(factor.rank, sketch.size))


def narrow(whitener: Whitener, seed: int) -> Whitener:
    """Return T G for 64 random directions G where T has more columns: squared lengths are kept up to 18 %."""
    if whitener.rank <= WIDTH:
        return whitener
    T = whitener.apply(np.eye(whitener.matrix.shape[1])) @ directions(seed, whitener.rank)
    return dense(T, T.T)


def _distortion(rank: int, size: int) -> float:
    """Return the δ of a sketch that is not exceeded but once in a hundred: √(d/m) + √(2 ln 100/m).

    K. R. Davidson, S. J. Szarek, "Local operator theory, random matrices and Banach spaces", 2001, Theorem II.13, for Gaussian sketches;
    sparse signs are within 8 % of it.
    """
    return min(1.08 * (distortion(rank, size) + float(np.sqrt(2 * _DOUBT / size))), 0.99)
