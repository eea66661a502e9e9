"""On what the methods of this wing are priced, what they are asked, and what they find."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.planning.price import Estimate, price_passes, rate
from dsketch.planning.work import GRAM, Kind
from dsketch.problems.levenberg import LevenbergAnswer, Local
from dsketch.problems.method import Case, Method
from dsketch.problems.nonlinear.system import NonlinearSystem


@dataclass(frozen=True)
class NonlinearCase(Case):
    """What a method is priced on.

    Attributes
    ----------
    work : Kind
        One look that sums loss, gradient and JᵀJ.
    units : int
        m where f has a number for each column of A₂; 0 where it has one for each row.
    has_row_sums : bool
        Whether the Hessian has a sum over rows to sample from.
    starts : int
        Points to begin at.
    looks_a_step : int
    """

    work: Kind
    units: int
    has_row_sums: bool
    starts: int

    looks_a_step: ClassVar[int] = 1

    @property
    def sides(self) -> int:
        """One: the columns of A₂ are none."""
        return 1

    @property
    def look_seconds(self) -> float:
        """Seconds a gigabyte of the looks of a step, for one start."""
        width = self.workload.d
        return rate(self.work, self.workload) + rate(GRAM, self.workload) * 2 * self.units / width

    @property
    def part_bytes(self) -> int:
        """Bytes of the largest part, for all starts: the Hessian's Gram matrices, or the units' moments."""
        d = self.workload.d
        return 8 * self.starts * max(4 * d**2 + 3 * d, self.units * (d + 3))


@dataclass(frozen=True)
class NonlinearTask:
    """A loss, and where to begin.

    Attributes
    ----------
    system : NonlinearSystem
    start : ndarray, shape (d,)
    """

    system: NonlinearSystem
    start: Floats


@dataclass(frozen=True)
class NonlinearAnswer:
    """Where a method ended, from one start.

    Attributes
    ----------
    x_vector : ndarray, shape (d,)
    local : Local
        What was known there.
    steps : int
        Taken or tried.
    end : str
        As of :class:`~dsketch.problems.levenberg.LevenbergAnswer`.
    notes : tuple of str
    """

    x_vector: Floats
    local: Local
    steps: int
    end: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: LevenbergAnswer, notes: tuple[str, ...] = ()) -> "NonlinearAnswer":
        """Return what the flow of Levenberg and Marquardt found."""
        return cls(found.x, found.local, found.trials, found.end, notes)

    @property
    def x(self) -> Floats:
        """The point, shape (d, 1)."""
        return self.x_vector[:, None]

    @property
    def backward_error(self) -> Floats:
        """What is not known before the examination."""
        return np.full(1, np.nan)

    @property
    def residual_norm(self) -> Floats:
        """√(2 loss)."""
        return np.array([np.sqrt(2 * max(self.local.value, 0.0))])

    @property
    def factor(self) -> None:
        """Made by the examination."""


class NonlinearMethod(Method[NonlinearCase, NonlinearTask, NonlinearAnswer]):
    """How a nonlinear least-squares problem is answered, from one start.

    Attributes
    ----------
    looks : int
        What it usually takes; how many only the data tell.
    """

    looks: ClassVar[int]

    @abstractmethod
    def look_share(self, case: NonlinearCase) -> float:
        """Return what one of its looks costs, in looks of a Gauss–Newton step."""

    def price(self, case: NonlinearCase) -> Estimate:
        """Return the usual number of looks, and two for the examination."""
        times = case.looks_a_step
        one = case.look_seconds * case.starts / times
        return price_passes(
            [(one * self.look_share(case), self.looks * times), (2 * one, 2 * times)], case.part_bytes, case.workload
        )

    def details(self, case: NonlinearCase) -> tuple[str, ...]:
        """Return that passes are what is usual, and how many starts there are."""
        told = (f"about {self.looks * case.looks_a_step} looks from a start near the answer; how many only the data tell",)
        return (*told, f"{case.starts} starts share every reading") if case.starts > 1 else told
