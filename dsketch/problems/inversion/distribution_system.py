"""½‖σ(x) − σ*‖² for the leverage scores σ(x) of S⁻¹A, s = A x − b, while no slack changes its sign; three looks a point.

With P = S⁻¹A(AᵀS⁻²A)⁻¹AᵀS⁻¹, Σ = diag(σ) and ρ = σ − σ*::

    J = −2(Σ − P∘P) S⁻¹A      ∇²L = JᵀJ + ∇²(ρᵀσ), the last of :mod:`~dsketch.passes.slack_bend`

Σ − P∘P is the Laplacian of a graph of the rows: where that is connected, J h = 0 only if S⁻¹A h is constant, that is A h a multiple of
A x − b.  So σ determines x, to first order, unless b lies in the range of A, and then all slacks may be scaled alike.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import powers_near
from dsketch._linalg.factor import Factor
from dsketch.matrix.columns import Columns
from dsketch.passes import Both, Gram, Triangle
from dsketch.passes.base import Flow, Pass
from dsketch.passes.jacobian import Jacobian
from dsketch.passes.slack_bend import OF_SCORES, SlackBend, SlackQuartic, bend
from dsketch.passes.slack_leverage import SlackLeverage, SlackSums
from dsketch.passes.slack_rows import LeverageRows
from dsketch.passes.slack_triangle import SlackFacts, SlackTriangle
from dsketch.problems.inversion.notes import LOST, name_columns, note_blur, note_no_scores
from dsketch.problems.inversion.system import WHITENED, explain_slack, factor_of
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.certificate import BLURRED, ZERO
from dsketch.problems.nonlinear.row_system import Reading, RowSystem, part_triangle
from dsketch.problems.nonlinear.system import DOUBTED, Curvature, Examination, U

_ROUNDED = (
    16.0  # units of rounding of A x and b that may part a b from the range of A: of b as it was made, of the slacks, of the QRs
)


class Scaling(NamedTuple):
    """What is told besides a reading.

    ``doubt``: how far rounding may have moved σ(x), in norm; ``noise``: how far the columns of J.  ``excess``: Σσ* less the rank, to which
    scores add up; ``rank``; ``strange``: how many σ* are below 0 or above 1.  ``direction``: h with S⁻¹A h = 1 where b lies in the range of
    A, None where it does not; ``distance``: ‖1 − S⁻¹A h‖/√n.
    """

    doubt: float
    excess: float
    rank: int
    strange: int
    noise: Floats
    direction: Floats | None
    distance: float


@dataclass(frozen=True)
class DistributionSystem(RowSystem):
    """½‖σ(x) − σ*‖² + ½ alpha ‖x‖²; b and σ* belong to the rows.

    Attributes
    ----------
    names : Columns or None
        Of A's columns, for what is said of directions.
    """

    names: Columns | None = None

    def find(self, x: Floats, curvature: Curvature, near: Reading | None) -> Flow[Reading | str]:
        """Return what three looks tell; after one, which slack is 0 or has changed its sign since ``near``."""
        step = None if near is None else x - cast(LeverageRows, near.rows).x
        facts: SlackFacts = yield from self.look(SlackTriangle(x, step))
        if not facts.is_inside:
            return explain_slack(facts)
        factor = factor_of(facts)
        sums: SlackSums = yield from self.look(SlackLeverage(x, factor.whitener))
        rows = LeverageRows(x, factor.whitener, sums.cube)
        hessian = None
        if curvature is Curvature.EXACT:
            bent, ((squared, cross, rr), _) = yield from self._bend(rows, Gram())
            hessian = squared + bent
        else:
            (squared, cross, rr), _ = yield from self.look(Jacobian(Gram(), rows))
        value = 0.5 * float(rr[0])
        told = self._scaling(facts, factor, sums)
        return Reading(value, value, cross[:, 0], squared, hessian, rows, np.sqrt(sums.square), np.sqrt(sums.given), told)

    def _bend(self, rows: LeverageRows, inner: Pass[Any]) -> Flow[tuple[Floats, Any]]:
        """Return ∇²(ρᵀσ), and what a pass over the rows of J finds; two looks."""
        sums = yield from self.look(SlackBend(rows.x, rows.whitener))
        both = Both(SlackQuartic(rows.x, rows.whitener, sums.middle), Jacobian(inner, rows))
        quartic, found = yield from self.look(both)
        M = rows.whitener.matrix
        return M.T @ bend(OF_SCORES, sums, quartic, rows.cube) @ M, found

    def _scaling(self, facts: SlackFacts, factor: Factor, sums: SlackSums) -> Scaling:
        n, r = self.rows.shape[0], len(sums.gram)
        slacks = 2 * DOUBTED * U * np.sqrt(sums.largest * sums.size)
        rows = sl.norm(sums.gram - np.eye(r), 2) + WHITENED * U * factor.scaled_condition
        doubt = float(slacks + np.sqrt(sums.square) * rows + U * np.sqrt(sums.given))
        # J is 2ΣS⁻¹A less 2(P∘P)S⁻¹A, which is no larger; each is off as σ is, and ΣΣ ≼ max σ · Σ.
        M = factor.whitener.matrix
        spread = np.sqrt(sums.largest * np.einsum("ki,kl,li->i", M, sums.weighted, M))
        noise = 4 * (slacks / np.sqrt(sums.square) + rows) * spread
        is_inside = facts.apart <= _ROUNDED * U * facts.rounding and not self.alpha
        direction = factor.least_squares(facts.ones[:, None])[:, 0] if is_inside else None
        return Scaling(doubt, sums.total - r, r, sums.strange, noise, direction, facts.apart / float(np.sqrt(n)))

    def localize(self, x: Floats, found: Reading | str) -> Flow[Local]:
        """Return what is known of the loss near x; where all slacks may be scaled alike, of the directions besides."""
        if isinstance(found, str) or found.told.direction is None or found.squared is None:
            local = yield from super().localize(x, found)
            return local if isinstance(found, str) else replace(local, doubt=found.told.doubt)
        h, scale = found.told.direction, powers_near(np.sqrt(np.maximum(np.diag(found.squared), 0.0)))
        along = (scale * h) / sl.norm(scale * h)
        besides = (np.eye(len(x)) - np.outer(along, along)) * scale
        besides = besides / scale[:, None]
        squared = besides.T @ found.squared @ besides
        return Local(
            found.value, besides.T @ found.gradient, (squared + squared.T) / 2, found.size, doubt=found.told.doubt, kept=found
        )

    def examine(self, x: Floats, near: Local) -> Flow[Examination]:
        """Examine x by a QR and the exact Hessian; two looks."""
        found: Reading = near.kept
        rows, told = cast(LeverageRows, found.rows), cast(Scaling, found.told)
        bent, (found_rows, _) = yield from self._bend(rows, Triangle())
        R, z, misfit = part_triangle(found_rows)
        hessian = R.T @ R + bent
        factor = Factor(self.stack(R))
        lost = () if told.direction is not None or factor.is_deficient else self._remarks_on_rank(x, factor, told)
        return Examination(
            x,
            R.T @ z + self.alpha * x,
            factor,
            0.5 * (misfit**2 + self.alpha * float(x @ x)),
            misfit,
            told.doubt,
            found.b_norm,
            hessian + self.alpha * np.eye(len(x)),
            (*self._remarks(told, misfit, found.b_norm), *lost),
            told.direction is not None or bool(lost),
        )

    def _remarks(self, told: Scaling, misfit: float, target: float) -> tuple[str, ...]:
        # The sum of n numbers is at most √n times their norm: beyond that no x has scores within rounding of σ*.
        is_off = abs(told.excess) > ZERO * told.doubt * np.sqrt(self.rows.shape[0])
        notes = note_no_scores(told.excess if is_off else 0.0, told.rank, told.strange) if misfit > ZERO * told.doubt else ()
        if ZERO * told.doubt > BLURRED * target > 0:
            notes = (*notes, note_blur(told.doubt / target))
        return (*notes, *self._remarks_on_scale(told))

    def _remarks_on_rank(self, x: Floats, factor: Factor, told: Scaling) -> tuple[str, ...]:
        """Return in which columns rounding may hide that scores do not change, if no digit of x is sure along such a direction."""
        s, Vt = factor.scaled_decomposition
        noise = float(sl.norm(told.noise / factor.scale))
        if s[-1] > noise or told.doubt <= LOST * s[-1] * sl.norm(factor.scale * x):
            return ()
        columns = name_columns(np.abs(Vt[-1])[:, None], self.names)
        return (
            f"x is not determined: along a direction in {columns} scores change by {s[-1] / s[0]:.1e} of the most, and rounding by "
            f"{min(noise / s[0], 1.0):.1e}; add rows, or give alpha",
        )

    def _remarks_on_scale(self, told: Scaling) -> tuple[str, ...]:
        if told.direction is None:
            return ()
        columns = name_columns(told.direction[:, None] / np.abs(told.direction).max(), self.names)
        return (
            f"b lies in the range of A (to {told.distance:.1e}): leverage scores do not change when all slacks are scaled alike, along "
            f"x + t h with A h = A x − b, largest in {columns}; add a row, or give alpha",
        )

    def explain_absence(self, near: Local) -> str:
        """Return which slack is 0."""
        return near.kept if isinstance(near.kept, str) else super().explain_absence(near)
