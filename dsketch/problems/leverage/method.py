"""What a method for leverage scores finds, and what it costs."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes import Pass
from dsketch.planning.price import Estimate, price_works
from dsketch.planning.work import Work
from dsketch.problems.leverage.system import LeverageSystem
from dsketch.problems.method import Case, Method
from dsketch.settings import Settings


@dataclass(frozen=True)
class LeverageAnswer:
    """What a method found, with what a certificate needs: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    scores : Pass
        Finishes to the scores of rows.
    factor : Factor
        Of A and its penalty.
    is_exact : bool
        Whether they are those of the factor itself, rather than a sketch's in few random directions.
    spread : tuple of float
        Least, middle and largest ratio of a score to the exact one over a sample of rows; 1, 1, 1 for exact ones.
    compared : int
        Rows of that sample.
    notes : tuple of str
    """

    scores: Pass[Floats]
    factor: Factor
    is_exact: bool
    spread: tuple[float, float, float] = (1.0, 1.0, 1.0)
    compared: int = 0
    notes: tuple[str, ...] = ()

    @property
    def x(self) -> Floats:
        """None of the rows: they are made where A lies."""
        return np.zeros((0, 1))

    @property
    def backward_error(self) -> Floats:
        """Not measured before the rows are made."""
        return np.full(1, np.nan)

    @property
    def residual_norm(self) -> Floats:
        """Nothing is minimized."""
        return np.zeros(1)


class LeverageMethod(Method[Case, LeverageSystem, LeverageAnswer]):
    """A method for leverage scores: its price is that of its passes."""

    @abstractmethod
    def works(self, settings: Settings) -> tuple[Work, ...]:
        """Return its passes."""

    @abstractmethod
    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the largest part that it makes."""

    def price(self, case: Case) -> Estimate:
        """Return passes, seconds, memory."""
        return price_works(self.works(case.settings), self.part_bytes(case.settings, case.workload.d), case.workload)
