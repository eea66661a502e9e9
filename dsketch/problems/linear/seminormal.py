"""Corrected semi-normal equations: R of A alone, x from a few rows of b, and one reading of b that corrects and certifies it.

Where b has many more columns than A, reading b is the work.  RᵀR dx = Aᵀ(b − A x₀) corrects x₀ to rounding in one step, since R is exact
to u ‖A‖ and x₀ is near; what is known of the new x follows from R (:mod:`~dsketch.problems.linear.polish`).  x₀ is the minimizer of some
runs of rows, evenly spread: it need only be near.  Where they say too little, or b is fitted so well that little of the first
residual is left, another reading follows.  Passes: one over A, one of few
rows, one over A and b.

References
----------
Å. Björck, "Stability analysis of the method of semi-normal equations for linear least squares problems", Linear Algebra Appl.
88/89, 1987.
"""

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, TRIANGLE, Work
from dsketch.problems.linear.method import LinearAnswer, LinearMethod, square_bytes
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.tsqr import Tsqr
from dsketch.problems.method import Breakdown, Case
from dsketch.settings import Settings

_TRUSTED_CONDITION = 1e6  # at this condition, columns scaled, a correction contracts by u·kappa² = 1e-4


class SemiNormal(LinearMethod):
    """The triangle of A, and one reading of b."""

    name = "semi_normal"
    successor = Tsqr.name

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return a pass over A, one of few rows, and one over both."""
        del settings, d
        return Work((TRIANGLE,), beside=False), Work((), share=0.0), Work((GRADIENT,))

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the triangle of a few rows."""
        del settings
        return square_bytes(d, k)

    def unfit(self, case: Case) -> str | None:
        """Speak up where b has no more columns than A, or the probed rows are worse than semi-normal equations can bear."""
        found = case.found
        if case.workload.k <= case.workload.d:
            return "b has no more columns than A: reading b once in place of twice spares too little"
        if not found.is_deficient and found.condition <= _TRUSTED_CONDITION:
            return None
        hint = "lack rank" if found.is_deficient else f"have condition {found.condition:.0e}"
        return f"the probed rows {hint}; semi-normal equations are trusted to {_TRUSTED_CONDITION:.0e}"

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve through R of A and a start from a few rows; ``start`` is not needed.

        Raises
        ------
        Breakdown
            If the corrections do not reach the goal.
        """
        del start
        factor = Factor((yield from system.triangle_of_columns(settings.seed)))
        x = yield from system.guess(settings.seed)
        answer = yield from certify_and_correct(system, factor, x, settings, rough=True)
        if answer.backward_error.max(initial=0.0) > settings.accepted:
            raise Breakdown(
                f"corrections by semi-normal equations stopped at a backward error of {answer.backward_error.max():.1e}"
            )
        return answer
