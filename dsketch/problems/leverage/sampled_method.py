"""Solve on few rows: scores from a factor, rows drawn by them in one look, a small system, and a look that measures what was lost.

References
----------
Z. Song, J. Yin, R. Zhang, "Revisiting quantum algorithms for linear regressions: quadratic speedups without data-dependent parameters",
arXiv 2311.14823, 2023 (its sampling, drawn here by reading the rows).
P. Drineas, M. W. Mahoney, S. Muthukrishnan, "Sampling algorithms for ℓ2 regression and applications", SODA 2006.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.whitener import Whitener
from dsketch._units import format_count
from dsketch.passes import Look, Slope
from dsketch.passes.base import Flow
from dsketch.passes.drawing import Drawing, Drawn
from dsketch.planning.price import Estimate, price_works
from dsketch.planning.work import Work
from dsketch.problems.leverage.sampled_system import SampledSystem, modelled_queries, rows_wanted
from dsketch.problems.method import Case, Method
from dsketch.settings import Settings

_SPARE = 1.25  # the rows drawn are more than their mean by that, once in a million, from 350 rows on


class Scores(NamedTuple):
    """What rows are drawn by.

    ``factor`` is A's, or its sketch's, with the penalty; ``whitener`` the T of the scores ‖Tᵀaᵢ‖²; ``dimension`` what they add up to
    (nearly, by a sketch); ``distortion`` the δ with (1 − δ)²AᵀA ≼ RᵀR ≼ (1 + δ)²AᵀA, 0 for A's own factor.
    """

    factor: Factor
    whitener: Whitener
    dimension: float
    distortion: float


@dataclass(frozen=True)
class Sample:
    """Rows that were drawn, and by what.

    Attributes
    ----------
    drawn : Drawn
    scores : Scores
    wanted : float
        How many were wanted in the mean.
    """

    drawn: Drawn
    scores: Scores
    wanted: float


@dataclass(frozen=True)
class SampledAnswer:
    """What a method found, with what a certificate needs: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    x : ndarray, shape (d, k)
    slope : Slope
        Gradient and residual at x, of all rows.
    sample : Sample
    is_short : bool
        Whether the rows drawn lack a direction that A has.
    notes : tuple of str
    """

    x: Floats
    slope: Slope
    sample: Sample
    is_short: bool = False
    notes: tuple[str, ...] = ()

    @property
    def factor(self) -> Factor:
        """Of A, or of its sketch."""
        return self.sample.scores.factor

    @property
    def backward_error(self) -> Floats:
        """Told by the certificate, which compares with the least residual."""
        return np.full(self.x.shape[1], np.nan)

    @property
    def residual_norm(self) -> Floats:
        """‖b − A x‖, the penalty included."""
        return np.sqrt(self.slope.rr)


@dataclass(frozen=True)
class SampledCase(Case):
    """A regression, with its ε."""

    epsilon: float

    @property
    def wanted(self) -> float:
        """Rows to draw, at most: a penalty makes them fewer."""
        return min(rows_wanted(self.workload.d, self.epsilon), float(self.workload.n))


class SampledMethod(Method[SampledCase, SampledSystem, SampledAnswer]):
    """A method that solves on rows drawn by leverage; methods differ in the scores."""

    @abstractmethod
    def score(self, system: SampledSystem, settings: Settings) -> Flow[Scores]:
        """Return what rows are drawn by."""

    @abstractmethod
    def works(self, settings: Settings) -> tuple[Work, ...]:
        """Return its passes."""

    @abstractmethod
    def score_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the part that the scores come from."""

    def sample(self, system: SampledSystem, settings: Settings) -> Flow[Sample]:
        """Return the rows drawn.  Two passes."""
        scores = yield from self.score(system, settings)
        wanted = system.wanted(scores.dimension)
        is_all = wanted >= system.shape[0] or not scores.dimension > 0
        rate = np.inf if is_all else wanted / scores.dimension
        drawn = yield Look(Drawing(scores.whitener, float(rate), settings.seed), system.rows)
        return Sample(drawn, scores, wanted)

    def solve(self, system: SampledSystem, settings: Settings, start: Any = None) -> Flow[SampledAnswer]:
        """Return x from the rows drawn, with the slope of all rows there.  Three passes."""
        del start
        sample = yield from self.sample(system, settings)
        factor, x = system.solve_on(sample.drawn)
        slope = yield from system.gradient(x)
        return SampledAnswer(x, slope, sample, factor.rank < sample.scores.factor.rank)

    def price(self, case: SampledCase) -> Estimate:
        """Return passes, seconds, memory: a part holds the rows drawn."""
        load = case.workload
        rows = int(8 * _SPARE * case.wanted * (load.d + load.k + 2))
        return price_works(self.works(case.settings), max(rows, self.score_bytes(case.settings, load.d)), load)

    def details(self, case: SampledCase) -> tuple[str, ...]:
        """Return how many rows are drawn, and how many a quantum computer would ask for."""
        n, wanted = case.workload.n, case.wanted
        return (
            f"draws about {format_count(round(wanted))} of {format_count(n)} rows by leverage, fewer with a penalty; x solves on these",
            f"modelled: a quantum computer would ask for about √(n s) = {format_count(round(modelled_queries(n, wanted)))} rows, up to "
            f"logarithms (arXiv 2311.14823); each pass here reads all {format_count(n)}",
        )
