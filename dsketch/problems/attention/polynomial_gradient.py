"""Gradients of polynomial attention: what is known of rows of Q and K once their weights are summed, and bounds that follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Pass
from dsketch.passes.attention import TILE
from dsketch.passes.base import Flow
from dsketch.passes.polynomial_gradient import (
    STATISTICS,
    KeyLengths,
    PolynomialGradient,
    PolynomialReach,
    PolynomialStatistics,
)
from dsketch.passes.rowwise import RowPass
from dsketch.problems.attention.gradient_system import GradientSystem
from dsketch.problems.attention.polynomial_gradient_rounding import (
    TINY,
    Pair,
    PowerShape,
    Weights,
    sum_pairs,
    sway,
    tile_slack,
    tile_weights,
)
from dsketch.problems.attention.rounding import gamma, relative
from dsketch.problems.attention.system import Measured

_LOST = 1e-150  # lengths below are not known: products of two may be 0


class QueryFacts(NamedTuple):
    """Of rows of Q by heads, shape (n, heads): W, ‖q‖ divided by a power of two and as it is, ‖dy‖; lengths are no less than they are."""

    weight: Floats
    own: Floats
    given: Floats
    above: Floats


@dataclass(frozen=True)
class PowerFacts:
    """What was found of all rows before the gradient is made.

    Attributes
    ----------
    measured : Measured
        Of attention itself.
    shape : PowerShape
    statistics : ndarray, shape (n, 5 heads)
        By :class:`~dsketch.passes.polynomial_gradient.PolynomialStatistics`.
    lengths : ndarray, shape (m, heads)
        Of the rows of K, divided.
    """

    measured: Measured
    shape: PowerShape
    statistics: Floats
    lengths: Floats

    @property
    def known(self) -> float:
        """What lengths may be rounded down by, as a factor."""
        return 1 + gamma(2 * (self.shape.width + self.shape.depth) + 16)

    @cached_property
    def keys(self) -> Floats:
        """‖k‖, divided, no less than it is."""
        return np.asarray((self.lengths + _LOST) * self.known)

    @cached_property
    def queries(self) -> QueryFacts:
        """What is known of the rows of Q."""
        weight, _, own, given, above = np.split(self.statistics, STATISTICS, axis=1)
        return QueryFacts(weight, own * self.known, given, (above + _LOST) * self.known)

    @cached_property
    def sizes(self) -> Floats:
        """A of each row of Q, shape (n, heads)."""
        powers = self.keys**self.shape.degree
        offset, n = self.measured.system.offset, len(self.statistics)
        seen = powers.sum(axis=0, keepdims=True) if offset is None else np.cumsum(powers, axis=0)[offset : offset + n]
        rounded = 1 + gamma(len(powers) + 2 * self.shape.degree)
        return np.asarray(self.queries.own**self.shape.degree * seen * rounded)

    @cached_property
    def size(self) -> Floats:
        """B of each row of Q, shape (n, heads)."""
        return np.asarray(
            np.minimum(self.queries.above * (self.measured.keys.beside + _LOST), self.measured.products) * self.known
        )

    def share(self, weights: Weights) -> Floats:
        """Return what bounds a number of E over p, or of S, per x^e, summed with ‖q‖, or with ‖dy‖; shape (n, heads)."""
        beside = self.queries.above if self.shape.of_values else self.shape.degree * self.size * self.queries.own
        return np.asarray((1 + weights.off) / self.queries.weight * beside)

    def over_queries(self, factor: Floats) -> Floats:
        """Return the most that a factor of p B/‖q‖ comes to in a row of dQ, shape (heads,)."""
        return np.asarray((self.shape.degree * self.size / self.queries.given * factor).max(axis=0))

    def lost(self, of_pair: float) -> Floats:
        """Return what products that are rounded to nothing come to, each at most so much over W, shape (heads,)."""
        facts, wanted = self.queries, self.shape.wanted
        with np.errstate(over="ignore"):
            each = of_pair * TINY * (self.size + facts.above) / facts.weight
            if wanted == "Q":
                return np.asarray((self.shape.keys * each * facts.own / facts.given).max(axis=0) + TINY)
            return np.asarray(((facts.own + 1) * each).sum(axis=0) * self.unit + TINY)

    @property
    def unit(self) -> Floats:
        """What sums over rows of Q are multiplied with for the gradient, shape (heads,)."""
        return self.measured.factors if self.shape.wanted == "K" else np.ones(self.measured.system.heads)

    def reference(self, weights: Weights) -> Floats:
        """Return what numbers of a gradient come to: for dQ at most, for dK and dV in the mean over rows of K at most; shape (heads,)."""
        own = 2 * self.shape.degree * self.size * weights.root
        if self.shape.wanted == "Q":
            return np.asarray((own / self.queries.given).max(axis=0))
        if self.shape.wanted == "K":
            return np.asarray(self.unit * own.sum(axis=0) / self.keys.sum(axis=0))
        return np.asarray(self.queries.above.sum(axis=0) / self.shape.keys)

    def conclude(self, pass_: RowPass, rows: Rows, weights: Weights, error: Floats, change: Floats) -> "MeasuredPowers":
        """Return how the gradient is made, with bounds of each head, which are none where one is not a number."""
        system = self.measured.system
        columns = (system.V if self.shape.of_values else system.Q).shape[1] // system.heads
        ends = np.isfinite(error) & np.isfinite(change)
        error, change = (np.repeat(np.where(ends, bound, np.inf), columns) for bound in (error, change))
        if not self.measured.queries.largest.any():  # of dY = 0 all gradients are
            error = np.zeros(len(error))
        return MeasuredPowers(self.measured, pass_, rows, error, change, np.repeat(self.reference(weights), columns))


@dataclass(frozen=True)
class MeasuredPowers:
    """How a gradient is made, and what rounding may do to it.

    Attributes
    ----------
    measured : Measured
        Of attention itself.
    pass_ : RowPass
        Gives the rows of the gradient.
    rows : Rows
        That it looks at.
    error, sway, reference : ndarray, shape (k,)
        Of each column: what rounding does to any number; what changes of the rows by ε do, over ε; what gradients of such rows come to.
    """

    measured: Measured
    pass_: RowPass
    rows: Rows
    error: Floats
    sway: Floats
    reference: Floats

    def backward(self, error: Floats) -> Floats:
        """Return the relative changes of the rows of Q, K, V and dY that move a number of each column by so much."""
        return np.where(np.isfinite(self.sway), relative(error, self.sway), np.where(error > 0, np.inf, 0.0))


def shape_of(system: GradientSystem) -> PowerShape:
    """Return the sizes of a gradient of powers."""
    width, depth, keys, tiles = system.shapes
    return PowerShape(system.forward.powers.degree, width, depth, keys, tiles, system.wanted)


def look_at_keys(system: GradientSystem, measured: Measured) -> Flow[Floats]:
    """Return the lengths of the rows of K."""
    lengths: Floats = yield Look(KeyLengths(measured.factors), system.forward.keys)
    return lengths


def measure_powers(given: GradientSystem) -> Flow[MeasuredPowers]:
    """Return how the gradient is made by sweeps: three light passes, a sweep for statistics, for dK and dV one for their reach.

    Raises
    ------
    DataError
        If a row of Q has no weights.
    """
    system, measured = yield from given.opened()
    lengths = yield from look_at_keys(system, measured)
    statistics: Floats = yield Look(_statistics(system, measured.factors), system.queries)
    facts = PowerFacts(measured, shape_of(system), statistics, lengths)
    weights = tile_weights(facts.shape, facts.queries.weight, facts.sizes)
    pairs = tile_slack(facts.shape, weights), sway(facts.shape, weights)
    if system.wanted == "Q":
        error, change = (facts.over_queries(sum_pairs(facts.shape, weights, pair)) for pair in pairs)
    else:
        error, change = yield from _reach(system, facts, weights, pairs)
    error = error + facts.lost(8.0 * facts.shape.degree**2)
    return facts.conclude(_gradient(system, statistics, measured.factors), system.rows, weights, error, change)


def _reach(system: GradientSystem, facts: PowerFacts, weights: Weights, pairs: tuple[Pair, Pair]) -> Flow[tuple[Floats, Floats]]:
    """Return the most that pairs come to in a row of dK or dV, each of shape (heads,)."""
    share, heads = facts.share(weights), facts.measured.system.heads
    factors = [share * factor for pair in pairs for factor in pair]
    if not all(np.isfinite(factor).all() for factor in factors):
        return np.full(heads, np.inf), np.full(heads, np.inf)
    given = np.concatenate([facts.queries.own, *factors], axis=1)
    pass_ = PolynomialReach(**_meetings(system, given, facts.measured.factors), eta=facts.shape.product)
    reach: Floats = yield Look(pass_, system.rows)
    grown = (1 + 2 * facts.shape.sums) * facts.unit[:, None]
    return (reach * grown)[:, 0], (reach * grown)[:, 1]


def _statistics(system: GradientSystem, factors: Floats) -> PolynomialStatistics:
    forward = system.forward
    return PolynomialStatistics(forward.others, forward.heads, forward.offset, TILE, forward.powers.degree, factors)


def _gradient(system: GradientSystem, statistics: Floats, factors: Floats) -> PolynomialGradient:
    """Return the pass of a sweep."""
    heads = system.forward.heads
    return PolynomialGradient(**_meetings(system, statistics[:, : 2 * heads], factors))


def _meetings(system: GradientSystem, statistics: Floats, factors: Floats) -> dict[str, Any]:
    """Return what passes over tiles have in common."""
    forward = system.forward
    return {
        "wanted": system.wanted,
        "others": system.others,
        "statistics": statistics,
        "heads": forward.heads,
        "offset": forward.offset,
        "tile": TILE,
        "degree": forward.powers.degree,
        "factors": factors,
    }


def timed_powers(system: GradientSystem) -> Iterator[tuple[Pass[Any], Rows]]:
    """Yield all sweeps, of rows of ones, to be timed."""
    forward = system.forward
    ones, statistics = np.ones(forward.heads), np.ones((forward.Q.shape[0], STATISTICS * forward.heads))
    yield _statistics(system, ones), system.queries
    yield _gradient(system, statistics, ones), system.rows
    if system.wanted != "Q":
        yield PolynomialReach(**_meetings(system, statistics, ones), eta=0.0), system.rows
