"""The paper's own loss, ½‖g(x) − c‖² + ½w²‖A x‖²: a penalty that makes its Hessian definite, and moves the answer away from g(x) = c.

With J = ∇²V and N the Hessian of vᵀ∇V at v = g(x) − c held fast::

    ∇L = J(g − c) + w²AᵀA x      ∇²L = J² + N + w²AᵀA

Two looks a point; two more for N, which only the examination of the answer takes.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch.errors import DataError
from dsketch.passes.base import Flow
from dsketch.passes.slack_bend import OF_GRADIENT, SlackBend, SlackQuartic, bend
from dsketch.problems.inversion.newton_sampled import sample_volume
from dsketch.problems.inversion.system import GradientSystem, Place, explain_slack
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.system import Curvature, Examination, NonlinearSystem, SamplePlan, absent
from dsketch.settings import Settings


@dataclass(frozen=True)
class WeightedSystem(NonlinearSystem):
    """½‖g(x) − c‖² + ½w²‖A x‖².

    Attributes
    ----------
    c : ndarray, shape (d,)
    penalty : ndarray, shape (d, d)
        w times the R of A.
    """

    c: Floats
    penalty: Floats

    @property
    def volume(self) -> GradientSystem:
        """g(x) = c."""
        return GradientSystem(self.rows, self.c)

    def evaluate(self, x: Floats, curvature: Curvature, near: Local | None) -> Flow[Local]:
        """Return what is known of the loss near x; two looks, one where a slack has changed its sign since ``near``.

        Raises
        ------
        DataError
            If the squares of g, or of the penalty, overflow at a start.
        """
        del curvature
        step = None if near is None else x - near.kept.x
        edge = yield from self.volume.approach(x, step)
        if not edge.facts.is_inside:
            return replace(absent(x), kept=explain_slack(edge.facts))
        place = yield from self.volume.measure(edge, has_cube=True)
        local = self._local(place)
        if local is not None:
            return local
        if near is not None:
            return replace(absent(x), kept="squares of g overflow")
        raise DataError(
            "squares of g and of w A must be finite in float64; they overflow: entries of A are too large for the slacks, or w is. "
            "Give columns other units, or a smaller w."
        )

    def _local(self, place: Place) -> Local | None:
        """Return what is known of the loss by two looks, None if squares overflow."""
        J, misfit, Rx = hessian_of(place), place.misfit, self.penalty @ place.x
        if not np.isfinite(J).all():
            return None
        root = self._stack(J)
        value = 0.5 * float(misfit @ misfit + Rx @ Rx)
        gradient, matrix = J @ misfit + self.penalty.T @ Rx, root.T @ root
        if not (np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(matrix).all()):
            return None
        return Local(value, gradient, matrix, value, root=root, doubt=doubt_of(place, J), kept=place)

    def _stack(self, J: Floats) -> Floats:
        return householder(np.concatenate([J, self.penalty]))

    def examine(self, x: Floats, near: Local) -> Flow[Examination]:
        """Examine x by the exact Hessian; two looks."""
        place: Place = near.kept
        J = hessian_of(place)
        M, whitener = place.factor.whitener.matrix, place.factor.whitener
        sums = yield from self.look(SlackBend(x, whitener, place.misfit))
        quartic = yield from self.look(SlackQuartic(x, whitener, sums.middle))
        moved = M.T @ bend(OF_GRADIENT, sums, quartic, place.sums.cube) @ M
        return Examination(
            x,
            near.gradient,
            Factor(self._stack(J)),
            near.value,
            float(sl.norm(place.misfit)),
            near.doubt,
            float(sl.norm(self.c)),
            near.matrix + moved,
        )

    def sample(self, x: Floats, near: Local, plan: SamplePlan) -> Flow[SamplePlan]:
        """Sample the larger part of J by leverage; one look."""
        del x
        place: Place = near.kept
        settings = Settings(seed=plan.seed, sketch_rows=plan.size)
        sample = yield from sample_volume(self.volume, place, settings, plan.place)
        M = place.factor.whitener.matrix
        root = self._stack(M.T @ sample.matrix @ M)
        return replace(plan, matrix=root.T @ root, total=sample.total, count=sample.kept, place=plan.place + 1)

    def explain_absence(self, near: Local) -> str:
        """Return which slack is 0."""
        return near.kept if isinstance(near.kept, str) else super().explain_absence(near)


def hessian_of(place: Place) -> Floats:
    """Return J = ∇²V in the columns of A."""
    M = place.factor.whitener.matrix
    J = M.T @ place.hessian @ M
    return np.asarray((J + J.T) / 2)


def doubt_of(place: Place, J: Floats) -> float:
    """Return how far rounding may have moved g(x), in norm: what it may have moved in the metric of J⁻¹, by the largest unit of that."""
    return float(np.sqrt(sl.norm(J, 2)) * place.doubt)
