"""Newton's method by triangles of the tangent rows: nothing is squared, so that no condition number stands in the way.

R of √H A comes from a tall-skinny QR in the same reading as loss and gradient.  About four times the arithmetic of
:mod:`~dsketch.problems.smooth.newton`; passes: 5 to 12.  Rank-deficient A is answered by the shortest x.

References
----------
D. P. O'Leary, "Robust regression computation using iteratively reweighted least squares", SIAM J. Matrix Anal. Appl. 11, 1990.
"""

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.passes.linked import Local
from dsketch.planning.work import LINKED_LIGHT, TRIANGLE, Work
from dsketch.problems.smooth.descent import descend
from dsketch.problems.smooth.method import Carry, SmoothAnswer, SmoothMethod
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings

_HEAVY, _LIGHT = 5, 2


class NewtonQr(SmoothMethod):
    """Newton steps by the triangle of √H A."""

    name = "newton_qr"
    is_safe = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 5 + 2 passes."""
        del settings, d
        return Work((LINKED_LIGHT, TRIANGLE), _HEAVY), Work((LINKED_LIGHT,), _LIGHT)

    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the triangle."""
        del settings
        return 8 * (d + 1) ** 2 + 8 * d

    def solve(self, system: Model, settings: Settings, start: Carry | None = None) -> Flow[SmoothAnswer]:
        """Solve by Newton steps from ``start``."""

        def see(model: Model, x: Floats, *, lengths: Floats | None, begins: bool) -> Flow[tuple[Local, Factor]]:
            local, R = yield from model.look_with_triangle(x, settings.seed, lengths=lengths, begins=begins)
            return local, Factor(R)

        return (yield from descend(system, settings, see, start))
