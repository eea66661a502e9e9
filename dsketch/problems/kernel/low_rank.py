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

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.errors import SpecError
from dsketch.features.view import FeatureView
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Reduced, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import Rowwise
from dsketch.passes.transposed import Transposed
from dsketch.problems.kernel.answer import KernelAnswer, resolve_entries
from dsketch.problems.kernel.candidates import Candidate
from dsketch.problems.kernel.case import KernelCase
from dsketch.problems.kernel.conjugate_gradient import ConjugateGradient
from dsketch.problems.kernel.iteration import Norm
from dsketch.problems.kernel.method import FIXED_PASSES, KernelMethod, KernelWork
from dsketch.problems.kernel.pivoted_cholesky import choose_pivots
from dsketch.problems.kernel.system import KernelSystem
from dsketch.problems.method import Breakdown
from dsketch.settings import EPS, Settings

_REFINEMENTS = 4  # each gains the digits that u/σ leaves: eight at the limit of the rank
_INSTEAD = "b is taken to lie in the range, and x need not be the shortest"  # what its successor does
_TRACE = 8 * EPS  # rounding of a kernel value, and of the sum that is taken from it, relative to the diagonal


@dataclass(frozen=True)
class Minimizer:
    """K⁺ b, the shortest minimizer of ‖K x − b‖.

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


class LowRank(KernelMethod):
    """Pivoted Cholesky to rounding, and the pseudoinverse from it."""

    name = "low_rank"
    successor = ConjugateGradient.name
    takes = ("features", "rank")  # features: of the conjugate gradients that it may give way to
    reason = "there is no ridge: least squares with the numerical rank"

    def require(self, case: KernelCase) -> None:
        """Refuse a ridge.

        Raises
        ------
        SpecError
            With the ridge.
        """
        if case.alpha:
            raise SpecError(
                f"low_rank is for alpha=0; got alpha={case.alpha:g}. Use conjugate_gradient, or leave the method out."
            )

    def unfit(self, case: KernelCase) -> str | None:
        """With a ridge K + λ I has full rank."""
        return "is for alpha=0" if case.alpha else None

    def work(self, case: KernelCase) -> KernelWork:
        """Count with as many pivots as fit."""
        taken = Candidate("pivoted_cholesky", case.most, case.most, math.inf)
        return KernelWork(taken, 2, FIXED_PASSES + taken.looks[0] + 6, case.most)

    def details(self, case: KernelCase) -> tuple[str, ...]:
        """Say how many pivots there may be."""
        return (f"up to {case.most} pivots; beyond them conjugate gradients take over",)

    def solve(self, system: KernelSystem, settings: Settings, start: Any = None) -> Flow[KernelAnswer]:
        """Answer in the sense of least squares, with the numerical rank.

        Raises
        ------
        Breakdown
            If the rank is beyond the columns that fit; the pivots go along.
        """
        del start
        found = yield from solve_shortest(system, settings.rank or 1, settings.seed)
        return _answer_from(system, found)


def _answer_from(system: KernelSystem, found: Minimizer) -> KernelAnswer:
    """Return the answer of the truncated decomposition."""
    b_norm = norms(system.b)
    notes: tuple[str, ...] = (
        f"{found.columns} pivots reproduce the kernel to rounding; norm of b outside its range: {np.max(found.outside / b_norm):.1e} of b",
    )
    return KernelAnswer(
        x=found.x,
        residual_norm=norms(found.residual),
        reducible=found.inside,
        x_norm=norms(found.x),
        b_norm=b_norm,
        norm=found.norm,
        condition=found.condition,
        rank=found.rank,
        rank_reason=found.rank_reason,
        columns=found.columns,
        resolution=resolve_entries(system),
        notes=(*system.notes, *notes),
    )


def solve_shortest(system: KernelSystem, most: int, seed: int) -> Flow[Minimizer]:
    """Return K⁺ b if K's numerical rank is at most ``most``; the penalty must be 0.

    Raises
    ------
    Breakdown
        If it is not, with as many pivots as fit, or K's entries are no numbers.
    """
    if not system.is_representable:
        raise Breakdown(f"exp(s‖a‖²) of the longest row is not a number; {_INSTEAD}")
    chosen = yield from choose_pivots(system, min(most, system.rows), seed, 0.0)
    weight = np.exp(2 * (system.half - system.half.max()))
    left, enough = float(np.sum(weight * chosen.left)), _TRACE * float(weight.sum())
    if left > enough and chosen.rank < system.rows:
        share = f"they leave a share {left / weight.sum():.1e} of the kernel's trace"
        raise Breakdown(f"{chosen.rank} columns fit, and {share}; {_INSTEAD}", chosen)
    view = FeatureView(system.A, chosen.features(system))
    growth = system.growth
    rows = Rows(view, ArrayMatrix(system.beta), ArrayMatrix(growth**2))
    reduced: Reduced = yield Look(Triangle(seed), rows)
    U, s, Vt = sl.svd(reduced.R)
    rank = int(np.count_nonzero(s**2 > EPS * system.rows * s[0] ** 2))
    turned = U.T @ reduced.z
    z, outside = turned[:rank], np.hypot(reduced.rest, norms(turned[rank:]))
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
        found = Minimizer(x, residual, norms(z), outside, s**2, rank, max(norm.value, float(s[0] ** 2)))
        if kept is not None and not (found.inside < 0.5 * kept.inside).any():
            break
        kept = found
        if (found.inside <= EPS * found.norm * norms(x)).all():
            break
    assert kept is not None  # noqa: S101 - the loop ran
    return kept
