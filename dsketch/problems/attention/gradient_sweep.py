"""Gradients of attention by sweeps.

Passes: two for the lengths of rows, for powers a third, a sweep for the statistics of the rows of Q, for dK and dV one for what a row of K
feels at most, which makes their bounds sharp, and one that makes the gradient.
"""

from typing import Any

from dsketch.passes.base import Flow
from dsketch.passes.polynomial_gradient import STATISTICS
from dsketch.planning.price import Estimate
from dsketch.problems.attention.gradient_method import GradientAnswer, GradientCase, GradientMethod, GradientRows
from dsketch.problems.attention.gradient_system import GradientSystem
from dsketch.problems.attention.polynomial_gradient import measure_powers
from dsketch.problems.attention.sweep import price_sweep
from dsketch.settings import Settings

_PASSES = {"Q": 4, "K": 5, "V": 5}
_TILES = 2  # S, and P − D


class GradientSweep(GradientMethod):
    """Every weight, two or three times."""

    name = "sweep"
    is_safe = True
    reason = "exact; no weight is stored"

    def price(self, case: GradientCase) -> Estimate:
        """Return four or five passes, of which two or three are the work."""
        forward = case.system.forward
        passes = _PASSES[case.system.wanted] + (forward.degree is not None)
        swept = price_sweep(
            case.system.rows,
            case.system.others,
            forward,
            (passes, _TILES, case.sides),
            case.entry_seconds,
            case.machines,
        )
        statistics = 8 * (2 if forward.degree is None else STATISTICS) * forward.Q.shape[0] * forward.heads
        return Estimate(passes, swept.seconds, swept.memory_bytes + 2 * statistics, max(swept.part_bytes, statistics))

    def solve(self, system: GradientSystem, settings: Settings, start: Any = None) -> Flow[GradientAnswer]:
        """Look at the rows, and tell how the gradient's are made."""
        del settings, start
        return GradientAnswer((yield from measure_gradient(system)))


def measure_gradient(system: GradientSystem) -> Flow[GradientRows]:
    """Return how the rows of a gradient are made by sweeps."""
    if system.forward.degree is None:
        return (yield from system.measure())
    return (yield from measure_powers(system))
