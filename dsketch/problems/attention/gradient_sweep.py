"""Gradients of softmax attention by sweeps.

Passes: two for the lengths of rows, a sweep for the statistics of the rows of Q, and one that makes the gradient.
"""

from typing import Any

from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate
from dsketch.problems.attention.gradient_method import GradientAnswer, GradientCase, GradientMethod
from dsketch.problems.attention.gradient_system import GradientSystem
from dsketch.problems.attention.sweep import price_sweep
from dsketch.settings import Settings

_PASSES = 4
_TILES = 2  # S, and P − D


class GradientSweep(GradientMethod):
    """Every weight, twice."""

    name = "sweep"
    is_safe = True
    reason = "exact; no weight is stored"

    def price(self, case: GradientCase) -> Estimate:
        """Return four passes, of which two are the work."""
        forward = case.system.forward
        swept = price_sweep(
            case.system.rows,
            case.system.others,
            forward,
            (_PASSES, _TILES, case.sides),
            case.entry_seconds,
            case.machines,
        )
        statistics = 16 * forward.Q.shape[0] * forward.heads
        return Estimate(_PASSES, swept.seconds, swept.memory_bytes + 2 * statistics, max(swept.part_bytes, statistics))

    def solve(self, system: GradientSystem, settings: Settings, start: Any = None) -> Flow[GradientAnswer]:
        """Look at the rows, and tell how the gradient's are made."""
        del settings, start
        return GradientAnswer((yield from system.measure()))
