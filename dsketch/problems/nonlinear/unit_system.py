"""Two layers: f has m numbers, one for each column of A₂, and a Gauss–Newton step needs one look, as J (m × d) stays with the driver.

Softmax first (arXiv 2311.15390), our reading of the composition::

    g = softmax(A₁x)   y = A₂ᵀg   f = ReLU(y)      J = diag(1[y > 0]) K,  K = A₂ᵀ(diag g − g gᵀ)A₁
    ∇²L = JᵀJ + Cᵀdiag(t)C − (∇L c̄ᵀ + c̄ ∇Lᵀ),  t = g∘(v − ⟨g, v⟩), v = A₂ diag(1[y > 0])(f − b), C = A₁ − 1 centreᵀ, c̄ = Cᵀg

ReLU first (arXiv 2308.08358)::

    u = ReLU(A₁x)   y = A₂ᵀu   f = softmax(y)      J = (diag f − f fᵀ)M,  M = A₂ᵀdiag(1[A₁x > 0])A₁
    ∇²L = JᵀJ + Mᵀ(diag q − q fᵀ − f qᵀ)M,  q = f∘(c − ⟨f, c⟩), c = f − b

ReLU has kinks: away from them these are the derivatives.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch.errors import SpecError
from dsketch.passes.base import Flow
from dsketch.passes.sampled_gram import SampledBend, SampledGram
from dsketch.passes.unit_moments import ReluMoments, SoftmaxBend, SoftmaxMoments, UnitFacts
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.row_system import root_of
from dsketch.problems.nonlinear.system import DOUBTED, Curvature, Examination, NonlinearSystem, SamplePlan, U, absent, is_definite

_SLICE = 1024  # rows: see bound_doubt
_MARGIN = 1e-12  # of the number of columns: a smaller eigenvalue of a sum of both signs is rounding


class Units(NamedTuple):
    """What a look tells of the units, and what follows.

    ``facts``; ``f`` and ``r`` = f − b, shape (m,); ``J``, shape (m, d); ``centre``, of the columns of A₁; ``doubt``: how far rounding may
    have moved f, in norm.
    """

    facts: UnitFacts
    f: Floats
    r: Floats
    J: Floats
    centre: Floats
    doubt: float


@dataclass(frozen=True)
class UnitSystem(NonlinearSystem):
    """½‖f(x) − b‖² + ½ alpha ‖x‖² with f of m numbers.

    Attributes
    ----------
    rows : Rows
        A₁ as A, and A₂ (n × m) as b.
    b : ndarray, shape (m,)
    """

    b: Floats

    @abstractmethod
    def moments(self, x: Floats, near: Units | None) -> Flow[Units]:
        """Look at the units.  One look."""

    @abstractmethod
    def bend(self, units: Units, x: Floats) -> Flow[Floats]:
        """Return what the Hessian has besides JᵀJ, without a penalty.  At most one look."""

    @abstractmethod
    def remarks(self, units: Units) -> tuple[tuple[str, ...], bool]:
        """Return what there is to say of the units, and whether too few are active."""

    def evaluate(self, x: Floats, curvature: Curvature, near: Local | None) -> Flow[Local]:
        """Return what is known of the loss near x."""
        units = yield from self.moments(x, None if near is None else near.kept)
        value = 0.5 * float(units.r @ units.r)
        if not (np.isfinite(value) and np.isfinite(units.J).all()):
            return absent(x)
        size = 0.5 * float(units.f @ units.f + self.b @ self.b)
        matrix, gradient = units.J.T @ units.J, units.J.T @ units.r
        if curvature is Curvature.EXACT:
            exact = matrix + (yield from self.bend(units, x))
            if is_definite(exact + self.alpha * np.eye(len(x)), _MARGIN):
                return self.penalize(Local(value, gradient, exact, size, doubt=units.doubt, kept=units), x)
        return self.penalize(Local(value, gradient, matrix, size, root=square_root(units.J), doubt=units.doubt, kept=units), x)

    def examine(self, x: Floats, near: Local) -> Flow[Examination]:
        """Examine x by a QR of J."""
        units: Units = near.kept
        bend = yield from self.bend(units, x)
        remarks, is_open = self.remarks(units)
        return Examination(
            x,
            near.gradient,
            Factor(self.stack(square_root(units.J))),
            near.value,
            float(np.linalg.norm(units.r)),
            units.doubt + U * float(np.linalg.norm(self.b)),
            float(np.linalg.norm(self.b)),
            units.J.T @ units.J + bend + self.alpha * np.eye(len(x)),
            remarks,
            is_open,
        )


def square_root(J: Floats) -> Floats:
    """Return R with RᵀR = JᵀJ, square."""
    R, d = householder(J), J.shape[1]
    return np.concatenate([R, np.zeros((d - len(R), d))])


def bound_doubt(facts: UnitFacts, rows: int) -> Floats:
    """Return how far rounding may have moved y, shape (m,).

    Rounding errors of terms are as independent as the terms' signs: they add as squares.  Sums are taken slice by slice, and the sum of
    the slices before grows as a random walk: √slices is what their additions cost, here or where b was made.
    """
    z = DOUBTED * (facts.doubt + facts.spread * facts.size)
    return np.asarray(U * (z + (8 + np.sqrt(rows / _SLICE)) * facts.size + 4 * np.abs(facts.y)))


@dataclass(frozen=True)
class SoftmaxFirst(UnitSystem):
    """ReLU(A₂ᵀ softmax(A₁x))."""

    def moments(self, x: Floats, near: Units | None) -> Flow[Units]:
        """Look at the units, about the centre that the last look found."""
        centre = np.zeros(len(x)) if near is None or near.facts.mean is None else near.centre + near.facts.mean
        facts: UnitFacts = yield from self.look(SoftmaxMoments(x, centre))
        on = facts.y > 0
        f = np.where(on, facts.y, 0.0)
        doubt = float(np.linalg.norm(bound_doubt(facts, self.rows.shape[0])[on]))
        return Units(facts, f, f - self.b, facts.slope * on[:, None], centre, doubt)

    def bend(self, units: Units, x: Floats) -> Flow[Floats]:
        """Look at the rows again, weighed by t."""
        mean = np.zeros(len(x)) if units.facts.mean is None else units.facts.mean
        moved = np.outer(units.J.T @ units.r, mean)
        curved: Floats = yield from self.look(self._bend(units, x))
        return curved - (moved + moved.T)

    def _bend(self, units: Units, x: Floats) -> SoftmaxBend:
        weights = np.where(units.facts.y > 0, units.r, 0.0)
        return SoftmaxBend(x, units.centre, units.facts.top, units.facts.total, weights, float(weights @ units.facts.y))

    def remarks(self, units: Units) -> tuple[tuple[str, ...], bool]:
        """Return how many units are active."""
        active, d = int(np.count_nonzero(units.facts.y > 0)), units.J.shape[1]
        said = f"{active} of {len(units.f)} units are active at x"
        return (said if active >= d else f"{said}, fewer than the {d} columns: x is not determined",), active < d

    def sample(self, x: Floats, near: Local, plan: SamplePlan) -> Flow[SamplePlan]:
        """Sample the terms of Cᵀdiag(t)C by t times the leverage of the row, as JᵀJ sees it."""
        units: Units = near.kept
        squared = units.J.T @ units.J
        T = Factor(root_of(squared)).whitener.apply(np.eye(len(x)))
        rate = plan.size / (plan.total or float(len(x)))
        draw = SampledGram(T, rate, plan.seed, plan.place)
        found = yield from self.look(SampledBend(self._bend(units, x), draw))
        matrix = squared + found.matrix
        return replace(
            plan,
            matrix=matrix if is_definite(matrix, _MARGIN) else squared,
            total=found.total,
            count=found.kept,
            place=plan.place + 1,
        )


@dataclass(frozen=True)
class ReluFirst(UnitSystem):
    """softmax(A₂ᵀ ReLU(A₁x))."""

    @property
    def reach(self) -> float:
        """1/√n: a sum of n terms of either sign is then about as large as A₂'s entries, and softmax is not saturated."""
        return float(1 / np.sqrt(self.rows.shape[0]))

    def moments(self, x: Floats, near: Units | None) -> Flow[Units]:
        """Look at the units."""
        del near
        facts: UnitFacts = yield from self.look(ReluMoments(x))
        e = np.exp(facts.y - facts.y.max())
        f = e / e.sum()
        moved = bound_doubt(facts, self.rows.shape[0])
        doubt = float(np.linalg.norm(f * (moved + f @ moved + 4 * U)))
        J = f[:, None] * (facts.slope - f @ facts.slope)
        return Units(facts, f, f - self.b, J, np.zeros(len(x)), doubt)

    def bend(self, units: Units, x: Floats) -> Flow[Floats]:
        """Return the second derivative of softmax; ReLU has none.  No look."""
        del x
        yield from ()
        f, M = units.f, units.facts.slope
        q = f * (units.r - f @ units.r)
        moved = np.outer(M.T @ q, M.T @ f)
        bend: Floats = (M.T * q) @ M - (moved + moved.T)
        return bend

    def remarks(self, units: Units) -> tuple[tuple[str, ...], bool]:
        """Return how many rows are active."""
        n, d = self.rows.shape
        active = units.facts.active
        said = f"{active} of {n} rows are active at x"
        return (said if active >= d else f"{said}, fewer than the {d} columns: x is not determined",), active < d

    def sample(self, x: Floats, near: Local, plan: SamplePlan) -> Flow[SamplePlan]:
        """Refuse: nothing of this Hessian is a sum over rows.

        Raises
        ------
        SpecError
            In any case.
        """
        del x, near, plan
        raise SpecError(
            "a Hessian with a sum over rows was expected to sample from; with ReLU first there is none. Use levenberg."
        )
        yield
