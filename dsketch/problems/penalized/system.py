"""A quadratic of rows, and what is added to it: which pass gives its Gram matrix, its triangle, its pull at some x."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Gradient, Gram, Look, Slope, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.fold_grams import FoldSums
from dsketch.passes.total_weight import TotalWeight
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.penalized.cost import Cost
from dsketch.settings import EPS

_NOISE = 16 * EPS  # what sums of products leave of a b that is constant, relative to the sizes of both


class Sums(NamedTuple):
    """What the first pass finds, in the units of A (shifted, if its columns are).

    ``square`` is AᵀA or R, shape (d, d); ``sides`` is Aᵀb or Qᵀb, shape (d, k); ``weight`` is Σ w; ``folds`` what each fold sums to, where
    there are folds.
    """

    square: Floats
    sides: Floats
    weight: float
    folds: FoldSums | None = None


class PenalizedSystem(ABC):
    """min ½‖W^½ (A x − b)‖² + cost(x), for each of one or more points: right-hand sides, or places of a path.

    Attributes
    ----------
    rows : Rows
        [A 1], b and the weights.
    folds : int
        Whose sums the first pass keeps apart; 0 for none.
    """

    rows: Rows
    folds: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d) of [A 1]."""
        return self.rows.shape

    @property
    def points(self) -> int:
        """Columns of x."""
        return self.rows.sides

    def side_of(self, point: int) -> int:
        """Return the column of b that a point is about."""
        return point

    def follows(self, point: int) -> bool:
        """Whether a point lies near the one before, so that it begins there."""
        del point
        return False

    @abstractmethod
    def costs(self, weight: float, pull: Floats) -> list[Cost]:
        """Return what is added for each point, in the units of A.

        Parameters
        ----------
        weight : float
            Σ w.
        pull : ndarray, shape (d, k)
            Aᵀr where nothing but an intercept is fitted.
        """

    def gram(self, seed: int) -> Flow[Sums]:
        """Return AᵀA, Aᵀb and Σ w.  One pass."""
        del seed
        (G, c, _), weight = yield Look(Both(Gram(), TotalWeight()), self.rows)
        return Sums(G, c, _require_counted(weight))

    def triangle(self, seed: int, folds: FoldSums | None) -> Flow[Sums]:
        """Return R, Qᵀb and Σ w; ``folds`` are those that an earlier pass has found.  One pass."""
        found, weight = yield Look(Both(Triangle(seed), TotalWeight()), self.rows)
        return Sums(found.R, found.z, _require_counted(weight), folds)

    def gradient(self, x: Floats) -> Flow[Slope]:
        """Return Aᵀ(b − A x) and ‖b − A x‖² for each point.  One pass."""
        slope: Slope = yield Look(Gradient(x), self.rows)
        return slope

    def baseline(self, G: Floats, c: Floats) -> Floats:
        """Return Aᵀr where nothing but an intercept is fitted, shape (d, k); 0 where that is nothing but rounding."""
        if not self.rows.intercept:
            return c
        pull = c - np.outer(G[:, -1], c[-1] / G[-1, -1])
        terms = np.outer(np.sqrt(np.diagonal(G)), np.abs(c[-1]) / np.sqrt(G[-1, -1]))
        return np.asarray(np.where(np.abs(pull) > _NOISE * terms, pull, 0.0))


def _require_counted(weight: float) -> float:
    require_weight(weight)
    return weight
