"""Newton steps by sketched Hessians, then exact ones: the Newton sketch.

The way there is paid by sketches of √H A, m × d numbers a part and QR of these on the driver; a step contracts by about √(d/m) instead
of quadratically.  Where the decrement is small, exact Newton steps take over, two or three, with the proof.  At d up to a few hundred a
Gram matrix costs no more than a sketch with its QR, and :mod:`~dsketch.problems.smooth.newton` is ahead.

References
----------
M. Pilanci, M. J. Wainwright, "Newton sketch: a near linear-time optimization algorithm with linear-quadratic convergence", SIAM J.
Optim. 27, 2017.
"""

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.planning.work import LINKED, LINKED_LIGHT, Work, sketching_kind
from dsketch.problems.method import SKETCHING
from dsketch.problems.smooth.approach import Sight, approach, begin_sketched, see_sketched, sketch_for, with_momentum
from dsketch.problems.smooth.method import Carry, SmoothAnswer, SmoothMethod
from dsketch.problems.smooth.newton import Newton
from dsketch.problems.smooth.newton_qr import NewtonQr
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings
from dsketch.sketch.draw import choose_rows
from dsketch.sketch.size import FOR_ITERATING

_UNTIL = 1.0  # of a standard error: an exact step from there leaves 1e-2, the next 1e-5
_MOST = 20


class NewtonSketch(SmoothMethod):
    """Sketched Newton steps, ended by exact ones."""

    name = "newton_sketch"
    successor = NewtonQr.name
    takes = SKETCHING

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 6 sketched passes, 2 exact and 2 light ones."""
        del d
        return Work((LINKED_LIGHT, sketching_kind(settings.sketch)), 6), Work((LINKED,), 2), Work((LINKED_LIGHT,), 2)

    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the sketch."""
        return 8 * choose_rows(settings, d, FOR_ITERATING) * (d + 1) + 8 * d * d

    def solve(self, system: Model, settings: Settings, start: Carry | None = None) -> Flow[SmoothAnswer]:
        """Solve from ``start``.

        Raises
        ------
        Breakdown
            If a Hessian does not vouch for its Cholesky factor; x goes along.
        """
        sketch = sketch_for(system, settings)

        def see(x: Floats, before: Sight) -> Flow[Sight]:
            del before
            return (yield from see_sketched(system, sketch, x))

        at = yield from begin_sketched(system, sketch, start)
        carry = yield from approach(system, at, with_momentum(system, sketch), see, _UNTIL, _MOST)
        return (yield from Newton().solve(system, settings, carry))
