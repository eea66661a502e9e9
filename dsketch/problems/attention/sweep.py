"""Attention by sweeps: tiles of weights in the processor's cache, used at once and forgotten.  n m weights of each head, exact.

Passes: the lengths of the rows of K and of Q, which bound all logits, and the sweep that makes the rows.
"""

from typing import Any

from dsketch.passes.attention import TILE
from dsketch.passes.base import Flow
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase, AttentionMethod
from dsketch.problems.attention.rounding import mean_condition, mean_error, weight_error
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.settings import Settings

_PASSES = 3


class Sweep(AttentionMethod):
    """Every weight, once."""

    name = "sweep"
    is_safe = True
    reason = "exact; no weight is stored"

    def price(self, case: AttentionCase) -> Estimate:
        """Return three passes, the last of which is the work: entries times the seconds of one, and what a block holds."""
        system = case.system
        rows, others = system.rows, system.others
        n, m, k = rows.shape[0], others.rows, system.V.shape[1]
        seen = 1 - 0.5 * n / m if system.is_causal else 1.0
        height = int(rows.cuts[1])
        blocks = len(rows.cuts) - 1
        tasks = case.machines.tasks(rows)
        seconds = n * m * seen * case.entry_seconds / min(case.machines.threads, blocks) + _PASSES * (
            PASS_SECONDS + TASK_SECONDS * tasks
        )
        wide = rows.shape[1]
        own = (
            8 * height * (4 * wide + 3 * (k + system.heads))
        )  # two blocks read, one converted, one scaled; sums, their quotients
        span = 8 * others.height * 3 * (wide + k + system.heads)  # as it is stored, as float64, with ones
        part = 8 * height * k
        return Estimate(_PASSES, seconds, own + span + 8 * TILE * (TILE + k + 1) + 4 * part, part)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Look at the rows, and tell how the answer's are made."""
        del settings, start
        measured = yield from system.measure()
        return sweep_answer(measured)


def sweep_answer(measured: Measured) -> AttentionAnswer:
    """Return how the rows are made by a sweep."""
    system = measured.system
    eta = weight_error(system.width, measured.logit, system.tiles, is_tame=measured.is_tame)
    error = mean_error(eta, system.K.shape[0], measured.values)
    return AttentionAnswer(measured, measured.softmax, error, mean_condition(measured.logit))
