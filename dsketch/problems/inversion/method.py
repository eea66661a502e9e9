"""On what the methods for g(x) = c are priced, what they are asked, and what they find."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate, price_passes, rate
from dsketch.planning.work import GRAM, LEVERAGES, TRIANGLE
from dsketch.problems.inversion.descent import DescentAnswer, Step, descend
from dsketch.problems.inversion.system import Edge, GradientSystem, Place
from dsketch.problems.method import Case, Method
from dsketch.problems.nonlinear.method import NonlinearMethod
from dsketch.settings import Settings

MOST_CUBED = 100  # columns up to which a tensor of d³ numbers is thought of: 8 MB, and ⅔ n d³ flops a look


@dataclass(frozen=True)
class GradientCase(Case):
    """What a method is priced on.

    Attributes
    ----------
    is_weighted : bool
        Whether the paper's penalty is asked for.
    """

    is_weighted: bool

    @property
    def edge_seconds(self) -> float:
        """Seconds a gigabyte of a look that factors S⁻¹A."""
        return rate(TRIANGLE, self.workload)

    def measure_seconds(self, *, has_cube: bool) -> float:
        """Return those of a look that sums gradient and Hessian."""
        columns = self.workload.d
        grams = 2.0 + (2.0 * columns / 3.0 if has_cube else 0.0)
        return rate(LEVERAGES, self.workload) + grams * rate(GRAM, self.workload)


@dataclass(frozen=True)
class GradientTask:
    """g(x) = c, and where to begin.

    Attributes
    ----------
    system : GradientSystem
    start : Edge
    """

    system: GradientSystem
    start: Edge


@dataclass(frozen=True)
class GradientAnswer:
    """Where a method ended.

    Attributes
    ----------
    found : DescentAnswer
    notes : tuple of str
    """

    found: DescentAnswer
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        """What is known there."""
        return self.found.place

    @property
    def x(self) -> Floats:
        """The point, shape (d, 1)."""
        return self.place.x[:, None]

    @property
    def backward_error(self) -> Floats:
        """By the decrement."""
        return np.array([self.place.decrement / self.place.size])

    @property
    def residual_norm(self) -> Floats:
        """‖g(x) − c‖."""
        return np.array([float(np.linalg.norm(self.place.misfit))])

    @property
    def factor(self) -> None:
        """That of S⁻¹A belongs to one x."""


class GradientMethod(Method[GradientCase, GradientTask, GradientAnswer]):
    """How g(x) = c is answered: by the step that it takes.

    Attributes
    ----------
    steps : int
        What it usually takes.
    most : int
        What it takes at most.
    has_cube : bool
        Whether its looks sum the tensor of d³ numbers, so that the Hessian is exact.
    looks_a_step : int
    weighted : NonlinearMethod or None
        Who answers where the paper's penalty is asked for; None: nobody.
    """

    steps: ClassVar[int]
    most: ClassVar[int] = 200
    has_cube: ClassVar[bool] = True
    looks_a_step: ClassVar[int] = 2
    weighted: ClassVar[NonlinearMethod | None] = None

    @abstractmethod
    def find_step(self, system: GradientSystem, settings: Settings) -> Step:
        """Return how a step is found, for one run."""

    def solve(self, system: GradientTask, settings: Settings, start: Any = None) -> Flow[GradientAnswer]:
        """Step from the task's start."""
        del start
        step = self.find_step(system.system, settings)
        found = yield from descend(system.system, system.start, step, settings, has_cube=self.has_cube, most=self.most)
        return GradientAnswer(found)

    def price(self, case: GradientCase) -> Estimate:
        """Return the usual number of steps, and the start."""
        has_cube, d = self.has_cube or case.is_weighted, case.workload.d
        looks = [(case.edge_seconds, self.steps + 1), (case.measure_seconds(has_cube=has_cube), self.steps + 1)]
        if self.looks_a_step > 2:
            looks.append((case.measure_seconds(has_cube=False), self.steps))
        return price_passes(looks, 8 * (3 * d**2 + (d**3 if has_cube else 0)), case.workload)

    def unfit(self, case: GradientCase) -> str | None:
        """Say so where the tensor would be too large."""
        if self.has_cube and case.workload.d > MOST_CUBED:
            return f"sums a tensor of d³ numbers, for up to {MOST_CUBED} columns"
        return None

    def require(self, case: GradientCase) -> None:
        """Refuse a penalty that it cannot weigh.

        Raises
        ------
        SpecError
            Naming the methods that can.
        """
        if case.is_weighted and self.weighted is None:
            raise SpecError(
                f"w=0 was expected for method={self.name!r}: the gradient with a penalty takes the exact Hessian of V. Take "
                "method='newton', 'newton_sampled' or 'gradient_descent', or leave w out."
            )

    def details(self, case: GradientCase) -> tuple[str, ...]:
        """Return that passes are what is usual."""
        del case
        return (f"about {self.steps} steps of {self.looks_a_step} looks; how many only the data tell",)


def tell(answer: GradientAnswer, *notes: str) -> GradientAnswer:
    """Return the answer with further notes."""
    return replace(answer, notes=(*answer.notes, *notes))
