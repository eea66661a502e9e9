"""A smooth model: rows, a row function and a penalty, and which passes give its loss, gradient, Hessian and triangle."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.householder import householder
from dsketch.losses.base import Loss
from dsketch.matrix.beside import Places
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Look, Normal, Pass, Sketching, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.linked import Linked, Local
from dsketch.passes.tangent import Tangent
from dsketch.passes.trial import Trial
from dsketch.sketch import Sketch


@dataclass(frozen=True)
class Model:
    """F(x) = Σ w φ(aᵀx + offset; y) + ½ Σ p x².

    Attributes
    ----------
    rows : Rows
        [A 1], and y, offset, weights and frequencies as columns of b.
    places : Places
        Which column is what.
    loss : Loss
    penalty : ndarray, shape (d, outputs)
        p ≥ 0; 0 for an intercept.
    """

    rows: Rows
    places: Places
    loss: Loss
    penalty: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(d, outputs): that of x."""
        return self.rows.shape[1], self.loss.outputs

    @property
    def is_expected(self) -> bool:
        """Whether steps are by expected information: where curvatures may be negative."""
        return not self.loss.is_convex

    def penalize(self, local: Local, x: Floats) -> Local:
        """Return what rows gave, with the penalty's share."""
        if not self.penalty.any():
            return local
        weighted = self.penalty * x
        square = float(np.vdot(x, weighted))
        gram = None if local.gram is None else local.gram + np.diag(flat(self.penalty)[:, 0])
        return local._replace(
            loss=local.loss + square / 2, gradient=local.gradient + weighted, gram=gram, ratio=local.ratio + square
        )

    def linked(self, x: Floats, *, has_gram: bool, lengths: Floats | None = None, begins: bool = False) -> Linked:
        """Return the pass at x."""
        return Linked(self.loss, self.places, x, has_gram, self.is_expected, lengths, begins)

    def tangent(self, inner: Pass[Any], x: Floats, *, begins: bool = False) -> Tangent:
        """Return a pass on the tangent rows at x, those of the penalty left out."""
        return Tangent(inner, self.loss, self.places, x, self.is_expected, begins)

    def look(self, x: Floats, *, has_gram: bool, lengths: Floats | None = None, begins: bool = False) -> Flow[Local]:
        """Return loss, gradient and, if asked for, the Hessian at x.  One pass."""
        found: Local = yield Look(self.linked(x, has_gram=has_gram, lengths=lengths, begins=begins), self.rows)
        return self.penalize(found, x)

    def look_with_triangle(
        self, x: Floats, seed: int, *, lengths: Floats | None = None, begins: bool = False
    ) -> Flow[tuple[Local, Floats]]:
        """Return loss and gradient at x, and R with RᵀR the Hessian, penalty and all.  One pass."""
        linked = self.linked(x, has_gram=False, lengths=lengths, begins=begins)
        found, reduced = yield Look(Both(linked, self.tangent(Triangle(seed), x, begins=begins)), self.rows)
        return self.penalize(found, x), self.stack(reduced.R)

    def look_with_sketch(self, x: Floats, sketch: Sketch, *, begins: bool = False) -> Flow[tuple[Local, Floats]]:
        """Return loss and gradient at x, and a sketch of √H A above the penalty's own rows.  One pass."""
        linked = self.linked(x, has_gram=False, begins=begins)
        found, (SA, _) = yield Look(Both(linked, self.tangent(Sketching(sketch), x, begins=begins)), self.rows)
        return self.penalize(found, x), self.stack(SA)

    def normal(self, x: Floats, v: Floats) -> Flow[Floats]:
        """Return H v, shape (d · outputs, 1).  One light pass."""
        product: Floats = yield Look(self.tangent(Normal(v), x), self.rows)
        return product + flat(self.penalty) * v

    def stack(self, R: Floats) -> Floats:
        """Return the triangle of R (or of a sketch) above the penalty's own rows √p."""
        if not self.penalty.any():
            return R
        return householder(np.concatenate([R, np.diag(np.sqrt(flat(self.penalty)[:, 0]))]))

    def trials(self, x: Floats, direction: Floats, steps: tuple[float, ...]) -> Flow[Floats]:
        """Return F(x + s p) for every step s.  One light pass."""
        losses: Floats = yield Look(Trial(self.loss, self.places, x, direction, steps), self.rows)
        return losses + [float(np.vdot(self.penalty, (x + step * direction) ** 2)) / 2 for step in steps]

    def within(self, rows: Rows) -> "Model":
        """Return the same model of other rows."""
        return replace(self, rows=rows)


def flat(x: Floats) -> Floats:
    """Return the numbers of x, shape (d, outputs), output by output, shape (d · outputs, 1): the order of Hessians."""
    return np.ascontiguousarray(x.T).reshape(-1, 1)


def unflatten(v: Floats, like: Floats) -> Floats:
    """Return numbers in the order of Hessians as an array of the shape of x."""
    return np.ascontiguousarray(v.reshape(like.shape[1], like.shape[0]).T)
