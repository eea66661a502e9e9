"""What the methods share that solve stage by stage: their price, their flow, and when the stages are not enough.

Prefer them to a factor of A itself only for very wide or very sparse A, where n d² flops are out of reach.  Passes: 1 for the
sketch, 2 for ‖A‖, about 14 … 35 for each level, j − 1 for the certificate.
"""

import math
from abc import abstractmethod
from bisect import bisect_right
from typing import Any, TypeVar

from dsketch._linalg.arrays import Floats
from dsketch._units import format_count
from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate, price_passes, rate
from dsketch.planning.work import sketching_kind
from dsketch.problems.method import SKETCHING, Breakdown, Method
from dsketch.problems.powers.answer import PowerAnswer, Stage
from dsketch.problems.powers.factored import Factored
from dsketch.problems.powers.method import PowerCase, explain_lack_of_rank, rate_product
from dsketch.problems.powers.products import NORM_LOOKS, NORM_VECTORS
from dsketch.problems.powers.sequence import alternate, size_shared_sketch
from dsketch.problems.powers.stage import StageTask
from dsketch.problems.powers.system import PowerSystem
from dsketch.settings import EPS, Settings

T = TypeVar("T")

_LAST_STEPS = 5  # by so many steps a stage learns that its progress has ended


class StagedMethod(Method[PowerCase, PowerSystem, PowerAnswer]):
    """The paper's sequence with one way to solve a stage."""

    successor = Factored.name
    takes = SKETCHING

    @abstractmethod
    def run_stage(self, task: StageTask[T], y: Floats) -> Flow[tuple[Floats, T, Stage]]:
        """Return y with its last look and the record of the stage, from a start y."""

    def price(self, case: PowerCase) -> Estimate:
        """Return the cost of the sketch, of ‖A‖, of all stages and of the certificate."""
        w, (m, _) = case.workload, _sketch_of(case)
        looks = passes_of_stages(case) + case.stages - 1
        rates = [
            (rate(sketching_kind(case.settings.sketch), w), 1),
            (rate_product(min(NORM_VECTORS, w.d), w), NORM_LOOKS),
            (rate_product(w.k, w), looks),
        ]
        return price_passes(rates, 8 * m * (w.d + w.k), w)

    def unfit(self, case: PowerCase) -> str | None:
        """Leave an A that may lack rank to its own factor."""
        return explain_lack_of_rank(case)

    def details(self, case: PowerCase) -> tuple[str, ...]:
        """Return how many stages there are, and what they share."""
        rows = _sketch_of(case)[0]
        return (f"{case.stages} stages with one sketch of {format_count(rows)} rows; passes grow with the power",)

    def solve(self, system: PowerSystem, settings: Settings, start: Any = None) -> Flow[PowerAnswer]:
        """Answer stage by stage.

        Raises
        ------
        Breakdown
            If the sketch lacks rank, a stage diverges, or they stop short of the accepted backward error.
        """
        del start
        answer = yield from alternate(system, settings, self.run_stage)
        worst = float(answer.backward_error.max(initial=0.0))
        if not worst <= system.stages * settings.accepted:
            raise Breakdown(f"the stages made no more progress at a backward error of {worst:.1e}")
        return answer


def _sketch_of(case: PowerCase) -> tuple[int, float]:
    return size_shared_sketch(case.settings, case.workload.d, case.stages)


def passes_of_stages(case: PowerCase) -> int:
    """Return the passes of all stages: they never fall from level to level, so that equal ones are counted at once."""
    levels, total, start = range(case.stages), 0, 0
    while start < case.stages:
        passes = passes_of_stage(start, case)
        end = bisect_right(levels, passes, lo=start, key=lambda level: passes_of_stage(level, case))
        total, start = total + passes * (end - start), end
    return total


def passes_of_stage(level: int, case: PowerCase) -> int:
    """Return the passes of a stage: the absolute rule asks for 2 log kappa more at each level, until rounding ends it."""
    digits = math.log(case.stages / case.settings.goal) + 2 * level * math.log(max(case.found.condition, 1.0))
    return math.ceil(min(digits, -math.log(EPS)) / max(-math.log(_sketch_of(case)[1]), 0.02)) + _LAST_STEPS
