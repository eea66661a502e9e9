"""Preconditioned gradient descent with the damping and momentum of its theory: the attention-regression paper's own inner routine.

The paper's unit step needs m > 11.7 d rows to converge at all (the largest eigenvalue of H = R⁻ᵀAᵀA R⁻¹ must stay below 2).  For a
sketch of distortion ε = √(d/m) the spectrum of H lies in [1/(1 + ε)², 1/(1 − ε)²]; the heavy ball with momentum ε² and step
(1 − ε²)² contracts by ε a step there, as conjugate gradients do, with nothing to measure on the way.  Passes: 15–40.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
I. K. Ozaslan, M. Pilanci, O. Arikan, "Iterative Hessian sketch with momentum", ICASSP 2019.
E. N. Epperly, M. Meier, Y. Nakatsukasa, arXiv 2406.03468, 2024 (FOSSILS).
"""

import itertools

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.problems.iterations import damp, heavy_ball
from dsketch.problems.linear.conjugate_gradient import ConjugateGradient
from dsketch.problems.linear.refinement import RefiningMethod
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown

_LONGEST_ROUND = 30
_DIVERGED = 1e3  # a step that has grown so much against the first one ends the iteration


def _run_heavy_ball(problem: LinearSystem, factor: Factor, c: Floats, epsilon: float, tol: float) -> Flow[Floats]:
    """Return y ≈ H⁻¹c by the heavy ball.

    Raises
    ------
    Breakdown
        If the steps grow: some eigenvalue lies outside the interval that the sketch promised.
    """
    first = damp(c, epsilon)
    limit, steps = _DIVERGED * float(np.linalg.norm(first)), itertools.count(1)

    def descent(y: Floats) -> Flow[Floats | None]:
        return c - factor.solve_transposed((yield from problem.normal(factor.solve(y))))

    def is_last(step: Floats, y: Floats) -> bool:
        size = float(np.linalg.norm(step))
        if not size <= limit:
            raise Breakdown(f"gradient descent diverged: the sketch's distortion is larger than the promised {epsilon:.2f}")
        return size <= tol * float(np.linalg.norm(y)) or next(steps) == _LONGEST_ROUND

    return (yield from heavy_ball(descent, first, epsilon, is_last, before=np.zeros_like(c)))


class GradientDescent(RefiningMethod):
    """Damped gradient descent with momentum on the sketched-preconditioned normal equations, in rounds."""

    name = "gradient_descent"
    successor = ConjugateGradient.name
    is_offered = False
    inner = staticmethod(_run_heavy_ball)
