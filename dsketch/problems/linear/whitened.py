"""Whitened Gram (randomized Cholesky QR): some rows, or a sketch → R₀, then the Gram matrix of A R₀⁻¹, of condition about 3.

With Y = A T, T = R₀⁻¹: W = YᵀY = L Lᵀ, c = Yᵀb; then ‖A x − b‖ is minimized by the small system min ‖Lᵀ R₀ x − L⁻¹ c‖.  Note c
= Yᵀb and not Yᵀ(b − A x₀): the warm start would cost accuracy at large residuals.  As stable as Householder QR for any condition
number; BLAS-3 throughout.

R₀ is that of 6 d rows, evenly spread: W itself tells whether they stand for all.  Where they do not, L of W improves R₀ for another
pass over all rows; where that is not enough, or there are few rows, or a sketch is asked for, R₀ is a sketch's.  Passes: one of few
rows, 1 + 1 (the certificate); with a sketch 1 + 1 + 1.

References
----------
M. Melnichenko, O. Balabanov, R. Murray, J. Demmel, M. W. Mahoney, P. Luszczek, "CholeskyQR with randomization and pivoting for
tall matrices (CQRRPT)", arXiv 2311.08316, 2023.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor, solve_small
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, WHITENED_GRAM, Work, sketching_kind
from dsketch.problems.linear.method import (
    DRAWING,
    QR_FLOPS,
    LinearAnswer,
    LinearMethod,
    require_full_rank,
    sketch_bytes,
    sketch_cubes,
    square_bytes,
)
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem, can_spare_rows
from dsketch.problems.linear.tsqr import Tsqr
from dsketch.problems.method import Breakdown, Case
from dsketch.settings import SKETCH, SKETCH_ROWS, Settings
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_WHITENING

_SIGNS = 4  # so many a row of the sparse sketch: only injectivity matters where a Gram matrix follows
_ATTEMPTS = 2  # by some rows, and by what W makes of them
_WEAKEST_SKETCH = 20.0  # a good sketch leaves cond(Y) at 3 to 9; up to this one u·20² in W is still rounding


class Whitened(LinearMethod):
    """The Gram matrix of A R₀⁻¹."""

    name = "whitened"
    successor = Tsqr.name
    takes = DRAWING
    is_direct = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return a pass of few rows, or of a sketch that is asked for, and 1 + 1 passes."""
        del d
        first = _sketching(settings) if _asks_for_sketch(settings) else Work((), beside=False, share=0.0)
        return first, Work((WHITENED_GRAM,)), Work((GRADIENT,))

    def cubes(self, settings: Settings, d: int) -> tuple[float, float]:
        """Return those of the QR of the sketch and that of Lᵀ R₀, a product on one thread."""
        return 2.0, sketch_cubes(settings, d, FOR_WHITENING) + 4 / 3 * QR_FLOPS

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the sketch, or of the Gram matrix."""
        return max(sketch_bytes(settings, d, k, FOR_WHITENING), square_bytes(d, k))

    def works_of(self, case: Case) -> tuple[Work, ...]:
        """Return them with a sketch where there are few rows."""
        load, settings = case.workload, case.settings
        first, *others = self.works(settings, load.d)
        return first if can_spare_rows(load.n, load.d) else _sketching(settings), *others

    def solve(self, system: LinearSystem, settings: Settings, start: Factor | None = None) -> Flow[LinearAnswer]:
        """Solve through the Gram matrix of A R₀⁻¹; ``start`` is the factor of a sketch made before.

        Raises
        ------
        Breakdown
            If the sketch did not whiten A (its family lost rank on this A), or lost directions that the answer needs.
        """
        found = None
        if start is None and not _asks_for_sketch(settings):
            found = yield from _whiten_by_some_rows(system, settings)
        if found is None:
            found = yield from _whiten_by_sketch(system, settings, start)
        L, c, start = found
        factor, x = solve_small(L.T @ start.whitener.matrix, sl.solve_triangular(L, c, lower=True))
        answer = yield from certify_and_correct(system, factor, x, settings)
        if answer.backward_error.max(initial=0.0) > settings.accepted:
            raise Breakdown(
                f"the whitened solution has a backward error of {answer.backward_error.max():.1e}: the sketch lost directions of A"
            )
        return answer


class _White(NamedTuple):
    """The Cholesky factor of the Gram matrix of Y = A R₀⁻¹, Yᵀb, and R₀."""

    L: Floats
    c: Floats
    start: Factor


def _asks_for_sketch(settings: Settings) -> bool:
    """Return whether a sketch other than the usual one is asked for."""
    return any(getattr(settings, option.name) != option.default for option in (SKETCH, SKETCH_ROWS))


def _sketching(settings: Settings) -> Work:
    return Work((sketching_kind(settings.sketch, FOR_WHITENING, _SIGNS),))


def _whiten_by_some_rows(system: LinearSystem, settings: Settings) -> Flow[_White | None]:
    """Return what the factor of a few rows comes to, or that which W makes of it; None where neither whitens A."""
    start = yield from system.factor_of_some(settings.seed)
    for _ in range(_ATTEMPTS):
        if start is None or start.is_deficient:
            return None
        W, c = yield from system.whitened(start)
        try:
            L = np.asarray(sl.cholesky(W, lower=True))
        except (sl.LinAlgError, ValueError):
            return None
        if spread_of_pivots(L) <= _WEAKEST_SKETCH:
            return _White(L, c, start)
        start = Factor.of(L.T @ start.whitener.matrix)
    return None


def _whiten_by_sketch(system: LinearSystem, settings: Settings, start: Factor | None) -> Flow[_White]:
    """Return what the factor of a sketch comes to, one that was made before or a new one.

    Raises
    ------
    Breakdown
        If it lacks rank, or did not whiten A.
    """
    if start is None:
        SA, _ = yield from system.sketch(draw_sketch(settings, system.shape[1], FOR_WHITENING, nonzeros=_SIGNS))
        start = Factor.of(SA)
    require_full_rank(start)
    W, c = yield from system.whitened(start)
    return _White(lower_factor(W), c, start)


def spread_of_pivots(L: Floats) -> float:
    """Return the ratio of the largest to the smallest pivot of a Cholesky factor: at most its condition number."""
    pivots = np.abs(np.diag(L))
    return float(pivots.max() / pivots.min()) if pivots.size else 1.0


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
    if (spread := spread_of_pivots(L)) > _WEAKEST_SKETCH:
        raise Breakdown(f"the sketch did not whiten A: cond(A R⁻¹) is at least {spread:.1e}, about 3 was expected")
    return np.asarray(L)
