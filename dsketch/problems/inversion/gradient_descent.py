"""The first-order mode: steps of length 1/L down the gradient g(x) − c, columns scaled; V(x) − cᵀx never rises.

L is the largest eigenvalue of the Hessian at the start; a step that leaves the cell or does not lower the value is cut.  An error falls by
1 − 1/κ a step, κ the condition number of the Hessian with columns scaled.

References
----------
Y. Nesterov, "Introductory lectures on convex optimization", Kluwer 2004, section 1.2.3.
"""

from dataclasses import dataclass

import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import powers_near_norms
from dsketch.passes.base import Flow
from dsketch.problems.inversion.descent import Step
from dsketch.problems.inversion.method import GradientMethod
from dsketch.problems.inversion.system import GradientSystem, Place
from dsketch.problems.nonlinear.gradient_descent import GradientDescent as Weighted
from dsketch.settings import Settings


class GradientDescent(GradientMethod):
    """Steps of length 1/L down the gradient."""

    name = "gradient_descent"
    steps = 200
    most = 1000
    has_cube = False
    is_offered = False
    aside = "gains a factor 1 − 1/κ a step"
    weighted = Weighted()

    def find_step(self, system: GradientSystem, settings: Settings) -> Step:
        """Return the step by the L of the start."""
        del system, settings
        return _Slope().step


@dataclass
class _Slope:
    """Steps of one run.

    Attributes
    ----------
    scale : ndarray, shape (d,), or None
        L times the squared units of the columns, once it is known.
    """

    scale: Floats | None = None

    def step(self, here: Place) -> Flow[tuple[Floats, float]]:
        """Return the step, to be taken whole."""
        yield from ()
        if self.scale is None:
            root = sl.cholesky(3 * here.sums.weighted) @ here.factor.whitener.matrix
            units = powers_near_norms(root)
            self.scale = float(sl.norm(root / units, 2)) ** 2 * units**2
        return -here.misfit / self.scale, 0.0
