"""A regression to be solved on few of its rows: how many, and what it comes to on rows that were drawn."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor, solve_small
from dsketch.matrix.rows import Rows
from dsketch.passes.drawing import Drawn
from dsketch.problems.leverage.system import LeverageSystem, leverage_system

_MISSED = 1e-3  # of the draws, at most, for a residual without outliers


@dataclass(frozen=True)
class SampledSystem(LeverageSystem):
    """min ‖A x − b‖² + Σ pᵢ xᵢ² to within a factor of 1 + ε.

    Attributes
    ----------
    epsilon : float
        ε, between 0 and 1.
    """

    epsilon: float

    def solve_on(self, drawn: Drawn) -> tuple[Factor, Floats]:
        """Return the factor of the rows drawn, each √count times, with the penalty's below, and the x that minimizes on them."""
        roots, (d, k) = np.sqrt(drawn.counts)[:, None], (self.shape[1], self.sides)
        below = self._penalty_rows() if self.is_penalized else np.zeros((1, d))
        return solve_small(np.concatenate([roots * drawn.X, below]), np.concatenate([roots * drawn.Y, np.zeros((len(below), k))]))

    def wanted(self, dimension: float) -> float:
        """Return how many rows to draw, in the mean, for scores that add up to ``dimension``; at most all."""
        return min(rows_wanted(dimension, self.epsilon), float(self.shape[0]))


def sampled_system(rows: Rows, alpha: float, epsilon: float) -> SampledSystem:
    """Return the system for a penalty alpha ‖x‖² that leaves an intercept out."""
    whole = leverage_system(rows, alpha)
    return SampledSystem(whole.rows, whole.penalty, epsilon)


def rows_wanted(dimension: float, epsilon: float) -> float:
    """Return s = 4 D ln D + max(4 D, q)/ε, D the (statistical) dimension, or 1 if that is less.

    With the first term the rows keep every direction of A, with the second the residual: of a residual without outliers s times its excess
    is about χ² of D degrees of freedom, and q is what that exceeds in one draw of a thousand.  4 D/ε alone would miss ε in 5 % of the draws
    for one column, in 2 % for two.

    >>> round(rows_wanted(20, 0.1)), round(rows_wanted(1, 0.1))
    (1040, 108)
    """
    least = max(dimension, 1.0)
    return 4 * least * math.log(least) + max(4 * least, float(special.chdtri(least, _MISSED))) / epsilon


def modelled_queries(rows: int, wanted: float) -> float:
    """Return √(n s): about how many rows a quantum computer would ask for, up to logarithms, where each pass reads n.

    >>> round(modelled_queries(20_000, 400))
    2828
    """
    return math.sqrt(rows * wanted)
