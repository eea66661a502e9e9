"""Whitened Gram (randomized Cholesky QR): sketch → R₀, then the Gram matrix of A R₀⁻¹, whose condition number is about 3.

With Y = A T, T = R₀⁻¹: W = YᵀY = L Lᵀ, c = Yᵀb; then ‖A x − b‖ is minimized by the small system min ‖Lᵀ R₀ x − L⁻¹ c‖.  Note c
= Yᵀb and not Yᵀ(b − A x₀): the warm start would cost accuracy at large residuals.  As stable as Householder QR for any condition
number; BLAS-3 throughout.  Passes: 1 + 1 + 1 (the certificate).

References
----------
M. Melnichenko, O. Balabanov, R. Murray, J. Demmel, M. W. Mahoney, P. Luszczek, "CholeskyQR with randomization and pivoting for
tall matrices (CQRRPT)", arXiv 2311.08316, 2023.
"""

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.factor import Factor, solve_small
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, WHITENED_GRAM, Work, sketching_kind
from dsketch.problems.linear.method import (
    QR_FLOPS,
    LinearAnswer,
    LinearMethod,
    require_full_rank,
    sketch_bytes,
    sketch_cubes,
    square_bytes,
)
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.tsqr import Tsqr
from dsketch.problems.method import SKETCHING, Breakdown
from dsketch.settings import Settings
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_WHITENING

_SIGNS = 4  # so many a row of the sparse sketch: only injectivity matters where a Gram matrix follows
_WEAKEST_SKETCH = 20.0  # a good sketch leaves cond(Y) at 3 to 9; up to this one u·20² in W is still rounding


class Whitened(LinearMethod):
    """The Gram matrix of A R₀⁻¹."""

    name = "whitened"
    successor = Tsqr.name
    takes = SKETCHING
    is_direct = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 1 + 1 + 1 passes."""
        del d
        return Work((sketching_kind(settings.sketch, FOR_WHITENING, _SIGNS),)), Work((WHITENED_GRAM,)), Work((GRADIENT,))

    def cubes(self, settings: Settings, d: int) -> tuple[float, float]:
        """Return those of the QR of the sketch and that of Lᵀ R₀, a product on one thread."""
        return 2.0, sketch_cubes(settings, d, FOR_WHITENING) + 4 / 3 * QR_FLOPS

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the sketch, or of the Gram matrix."""
        return max(sketch_bytes(settings, d, k, FOR_WHITENING), square_bytes(d, k))

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve through the Gram matrix of A R₀⁻¹; ``start`` is the factor of a sketch made before.

        Raises
        ------
        Breakdown
            If the sketch did not whiten A (its family lost rank on this A), or lost directions that the answer needs.
        """
        if start is None:
            SA, _ = yield from system.sketch(draw_sketch(settings, system.shape[1], FOR_WHITENING, nonzeros=_SIGNS))
            start = Factor.of(SA)
        require_full_rank(start)
        W, c = yield from system.whitened(start)
        L = lower_factor(W)
        factor, x = solve_small(L.T @ start.whitener.matrix, sl.solve_triangular(L, c, lower=True))
        answer = yield from certify_and_correct(system, factor, x, settings)
        if answer.backward_error.max(initial=0.0) > settings.accepted:
            raise Breakdown(
                f"the whitened solution has a backward error of {answer.backward_error.max():.1e}: the sketch lost directions of A"
            )
        return answer


def lower_factor(W: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor of a whitened Gram matrix.

    Raises
    ------
    Breakdown
        If W is not safely positive definite: the sketch it was whitened with was too weak.
    """
    try:
        L = sl.cholesky(W, lower=True)
    except (sl.LinAlgError, ValueError) as error:
        raise Breakdown(f"the sketch did not whiten A: its Gram matrix is not positive definite ({error})") from error
    pivots = np.abs(np.diag(L))
    if pivots.size and pivots.max() > _WEAKEST_SKETCH * pivots.min():
        raise Breakdown(
            f"the sketch did not whiten A: cond(A R⁻¹) is at least {pivots.max() / pivots.min():.1e}, about 3 was expected"
        )
    return np.asarray(L)
