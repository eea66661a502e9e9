"""Q, K, V and dY, and what is known of their rows before the gradient is made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Pass
from dsketch.passes.attention import TILE, attention_rows
from dsketch.passes.attention_gradient import SoftmaxGradient, SoftmaxReach, SoftmaxStatistics
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import RowPass
from dsketch.passes.spans import Spans
from dsketch.problems.attention.gradient_rounding import Slack, gradient_slack
from dsketch.problems.attention.rounding import gamma, relative, tiles_of
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.problems.persisted import copy_persisted

_LOST = 1e-150  # lengths below are not known: their squares may be 0


@dataclass(frozen=True)
class GradientSystem:
    """Attention, and the gradient dY of a loss at its rows.

    Attributes
    ----------
    forward : AttentionSystem
    above : Matrix, shape (n, heads · p)
        The gradient dY.
    wanted : {"Q", "K", "V"}
        Of what the gradient is taken.
    """

    forward: AttentionSystem
    above: Matrix
    wanted: str

    @property
    def rows(self) -> Rows:
        """The rows that the gradient's belong to, with what is beside them, in the blocks of a sweep."""
        if self.wanted == "Q":
            return self.queries
        forward = self.forward
        return attention_rows(forward.K, forward.V, self.columns, ("K", "V"))

    @property
    def queries(self) -> Rows:
        """Q with dY beside it, in the blocks of a sweep."""
        return attention_rows(self.forward.Q, self.above, self.forward.V.shape[1], ("Q", "dY"))

    @property
    def columns(self) -> int:
        """Of the gradient."""
        return (self.forward.V if self.wanted == "V" else self.forward.Q).shape[1]

    @property
    def others(self) -> Spans:
        """The other side of the sweep."""
        forward = self.forward
        return forward.others if self.wanted == "Q" else Spans.of(forward.Q, self.above)

    @property
    def tiles(self) -> int:
        """Of a row, of the side that has more."""
        return max(tiles_of(side.rows, side.height) for side in (self.forward.others, self.others))

    @property
    def shapes(self) -> tuple[int, int, int, int]:
        """d, p, m, and the tiles of a row."""
        forward = self.forward
        return forward.width, forward.V.shape[1] // forward.heads, forward.K.shape[0], self.tiles

    def timed(self) -> Iterator[tuple[Pass[Any], Rows]]:
        """Yield all sweeps, of rows whose statistics are not known, to be timed."""
        forward = self.forward
        yield SoftmaxStatistics(forward.others, forward.heads, forward.offset, TILE, forward.scale, is_tame=True), self.queries
        statistics = np.zeros((forward.Q.shape[0], 2 * forward.heads))
        yield self.pass_(statistics), self.rows
        if self.wanted != "Q":
            yield self.reach(statistics), self.rows

    def pass_(self, statistics: Floats) -> SoftmaxGradient:
        """Return the pass that gives the rows of the gradient."""
        forward = self.forward
        return SoftmaxGradient(self.wanted, self.others, statistics, forward.heads, forward.offset, TILE, forward.scale)

    def reach(self, statistics: Floats) -> SoftmaxReach:
        """Return the pass that tells how much the rows of K can feel."""
        forward = self.forward
        return SoftmaxReach(self.wanted, self.others, statistics, forward.heads, forward.offset, TILE, forward.scale)

    def opened(self) -> Flow[tuple["GradientSystem", Measured]]:
        """Return the system of matrices that a pass can carry, and what is known of their lengths.  Two light passes.

        Raises
        ------
        DataError
            If rows are so long that a logit overflows.
        """
        above = yield from copy_persisted(self.above)
        Q = yield from copy_persisted(self.forward.Q)
        measured = yield from replace(self.forward, Q=Q).measure(above)
        return replace(self, forward=measured.system, above=above), measured

    def measure(self) -> Flow["MeasuredGradient"]:
        """Return the system with what is known of its rows: two light passes, a sweep for statistics, for dK and dV one for their reach."""
        system, measured = yield from self.opened()
        forward = system.forward
        pass_ = SoftmaxStatistics(forward.others, forward.heads, forward.offset, TILE, forward.scale, measured.is_tame)
        statistics: Floats = yield Look(pass_, system.queries)
        if self.wanted == "Q":
            return MeasuredGradient(system, measured, statistics, measured.queries.beside)
        reach: Floats = yield Look(system.reach(statistics), system.rows)
        return MeasuredGradient(system, measured, statistics, reach)


@dataclass(frozen=True)
class MeasuredGradient:
    """A system whose rows have been looked at.

    Attributes
    ----------
    system : GradientSystem
    measured : Measured
        Of attention itself.
    statistics : ndarray, shape (n, 2 heads)
        The logarithm of the sum of weights, and D, of each row of Q.
    reach : ndarray, shape (heads,)
        For dQ the largest ‖dY‖; else how much a row of K feels at most (:class:`~dsketch.passes.attention_gradient.SoftmaxReach`).
    """

    system: GradientSystem
    measured: Measured
    statistics: Floats
    reach: Floats

    @property
    def rows(self) -> Rows:
        """The rows that the gradient's belong to, with what is beside them."""
        return self.system.rows

    @property
    def pass_(self) -> RowPass:
        """The pass that gives the rows of the gradient."""
        return self.system.pass_(self.statistics)

    @property
    def sway(self) -> Floats:
        """What changes of the rows by ε do to a number of a column, over ε, shape (k,); infinite where float64 cannot hold it."""
        with np.errstate(over="ignore"):
            return self.slack.condition * self.reference

    @cached_property
    def slack(self) -> Slack:
        """What may be wrong with a number, relative to :attr:`reference`."""
        return self.slack_of(0.0)

    def slack_of(self, more: float) -> Slack:
        """Return the same where weights are off by so much more."""
        return gradient_slack(
            *(shapes := self.system.shapes)[:2],
            self.measured.logit,
            *shapes[2:],
            of_values=self.system.wanted == "V",
            is_tame=self.measured.is_tame,
            more=more,
        )

    @cached_property
    def reference(self) -> Floats:
        """What no number of a column is twice as large as, shape (k,)."""
        system, keys = self.system, self.measured.keys
        forward = system.forward
        known = 1 + gamma(sum(system.shapes[:2]) + 8)  # lengths are rounded too
        if system.wanted == "V":  # a column feels its own column of dY alone, and no weight is above 1
            own = self.measured.queries.total * (1 + gamma(forward.Q.shape[0]))
            return np.minimum(np.repeat(self.reach, forward.V.shape[1] // forward.heads), own) * self.slack.grown * known
        queries, products = self.measured.queries, self.measured.products
        if system.wanted == "Q":
            largest = np.minimum((keys.beside + _LOST) * (self.reach + _LOST), products)
            return np.repeat(forward.scale * largest * (keys.longest + _LOST), forward.width) * known
        n = forward.Q.shape[0]
        lost = n * _LOST * (queries.longest + queries.beside + _LOST)
        felt = (keys.beside + _LOST) * (self.reach * self.slack.grown + lost)
        largest = np.minimum(felt, products * n * (queries.longest + _LOST) * self.slack.grown)
        return np.repeat(forward.scale * largest, forward.width) * known

    @cached_property
    def error(self) -> Floats:
        """Bound on how far any number of a column is off, absolutely, shape (k,)."""
        return self.rounded

    @property
    def rounded(self) -> Floats:
        """The part of it that is relative to :attr:`reference`; products may also be rounded to nothing."""
        queries, keys, forward = self.measured.queries, self.measured.keys, self.system.forward
        lengths = (queries.longest, queries.beside, keys.longest, keys.beside)
        largest = np.prod([1 + float(np.max(value)) for value in lengths])
        lost = float(np.finfo(float).tiny) * self.system.others.rows * (1 + forward.scale) * largest
        if not queries.largest.any():  # of dY = 0 all gradients are 0
            return np.zeros_like(self.reference)
        with np.errstate(over="ignore", invalid="ignore"):  # 0 times an infinite error is 0
            return np.asarray(np.where(self.reference > 0, self.slack.error * self.reference, 0.0) + lost)

    def backward(self, error: Floats) -> Floats:
        """Return the relative changes of the rows of Q, K, V and dY that move a number of each column by so much."""
        sway = self.sway
        return np.where(np.isfinite(sway), relative(error, sway), relative(error / self.slack.condition, self.reference))
