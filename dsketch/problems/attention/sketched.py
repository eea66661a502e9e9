"""Polynomial attention by a sketch of half the power, squared: weights near the exact ones and never below 0, with a measured error.

Passes: those of features, and two light ones that pick rows of Q and make them by every weight.
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
from dsketch.passes.polynomial import FeatureRows, Powers, slice_rows
from dsketch.passes.probes import ProbedRows
from dsketch.passes.rowwise import Picked
from dsketch.problems.attention.features import Features
from dsketch.problems.attention.method import AttentionAnswer, AttentionCase
from dsketch.problems.attention.polynomial_rounding import polynomial_condition
from dsketch.problems.attention.rounding import relative
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.settings import Settings

_COMPARED = 200  # rows of Q that are made by every weight too
_MULTIPLE = 4  # rows of the sketch, for each column of a head


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

    def unfit(self, case: AttentionCase) -> str | None:
        """Say for which weights there is a sketch whose error is measured."""
        return "rows that see their own past are not compared" if case.system.is_causal else super().unfit(case)

    def solve(self, system: AttentionSystem, settings: Settings, start: Any = None) -> Flow[AttentionAnswer]:
        """Sum K and V, tell how the answer's rows are made, and how far some of them are from the exact ones."""
        del start
        measured, found, sums = yield from self.look(system, settings)
        pass_ = FeatureRows(sums.powers, (yield Look(sums, measured.system.keys)))
        gap, compared = yield from _compare(measured, pass_, settings.seed)
        error = relative(gap, measured.values)
        return AttentionAnswer(measured, pass_, error, polynomial_condition(found), compared=compared)


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


def _pick(seed: int, rows: int) -> np.ndarray:
    """Return the numbers of at most so many rows as are compared, drawn evenly, in order."""
    if rows <= _COMPARED:
        return np.arange(rows)
    return np.unique(below(draw(seed, ATTENTION_SAMPLE, 0, _COMPARED, 1), rows)[:, 0])
