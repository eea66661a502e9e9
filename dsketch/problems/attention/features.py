"""Polynomial attention by features: all of K and V is summed once, a row of Q then needs no row of them.  Time is linear in n and m.

Passes: the lengths of the rows of K and of Q; moments and sums of K; the least aligned row of Q; the rows.
"""

from typing import Any, ClassVar

import numpy as np

from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.attention import TILE
from dsketch.passes.base import Flow
from dsketch.passes.causal import CausalFeatureRows, Course, Piecewise, piece_rows, sums_before
from dsketch.passes.polynomial import FeatureRows, KeySums, Powers, slice_rows
from dsketch.passes.rowwise import RowPass
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase, AttentionMethod
from dsketch.problems.attention.polynomial_rounding import (
    Amplification,
    feature_error,
    polynomial_condition,
    quotient_error,
    tile_error,
)
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.problems.outcome import format_number
from dsketch.settings import EPS, Settings

HALF = float(np.sqrt(EPS))  # a bound on rounding up to which half of the digits are left


class Features(AttentionMethod):
    """All monomials of the rows of K, once."""

    name = "features"
    passes: ClassVar[int] = 6
    columns_text: ClassVar[str] = "monomials"

    def powers(self, system: AttentionSystem, settings: Settings) -> Powers:
        """Return the features."""
        del settings
        return system.powers

    def unfit(self, case: AttentionCase) -> str | None:
        """Say for which weights there are features."""
        return None if case.system.degree is not None else "exponentials have other features"

    def require(self, case: AttentionCase) -> None:
        """Refuse weights that have no features.

        Raises
        ------
        SpecError
        """
        if reason := self.unfit(case):
            raise SpecError(f"method={self.name!r} is for kind='polynomial': {reason}. Use method='sweep'.")

    def price(self, case: AttentionCase) -> Estimate:
        """Return passes of which two expand rows."""
        system, machines = case.system, case.machines
        sums = KeySums(self.powers(system, case.settings), np.ones(system.heads))
        blocks = 1 if system.offset is None else len(system.rows.cuts)  # each has its own sums
        part = blocks * sums.part_bytes(system.K.shape[1], system.V.shape[1])
        width = sums.powers.width(system.K.shape[1])
        keys = system.keys
        tasks = machines.tasks(system.rows) + machines.tasks(keys)
        height = max(int(rows.cuts[1]) for rows in (system.rows, keys))
        row_bytes = 8 * (4 * (system.K.shape[1] + case.sides) + 2 * (case.sides + system.heads))
        slices = 8 * slice_rows(width) * width
        memory = height * row_bytes + 2 * slices + 4 * part
        seconds = case.row_seconds(sums)
        work = sum(side.shape[0] * seconds / min(machines.threads, len(side.cuts) - 1) for side in (system.rows, keys))
        if system.is_causal:
            own = system.rows  # its rows of K are expanded again, and meet in tiles
            work += own.shape[0] * (seconds + TILE * case.entry_seconds) / min(machines.threads, len(own.cuts) - 1)
        return Estimate(self.passes, work + self.passes * PASS_SECONDS + self.passes * TASK_SECONDS * tasks / 2, memory, part)

    def details(self, case: AttentionCase) -> tuple[str, ...]:
        """Tell how many features there are."""
        system = case.system
        width = self.powers(system, case.settings).width(system.K.shape[1])
        return (f"{width:,} {self.columns_text} of degree {system.degree} a row and head",)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Sum K and V, and tell how the answer's rows are made."""
        del start
        measured, found, sums = yield from self.look(system, settings)
        system = measured.system
        rows, features = system.K.shape[0], sums.powers.width(system.K.shape[1])
        r = feature_error(additions(system, features), features, found)
        pass_: RowPass
        if system.offset is None:
            pass_ = FeatureRows(sums.powers, (yield Look(sums, system.keys)))
        else:
            pass_ = yield from sum_past(system, sums, system.offset)
            r += tile_error(system.width, 1, found)
        # A monomial loses less than p of the least normal numbers, its weight is at most √p! < p^p: both sides, D of them, m times
        lost = 4.0 * rows * features * float(found.degree) ** (found.degree + 1)
        error = quotient_error(r, lost, found, measured.values)
        condition = polynomial_condition(found)
        notes = () if (error <= HALF).all() else (_explain(found),)
        return AttentionAnswer(measured, pass_, error, condition, notes, HALF / condition)

    def look(self, system: AttentionSystem, settings: Settings) -> Flow[tuple[Measured, Amplification, KeySums]]:
        """Return what is known of the rows, and the pass that sums K and V."""
        measured = yield from system.measure()
        found = yield from measured.amplify()
        return measured, found, KeySums(self.powers(system, settings), measured.factors)


def sum_past(system: AttentionSystem, sums: KeySums, offset: int) -> Flow[CausalFeatureRows]:
    """Sum K and V up to each block of Q, and return the pass that makes the rows."""
    queries = system.rows
    keys = piece_rows(queries, system.keys, offset)
    (pieces,) = yield Look(Piecewise(sums), keys)
    before = sums_before(pieces, keys, queries, offset)
    return CausalFeatureRows(sums.powers, Course(system.others, offset, sums.factors), queries.cuts[:-1], before)


def _explain(found: Amplification) -> str:
    """Return why features leave few digits."""
    share = f"at least 1/{format_number(found.late_size)}" if np.isfinite(found.late_size) else "an unknown share"
    return (
        f"row {found.row} of Q is nearly orthogonal to the rows of K: its weights add up to {share} of what its length allows, "
        "and features round to the latter; method='sweep' rounds less"
    )


def additions(system: AttentionSystem, features: int) -> int:
    """Return the most additions, one after another, of a sum over rows of K: within a slice, over slices, and over parts."""
    height, queries = slice_rows(features), system.rows
    if system.offset is None:
        return height + _slices(system.keys, height)
    keys = piece_rows(queries, system.keys, system.offset)
    return max(height, TILE) + _slices(keys, height) + len(keys.cuts) + int(queries.cuts[1]) // TILE


def _slices(rows: Rows, height: int) -> int:
    return sum(-(-int(block) // height) for block in np.diff(rows.cuts))
