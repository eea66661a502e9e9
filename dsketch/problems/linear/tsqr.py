"""One-pass QR: R and Qᵀb of [A b] by a tall-skinny QR, x = R⁻¹Qᵀb, then the certificate pass.

Backward stable for every condition number, scaling and coherence; nothing to break down, so every other method ends here when it
cannot go on.  Passes: 1 + 1.  Prefer it for d to a few hundred, or on slow storage.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM J. Sci.
Comput. 34, 2012.
"""

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, TRIANGLE, Work
from dsketch.problems.linear.method import LinearAnswer, LinearMethod, square_bytes
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.settings import Settings


class Tsqr(LinearMethod):
    """The triangle of [A b]."""

    name = "tsqr"
    is_safe = True
    is_direct = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 1 + 1 passes."""
        del settings, d
        return Work((TRIANGLE,)), Work((GRADIENT,))

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the triangle."""
        del settings
        return square_bytes(d, k)

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve through the triangle of [A b]; ``start`` is not needed."""
        del start
        R, z, _ = yield from system.triangle(settings.seed)
        factor = Factor(R)
        return (yield from certify_and_correct(system, factor, factor.least_squares(z), settings))
