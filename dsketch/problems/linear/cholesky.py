"""The Gram matrix alone, trusted only where its own eigenvalues prove that rounding did not matter.

Rounding changes AᵀA, columns scaled to norm near one, by at most c·u·√n·trace in norm (√n: the errors of sums behave like a random
walk).  If its smallest eigenvalue λ is ten times as large, R = chol(AᵀA) whitens A to ‖I − R⁻ᵀAᵀA R⁻¹‖ ≤ 0.1: the condition number is
known, and the certificate pass that comes next is a refinement step that gains at least one digit, usually six.  Passes: 1 + 1.  No
sketch, hence the cheapest way for well-conditioned A; :mod:`~dsketch.problems.linear.gram` reaches further with one.  Passes: 1 where a
tol is asked for that the largest rounding of AᵀA cannot harm (:mod:`~dsketch.problems.linear.one_reading`).

References
----------
N. J. Higham, T. Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019.
Y. Yamamoto, Y. Nakatsukasa, Y. Yanagisawa, T. Fukaya, "Roundoff error analysis of the CholeskyQR2 algorithm", ETNA 44, 2015.
"""

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import powers_near
from dsketch._linalg.extent import DECOMPOSED_COLUMNS
from dsketch._linalg.factor import Factor
from dsketch._linalg.tiled import factor_in_place
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, GRAM, Work
from dsketch.problems.linear.method import LinearAnswer, LinearMethod, require_squares, square_bytes
from dsketch.problems.linear.one_reading import conclude, explain_proof, forecast_by_gram, prove_by_gram
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.whitened import Whitened
from dsketch.problems.method import Breakdown, Case
from dsketch.settings import EPS, Settings

_CONTRACTION = 0.1  # the refinement step contracts by this at worst


def _rounding_of_gram(rows: int, trace: float) -> float:
    """Return how far rounding may move an eigenvalue of AᵀA of this trace."""
    return 2 * EPS * float(np.sqrt(rows)) * trace


class Cholesky(LinearMethod):
    """AᵀA alone, if its eigenvalues vouch for it."""

    name = "cholesky"
    successor = Whitened.name
    is_squared = True
    is_direct = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 1 + 1 passes."""
        del settings, d
        return Work((GRAM,)), Work((GRADIENT,))

    def works_of(self, case: Case) -> tuple[Work, ...]:
        """Return one pass where AᵀA will prove what is asked for."""
        works = self.works(case.settings, case.workload.d)
        return works[:1] if self._forecast(case) <= case.settings.accepted and case.settings.is_provable else works

    def _forecast(self, case: Case) -> float:
        return forecast_by_gram(case.workload.n, case.workload.d, case.found.condition, case.found.trace)

    def details(self, case: Case) -> tuple[str, ...]:
        """Return what one reading will prove, where it is enough."""
        return explain_proof(self._forecast(case)) if len(self.works_of(case)) == 1 else ()

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the Gram matrix."""
        del settings
        return square_bytes(d, k)

    def unfit(self, case: Case) -> str | None:
        """Speak up where a Gram matrix of rows like the probed ones would not vouch for itself."""
        found = case.found
        if found.is_deficient:
            return "the probed rows lack rank"
        if _rounding_of_gram(case.workload.n, found.trace) * found.condition**2 <= _CONTRACTION:
            return None
        return f"the probed rows have condition {found.condition:.0e}: rounding could hide in AᵀA"

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve through AᵀA if its eigenvalues vouch for it; ``start`` is not needed.

        Raises
        ------
        Breakdown
            If they do not, or the refinement does not reach the goal.
        """
        del start
        if settings.is_provable:
            return (yield from self._prove(system, settings))
        G, c, _ = yield from system.gram()
        factor = trusted_factor(G, system.shape[0])
        del G
        x = factor.solve(factor.solve_transposed(c))
        return (yield from self._refine(system, settings, factor, x))

    def _prove(self, system: LinearSystem, settings: Settings) -> Flow[LinearAnswer]:
        """Return the answer of one reading, if it proves what is asked for, else that of two."""
        found, moments = yield from system.counted_gram()
        factor = trusted_factor(found.G, system.shape[0])
        x = factor.solve(factor.solve_transposed(found.c))
        x = x + factor.solve(factor.solve_transposed(found.c - found.G @ x))
        proof = prove_by_gram(found, factor, x, moments)
        if proof.backward_error.max(initial=0.0) <= settings.accepted:
            return (yield from conclude(proof, factor, x))
        return (yield from self._refine(system, settings, factor, x))

    def _refine(self, system: LinearSystem, settings: Settings, factor: Factor, x: Floats) -> Flow[LinearAnswer]:
        answer = yield from certify_and_correct(system, factor, x, settings, squared=self.is_squared)
        if answer.backward_error.max(initial=0.0) > settings.accepted:
            raise Breakdown(
                f"refinement of the Cholesky solution stopped at a backward error of {answer.backward_error.max():.1e}"
            )
        return answer


def trusted_factor(G: Floats, rows: int) -> Factor:
    """Return the factor of AᵀA if its least eigenvalue, columns scaled, is far above its rounding.

    Parameters
    ----------
    G : ndarray, shape (d, d)
        Not changed.
    rows : int
        n, over which it was summed.

    Raises
    ------
    Breakdown
        If it is not.
    """
    require_squares(G)
    scale = powers_near(np.sqrt(np.diag(G)))
    scaled = G / scale
    scaled /= scale[:, None]
    rounding = _rounding_of_gram(rows, float(np.trace(scaled)))
    factor, least = _factor_wide(scaled, scale) if len(G) > DECOMPOSED_COLUMNS else _factor_narrow(scaled, scale, rounding)
    if factor is None or not rounding < _CONTRACTION * least:
        raise Breakdown(
            f"rounding moves the eigenvalues of AᵀA by up to {rounding:.1e}, the smallest (columns scaled) is {least:.1e}: too near"
        )
    return factor


def _factor_narrow(scaled: Floats, scale: Floats, rounding: float) -> tuple[Factor | None, float]:
    """Return the factor where the least eigenvalue allows, and that."""
    least = float(sl.eigvalsh(scaled, subset_by_index=[0, 0])[0]) if np.isfinite(scaled).all() else 0.0
    return (Factor(np.asarray(sl.cholesky(scaled)) * scale) if rounding < _CONTRACTION * least else None), least


def _factor_wide(scaled: Floats, scale: Floats) -> tuple[Factor | None, float]:
    """Return the factor, in the place of ``scaled``, and a lower bound of the least eigenvalue; 0 where nothing bounds it.

    Its own rounding is a fraction √(d/n) of that of AᵀA, which must be ten times smaller than the bound.
    """
    try:
        R = factor_in_place(scaled)
    except np.linalg.LinAlgError:
        return None, 0.0
    R *= scale
    factor = Factor(R)
    return factor, 0.0 if factor.extent is None else factor.scaled_bounds[0] ** 2
