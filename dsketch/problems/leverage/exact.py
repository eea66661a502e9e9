"""Exact leverage scores: R of A by one tall-skinny QR, then hᵢ = ‖R⁻ᵀaᵢ‖² in the pass that makes the rows.  Passes: 1 + 1."""

from typing import Any

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.passes.leverages import Leverages
from dsketch.planning.work import TRIANGLE, WHITENED_GRAM, Work
from dsketch.problems.leverage.method import LeverageAnswer, LeverageMethod
from dsketch.problems.leverage.system import LeverageSystem
from dsketch.settings import Settings


class Exact(LeverageMethod):
    """The triangle of A."""

    name = "exact"
    is_safe = True
    reason = "scores to all digits; a sketch saves little below some hundred columns"

    def works(self, settings: Settings) -> tuple[Work, ...]:
        """Return 1 + 1 passes: whitening a row costs what a whitened Gram matrix does, at most."""
        del settings
        return Work((TRIANGLE,)), Work((WHITENED_GRAM,))

    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the triangle."""
        del settings
        return 8 * d**2

    def solve(self, system: LeverageSystem, settings: Settings, start: Any = None) -> Flow[LeverageAnswer]:
        """Return the scores by A's own triangle."""
        del start
        R, _, _ = yield from system.triangle(settings.seed)
        factor = Factor(R)
        return LeverageAnswer(Leverages(factor.whitener), factor, True)
