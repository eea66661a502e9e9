"""The least-squares, minimum-norm answer of K x = b for a K of low numerical rank.

Randomly pivoted Cholesky until what is left of the trace is rounding: then K = B Bᵀ with B = E F to working accuracy, r columns.  From
the triangle of [B b] come the singular values of B (squared, the eigenvalues of K), the numerical rank, and the part of b outside
the range:

::

    B = Q R,  R = U Σ Vᵀ,  K⁺ b = B V Σ⁻³ Uᵀ Qᵀ b

over Σ² > n eps Σ₁².  The product with B rounds at u/σ_r, so the answer is refined by the residual of an exact sweep.

References
----------
H. Harbrecht, M. Peters, R. Schneider, "On the low-rank approximation by the pivoted Cholesky decomposition", Appl. Numer. Math. 62,
2012.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.columns import norms
from dsketch.features.view import FeatureView
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import Rowwise
from dsketch.passes.transposed import Transposed
from dsketch.problems.kernel.conjugate_gradient import Norm
from dsketch.problems.kernel.pivoted_cholesky import Pivots, pivots
from dsketch.problems.kernel.system import EPS, KernelSystem

Floats = NDArray[np.float64]

_REFINEMENTS = 4  # each gains the digits that u/σ leaves: eight at the limit of the rank
_TRACE = 8 * EPS  # of a row's diagonal: rounding of a kernel value and of the sum that is taken from it


@dataclass(frozen=True)
class LowRank:
    """K⁺ b.

    Attributes
    ----------
    x : ndarray, shape (n, k)
    residual : ndarray, shape (n, k)
        b − K x, from an exact sweep.
    inside : ndarray, shape (k,)
        Norm of the part of the residual within the range: what more work could remove.
    outside : ndarray, shape (k,)
        Norm of the part of b outside the range.
    eigenvalues : ndarray, shape (r,)
        Of K, descending, the rank's and those dropped.
    rank : int
    norm : float
        ‖K‖.
    """

    x: Floats
    residual: Floats
    inside: Floats
    outside: Floats
    eigenvalues: Floats
    rank: int
    norm: float

    @property
    def columns(self) -> int:
        """Pivots that reproduce K."""
        return len(self.eigenvalues)

    @property
    def condition(self) -> float:
        """Largest eigenvalue over the smallest kept."""
        return float(self.eigenvalues[0] / self.eigenvalues[self.rank - 1]) if self.rank else 1.0

    @property
    def rank_reason(self) -> str:
        """One sentence: the rank and what decided it."""
        relative = self.eigenvalues / self.eigenvalues[0]
        kept = f"numerical rank {self.rank} of {len(self.x)}: of the eigenvalues relative to the largest the last kept is "
        kept += f"{relative[self.rank - 1]:.1e}, "
        dropped = (
            f"the first dropped is {relative[self.rank]:.1e}, " if self.rank < len(relative) else "what is left is rounding, "
        )
        return f"{kept}{dropped}the limit {EPS * len(self.x):.1e}"


@dataclass(frozen=True)
class TooMany:
    """The decomposition cannot be had.

    Attributes
    ----------
    reason : str
        A sentence.
    chosen : Pivots, optional
        As many as fit.
    """

    reason: str
    chosen: Pivots | None = None


def low_rank(system: KernelSystem, most: int, seed: int) -> Flow[LowRank | TooMany]:
    """Return K⁺ b if K's numerical rank is at most ``most``; the penalty must be 0."""
    if not system.is_representable:
        return TooMany("exp(s‖a‖²) of the longest row is not a number")
    chosen = yield from pivots(system, min(most, system.rows), seed, 0.0)
    weight = np.exp(2 * (system.half - system.half.max()))
    left, enough = float(np.sum(weight * chosen.left)), _TRACE * float(weight.sum())
    if left > enough and chosen.rank < system.rows:
        return TooMany(
            f"{chosen.rank} columns fit, and they leave a share {left / weight.sum():.1e} of the kernel's trace", chosen
        )
    view = FeatureView(system.A, chosen.features(system))
    growth = system.growth
    rows = Rows(view, ArrayMatrix(system.beta), ArrayMatrix(growth**2))
    full: Floats = yield Look(Triangle(seed), rows)
    r = view.shape[1]
    U, s, Vt = sl.svd(full[:r, :r])
    rank = int(np.count_nonzero(s**2 > EPS * system.rows * s[0] ** 2))
    z, outside = (U.T @ full[:r, r:])[:rank], np.hypot(norms(full[r:, r:]), norms((U.T @ full[:r, r:])[rank:]))
    V, s_kept = Vt[:rank].T, s[:rank, None]
    norm, plain = Norm(system), Rows(view)
    x, kept = np.zeros_like(system.b), None
    for _ in range(_REFINEMENTS):
        Bw: Floats = yield Look(Rowwise(V @ (z / s_kept**3)), plain)
        x = x + growth * Bw
        product = yield from norm.product(growth * x)
        residual = system.b - growth * product
        Btr: Floats = yield Look(Transposed(growth * residual), plain)
        z = (V.T @ Btr) / s_kept
        found = LowRank(x, residual, norms(z), outside, s**2, rank, max(norm.value, float(s[0] ** 2)))
        if kept is not None and not (found.inside < 0.5 * kept.inside).any():
            break
        kept = found
        if (found.inside <= EPS * found.norm * norms(x)).all():
            break
    assert kept is not None  # noqa: S101 - the loop ran
    return kept
