"""Polynomial attention by a sketch of half the power, squared: weights near the exact ones and never below 0, with a measured error.

Passes: those of features, and two light ones that pick rows of Q and make them by every weight.  Where exact ways need fewer operations
than the sketch, which is so up to tens of thousands of rows of K, they are taken in its place.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import below, draw
from dsketch._linalg.streams import ATTENTION_SAMPLE
from dsketch.passes import Look
from dsketch.passes.attention import no_weight
from dsketch.passes.base import Flow
from dsketch.passes.causal import CausalFeatureRows
from dsketch.passes.polynomial import FeatureRows, Powers, divide, require_weights, slice_rows
from dsketch.passes.probes import CausalProbes, ProbedRows
from dsketch.passes.rowwise import Picked
from dsketch.planning.price import Estimate
from dsketch.problems.attention.features import Features, sum_past
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase, AttentionMethod
from dsketch.problems.attention.polynomial_rounding import polynomial_condition
from dsketch.problems.attention.rounding import relative
from dsketch.problems.attention.sweep import Sweep
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.settings import Settings

_COMPARED = 200  # rows of Q that are made by every weight too
_MULTIPLE = 4  # rows of the sketch, for each column of a head
_LIGHT = 8  # what is done with a weight or a feature beside products, in multiplications of BLAS


class Sketched(Features):
    """The squares of a sketch of half the power."""

    name = "sketched"
    takes = ("sketch_rows",)
    is_offered = False
    aside = "for powers of columns by the hundred: weights near them, with a measured error"
    passes = Features.passes + 2
    columns_text = "products of two of the sketch"

    def powers(self, system: AttentionSystem, settings: Settings) -> Powers:
        """Return products of two rows of a sketch."""
        return replace(system.powers, sketch_rows=settings.sketch_rows or _MULTIPLE * system.width, seed=settings.seed)

    def price(self, case: AttentionCase) -> Estimate:
        """Return that of the exact way that is taken in its place, if one is."""
        exact, _ = self._exact(case.system, case.settings)
        return super().price(case) if exact is None else exact.price(case)

    def details(self, case: AttentionCase) -> tuple[str, ...]:
        """Tell how many features there are, and what is taken in their place."""
        _, why = self._exact(case.system, case.settings)
        return (*super().details(case), *why)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Sum K and V, tell how the answer's rows are made, and how far some of them are from the exact ones."""
        exact, why = self._exact(system, settings)
        if exact is not None:
            answer = yield from exact.solve(system, settings, start)
            return replace(answer, notes=(*why, *answer.notes))
        measured, found, sums = yield from self.look(system, settings)
        system = measured.system
        if system.offset is None:
            rows = FeatureRows(sums.powers, (yield Look(sums, system.keys)))
            gap, compared = yield from _compare(measured, rows, settings.seed)
            return AttentionAnswer(measured, rows, relative(gap, measured.values), polynomial_condition(found), compared=compared)
        pass_ = yield from sum_past(system, sums, system.offset)
        gap, compared = yield from _compare_causal(measured, pass_, system.offset, settings.seed)
        return AttentionAnswer(measured, pass_, relative(gap, measured.values), polynomial_condition(found), compared=compared)

    def _exact(self, system: AttentionSystem, settings: Settings) -> tuple[AttentionMethod | None, tuple[str, ...]]:
        """Return the exact way that takes fewer operations for a row of Q than the sketch, by shapes alone, and why; None: there is none.

        Blocks of K that causal rows do not see count as well: a sketch that is near the limit is taken for exact weights.
        """
        values, rows = system.V.shape[1] // system.heads + 1, system.K.shape[0]
        features, monomials = (powers.width(system.K.shape[1]) for powers in (self.powers(system, settings), system.powers))
        by_sketch, by_monomials = ((values + _LIGHT) * count for count in (features, monomials))
        by_weights = (system.width + values + _LIGHT) * rows
        if by_sketch < min(by_monomials, by_weights):
            return None, ()
        few = f"fewer operations than {features:,} {self.columns_text}: exact"
        if by_monomials < by_weights:
            return Features(), (f"{monomials:,} monomials take {few} features are taken",)
        return Sweep(), (f"the weights of {rows:,} rows of K take {few} weights are taken",)


def _compare(measured: Measured, pass_: FeatureRows, seed: int) -> Flow[tuple[Floats, int]]:
    """Return the largest difference of each column over some rows of Q, and how many these are."""
    system = measured.system
    numbers = _pick(seed, system.Q.shape[0])
    queries: Floats = yield Look(Picked(numbers), system.rows)
    sums: Floats = yield Look(ProbedRows(queries, pass_.powers.degree, measured.factors), system.keys)
    weight = sums[:, :, -1:]
    if not weight.all():
        raise no_weight(int(numbers[np.flatnonzero((weight == 0).any(axis=(0, 2)))[0]]))
    exact = np.moveaxis(sums[:, :, :-1] / weight, 0, 1).reshape(len(queries), -1)
    step = slice_rows(pass_.sums.shape[1])
    made = np.concatenate([pass_.of(queries[low : low + step], queries[:0]) for low in range(0, len(queries), step)])
    return np.abs(made - exact).max(axis=0), len(queries)


def _compare_causal(measured: Measured, pass_: CausalFeatureRows, offset: int, seed: int) -> Flow[tuple[Floats, int]]:
    """Return the same where rows see their own past: both are made as the rows of K are read."""
    system, powers = measured.system, pass_.powers
    numbers = _pick(seed, system.Q.shape[0])
    queries: Floats = yield Look(Picked(numbers), system.rows)
    probes = CausalProbes(queries, numbers, offset, powers.degree, powers.sketch_rows or 0, powers.seed, measured.factors)
    sums: Floats = yield Look(probes, system.keys)
    require_weights(sums[0], 0)
    exact, made = (divide(each, 0) for each in sums)
    return np.abs(made - exact).max(axis=0), len(queries)


def _pick(seed: int, rows: int) -> np.ndarray:
    """Return the numbers of at most so many rows as are compared, drawn evenly, in order."""
    if rows <= _COMPARED:
        return np.arange(rows)
    return np.unique(below(draw(seed, ATTENTION_SAMPLE, 0, _COMPARED, 1), rows)[:, 0])
