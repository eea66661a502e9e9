"""Newton steps by the exact Hessian 3Q − 2T₃T₃ᵀ: quadratic, for columns up to about a hundred."""

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.problems.inversion.descent import Step
from dsketch.problems.inversion.method import GradientMethod
from dsketch.problems.inversion.system import GradientSystem, Place
from dsketch.problems.nonlinear.gauss_newton import GaussNewton
from dsketch.settings import Settings


class Newton(GradientMethod):
    """The exact Hessian: two looks a step, and a tensor of d³ numbers in one of them."""

    name = "newton"
    steps = 7
    reason = "quadratic, two looks a step"
    is_safe = True
    weighted = GaussNewton()

    def find_step(self, system: GradientSystem, settings: Settings) -> Step:
        """Return the Newton step."""
        del system, settings
        return _step


def _step(here: Place) -> Flow[tuple[Floats, float]]:
    yield from ()
    return here.newton_step(here.hessian)
