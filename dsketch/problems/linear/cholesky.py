"""The Gram matrix alone, trusted only where its own eigenvalues or A itself prove that rounding did not matter.

Rounding changes AᵀA, columns scaled to norm near one, by at most c·u·√n·trace in norm (√n: the errors of sums behave like a random
walk).  If its smallest eigenvalue λ is ten times as large, R = chol(AᵀA) whitens A to ‖I − R⁻ᵀAᵀA R⁻¹‖ ≤ 0.1: the condition number is
known, and the certificate pass that comes next is a refinement step that gains at least one digit, usually six.  Passes: 1 + 1.  No
sketch, hence the cheapest way for well-conditioned A.  Passes: 1 where a tol is asked for that the largest rounding of AᵀA cannot harm
(:mod:`~dsketch.problems.linear.one_reading`).

What rounding does is a hundredth and less of that bound.  Where it alone stands against R, a light pass measures E = R⁻ᵀAᵀA R⁻¹ − I:
for r normal vectors ω, ‖E‖ ≤ α √(2/π) max ‖E ω‖ but for a probability of α⁻ʳ.  Passes: 1 + 1 + 1, up to condition numbers near 2e6.

References
----------
N. J. Higham, T. Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019.
N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Rev. 53, 2011, lemma 4.1.
Y. Yamamoto, Y. Nakatsukasa, Y. Yanagisawa, T. Fukaya, "Roundoff error analysis of the CholeskyQR2 algorithm", ETNA 44, 2015.
"""

import math

import numpy as np
import scipy.linalg as sl
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, powers_near
from dsketch._linalg.extent import DECOMPOSED_COLUMNS
from dsketch._linalg.factor import Factor
from dsketch._linalg.streams import FACTOR_WITNESSES
from dsketch._linalg.tiled import factor_in_place
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, GRAM, NORMAL, Work
from dsketch.problems.linear.method import LinearAnswer, LinearMethod, require_squares, square_bytes
from dsketch.problems.linear.one_reading import conclude, explain_proof, forecast_by_gram, prove_by_gram
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.whitened import Whitened
from dsketch.problems.method import Breakdown, Case
from dsketch.settings import EPS, Settings

_CONTRACTION = 0.1  # the refinement step contracts by this at worst
_BLURRED = (
    1e-3  # so far may be off what A alone vouches for: about as far as a factor that a sketch guards, standard errors with it
)
_LIKELY_CONDITION = (
    1e6  # of probed rows that are sparse: A will most likely vouch for its factor, and other ways cost many times as much
)
_WITNESSES, _MISSED = 8, 10.0  # r and α: a factor that is further from A passes with a probability of 1e-8


def _rounding_of_gram(rows: int, trace: float) -> float:
    """Return how far rounding may move an eigenvalue of AᵀA of this trace."""
    return 2 * EPS * float(np.sqrt(rows)) * trace


def _is_doubtful(case: Case) -> bool:
    """Whether rounding could hide in the Gram matrix of rows like the probed ones."""
    return _rounding_of_gram(case.workload.n, case.found.trace) * case.found.condition**2 > _CONTRACTION


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
        """Return one pass where AᵀA will prove what is asked for; one more where A must vouch for the factor."""
        works = self.works(case.settings, case.workload.d)
        if _is_doubtful(case):
            return works[0], Work((NORMAL,)), works[1]
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
        if not _is_doubtful(case) or (case.workload.nonzeros is not None and found.condition <= _LIKELY_CONDITION):
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
        factor = yield from _find_factor(system, G, settings.seed)
        del G
        x = factor.solve(factor.solve_transposed(c))
        return (yield from self._refine(system, settings, factor, x))

    def _prove(self, system: LinearSystem, settings: Settings) -> Flow[LinearAnswer]:
        """Return the answer of one reading, if it proves what is asked for, else that of two."""
        found, moments = yield from system.counted_gram()
        factor = yield from _find_factor(system, found.G, settings.seed)
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


def _find_factor(system: LinearSystem, G: Floats, seed: int) -> Flow[Factor]:
    """Return the factor of AᵀA if its eigenvalues vouch for it, or A does along random vectors.  No pass, or a light one.

    Raises
    ------
    Breakdown
        If neither does.
    """
    require_squares(G)
    try:
        return trusted_factor(G, system.shape[0])
    except Breakdown as doubt:
        factor = _likely_factor(G)
        if factor is None:
            raise
        v = ndtri(random_words.uniforms(random_words.draw(seed, FACTOR_WITNESSES, 0, len(G), _WITNESSES)))
        seen = factor.solve_transposed((yield from system.normal(factor.solve(v)))) - v
        off = _MISSED * math.sqrt(2 / math.pi) * float(norms(seen).max())
        if not off <= _BLURRED:
            raise Breakdown(f"{doubt.reason}; compared with A along random vectors, its factor may be off by {off:.0e}") from None
        return factor


def _likely_factor(G: Floats) -> Factor | None:
    """Return the factor of AᵀA if there is one, of a condition number (columns scaled) at which it may be near; else None."""
    scale = powers_near(np.sqrt(np.diag(G)))
    scaled = G / scale
    scaled /= scale[:, None]
    try:
        factor = Factor(factor_in_place(scaled) * scale)
    except np.linalg.LinAlgError:
        return None
    return factor if EPS * factor.scaled_condition**2 <= _BLURRED else None


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
