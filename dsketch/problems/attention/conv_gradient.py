"""Gradients of causal attention by a convolution basis: p columns of FFT for dV; for dQ and dK d p, or weights where these cost less.

Passes: those that find and verify the basis; one for the statistics of the rows of Q; for dK and dV one for what a row of K feels at most;
and one that makes the gradient.  What the basis and FFT do besides rounding is added to the bounds of
:mod:`dsketch.problems.attention.gradient_rounding`:

* a number of S, and a sum of weights, is right to a factor e^±2η, η that of the basis, and e^±3B, where B is what FFT rounds off of
  numerators and denominators;
* S times columns is off by B of the product's largest value, so a number of dQ by at most B (√p + 1) of its reference, and by the D of a Y
  that is off, 2 B √p: (3 √p + 3) B, which holds for what D does to dK likewise;
* Sᵀ times columns is off by Bᵀ of their largest value, absolutely.

Weights that are taken one by one round off less than that.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.threads import one_blas_thread
from dsketch.errors import SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.basis import Segment
from dsketch.passes.conv_gradient import ConvKeyGradient, ConvQueryGradient, ConvReach, ConvStatistics
from dsketch.passes.conv_slopes import Felt, pays_by_shape, slopes
from dsketch.passes.conv_tiles import Tile
from dsketch.passes.convolution import conv_rows
from dsketch.passes.polynomial import power_of_two
from dsketch.passes.rowwise import RowPass
from dsketch.passes.spans import Spans
from dsketch.planning.price import Estimate
from dsketch.problems.attention.conv import WORST, price_blocks
from dsketch.problems.attention.conv_basis import Verified, find_verified, height_of, most_profiles
from dsketch.problems.attention.gradient_method import GradientAnswer, GradientCase, GradientMethod
from dsketch.problems.attention.gradient_rounding import Slack
from dsketch.problems.attention.gradient_system import GradientSystem, MeasuredGradient
from dsketch.problems.method import Breakdown
from dsketch.problems.outcome import format_number
from dsketch.problems.persisted import copy_persisted
from dsketch.settings import Settings

_PASSES = {"Q": 9, "K": 10, "V": 10}
_TIMED = 512  # rows and columns of a tile that is timed
_LENGTHS = (1e-70, 1e70)  # of rows whose products with others, and sums of these, are float64 numbers


@dataclass(frozen=True)
class MeasuredByBasis(MeasuredGradient):
    """A gradient whose rows are made by a basis.

    Attributes
    ----------
    verified : Verified
    turned : float
        Bᵀ: what FFT may round off of Sᵀ times columns of numbers up to 1; 0 for dQ.
    """

    verified: Verified
    turned: float

    @property
    def rows(self) -> Rows:
        """The rows that the gradient's belong to, with what is beside them."""
        forward, height = self.system.forward, self.verified.tiling.height
        if self.system.wanted == "Q":
            return conv_rows(forward.Q, self.system.above, height, ("Q", "dY"))
        return conv_rows(forward.K, forward.V, height, ("K", "V"))

    @property
    def pass_(self) -> RowPass:
        """The pass that gives the rows of the gradient."""
        system, tiling = self.system, self.verified.tiling
        forward = system.forward
        if system.wanted == "Q":
            return ConvQueryGradient(tiling, Spans.of(forward.K, forward.V), self.statistics, forward.scale)
        return ConvKeyGradient(system.wanted, tiling, Spans.of(forward.Q, system.above), self.statistics, forward.scale)

    @cached_property
    def slack(self) -> Slack:
        """What may be wrong with a number, relative to the reference."""
        carried = self.verified.carried
        slack = self.slack_of(2 * self.verified.eta + 3 * carried)
        depth = self.system.shapes[1]
        by_fft = 0.0 if self.system.wanted == "V" else (3 * np.sqrt(depth) + 3) * carried
        return slack._replace(error=slack.error + float(by_fft))

    @cached_property
    def error(self) -> Floats:
        """Bound on how far any number of a column is off, absolutely, shape (k,), if no logit deviates by more than those measured."""
        return self.rounded + self.turned * _largest_turned(self.system, self.measured.queries.largest, self._lengths())

    def _lengths(self) -> tuple[float, float, float]:
        queries, keys = self.measured.queries, self.measured.keys
        return float(queries.longest.max()), float(queries.beside.max()), float(keys.beside.max())


def _largest_turned(system: GradientSystem, above: Floats, lengths: tuple[float, float, float]) -> Floats:
    """Return what an error of 1 in Sᵀ times columns of numbers up to 1 comes to, shape (k,)."""
    forward, depth = system.forward, system.shapes[1]
    if system.wanted == "V":
        return above
    size = 0.0 if system.wanted == "Q" else forward.scale * float(np.prod(lengths)) * (np.sqrt(depth) + 1)
    return np.full(forward.Q.shape[1], size)


class ConvGradient(GradientMethod):
    """The profiles of the logits, twice or three times."""

    name = "conv"
    successor = "sweep"
    reason = "kind='conv' asks for it; the sweep takes over where there is no basis of few profiles"

    def unfit(self, case: GradientCase) -> str | None:
        """Say for which weights there is a basis."""
        return None if case.system.forward.is_conv else "a convolution basis is for kind='conv'"

    def require(self, case: GradientCase) -> None:
        """Refuse logits that are not said to have a basis.

        Raises
        ------
        SpecError
        """
        if reason := self.unfit(case):
            raise SpecError(f"method={self.name!r} is for kind='conv' with causal=True: {reason}. Use method='sweep'.")

    def price(self, case: GradientCase) -> Estimate:
        """Return light passes, and transforms of p or d p columns for each block of rows, or slopes weight by weight."""
        forward, wanted = case.system.forward, case.system.wanted
        (d, p, *_), heads = case.system.shapes, forward.heads
        known = heads * (p + 1)
        by_weights = wanted != "V" and pays_by_shape(height_of(forward), height_of(forward), d, p)
        columns = known + (0 if by_weights else heads * p if wanted == "V" else heads * d * (p + 1))
        found = price_blocks(forward, case.machines, (_PASSES[wanted], columns, case.sides))
        n, statistics = forward.Q.shape[0], 16 * forward.Q.shape[0] * heads
        work = n * (n + height_of(forward)) / 2 * heads * _slope_seconds(d, p) if by_weights else 0.0
        seconds = found.seconds + work / min(case.machines.threads, -(-n // height_of(forward)))
        return Estimate(found.passes, seconds, found.memory_bytes + 2 * statistics, max(found.part_bytes, statistics))

    def details(self, case: GradientCase) -> tuple[str, ...]:
        """Tell how many profiles it takes."""
        forward = case.system.forward
        return (f"at most {most_profiles(forward.Q.shape[0], forward.heads):,} profiles a head, else the sweep",)

    def solve(self, system: GradientSystem, settings: Settings, start: Any = None) -> Flow[GradientAnswer]:
        """Find the basis, verify it, and tell how the gradient's rows are made.

        Raises
        ------
        Breakdown
            If the logits have no basis of few profiles.
        """
        del start
        above = yield from copy_persisted(system.above)
        measured = yield from system.forward.measure(above)
        lengths = np.concatenate([measured.queries.longest, measured.queries.beside, measured.keys.longest, measured.keys.beside])
        if (lengths > _LENGTHS[1]).any() or ((lengths > 0) & (lengths < _LENGTHS[0])).any():
            raise Breakdown(f"rows of lengths from {_LENGTHS[0]:g} to {_LENGTHS[1]:g} can be multiplied before they are summed")
        found: Verified = yield from find_verified(measured, settings)
        answer = yield from _answer_by(found, system, above)
        off, worst = answer.slack.error, max(WORST, settings.tol or 0.0)
        if not off <= worst:
            raise Breakdown(f"the basis may be off by {format_number(off)} of what a number can be, more than {worst:g}")
        return GradientAnswer(answer, basis=found.facts, compared=found.compared)


def _slope_seconds(width: int, depth: int) -> float:
    """Return the seconds of an entry of a tile whose slopes are made weight by weight, one thread, by the best of three."""
    profile = Segment(0, _TIMED, np.zeros(2 * _TIMED))
    tile = Tile(profile, _TIMED, 2 * _TIMED, 0, _TIMED, is_fft=False)
    felt, rows = Felt(np.ones((_TIMED, depth)), np.ones(_TIMED), np.ones(_TIMED)), np.ones((_TIMED, width))
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        with one_blas_thread():
            for _, columns, E in slopes(tile, felt, np.ones((_TIMED, depth))):
                E @ rows[columns]
        best = min(best, time.perf_counter() - began)
    return best / _TIMED**2


def _answer_by(found: Verified, system: GradientSystem, above: Matrix) -> Flow[MeasuredByBasis]:
    """Return how the rows are made.  A pass for the statistics, for dK and dV another."""
    forward, tiling, height = found.measured.system, found.tiling, height_of(found.measured.system)
    system = GradientSystem(forward, above, system.wanted)
    queries = conv_rows(forward.Q, above, height, ("Q", "dY"))
    factors = power_of_two(found.measured.values)
    statistics: Floats = yield Look(ConvStatistics(tiling, Spans.of(forward.V), factors), queries)
    if system.wanted == "Q":
        return MeasuredByBasis(system, found.measured, statistics, found.measured.queries.beside, found, 0.0)
    others = Spans.of(forward.Q, above)
    felt: Floats
    felt, turned = yield Look(
        ConvReach(system.wanted, tiling, others, statistics, forward.scale),
        conv_rows(forward.K, forward.V, height, ("K", "V")),
    )
    sizes = found.measured.queries
    largest = sizes.largest.max() if system.wanted == "V" else float((sizes.longest * sizes.beside).max())
    return MeasuredByBasis(system, found.measured, statistics, felt + turned * largest, found, turned)
