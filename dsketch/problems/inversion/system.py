"""What the methods of this wing answer: g(x) = c for g = ∇V, V(x) = ½ log det AᵀS⁻²A, S = diag(A x − b); and what two looks tell at an x.

V is strictly convex while no slack changes its sign, so that g(x) = c is min V(x) − cᵀx there: one answer, and no penalty is needed.
All that is d × d stands in the basis of a whitener T of S⁻¹A: units of the columns do not matter, and Q ≼ ∇²V ≼ 3Q.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.errors import DataError
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Look
from dsketch.passes.base import Flow
from dsketch.passes.slack_leverage import SlackLeverage, SlackSums, pairs
from dsketch.passes.slack_line import SlackLine
from dsketch.passes.slack_triangle import SlackFacts, SlackTriangle
from dsketch.problems.nonlinear.system import DOUBTED, U
from dsketch.settings import EPS

WHITENED = 4.0  # units of rounding, times the condition number, by which a whitened row may be off


@dataclass(frozen=True)
class Edge:
    """What one look tells of the slacks at x.

    Attributes
    ----------
    x : ndarray, shape (d,)
    facts : SlackFacts
    c : ndarray, shape (d,)
    """

    x: Floats
    facts: SlackFacts
    c: Floats

    @cached_property
    def factor(self) -> Factor:
        """R of S⁻¹A."""
        return factor_of(self.facts)

    @property
    def value(self) -> float:
        """V(x) − cᵀx + Σσ* log abs(s), of directions that A has alone."""
        R = self.factor.R
        sizes = sl.svdvals(R)[: self.factor.rank] if self.factor.is_deficient else np.abs(np.diag(R))
        return float(np.log(sizes).sum() - self.c @ self.x + self.facts.logs)

    @property
    def value_doubt(self) -> float:
        """How far rounding may have moved the value."""
        factor = self.factor
        sizes = np.abs(np.diag(factor.R))
        logs = np.abs(np.log(sizes[sizes > 0])).sum() + np.abs(self.c) @ np.abs(self.x) + abs(self.facts.logs)
        return float(4 * EPS * (logs + factor.rank * factor.scaled_condition))


@dataclass(frozen=True)
class Place(Edge):
    """What two looks tell of V(x) − cᵀx at x, in the basis of the whitener.

    Attributes
    ----------
    sums : SlackSums
    """

    sums: SlackSums

    @cached_property
    def directions(self) -> Floats:
        """T, shape (d, r)."""
        return self.factor.whitener.apply(np.eye(len(self.x)))

    @cached_property
    def slope(self) -> Floats:
        """Tᵀ(g(x) − c), shape (r,), with Σσ*q."""
        return np.asarray(self.sums.gradient + self.sums.pull - self.directions.T @ self.c)

    @property
    def misfit(self) -> Floats:
        """g(x) − c, shape (d,)."""
        return np.asarray(self.factor.whitener.matrix.T @ (self.sums.gradient + self.sums.pull) - self.c)

    @cached_property
    def hessian(self) -> Floats:
        """∇²V = 3Q − 2T₃T₃ᵀ; without the tensor Q, which is not above it.  Of V alone; shape (r, r)."""
        sums = self.sums
        return 3 * sums.weighted - 2 * pairs(sums.cube, sums.cube) if sums.cube.size else sums.weighted

    @cached_property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues of ``hessian``, none below what rounding leaves of them, and vectors as columns."""
        values, vectors = sl.eigh(self.hessian)
        return np.maximum(values - 8 * len(values) * EPS * values[-1], EPS * values[-1]), vectors

    @cached_property
    def decrement(self) -> float:
        """λ = ‖g(x) − c‖ in the metric of the inverse Hessian (not below it, without the tensor); not finite where cᵀx is not."""
        values, vectors = self.spectrum
        return float(np.linalg.norm((vectors.T @ self.slope) / np.sqrt(values)))

    @property
    def kappa(self) -> float:
        """By how much, relatively, a slack changes at most on a step of length 1 in the metric of the Hessian H: max ‖H^(-1/2) a/s‖.

        q qᵀσ ≼ Q ≼ H and q qᵀ ≼ σ I give min(1/σ, σ/λ_min(H)) as a bound on its square, row by row.
        """
        least = float(self.spectrum[0][0])
        return float(np.sqrt(min(self.sums.largest / least, least**-0.5)))

    @property
    def doubt(self) -> float:
        """How far rounding may have moved the decrement: slacks, the factor as measured by Σqqᵀ − I, whitened rows, c."""
        sums, factor = self.sums, self.factor
        r = len(self.slope)
        slacks = DOUBTED * U * np.sqrt(3 * sums.size)
        rows = sl.norm(sums.gram - np.eye(r), 2) + WHITENED * U * factor.scaled_condition
        target = DOUBTED * U * sl.norm(np.abs(self.directions).T @ np.abs(self.c)) / np.sqrt(self.spectrum[0][0])
        return float(slacks + np.sqrt(r) * rows + target)

    @property
    def size(self) -> float:
        """By how much the decrement may change, to first order, when the data change by once their size."""
        return float(np.sqrt(self.sums.size) + np.sqrt(len(self.slope)) * self.factor.scaled_condition)

    def newton_step(self, matrix: Floats) -> tuple[Floats, float]:
        """Return p = −T K⁻¹Tᵀ(g − c), shape (d,), for a K in the basis of the whitener, and √(pᵀKp)."""
        scale = np.sqrt(np.maximum(np.diag(matrix), EPS * np.max(np.diag(matrix))))
        values, vectors = sl.eigh(matrix / np.outer(scale, scale))
        values = np.maximum(values, len(values) * EPS * values[-1])
        pieces = vectors.T @ (self.slope / scale)
        step = -(vectors @ (pieces / values)) / scale
        return np.asarray(self.directions @ step), float(sl.norm(pieces / np.sqrt(values)))


@dataclass(frozen=True)
class GradientSystem:
    """g(x) = c; or where a σ* belongs to the rows, A_xᵀ(σ* − σ(x)) = c.

    Attributes
    ----------
    rows : Rows
        A and b, perhaps σ*.
    c : ndarray, shape (d,)
    """

    rows: Rows
    c: Floats

    def approach(self, x: Floats, step: Floats | None = None) -> Flow[Edge]:
        """Return what one look tells of the slacks at x, and of their signs on the step that led there."""
        return Edge(x, (yield Look(SlackTriangle(x, step), self.rows)), self.c)

    def approach_beside(self, here: "Place", step: Floats, shares: tuple[float, ...]) -> Flow[tuple[Edge, Floats]]:
        """Return the same at x + step, and by how much V changes on shares of the step, from the same look."""
        x = here.x + step
        line = SlackLine(here.x, step, here.factor.whitener, shares)
        facts, changes = yield Look(Both(SlackTriangle(x, step), line), self.rows)
        return Edge(x, facts, self.c), changes

    def measure(self, edge: Edge, *, has_cube: bool) -> Flow[Place]:
        """Return what another look tells there."""
        sums = yield Look(SlackLeverage(edge.x, edge.factor.whitener, has_cube), self.rows)
        return Place(edge.x, edge.facts, self.c, sums)


def factor_of(facts: SlackFacts) -> Factor:
    """Return R of S⁻¹A.

    Raises
    ------
    DataError
        If all of A is 0: no x changes a slack.
    """
    factor = Factor(facts.R)
    if not factor.rank:
        raise DataError("A with an entry that is not 0 was expected; all of them are 0, so that no x changes a slack. Look at A.")
    return factor


def explain_slack(facts: SlackFacts) -> str:
    """Return which slack is 0."""
    return f"the slack aᵀx − b of row {facts.row} is {facts.slack:.3g}, which is 0 to rounding"
