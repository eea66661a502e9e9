"""Rows drawn by exact leverage scores: R of A by one tall-skinny QR.  Passes: 1 + 1 + 1 (the last measures).

The same R tells exactly, up to rounding, how far x is above the least residual.
"""

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, LEVERAGES, TRIANGLE, Work
from dsketch.problems.leverage.sampled_method import SampledMethod, Scores
from dsketch.problems.leverage.sampled_system import SampledSystem
from dsketch.settings import Settings


class SampledExact(SampledMethod):
    """Scores by A's own triangle."""

    name = "exact"
    is_safe = True

    def works(self, settings: Settings) -> tuple[Work, ...]:
        """Return 1 + 1 + 1 passes."""
        del settings
        return Work((TRIANGLE,)), Work((LEVERAGES,)), Work((GRADIENT,))

    def score_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of a triangle."""
        del settings
        return 8 * d**2

    def score(self, system: SampledSystem, settings: Settings) -> Flow[Scores]:
        """Return the scores of A, and their sum by the factor."""
        R, _, _ = yield from system.triangle(settings.seed)
        factor = Factor(R)
        return Scores(factor, factor.whitener, system.total(factor), 0.0)
