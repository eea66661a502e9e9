"""What a method for penalized and bounded problems finds, and what it costs."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.fold_grams import FoldSums
from dsketch.planning.price import Estimate, price_works
from dsketch.planning.work import Work
from dsketch.problems.method import Case, Method
from dsketch.problems.penalized.gap import Distance
from dsketch.problems.penalized.system import PenalizedSystem


@dataclass(frozen=True)
class PenalizedAnswer:
    """What a method found, with what a certificate needs: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    x : ndarray, shape (d, m)
        For columns as they are shifted.
    scale : ndarray, shape (d,)
        Powers of two near the norms of the columns.
    distances : tuple of Distance
        One for each of the m points, in scaled columns.
    residual_norm : ndarray, shape (m,)
        ‖b − A x‖.
    total : ndarray, shape (m,)
        Σ w (b − mean)² with an intercept, ‖b‖² without: twice the objective at 0.
    weight : float
        Σ w.
    sizes : ndarray, shape (d,)
        Norms of the scaled columns.
    pull : ndarray, shape (d, k)
        Aᵀr where nothing but an intercept is fitted.
    factor : Factor or None
        Of A, where a triangle was made.
    folds : FoldSums or None
        What each fold sums to, where there are folds.
    notes : tuple of str
    """

    x: Floats
    scale: Floats
    distances: tuple[Distance, ...]
    residual_norm: Floats
    total: Floats
    weight: float
    sizes: Floats
    pull: Floats
    factor: Factor | None = None
    folds: FoldSums | None = None
    notes: tuple[str, ...] = ()

    @property
    def backward_error(self) -> Floats:
        """How much the columns that nothing holds must change, relatively, shape (m,)."""
        return np.array([distance.backward for distance in self.distances])


@dataclass(frozen=True)
class PenalizedCase(Case):
    """What a method is priced on.

    Attributes
    ----------
    sides_of_b : int
        Columns of b, where x has one for each point of a path.
    folds : int
        Whose sums the first pass keeps apart; 0 for none.
    """

    sides_of_b: int
    folds: int

    @property
    def sides(self) -> int:
        """Columns of b: those of x are more on a path."""
        return self.sides_of_b


class PenalizedMethod(Method[PenalizedCase, PenalizedSystem, PenalizedAnswer]):
    """A method for penalized and bounded problems: its price is that of its passes."""

    @abstractmethod
    def works(self, case: PenalizedCase) -> tuple[Work, ...]:
        """Return its passes."""

    @abstractmethod
    def part_bytes(self, case: PenalizedCase) -> int:
        """Return the bytes of the largest part of the first pass."""

    def price(self, case: PenalizedCase) -> Estimate:
        """Return passes, seconds, memory."""
        workload = case.workload
        looked = 8 * workload.d * workload.k  # what the second pass gives for all points
        return price_works(self.works(case), max(self.part_bytes(case), looked), workload)
