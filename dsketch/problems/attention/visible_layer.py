"""A layer in the directions that softmax sees, as methods look at it: Y eliminated, or examined together with X.

Y is the solution of a small least-squares problem (G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
squares problems whose variables separate", SIAM J. Numer. Anal. 10, 1973), and J that of X with U's range taken out (L. Kaufman, BIT 15,
1975).  Heads stand beside each other: X is d × (heads · d'), U has the rows of all softmax · A₃, and Y is (heads · p) × k.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as sl
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import RANK_TOLERANCE, Factor
from dsketch._linalg.householder import householder
from dsketch._linalg.streams import DRAWN_STARTS
from dsketch.errors import DataError
from dsketch.passes import Look, Pass
from dsketch.passes.base import Flow
from dsketch.passes.layer import LayerJacobian, LayerMoments, LayerSums, LayerTriangle
from dsketch.passes.layer_sweep import Keys
from dsketch.problems.attention.layer_system import LayerSystem
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.system import Examination, U, absent, is_definite

_MARGIN = 1e-12  # of the number of columns: a smaller eigenvalue of a sum of both signs is rounding


class Point(NamedTuple):
    """Where a look was, in directions that are seen, and what it foretells; D numbers of all X.

    Attributes
    ----------
    Z : ndarray, shape (D,)
    Y : ndarray, shape (heads · p, k)
        The best for it.
    follow : ndarray, shape (k, heads · p, D)
        How the columns of the best Y follow a change of Z.
    """

    Z: Floats
    Y: Floats
    follow: Floats

    def foretell(self, Z: Floats) -> Floats:
        """Return about which Y is best for another Z."""
        return self.Y + (self.follow @ (Z - self.Z)).T


class Best(NamedTuple):
    """Of the least-squares problem of Y.

    Attributes
    ----------
    change : ndarray, shape (heads · p, k)
        From a Y to the shortest of the best.
    inverse : ndarray, shape (heads · p, rank)
        Times its transpose it is the inverse of UᵀU + alpha, in directions above rounding.
    squares : float
        ‖r‖² + alpha ‖Y‖² at the best.
    """

    change: Floats
    inverse: Floats
    squares: float


def find_values(R: Floats, Y: Floats, alpha: float) -> Best:
    """Return how far Y is from the best, by the triangle of [U r] at Y."""
    p, root = len(Y), np.sqrt(alpha)
    R = householder(np.concatenate([R, np.concatenate([root * np.eye(p), root * Y], axis=1)]))
    Q, s, Vt = sl.svd(R[:p, :p])
    rank = int(np.count_nonzero(s > RANK_TOLERANCE * s[0]))
    Q, inverse = Q[:, :rank], Vt[:rank].T / s[:rank]
    found = Q.T @ R[:p, p:]
    misfit = np.concatenate([R[:p, p:] - Q @ found, R[p:, p:]])
    return Best(-inverse @ found, inverse, float((misfit**2).sum()))


@dataclass(frozen=True)
class VisibleLayer:
    """A layer in the directions that softmax sees.

    Attributes
    ----------
    system : LayerSystem
    basis : ndarray, shape (·, d)
        Of A₁'s columns.
    keys : Keys
    spread : ndarray, shape (d, d')
        By how much a 1 in X spreads logits.
    turns : tuple of ndarray, shapes (d, d) and (d', d')
        W and W': steps are taken in Z with X = W Z W'ᵀ, which queries and keys that are all but dependent do not feel.  With a penalty,
        which is one of X, both are 1.
    notes : tuple of str
        Which directions are not seen.
    spare : int
        Directions of Y that change nothing, as heads share them: what is the same for all queries may come from any head.
    white : tuple of ndarray, shapes (d, d) and (d', d')
        As ``turns``, but with a penalty too: a metric in which conjugate gradients are fast.
    is_idle : bool
        Whether B is 0 and X and Y have a penalty: 0 is then the one minimizer, with a loss of 0.
    """

    system: LayerSystem
    basis: Floats
    keys: Keys
    spread: Floats
    turns: tuple[Floats, Floats]
    notes: tuple[str, ...]
    spare: int
    white: tuple[Floats, Floats]
    is_idle: bool = False

    @property
    def shapes(self) -> tuple[int, int, int, int]:
        """d, d', p, k of what is seen, of one head."""
        return self.basis.shape[1], self.keys.key_basis.shape[1], self.keys.value_basis.shape[1], self.system.B.shape[1]

    @property
    def numbers(self) -> tuple[int, int]:
        """Of all X and of all Y, as they are seen."""
        d, e, p, k = self.shapes
        return self.system.heads * d * e, self.system.heads * p * k

    @property
    def no_values(self) -> Floats:
        """A Y of zeros."""
        _, _, p, k = self.shapes
        return np.zeros((self.system.heads * p, k))

    @property
    def is_whole(self) -> bool:
        """Whether every direction is seen."""
        return self.shapes == self.system.shapes

    @property
    def key_turns(self) -> Floats:
        """W' of all heads beside each other."""
        return np.asarray(np.kron(np.eye(self.system.heads), self.turns[1]), dtype=np.float64)

    def narrow(self, X: Floats) -> Floats:
        """Return what is seen of X, shape (d, d') or (heads, d, d'), as a vector."""
        heads, (d, e, _, _) = self.system.heads, self.system.shapes
        return self._join(self.basis.T @ X.reshape(heads, d, e) @ self.keys.key_basis)

    def narrow_values(self, Y: Floats) -> Floats:
        """Return what is seen of Y, shape (p, k) or (heads, p, k), heads below each other."""
        _, _, p, k = self.system.shapes
        return np.asarray(self.keys.value_basis.T @ Y.reshape(self.system.heads, p, k)).reshape(-1, k)

    def turn(self, X: Floats) -> Floats:
        """Return the Z of an X, both as vectors."""
        left, right = self.turns
        turned = np.linalg.solve(right, np.linalg.solve(left, self._part(X)).swapaxes(1, 2)).swapaxes(1, 2)
        return self._join(turned)

    def turn_back(self, Z: Floats) -> Floats:
        """Return the X of a Z, both as vectors."""
        left, right = self.turns
        return self._join(left @ self._part(Z) @ right.T)

    def widen(self, X: Floats, Y: Floats) -> Floats:
        """Return the shortest X and Y with these parts, one after the other, head by head and by rows."""
        _, _, p, k = self.shapes
        mine = self.basis @ self._part(X) @ self.keys.key_basis.T
        return np.concatenate([mine.reshape(-1), (self.keys.value_basis @ Y.reshape(-1, p, k)).reshape(-1)])

    def beside(self, X: Floats) -> Floats:
        """Return a vector as the X of all heads beside each other, shape (d, heads · d')."""
        return X.reshape(self.shapes[0], -1)

    def _part(self, X: Floats) -> Floats:
        d, e, _, _ = self.shapes
        return np.ascontiguousarray(X.reshape(d, self.system.heads, e).swapaxes(0, 1))

    def _join(self, parts: Floats) -> Floats:
        return np.ascontiguousarray(parts.swapaxes(0, 1)).reshape(-1)

    def draw(self, count: int, seed: int) -> list[Floats]:
        """Return points at which logits have a spread of about 1."""
        spread = np.tile(self.spread, self.system.heads).reshape(-1)
        words = random_words.draw(seed, DRAWN_STARTS, 0, count, len(spread))
        return list(ndtri(random_words.uniforms(words)) / (spread * np.sqrt(self.spread.size)))

    def look(self, pass_: Pass[Any]) -> Flow[Any]:
        """Return what a pass over A₁ and B finds."""
        return (yield Look(pass_, self.system.rows))

    def moments(self, Z: Floats, Y: Floats, *, is_exact: bool = False) -> LayerMoments:
        """Return the pass of a step."""
        X = self.beside(self.turn_back(Z))
        return LayerMoments(self.keys, self.basis, X, Y, self.turns[0], self.key_turns, is_exact)

    def sum_up(self, Z: Floats, Y: Floats, *, is_exact: bool, holds_y: bool = False) -> Flow[tuple[Local, float]]:
        """Return what is known of the loss near Z by a look with Y, and how far its best Y is from that one.  One look.

        Parameters
        ----------
        is_exact : bool
            Whether the matrix is the Hessian, where that is positive definite, rather than JᵀJ.
        holds_y : bool
            Whether it is that of the loss with Y held, rather than with the best Y.
        """
        sums: LayerSums = yield from self.look(self.moments(Z, Y, is_exact=is_exact))
        if not all(np.isfinite(part).all() for part in sums):
            return absent(Z), 0.0
        return self._eliminate(Z, Y, sums, holds_y=holds_y)

    def _eliminate(self, Z: Floats, Y: Floats, sums: LayerSums, *, holds_y: bool) -> tuple[Local, float]:
        """Return the loss of Z with the best Y, its gradient and JᵀJ."""
        alpha, D = self.system.alpha, len(Z)
        best = find_values(sums.R, Y, alpha)
        p, inverse, change = len(Y), best.inverse, best.change
        by_y = sums.cross + sums.mixed.reshape(D, p, -1).transpose(2, 1, 0)  # of the Hessian, exactly
        value = 0.5 * best.squares + 0.5 * alpha * float(Z @ Z)
        # Of J and r at the best Y, but for products of both changes: second order in what is second order in the last step.
        gradient = sums.slope + np.einsum("bqi,qb->i", by_y, change) + alpha * Z
        size = float(np.linalg.norm(sums.R[:p, :p] @ (Y + change))) or 1.0
        local = Local(
            value,
            gradient,
            self._matrix(sums, inverse, by_y, holds_y=holds_y),
            0.5 * (size**2 + sums.size) + 0.5 * alpha * float(Z @ Z),
            doubt=2 * U * float(np.sqrt(sums.size)),
            kept=Point(Z, Y + change, -(inverse @ (inverse.T @ by_y))),
        )
        return local, float(np.linalg.norm(sums.R[:p, :p] @ change)) / size

    def _matrix(self, sums: LayerSums, inverse: Floats, by_y: Floats, *, holds_y: bool) -> Floats:
        """Return the Hessian by Z, if it is known, made positive definite, else JᵀJ; unless Y is held with U's range taken out."""
        add = self.system.alpha * np.eye(len(sums.slope))

        def without(cross: Floats) -> Floats:
            seen = (inverse.T @ cross).reshape(-1, len(add))
            return np.asarray(seen.T @ seen) * (not holds_y)

        if sums.bend.any():
            exact = sums.squared + sums.bend - without(by_y) + add
            return exact if is_definite(exact, _MARGIN) else _take_sizes(exact)
        return np.asarray(sums.squared - without(sums.cross) + add)

    def examine(self, X: Floats, Y: Floats) -> Flow[Examination]:
        """Examine X and Y by a QR of the whole Jacobian and the exact Hessian.  One look."""
        x, alpha = np.concatenate([X, Y.reshape(-1)]), self.system.alpha
        found: LayerTriangle = yield from self.look(LayerJacobian(self.keys, self.basis, self.beside(X), Y))
        if not np.isfinite(found.R).all():
            raise DataError("an X where the logits are float64 numbers was expected; they overflow. Look where x comes from.")
        J, r = found.R[:, :-1], found.R[:, -1]
        misfit, target, add = float(np.linalg.norm(r)), float(np.sqrt(found.size)), alpha * np.eye(len(x))
        return Examination(
            x,
            J.T @ r + alpha * x,
            Factor.of(np.concatenate([J, np.sqrt(add)]) if alpha else J),
            0.5 * (misfit**2 + alpha * float(x @ x)),
            misfit,
            U * (found.doubt + target),
            target,
            J.T @ J + found.bend + add,
        )


def _take_sizes(H: Floats) -> Floats:
    """Return V|Λ|Vᵀ of a symmetric V Λ Vᵀ: steps lead away from saddles along all directions in which the loss bends down."""
    values, V = sl.eigh(H)
    return np.asarray((V * np.abs(values)) @ V.T)
