"""Attention by sweeps: tiles of weights in the processor's cache, used at once and forgotten.  n m weights of each head, exact.

Passes: the lengths of the rows of K and of Q, which bound all logits; for powers moments of K and the least aligned row of Q; and the sweep
that makes the rows.
"""

from typing import Any

from dsketch.matrix.rows import Rows
from dsketch.passes.attention import TILE
from dsketch.passes.base import Flow
from dsketch.passes.spans import Spans
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate, Machines
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase, AttentionMethod
from dsketch.problems.attention.polynomial_rounding import polynomial_condition, quotient_error, tile_error
from dsketch.problems.attention.rounding import mean_condition, mean_error, weight_error
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.settings import Settings

_PASSES = 3


class Sweep(AttentionMethod):
    """Every weight, once."""

    name = "sweep"
    is_safe = True
    reason = "exact; no weight is stored"

    def unfit(self, case: AttentionCase) -> str | None:
        """Leave logits that are said to have a basis to it."""
        return "kind='conv' asks for a convolution basis first" if case.system.is_conv else None

    def price(self, case: AttentionCase) -> Estimate:
        """Return three passes, for powers five, the last of which is the work."""
        system = case.system
        passes = _PASSES if system.degree is None else _PASSES + 2
        return price_sweep(system.rows, system.others, system, (passes, 1, case.sides), case.entry_seconds, case.machines)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Look at the rows, and tell how the answer's are made."""
        del settings, start
        measured = yield from system.measure()
        return (yield from sweep_answer(measured))


def sweep_answer(measured: Measured) -> Flow[AttentionAnswer]:
    """Return how the rows are made by a sweep.  Powers take two light passes for their bound."""
    system = measured.system
    if system.degree is not None:
        found = yield from measured.amplify()
        r = tile_error(system.width, system.tiles, found)
        lost = float(system.K.shape[0] * found.degree)
        error = quotient_error(r, lost, found, measured.values)
        return AttentionAnswer(measured, measured.sweep, error, polynomial_condition(found))
    eta = weight_error(system.width, measured.logit, system.tiles, is_tame=measured.is_tame)
    error = mean_error(eta, system.K.shape[0], measured.values)
    return AttentionAnswer(measured, measured.sweep, error, mean_condition(measured.logit))


def price_sweep(
    rows: Rows,
    others: Spans,
    system: AttentionSystem,
    counts: tuple[int, int, int],
    entry_seconds: float,
    machines: Machines,
) -> Estimate:
    """Return the cost of passes whose work is tiles: entries times the seconds of one, and what a block and a span hold.

    Parameters
    ----------
    rows, others : Rows, Spans
        Both sides of the largest sweep.
    counts : tuple of int
        Passes; tiles in memory at once; columns of the answer.
    entry_seconds : float
        Of an entry of Q Kᵀ in all sweeps, one thread.
    """
    passes, tiles, columns = counts
    n, m = system.Q.shape[0], system.K.shape[0]
    seen = 1 - 0.5 * n / m if system.is_causal else 1.0
    height, blocks, tasks = int(rows.cuts[1]), len(rows.cuts) - 1, machines.tasks(rows)
    work = n * m * seen * entry_seconds / min(machines.threads, blocks)
    width = rows.shape[1] + rows.sides
    own = (
        8 * height * (4 * width + 3 * (columns + system.heads))
    )  # two blocks read, one converted, one scaled; sums, their quotients
    span = sum(matrix.shape[1] for matrix in others.matrices)
    other = 8 * others.height * 3 * (span + system.heads)  # as it is stored, as float64, with ones
    part = 8 * height * columns
    memory = own + other + 8 * TILE * (tiles * TILE + columns + 1) + 4 * part
    return Estimate(passes, work + passes * (PASS_SECONDS + TASK_SECONDS * tasks), memory, part)
