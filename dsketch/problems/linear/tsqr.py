"""One-pass QR: R and Qᵀb of [A b] by a tall-skinny QR, x = R⁻¹Qᵀb, then the certificate pass.

Backward stable for every condition number, scaling and coherence; nothing to break down, so every other method ends here when it
cannot go on.  Passes: 1 + 1; 1 where a tol is asked for that the largest rounding of the QR cannot harm
(:mod:`~dsketch.problems.linear.one_reading`).  Prefer it for d to a few hundred, or on slow storage.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM J. Sci.
Comput. 34, 2012.
"""

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, TRIANGLE, Work
from dsketch.problems.linear.method import LinearAnswer, LinearMethod, square_bytes
from dsketch.problems.linear.one_reading import conclude, explain_proof, forecast_by_triangle, prove_by_triangle
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Case
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

    def works_of(self, case: Case) -> tuple[Work, ...]:
        """Return one pass where the triangle will prove what is asked for."""
        works = self.works(case.settings, case.workload.d)
        return works[:1] if self._forecast(case) <= case.settings.accepted and case.settings.is_provable else works

    def _forecast(self, case: Case) -> float:
        return forecast_by_triangle(case.workload.d, case.workload.k)

    def details(self, case: Case) -> tuple[str, ...]:
        """Return what one reading will prove, where it is enough."""
        return explain_proof(self._forecast(case)) if len(self.works_of(case)) == 1 else ()

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the triangle."""
        del settings
        return square_bytes(d, k)

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve through the triangle of [A b]; ``start`` is not needed."""
        del start
        if not settings.is_provable:
            R, z, _ = yield from system.triangle(settings.seed)
            factor = Factor(R)
            return (yield from certify_and_correct(system, factor, factor.least_squares(z), settings))
        found, depth, moments = yield from system.counted_triangle(settings.seed)
        factor = Factor(found.R)
        x = factor.least_squares(found.z)
        proof = prove_by_triangle(found, depth, factor, x, moments)
        if proof.backward_error.max(initial=0.0) <= settings.accepted:
            return (yield from conclude(proof, factor, x))
        return (yield from certify_and_correct(system, factor, x, settings))
