"""Losses whose f has a row for each of A's: one look sums loss, gradient and JᵀJ; a second has the rows of J for a QR, or a sample."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes import Both, Reduced, Sketching, Triangle
from dsketch.passes.base import Flow, Pass
from dsketch.passes.jacobian import Doubt, Jacobian, ResidualRows
from dsketch.passes.sampled_gram import SampledGram
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.system import DOUBTED, Curvature, Examination, NonlinearSystem, SamplePlan, U, absent, is_definite
from dsketch.settings import Settings
from dsketch.sketch.draw import draw_sketch
from dsketch.sketch.size import FOR_WHITENING

_MARGIN = 10.0  # an eigenvalue of JᵀJ so many times above its rounding is right to a digit: enough for a step


class Reading(NamedTuple):
    """What one look tells, without a penalty.

    ``value``, ``size`` as of :class:`~dsketch.problems.levenberg.Local`; ``gradient``; ``squared`` = JᵀJ and ``hessian``, None if not
    summed; ``rows``: how the rows of J and r are made; ``f_norm``, ``b_norm``; ``told``: what else the looks tell.
    """

    value: float
    size: float
    gradient: Floats
    squared: Floats | None
    hessian: Floats | None
    rows: ResidualRows
    f_norm: float
    b_norm: float
    told: Any = None


@dataclass(frozen=True)
class RowSystem(NonlinearSystem):
    """½‖f(x) − b‖² + ½ alpha ‖x‖² with f of n rows."""

    @abstractmethod
    def find(self, x: Floats, curvature: Curvature, near: Reading | None) -> Flow[Reading | str]:
        """Return what the looks at x tell; a sentence where f does not exist."""

    def evaluate(self, x: Floats, curvature: Curvature, near: Local | None) -> Flow[Local]:
        """Return what is known of the loss near x."""
        return (yield from self.localize(x, (yield from self.find(x, curvature, None if near is None else near.kept))))

    def localize(self, x: Floats, found: Reading | str) -> Flow[Local]:
        """Return what is known of the loss near x by a reading; a look more where the digits of JᵀJ do not suffice."""
        if isinstance(found, str) or not (np.isfinite(found.value) and np.isfinite(found.gradient).all()):
            return replace(absent(x), kept=found)
        if found.squared is None:
            return self.penalize(Local(found.value, found.gradient, np.zeros((len(x), len(x))), found.size, kept=found), x)
        limit, add = _MARGIN * self._rounding, self.alpha * np.eye(len(x))
        if found.hessian is not None and is_definite(found.hessian + add, limit):
            return self.penalize(Local(found.value, found.gradient, found.hessian, found.size, kept=found), x)
        local = Local(found.value, found.gradient, found.squared, found.size, kept=found)
        if not is_definite(found.squared + add, limit):
            local = yield from self._refine(local, found)
        return self.penalize(local, x)

    @property
    def _rounding(self) -> float:
        """How far rounding moves an eigenvalue of a Gram matrix, columns scaled, relative to its trace (Higham and Mary, 2019)."""
        return 4 * U * float(np.sqrt(self.rows.shape[0]))

    def _refine(self, local: Local, found: Reading) -> Flow[Local]:
        """Return the same by a QR of the rows of J."""
        (R, z, misfit), _ = yield from self._triangle(found)
        return Local(0.5 * misfit**2, R.T @ z, R.T @ R, local.size, root=R, kept=found)

    def _triangle(self, found: Reading) -> Flow[tuple[tuple[Floats, Floats, float], Doubt]]:
        reduced, doubt = yield from self.look(Jacobian(Triangle(), found.rows))
        return part_triangle(reduced), doubt

    def sample(self, x: Floats, near: Local, plan: SamplePlan) -> Flow[SamplePlan]:
        """Sample the rows of J by their leverages as the last sampled matrix sees them; first as a sketch does."""
        found: Reading = near.kept
        if plan.matrix is None:
            sketch = draw_sketch(Settings(seed=plan.seed), len(x), FOR_WHITENING)
            (SJ, _), _ = yield from self.look(Jacobian(Sketching(sketch), found.rows))
            factor = Factor.of(SJ)
        else:
            factor = Factor(root_of(plan.matrix))
        T = factor.whitener.apply(np.eye(len(x)))
        rate = plan.size / max(factor.rank, 1)
        sample, _ = yield from self.look(Jacobian(SampledGram(T, rate, plan.seed, plan.place), found.rows))
        return replace(plan, matrix=sample.matrix, total=sample.total, count=sample.kept, place=plan.place + 1)


@dataclass(frozen=True)
class SumSystem(RowSystem):
    """One whose loss, gradient and matrices are sums of one look."""

    @abstractmethod
    def sums(self, x: Floats, curvature: Curvature, near: Reading | None) -> Pass[Any]:
        """Return the pass that sums loss and gradient, and the matrices that are asked for."""

    @abstractmethod
    def read(self, x: Floats, pass_: Pass[Any], facts: Any) -> Reading | str:
        """Turn what the pass found into a reading; a sentence where f does not exist."""

    def find(self, x: Floats, curvature: Curvature, near: Reading | None) -> Flow[Reading | str]:
        """Return what one look tells."""
        pass_ = self.sums(x, curvature, near)
        return self.read(x, pass_, (yield from self.look(pass_)))

    def examine(self, x: Floats, near: Local) -> Flow[Examination]:
        """Examine x by a QR and the exact Hessian in one look."""
        found: Reading = near.kept
        sums = self.sums(x, Curvature.EXACT, found)
        facts, (reduced, doubt) = yield from self.look(Both(sums, Jacobian(Triangle(), found.rows)))
        exact = self.read(x, sums, facts)
        R, z, misfit = part_triangle(reduced)
        squared = R.T @ R
        hessian = (
            squared
            if isinstance(exact, str) or exact.hessian is None or exact.squared is None
            else squared + (exact.hessian - exact.squared)
        )
        return Examination(
            x,
            R.T @ z + self.alpha * x,
            Factor(self.stack(R)),
            0.5 * (misfit**2 + self.alpha * float(x @ x)),
            misfit,
            self._doubt_of(found, doubt),
            found.b_norm,
            hessian + self.alpha * np.eye(len(x)),
        )

    def _doubt_of(self, found: Reading, doubt: Doubt) -> float:
        """Return how far rounding moved f − b: sums of d products, x and b as stored, the exponential, the normalizer."""
        n = self.rows.shape[0]
        moved = doubt.norm + doubt.total * found.f_norm
        return float(U * (DOUBTED * moved + (4 + np.log2(n)) * found.f_norm + found.b_norm))


def part_triangle(found: Reduced) -> tuple[Floats, Floats, float]:
    """Return R, z and ‖r‖ from what a QR of J leaves of [J r]."""
    z = found.z[:, 0]
    return found.R, z, float(np.hypot(np.linalg.norm(z), found.rest[0]))


def root_of(matrix: Floats) -> Floats:
    """Return an R with RᵀR = a positive semidefinite matrix, columns scaled meanwhile."""
    size = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    size = np.where(size > 0, size, 1.0)
    values, V = np.linalg.eigh(matrix / np.outer(size, size))
    return Factor.of((np.sqrt(np.maximum(values, 0.0)) * V).T * size).R
