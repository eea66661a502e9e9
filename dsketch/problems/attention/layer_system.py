"""An attention layer ½‖softmax(A₁XA₂ᵀ)A₃Y − B‖² + ½ alpha (‖X‖² + ‖Y‖²) as methods look at it: Y eliminated, X in what softmax can see.

Softmax does not feel a number added to all logits of a row, so X plays no part along u vᵀ where A₁u = 0 or A₂v is the same for all keys,
nor Y along v where A₃v = 0.  Without a penalty such directions are taken out beforehand, by a QR of [A₂ 1 A₃] and one of A₁: the answer is
the shortest.

Y is the solution of a small least-squares problem (G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
squares problems whose variables separate", SIAM J. Numer. Anal. 10, 1973), and J that of X with U's range taken out (L. Kaufman, BIT 15,
1975).  A look needs Y before it is known: it takes the one that J at the last point foretells, which is right to the second order; if it
proves poor, as at the start, one more look takes the right one.
"""

from dataclasses import dataclass, replace
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
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import JointTriangle, Look, Pass, Triangle
from dsketch.passes.attention import attention_rows
from dsketch.passes.base import Flow
from dsketch.passes.layer import LayerJacobian, LayerMoments, LayerSums, LayerTriangle
from dsketch.passes.layer_sweep import Keys
from dsketch.passes.spans import Spans
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.system import LARGEST, Examination, U, absent, is_definite
from dsketch.problems.persisted import copy_persisted

# Of ‖U Y‖: with a Y that is off by no more J is right to that share, and each step makes it its square.
_NEAR = 0.1
# Of the loss, and of the decrement: steps that lower both by less have JᵀJ for what is no longer the Hessian.
_LITTLE, _SLOW = 0.1, 0.25
_MARGIN = 1e-12  # of the number of columns: a smaller eigenvalue of a sum of both signs is rounding


@dataclass(frozen=True)
class LayerSystem:
    """A layer's data.

    Attributes
    ----------
    A1 : Matrix, shape (n, d)
    A2 : Matrix, shape (m, d')
    A3 : Matrix, shape (m, p)
    B : Matrix, shape (n, k)
    alpha : float
    """

    A1: Matrix
    A2: Matrix
    A3: Matrix
    B: Matrix
    alpha: float

    @property
    def shapes(self) -> tuple[int, int, int, int]:
        """d, d', p, k."""
        return self.A1.shape[1], self.A2.shape[1], self.A3.shape[1], self.B.shape[1]

    @property
    def rows(self) -> Rows:
        """A₁ and B in the blocks of a sweep."""
        _, e, p, _ = self.shapes
        return attention_rows(self.A1, self.B, 2 * e * p + e * e, ("A1", "B"))

    @property
    def others(self) -> Spans:
        """A₂ and A₃, as they are swept over."""
        _, e, p, _ = self.shapes
        spans = Spans.of(self.A2, self.A3)
        return replace(spans, height=min(spans.height, max(_SPAN_BYTES // (8 * e * max(e, p)), _LEAST_SPAN)))

    @property
    def raw(self) -> "VisibleLayer":
        """The layer in its own columns, about 0."""
        d, e, p, _ = self.shapes
        return VisibleLayer(
            self,
            np.eye(d),
            Keys(self.others, np.eye(e), np.eye(p), np.zeros(e), np.zeros(p)),
            np.ones((d, e)),
            (np.eye(d), np.eye(e)),
            (),
        )

    def prepare(self) -> Flow["VisibleLayer"]:
        """Return the layer in directions that can be seen, about means.  Two light looks, which name what is not finite.

        Raises
        ------
        DataError
            If A₁ or A₃ is 0, or all rows of A₂ are the same: no X and Y matter.
        """
        A2, A3 = (yield from copy_persisted(self.A2)), (yield from copy_persisted(self.A3))
        system = replace(self, A2=A2, A3=A3)
        d, e, _, _ = self.shapes
        beyond: Floats = (yield Look(JointTriangle(), Rows(A2, A3, intercept=True, names=("A2", "A3")))).R
        R1: Floats = (yield Look(Triangle(), Rows(self.A1, self.B, names=("A1", "B")))).R
        R = householder(np.concatenate([beyond[:, e : e + 1], beyond[:, :e], beyond[:, e + 1 :]], axis=1))
        mean = R[0, 1:] / R[0, 0]
        V1 = _basis_beyond(Factor.of(R1).null, d, "A1", "a row that is not 0")
        V2 = _basis_beyond(Factor.of(R[:, : e + 1]).null[1:], e, "A2", "rows that are not all the same")
        V3 = _basis_beyond(Factor.of(R[:, e + 1 :]).null, R.shape[1] - e - 1, "A3", "a row that is not 0")
        notes = _tell_unseen(V1, V2, V3, is_held=self.alpha > 0)
        if self.alpha:
            V1, V2, V3 = np.eye(d), np.eye(e), np.eye(len(V3))
        own, other = R1 @ V1 / np.sqrt(self.A1.shape[0]), R[1:, 1 : e + 1] @ V2 / np.sqrt(self.A2.shape[0])
        spread = np.outer(np.sqrt((own**2).sum(axis=0)), np.sqrt((other**2).sum(axis=0)))
        turns = (np.eye(V1.shape[1]), np.eye(V2.shape[1])) if self.alpha else (_whiten(own), _whiten(other))
        return VisibleLayer(system, V1, Keys(system.others, V2, V3, mean[:e] @ V2, mean[e:] @ V3), spread, turns, notes)


_SPAN_BYTES = 32_000_000  # of the products of keys and values of a span
_LEAST_SPAN = 256


def _basis_beyond(null: Floats, columns: int, name: str, wanted: str) -> Floats:
    """Return an orthonormal basis of what is not in the span of some vectors.

    Raises
    ------
    DataError
        If there is nothing.
    """
    if not null.shape[1]:
        return np.eye(columns)
    Q, R, _ = sl.qr(null, pivoting=True)
    sizes = np.abs(np.diagonal(R))
    seen: Floats = Q[:, int(np.count_nonzero(sizes > RANK_TOLERANCE * columns * max(sizes[0], 0.0))) :]
    if not seen.shape[1]:
        raise DataError(f"{name} must have {wanted}, or no X and Y change anything. Check the source of the data.")
    return np.ascontiguousarray(seen)


def _whiten(M: Floats) -> Floats:
    """Return W for which M W has orthonormal columns, to rounding times the condition of M."""
    W: Floats = sl.solve_triangular(Factor.of(M).R, np.eye(M.shape[1]))
    return W


def _tell_unseen(V1: Floats, V2: Floats, V3: Floats, *, is_held: bool) -> tuple[str, ...]:
    """Return how many directions of X and Y play no part."""
    of_x = len(V1) * len(V2) - V1.shape[1] * V2.shape[1]
    notes = []
    if of_x:
        why = [f"A1 has rank {V1.shape[1]} of {len(V1)}"] if V1.shape[1] < len(V1) else []
        lost = len(V2) - V2.shape[1]
        why += [f"{lost} direction(s) of A2's columns are the same for all keys"] if lost else []
        notes.append(f"softmax does not see {of_x} of the {len(V1) * len(V2)} directions of X ({' and '.join(why)})")
    if V3.shape[1] < len(V3):
        notes.append(f"Y plays no part in {len(V3) - V3.shape[1]} direction(s): A3 has rank {V3.shape[1]} of {len(V3)}")
    end = "the penalty makes them 0" if is_held else "they are 0 in the shortest x, which this is"
    return tuple(f"{note}; {end}" for note in notes)


class Point(NamedTuple):
    """Where a look was, in directions that are seen, and what it foretells.

    Attributes
    ----------
    Z : ndarray, shape (d d',)
    Y : ndarray, shape (p, k)
        The best for it.
    follow : ndarray, shape (k, p, d d')
        How the columns of the best Y follow a change of Z.
    """

    Z: Floats
    Y: Floats
    follow: Floats

    def foretell(self, Z: Floats) -> Floats:
        """Return about which Y is best for another Z."""
        return self.Y + (self.follow @ (Z - self.Z)).T


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
    """

    system: LayerSystem
    basis: Floats
    keys: Keys
    spread: Floats
    turns: tuple[Floats, Floats]
    notes: tuple[str, ...]

    @property
    def shapes(self) -> tuple[int, int, int, int]:
        """d, d', p, k of what is seen."""
        return self.basis.shape[1], self.keys.key_basis.shape[1], self.keys.value_basis.shape[1], self.system.B.shape[1]

    @property
    def is_whole(self) -> bool:
        """Whether every direction is seen."""
        return self.shapes == self.system.shapes

    def narrow(self, X: Floats) -> Floats:
        """Return what is seen of an X, as a vector."""
        return np.asarray(self.basis.T @ X @ self.keys.key_basis).reshape(-1)

    def narrow_values(self, Y: Floats) -> Floats:
        """Return what is seen of a Y."""
        return np.asarray(self.keys.value_basis.T @ Y)

    def turn(self, X: Floats) -> Floats:
        """Return the Z of an X, both as vectors."""
        d, e, _, _ = self.shapes
        left, right = self.turns
        return np.asarray(np.linalg.solve(right, np.linalg.solve(left, X.reshape(d, e)).T).T.reshape(-1))

    def turn_back(self, Z: Floats) -> Floats:
        """Return the X of a Z, both as vectors."""
        d, e, _, _ = self.shapes
        left, right = self.turns
        return np.asarray((left @ Z.reshape(d, e) @ right.T).reshape(-1))

    def widen(self, X: Floats, Y: Floats) -> Floats:
        """Return the shortest X and Y with these parts, one after the other, by rows."""
        d, e, _, _ = self.shapes
        return np.concatenate(
            [(self.basis @ X.reshape(d, e) @ self.keys.key_basis.T).reshape(-1), (self.keys.value_basis @ Y).reshape(-1)]
        )

    def draw(self, count: int, seed: int) -> list[Floats]:
        """Return points at which logits have a spread of about 1."""
        words = random_words.draw(seed, DRAWN_STARTS, 0, count, self.spread.size)
        return list(ndtri(random_words.uniforms(words)) / (self.spread.reshape(-1) * np.sqrt(self.spread.size)))

    def look(self, pass_: Pass[Any]) -> Flow[Any]:
        """Return what a pass over A₁ and B finds."""
        return (yield Look(pass_, self.system.rows))

    def moments(self, Z: Floats, Y: Floats, *, is_exact: bool = False) -> LayerMoments:
        """Return the pass of a step."""
        d, e, _, _ = self.shapes
        return LayerMoments(self.keys, self.basis, self.turn_back(Z).reshape(d, e), Y, *self.turns, is_exact)

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
        p, alpha, D = len(Y), self.system.alpha, len(Z)
        root = np.sqrt(alpha)
        R = householder(np.concatenate([sums.R, np.concatenate([root * np.eye(p), root * Y], axis=1)]))
        Q, s, Vt = sl.svd(R[:p, :p])
        rank = int(np.count_nonzero(s > RANK_TOLERANCE * s[0]))
        Q, inverse = Q[:, :rank], Vt[:rank].T / s[:rank]
        found = Q.T @ R[:p, p:]
        change = -inverse @ found
        misfit = np.concatenate([R[:p, p:] - Q @ found, R[p:, p:]])
        by_y = sums.cross + sums.mixed.reshape(D, p, -1).transpose(2, 1, 0)  # of the Hessian, exactly
        value = 0.5 * float((misfit**2).sum()) + 0.5 * alpha * float(Z @ Z)
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
        """Return the Hessian by Z, if it is known and positive definite, else JᵀJ; unless Y is held with U's range taken out."""
        add = self.system.alpha * np.eye(len(sums.slope))

        def without(cross: Floats) -> Floats:
            seen = (inverse.T @ cross).reshape(-1, len(add))
            return np.asarray(seen.T @ seen) * (not holds_y)

        if sums.bend.any():
            exact = sums.squared + sums.bend - without(by_y) + add
            if is_definite(exact, _MARGIN):
                return exact
        return np.asarray(sums.squared - without(sums.cross) + add)

    def examine(self, X: Floats, Y: Floats) -> Flow[Examination]:
        """Examine X and Y by a QR of the whole Jacobian and the exact Hessian.  One look."""
        d, e, _, _ = self.shapes
        x, alpha = np.concatenate([X, Y.reshape(-1)]), self.system.alpha
        found: LayerTriangle = yield from self.look(LayerJacobian(self.keys, self.basis, X.reshape(d, e), Y))
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


@dataclass
class Elimination:
    """A layer as a :class:`~dsketch.problems.levenberg.Model` in Z alone: each look has the Y that the last one foretells.

    Attributes
    ----------
    layer : VisibleLayer
    last : Local or None
        The last one looked at.
    is_exact : bool
        Whether looks take the Hessian in place of JᵀJ: once steps lower neither the loss by much nor the decrement as they should.  The
        misfit is then what is left, and what JᵀJ leaves out is as large as itself.
    holds_y : bool
        Whether steps are those with Y held, which is made anew after each: alternation in place of elimination.
    """

    layer: VisibleLayer
    last: Local | None = None
    is_exact: bool = False
    holds_y: bool = False

    def evaluate(self, x: Floats) -> Flow[Local]:
        """Return what is known of the loss near Z with the best Y; nothing where Z is so large that products with it overflow."""
        if np.abs(x).max(initial=0.0) > LARGEST:
            return absent(x)
        _, _, p, k = self.layer.shapes
        kept: Point | None = None if self.last is None else self.last.kept
        Y = np.zeros((p, k)) if kept is None else kept.Y if self.holds_y else kept.foretell(x)
        local, gap = yield from self.layer.sum_up(x, Y, is_exact=self.is_exact, holds_y=self.holds_y)
        if gap > _NEAR:
            local, _ = yield from self.layer.sum_up(x, local.kept.Y, is_exact=self.is_exact, holds_y=self.holds_y)
        if np.isfinite(local.value):
            self.is_exact = self.is_exact or (self.last is not None and _is_slow(self.last, local))
            self.last = local
        return local


def _is_slow(before: Local, now: Local) -> bool:
    return abs(now.value - before.value) <= _LITTLE * before.value and now.decrement > _SLOW * before.decrement
