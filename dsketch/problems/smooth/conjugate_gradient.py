"""Truncated Newton steps by conjugate gradients on the Hessian, preconditioned by a sketch of it: for sparse or wide A.

Each inner step is one light pass (√H A v there and back, on stored numbers alone where A is sparse) and contracts by √(d/m), 0.29 at m = 12
d; an outer step sketches √H A anew.  The Hessian itself is summed once, at the end, for the proof.  Passes: 20 to 40.

References
----------
R. S. Dembo, S. C. Eisenstat, T. Steihaug, "Inexact Newton methods", SIAM J. Numer. Anal. 19, 1982 (how exact a step must be).
V. Rokhlin, M. Tygert, "A fast randomized algorithm for overdetermined linear least-squares regression", PNAS 105, 2008.
"""

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.planning.work import LINKED, LINKED_LIGHT, NORMAL, Work, sketching_kind
from dsketch.problems.iterations import ALL, Recurrence, Sides, inner_products, pcg, unpreconditioned
from dsketch.problems.method import SKETCHING
from dsketch.problems.smooth.approach import Sight, approach, begin_sketched, see_sketched, sketch_for
from dsketch.problems.smooth.method import Carry, SmoothAnswer, SmoothMethod
from dsketch.problems.smooth.newton import Newton
from dsketch.problems.smooth.newton_qr import NewtonQr
from dsketch.problems.smooth.system import Model, flat, unflatten
from dsketch.settings import Settings
from dsketch.sketch.draw import choose_rows
from dsketch.sketch.size import FOR_ITERATING

_UNTIL = 1e-3  # one exact step from there leaves 1e-8 and less
_MOST = 20
_LOOSEST, _TIGHTEST = 0.1, 1e-4  # of the residual of a step, relative
_LONGEST = 20


class ConjugateGradient(SmoothMethod):
    """Truncated Newton steps, ended by an exact one."""

    name = "conjugate_gradient"
    successor = NewtonQr.name
    takes = SKETCHING

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 6 sketched passes, 18 products, 1 exact pass and 2 light ones."""
        del d
        outer = Work((LINKED_LIGHT, sketching_kind(settings.sketch)), 6)
        return outer, Work((NORMAL,), 18), Work((LINKED,)), Work((LINKED_LIGHT,), 2)

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
        sketch = sketch_for(system, settings)

        def direct(at: Sight, last: Floats) -> Flow[Floats]:
            del last
            return (yield from _solve_newton(system, at))

        def see(x: Floats, before: Sight) -> Flow[Sight]:
            del before
            return (yield from see_sketched(system, sketch, x))

        at = yield from begin_sketched(system, sketch, start)
        carry = yield from approach(system, at, direct, see, _UNTIL, _MOST)
        return (yield from Newton().solve(system, settings, carry))


def _solve_newton(system: Model, at: Sight) -> Flow[Floats]:
    """Return the Newton step at x to as many digits as the decrement deserves."""
    factor, tol = at.metric.factor, min(_LOOSEST, max(_TIGHTEST, at.newton[1] / 100))
    run = Recurrence.begin(factor.solve_transposed(-flat(at.local.gradient)))
    wanted = tol**2 * inner_products(run.r, run.r)

    def normal(y: Floats) -> Flow[Floats]:
        return factor.solve_transposed((yield from system.normal(at.x, factor.solve(y))))

    def going() -> Sides | None:
        return None if (inner_products(run.r, run.r) <= wanted).all() else ALL

    yield from pcg(normal, unpreconditioned, run, _LONGEST, going)
    return unflatten(factor.shortest(factor.solve(run.y)), at.x)
