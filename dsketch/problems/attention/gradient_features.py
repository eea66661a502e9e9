"""Gradients of polynomial attention by features, in time that is linear in n and m: all of K and V is summed once, and all of Q and dY.

Passes: the lengths of the rows of K and of Q, by heads again those of K; the sums of K and V; for statistics the rows of Q; for dK and dV
the sums of Q and dY; and one that makes the gradient.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.features.taylor import monomials
from dsketch.passes import Look
from dsketch.passes.attention import TILE
from dsketch.passes.base import Flow
from dsketch.passes.causal import Course, Piecewise, piece_rows, sums_before
from dsketch.passes.causal_gradient import CausalFeatureGradient, CausalFeatureStatistics, later_pieces, sums_after
from dsketch.passes.feature_gradient import FeatureGradient, FeatureStatistics, QuerySums
from dsketch.passes.polynomial import KeySums, slice_rows
from dsketch.passes.polynomial_gradient import STATISTICS
from dsketch.passes.rowwise import RowPass
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.attention.features import HALF, additions
from dsketch.problems.attention.gradient_method import GradientAnswer, GradientCase, GradientMethod
from dsketch.problems.attention.gradient_system import GradientSystem
from dsketch.problems.attention.polynomial_gradient import PowerFacts, look_at_keys, shape_of
from dsketch.problems.attention.polynomial_gradient_rounding import (
    Pair,
    Weights,
    feature_slack,
    feature_weights,
    feel_pairs,
    sum_pairs,
    sway,
    tile_slack,
    tile_weights,
)
from dsketch.problems.attention.rounding import gamma
from dsketch.problems.outcome import format_number
from dsketch.settings import Settings

_PASSES = {"Q": 6, "K": 7, "V": 7}


class GradientFeatures(GradientMethod):
    """All monomials of the rows of K, and of Q, once."""

    name = "features"

    def unfit(self, case: GradientCase) -> str | None:
        """Say for which weights there are features."""
        return None if case.system.forward.degree is not None else "exponentials have other features"

    def require(self, case: GradientCase) -> None:
        """Refuse weights that have no features.

        Raises
        ------
        SpecError
        """
        if reason := self.unfit(case):
            raise SpecError(f"method={self.name!r} is for kind='polynomial': {reason}. Use method='sweep'.")

    def price(self, case: GradientCase) -> Estimate:
        """Return passes of which three or four expand rows."""
        system, machines, forward = case.system, case.machines, case.system.forward
        keys, queries = forward.keys, system.queries
        blocks = 1 if forward.offset is None else len(queries.cuts)
        part = blocks * _sums(system).part_bytes(forward.K.shape[1], forward.V.shape[1])
        width = forward.powers.width(forward.K.shape[1])
        height = max(int(rows.cuts[1]) for rows in (keys, queries, system.rows))
        row_bytes = 8 * 6 * (forward.K.shape[1] + forward.V.shape[1] + STATISTICS * forward.heads)
        statistics = 8 * STATISTICS * forward.heads * forward.Q.shape[0]
        memory = height * row_bytes + 4 * 8 * slice_rows(width) * width + 4 * part + 2 * statistics
        seconds = _row_seconds(case, part)
        passes, threads = _PASSES[system.wanted], machines.threads
        work = sum(
            count * rows.shape[0] * seconds / min(threads, len(rows.cuts) - 1) for count, rows in _count_expansions(system)
        )
        if forward.is_causal:
            work += 2 * queries.shape[0] * TILE * case.entry_seconds / min(threads, len(queries.cuts) - 1)
        tasks = (machines.tasks(keys) + machines.tasks(queries)) / 2
        return Estimate(passes, work + passes * (PASS_SECONDS + TASK_SECONDS * tasks), memory, part)

    def details(self, case: GradientCase) -> tuple[str, ...]:
        """Tell how many features there are."""
        forward = case.system.forward
        width = forward.powers.width(forward.K.shape[1])
        return (f"{width:,} monomials of degree {forward.degree} a row and head",)

    def solve(self, system: GradientSystem, settings: Settings, start: Any = None) -> Flow[GradientAnswer]:
        """Sum K and V, look at the rows of Q, for dK and dV sum these, and tell how the gradient's rows are made."""
        del settings, start
        opened, measured = yield from system.opened()
        lengths = yield from look_at_keys(opened, measured)
        keys = KeySums(opened.forward.powers, measured.factors)
        S, statistics = yield from _sum_keys(opened, keys)
        facts = PowerFacts(measured, shape_of(opened), statistics, lengths)
        known = statistics[:, : 2 * opened.forward.heads]
        pass_ = yield from _gradient(opened, keys, S, known)
        return _conclude(opened, facts, pass_, keys.powers.width(opened.forward.K.shape[1]))


def _count_expansions(system: GradientSystem) -> tuple[tuple[int, Any], ...]:
    """Return how often the rows of each side are expanded."""
    once = 2 if system.wanted == "Q" else 3
    return (3 - (system.wanted == "Q"), system.forward.keys), (once, system.queries)


def _row_seconds(case: GradientCase, part: int) -> float:
    """Return the seconds to expand a row, and to make the gradient at one, one thread; infinite where sums do not fit."""
    if part > case.memory_bytes:
        return float("inf")
    few = case.few
    powers, heads = few.forward.powers, few.forward.heads
    width = powers.width(few.forward.K.shape[1])
    sums, statistics = np.ones((heads, width, few.forward.V.shape[1] // heads + 1)), np.ones((few.forward.Q.shape[0], 2 * heads))
    pass_ = FeatureGradient("Q", powers, np.ones(heads), sums, statistics)
    return case.sample.row_seconds(pass_, few.queries)


def _sums(system: GradientSystem) -> KeySums:
    return KeySums(system.forward.powers, np.ones(system.forward.heads))


def _sum_keys(system: GradientSystem, keys: KeySums) -> Flow[tuple[Floats, Floats]]:
    """Return S, before each block of Q where rows see their own past, and the statistics of the rows of Q."""
    forward, queries = system.forward, system.queries
    if forward.offset is None:
        S: Floats = yield Look(keys, forward.keys)
        statistics: Floats = yield Look(FeatureStatistics(keys.powers, S), queries)
        return S, statistics
    pieces = piece_rows(queries, forward.keys, forward.offset)
    (parts,) = yield Look(Piecewise(keys), pieces)
    before = sums_before(parts, pieces, queries, forward.offset)
    course = Course(forward.others, forward.offset, keys.factors)
    statistics = yield Look(CausalFeatureStatistics(keys.powers, course, queries.cuts[:-1], before), queries)
    return before, statistics


def _gradient(system: GradientSystem, keys: KeySums, S: Floats, known: Floats) -> Flow[RowPass]:
    """Return the pass that makes the gradient; for dK and dV Q and dY are summed first."""
    forward, wanted, powers = system.forward, system.wanted, keys.powers
    offset, rows = forward.offset, system.rows
    if wanted != "Q":
        sums = QuerySums(powers, known)
        if offset is None:
            S = yield Look(sums, system.queries)
        else:
            pieces = later_pieces(rows, system.queries, offset)
            (parts,) = yield Look(Piecewise(sums), pieces)
            S = sums_after(parts, pieces, rows, offset)
    if offset is None:
        return FeatureGradient(wanted, powers, keys.factors, S, known if wanted == "Q" else None)
    return CausalFeatureGradient(wanted, powers, system.others, offset, keys.factors, rows.cuts[:-1], S, known)


def _conclude(system: GradientSystem, facts: PowerFacts, pass_: RowPass, features: int) -> GradientAnswer:
    """Return the answer, with bounds on rounding."""
    shape, is_causal = facts.shape, system.forward.is_causal
    of_pair = 8.0 * features * float(shape.degree) ** (shape.degree + 2)
    weights, early = _weights(system, facts, features, of_pair)
    everything = monomials(shape.width, shape.degree)
    made = gamma(4 * shape.degree + 2 * shape.depth + 24 + 2 * _all_additions(system, features) + 2 * everything)
    changes, late = sway(shape, weights), feature_slack(shape, weights, made, is_causal=is_causal)
    error = _largest(system, facts, weights, early, tile_slack(shape, weights), late) + facts.lost(of_pair)
    change = _largest(system, facts, weights, early, changes, changes.first + changes.second)
    measured = facts.conclude(pass_, system.rows, weights, error, change)
    return GradientAnswer(measured, (_explain(weights),), HALF)


def _weights(system: GradientSystem, facts: PowerFacts, features: int, of_pair: float) -> tuple[Weights, NDArray[np.bool_]]:
    """Return what is known of weights, and which rows have all of theirs one by one, shape (n, 1): causal ones of the first tile."""
    shape, forward, weight = facts.shape, system.forward, facts.queries.weight
    summed = gamma(2 * shape.degree + 6 + additions(forward, features) + features)
    behind = float(np.expm1(shape.degree * np.log1p(shape.product)) + shape.sums) if forward.is_causal else 0.0
    lost = shape.keys * of_pair * float(np.finfo(float).tiny)
    late, alone = feature_weights(shape, weight, facts.sizes, summed + behind, lost), tile_weights(shape, weight, facts.sizes)
    early = (np.arange(len(weight)) < (TILE if forward.offset == 0 else 0))[:, None]
    return Weights(*(np.where(early, one, other) for one, other in zip(alone, late, strict=True))), early


def _all_additions(system: GradientSystem, features: int) -> int:
    """Return the most additions of a sum over rows of K, and over rows of Q."""
    forward, queries = system.forward, system.queries
    slices = sum(-(-int(block) // slice_rows(features)) for block in np.diff(queries.cuts))
    return additions(forward, features) + slice_rows(features) + slices + len(system.rows.cuts) + int(queries.cuts[1]) // TILE


def _largest(
    system: GradientSystem, facts: PowerFacts, weights: Weights, early: NDArray[np.bool_], pair: Pair, late: Floats
) -> Floats:
    """Return the most that sums come to, shape (heads,).

    Parameters
    ----------
    early : ndarray of bool, shape (n, 1)
        Rows of Q for which a pair holds.
    late : ndarray, shape (n, heads)
        For the others a factor of terms of the size that lengths allow.
    """
    shape, queries = facts.shape, facts.queries
    with np.errstate(over="ignore", invalid="ignore"):
        if shape.wanted == "Q":
            beyond = late * weights.root**shape.degree
            return facts.over_queries(np.where(early, sum_pairs(shape, weights, pair), beyond))
        power = shape.degree if shape.of_values else shape.degree - 1
        beside = queries.above if shape.of_values else shape.degree * facts.size * queries.own
        near = np.where(early, beside * feel_pairs(shape, weights, facts.sizes, pair), 0.0).sum(axis=0)
        each = np.where(early, 0.0, facts.share(weights) * late * queries.own**power)
        ahead = np.cumsum(each[::-1], axis=0)[::-1] * (1 + gamma(len(each)))
        offset = system.forward.offset
        places = 0 if offset is None else np.maximum(np.arange(shape.keys) - offset, 0)
        return np.asarray(((facts.keys**power * ahead[places]).max(axis=0) + near * (1 + gamma(TILE))) * facts.unit)


def _explain(weights: Weights) -> str:
    """Return why features leave few digits."""
    row = int(np.argmax(weights.root.max(axis=1)))
    root = float(weights.root.max())
    share = f"at least 1/{format_number(root)} to the power of the degree" if np.isfinite(root) else "an unknown share"
    return (
        f"row {row} of Q is nearly orthogonal to the rows of K that it sees: its weights add up to {share} of what its length allows, and "
        "features round to the latter; method='sweep' rounds less"
    )
