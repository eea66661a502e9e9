"""Causal attention by a convolution basis: logits of few profiles, found, verified, and multiplied by FFT, in time n log n.

Passes: the lengths of the rows of K and of Q; where profiles change; rows of K there, and to probe; the profiles; the basis held against
probed columns, with rows of Q to probe and what FFT carries; the basis held against these rows; the rows.

References
----------
Y. Liang, H. Liu, Z. Shi, Z. Song, Z. Xu, J. Yin, "Conv-Basis: a new paradigm for efficient attention inference and gradient computation in
transformers", arXiv 2405.05219.
"""

from typing import Any

import numpy as np

from dsketch.errors import SpecError
from dsketch.passes.base import Flow
from dsketch.passes.convolution import ConvRows, conv_rows
from dsketch.passes.polynomial import power_of_two
from dsketch.passes.spans import Spans
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate, Machines
from dsketch.problems.attention.conv_basis import FEW, Verified, find_verified, height_of, most_profiles
from dsketch.problems.attention.conv_rounding import basis_error
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase, AttentionMethod, transform_seconds
from dsketch.problems.attention.rounding import mean_condition
from dsketch.problems.attention.system import AttentionSystem
from dsketch.problems.method import Breakdown
from dsketch.problems.outcome import format_number
from dsketch.settings import Settings

_PASSES = 8
WORST = 1e-6  # of the largest |v|: where no tolerance is given, what more may be off is left to the sweep


class Conv(AttentionMethod):
    """The profiles of the logits, once."""

    name = "conv"
    successor = "sweep"
    reason = "kind='conv' asks for it; the sweep takes over where there is no basis of few profiles"

    def unfit(self, case: AttentionCase) -> str | None:
        """Say for which weights there is a basis."""
        return None if case.system.is_conv else "a convolution basis is for kind='conv'"

    def require(self, case: AttentionCase) -> None:
        """Refuse logits that are not said to have a basis.

        Raises
        ------
        SpecError
        """
        if reason := self.unfit(case):
            raise SpecError(f"method={self.name!r} is for kind='conv' with causal=True: {reason}. Use method='sweep'.")

    def price(self, case: AttentionCase) -> Estimate:
        """Return light passes, and transforms of V for each block of rows, by a few profiles."""
        return price_blocks(case.system, case.machines, (_PASSES, case.sides + case.system.heads, case.sides))

    def details(self, case: AttentionCase) -> tuple[str, ...]:
        """Tell how many profiles it takes."""
        n, heads = case.system.Q.shape[0], case.system.heads
        return (f"at most {most_profiles(n, heads):,} profiles a head, else the sweep",)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Find the basis, verify it, and tell how the answer's rows are made.

        Raises
        ------
        Breakdown
            If the logits have no basis of few profiles.
        """
        del start
        measured = yield from system.measure()
        found: Verified = yield from find_verified(measured, settings)
        error, worst = basis_error(found.measured, found.eta, found.carried), max(WORST, settings.tol or 0.0)
        if not (error <= worst).all():
            raise Breakdown(
                f"the basis may be off by {format_number(float(error.max()))} of the largest |v|, more than {worst:g}"
            )
        measured = found.measured
        return AttentionAnswer(
            measured,
            ConvRows(found.tiling, Spans.of(measured.system.V), power_of_two(measured.values)),
            np.maximum(error, found.gap),
            mean_condition(measured.logit),
            compared=found.compared,
            basis=found.facts,
            blocks=found.rows,
        )


def price_blocks(system: AttentionSystem, machines: Machines, counts: tuple[int, int, int]) -> Estimate:
    """Return the cost of passes whose work is transforms.

    Parameters
    ----------
    counts : tuple of int
        Passes; columns that are transformed for each block, of all passes; columns of the answer.
    """
    passes, columns, sides = counts
    height, n = height_of(system), system.Q.shape[0]
    blocks = -(-n // height)
    tiles = blocks * (blocks + 1) / 2 + FEW * blocks / 2
    work = tiles * columns * transform_seconds(height) / min(machines.threads, blocks)
    part = 8 * min(height, n) * sides
    width = system.Q.shape[1] + system.V.shape[1] + system.heads
    own = 8 * height * 12 * width  # blocks read; transforms, their sums and quotients
    memory = own + 8 * n * system.heads * most_profiles(n, system.heads) + 4 * part
    tasks = machines.tasks(conv_rows(system.Q, None, height, ("Q", "b")))
    return Estimate(passes, work + passes * (PASS_SECONDS + TASK_SECONDS * tasks), memory, part)
