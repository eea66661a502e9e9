"""An attention layer as conjugate gradients look at it: in X alone, with the Y that is best, and no matrix of them.

A light sweep has the best Y of an X, another the slope.  H is the Hessian with Y eliminated, H_xx − H_xy(UᵀU)⁻¹H_yx: a product is two
looks, one for what Y does along the direction, one for what comes back.  Steps are taken in whitened queries and keys, which is all the
preconditioning that paid (docs/decisions, 050).
"""

from dataclasses import dataclass, replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.passes.layer_products import LayerCurve, LayerFollow, LayerSlope, LayerSlopes
from dsketch.passes.layer_sweep import Keys
from dsketch.problems.attention.visible_layer import VisibleLayer, find_values
from dsketch.problems.nonlinear.system import LARGEST, U
from dsketch.problems.truncated_newton import Place
from dsketch.settings import EPS


@dataclass(frozen=True)
class Kept:
    """What belongs to a place.

    Attributes
    ----------
    X : ndarray, shape (d, heads · d')
    Y : ndarray, shape (heads · p, k)
        The best.
    inverse : ndarray, shape (heads · p, ·)
        Of :class:`~dsketch.problems.attention.visible_layer.Best`.
    """

    X: Floats
    Y: Floats
    inverse: Floats


@dataclass(frozen=True)
class ProductLayer:
    """A layer as a :class:`~dsketch.problems.truncated_newton.ProductModel`; D numbers of X, in the whitened metric.

    Attributes
    ----------
    layer : VisibleLayer
    """

    layer: VisibleLayer

    @property
    def key_white(self) -> Floats:
        """W' of all heads beside each other."""
        return np.asarray(np.kron(np.eye(self.layer.system.heads), self.layer.white[1]), dtype=np.float64)

    def enter(self, X: Floats) -> Floats:
        """Return the whitened numbers of an X, as a vector."""
        inner = np.linalg.solve(self.layer.white[0], self.layer.beside(X))
        return np.ascontiguousarray(np.linalg.solve(self.key_white, inner.T).T).reshape(-1)

    def leave(self, x: Floats) -> Floats:
        """Return the X of whitened numbers, shape (d, heads · d')."""
        return np.asarray(self.layer.white[0] @ self.layer.beside(x) @ self.key_white.T)

    def _back(self, X: Floats) -> Floats:
        """Return the gradient by whitened numbers of what has the gradient X by X, as a vector."""
        return np.asarray(self.layer.white[0].T @ X @ self.key_white).reshape(-1)

    def _common(self, kept: Kept) -> tuple[Keys, Floats, Floats, Floats, Floats, Floats]:
        return self.layer.keys, self.layer.basis, kept.X, kept.Y, *self.layer.white

    def evaluate(self, x: Floats) -> Flow[Place]:
        """Return the loss with the best Y.  One sweep."""
        nowhere = Place(x, float("inf"), float("inf"), 0.0)
        if not np.abs(x).max(initial=0.0) <= LARGEST:
            return nowhere
        kept = Kept(self.leave(x), self.layer.no_values, np.zeros((0, 0)))
        found: LayerSlopes = yield from self.layer.look(LayerSlope(*self._common(kept), False))
        return self._eliminate(nowhere, kept, found)

    def _eliminate(self, place: Place, kept: Kept, found: LayerSlopes) -> Place:
        """Return a place with the best Y, by the triangle of [U r] at some Y."""
        if not np.isfinite(found.R).all():
            return place
        alpha, p = self.layer.system.alpha, len(kept.Y)
        best = find_values(found.R, kept.Y, alpha)
        Y, held = kept.Y + best.change, 0.5 * alpha * float((kept.X**2).sum())
        size = 0.5 * (float(((found.R[:p, :p] @ Y) ** 2).sum()) + found.size) + held
        floor = max(2 * EPS * float(np.sqrt(2 * size)), U * float(np.sqrt(found.size)))
        return replace(place, value=0.5 * best.squares + held, size=size, floor=floor, kept=Kept(kept.X, Y, best.inverse))

    def differentiate(self, place: Place) -> Flow[Place]:
        """Return a place with its gradient, and Y as r itself tells it.  Two sweeps."""
        kept: Kept = place.kept
        found: LayerSlopes = yield from self.layer.look(LayerSlope(*self._common(kept), True))
        gradient = found.slope.reshape(-1) + self.layer.system.alpha * self._back(kept.X)
        return replace(self._eliminate(place, kept, found), gradient=gradient)

    def multiply(self, place: Place, direction: Floats, *, is_exact: bool) -> Flow[Floats]:
        """Return a product with the Hessian, or with JᵀJ, Y eliminated.  Two looks of three sweeps."""
        kept: Kept = place.kept
        along = self.leave(direction)
        felt: Floats = yield from self.layer.look(LayerFollow(*self._common(kept), along, is_exact))
        follow = -(kept.inverse @ (kept.inverse.T @ felt))
        found: Floats = yield from self.layer.look(LayerCurve(*self._common(kept), along, follow, is_exact))
        return found.reshape(-1) + self.layer.system.alpha * self._back(along)
