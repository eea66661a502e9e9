"""Polynomial attention by features: all of K and V is summed once, a row of Q then needs no row of them.  Time is linear in n and m.

Passes: the lengths of the rows of K and of Q; moments and sums of K; the least aligned row of Q; the rows.
"""

from typing import Any

import numpy as np

from dsketch.errors import SpecError
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.polynomial import FeatureRows, KeySums, slice_rows
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase, AttentionMethod
from dsketch.problems.attention.polynomial_rounding import Amplification, feature_error, polynomial_condition, quotient_error
from dsketch.problems.attention.system import AttentionSystem
from dsketch.problems.outcome import format_number
from dsketch.settings import EPS, Settings

_PASSES = 6
_HALF = float(np.sqrt(EPS))  # a bound on rounding up to which half of the digits are left


class Features(AttentionMethod):
    """All monomials of the rows of K, once."""

    name = "features"

    def unfit(self, case: AttentionCase) -> str | None:
        """Say for which weights there are features."""
        return None if case.system.degree is not None else "exponentials have no features that are exact"

    def require(self, case: AttentionCase) -> None:
        """Refuse weights that have no features.

        Raises
        ------
        SpecError
        """
        if reason := self.unfit(case):
            raise SpecError(f"method='features' is for kind='polynomial': {reason}. Use method='sweep'.")

    def price(self, case: AttentionCase) -> Estimate:
        """Return six passes, of which two expand rows."""
        system, machines = case.system, case.machines
        sums = KeySums(system.powers, np.ones(system.heads))
        part = sums.part_bytes(system.K.shape[1], system.V.shape[1])
        width = sums.powers.width(system.K.shape[1])
        keys = system.keys
        tasks = machines.tasks(system.rows) + machines.tasks(keys)
        height = max(int(rows.cuts[1]) for rows in (system.rows, keys))
        row_bytes = 8 * (4 * (system.K.shape[1] + case.sides) + 2 * (case.sides + system.heads))
        slices = 8 * slice_rows(width) * width
        memory = height * row_bytes + 2 * slices + 4 * part
        work = sum(
            side.shape[0] * case.feature_seconds / min(machines.threads, len(side.cuts) - 1) for side in (system.rows, keys)
        )
        return Estimate(_PASSES, work + _PASSES * PASS_SECONDS + _PASSES * TASK_SECONDS * tasks / 2, memory, part)

    def details(self, case: AttentionCase) -> tuple[str, ...]:
        """Tell how many features there are."""
        system = case.system
        return (f"{system.powers.width(system.K.shape[1]):,} monomials of degree {system.degree} a row and head",)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Sum K and V, and tell how the answer's rows are made."""
        del settings, start
        measured = yield from system.measure()
        found = yield from measured.amplify()
        system = measured.system
        sums = yield Look(KeySums(system.powers, measured.factors), system.keys)
        rows, features = system.K.shape[0], sums.shape[1]
        r = feature_error(_additions(system, features), features, found)
        # A monomial loses less than p of the least normal numbers, its weight is at most √p! < p^p: both sides, D of them, m times
        lost = 4.0 * rows * features * float(found.degree) ** (found.degree + 1)
        error = quotient_error(r, lost, found, measured.values)
        condition = polynomial_condition(found)
        notes = () if (error <= _HALF).all() else (_explain(found),)
        return AttentionAnswer(measured, FeatureRows(system.powers, sums), error, condition, notes, _HALF / condition)


def _explain(found: Amplification) -> str:
    """Return why features leave few digits."""
    share = f"at least 1/{format_number(found.size)}" if np.isfinite(found.size) else "an unknown share"
    return (
        f"row {found.row} of Q is nearly orthogonal to the rows of K: its weights add up to {share} of what its length allows, "
        "and features round to the latter; method='sweep' rounds less"
    )


def _additions(system: AttentionSystem, features: int) -> int:
    """Return the most additions, one after another, of a sum over rows of K: within a slice, over slices, and over parts."""
    height = slice_rows(features)
    slices = sum(-(-int(rows) // height) for rows in np.diff(system.keys.cuts))
    return height + slices
