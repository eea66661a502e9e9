"""Gradient descent in the metric of one sketched Hessian: the first-order mode that papers on such problems analyse.

One light pass a step with the factor of a single sketch at the start; steps are lengthened while the loss allows and shortened where it
does not.  Linear convergence: the rate depends on how much curvatures change between the start and the end.  Passes: 20 to several hundred.
The last digits, and the proof, are an exact Newton step's.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
"""

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.planning.work import LINKED, LINKED_LIGHT, Work, sketching_kind
from dsketch.problems.method import SKETCHING
from dsketch.problems.smooth.approach import Sight, approach, begin_sketched, sketch_for, with_momentum
from dsketch.problems.smooth.conjugate_gradient import ConjugateGradient
from dsketch.problems.smooth.method import Carry, SmoothAnswer, SmoothMethod
from dsketch.problems.smooth.newton import Newton
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings
from dsketch.sketch.draw import choose_rows
from dsketch.sketch.size import FOR_ITERATING

_UNTIL = 1e-3
_MOST = 500


class GradientDescent(SmoothMethod):
    """Preconditioned gradient steps, ended by an exact Newton step."""

    name = "gradient_descent"
    successor = ConjugateGradient.successor
    takes = SKETCHING
    is_offered = False

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 2 sketched passes, 40 light ones, 1 exact one."""
        del d
        return Work((LINKED_LIGHT, sketching_kind(settings.sketch)), 2), Work((LINKED_LIGHT,), 40), Work((LINKED,))

    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the sketch."""
        return 8 * choose_rows(settings, d, FOR_ITERATING) * (d + 1) + 8 * d * d

    def solve(self, system: Model, settings: Settings, start: Carry | None = None) -> Flow[SmoothAnswer]:
        """Solve from ``start``.

        Raises
        ------
        Breakdown
            If the last Hessian does not vouch for its Cholesky factor; x goes along.
        """

        def see(x: Floats, before: Sight) -> Flow[Sight]:
            return Sight(x, (yield from system.look(x, has_gram=False)), before.metric)

        sketch = sketch_for(system, settings)
        at = yield from begin_sketched(system, sketch, start)
        carry = yield from approach(system, at, with_momentum(system, sketch), see, _UNTIL, _MOST)
        return (yield from Newton().solve(system, settings, carry._replace(steps=0)))  # of Newton's steps none was taken
