"""Passes of an attention layer Σ softmax(A₁XA₂ᵀ)A₃Y ≈ B: sums for a step of Levenberg, and a QR of the whole Jacobian for an examination.

Rows of A₁ have those of B beside them.  With U the rows of softmax · A₃, P_j as of :mod:`dsketch.passes.layer_sweep`, T_j = P_jY and
r = U Y − B, the Jacobian of entry (j, b) is A₁_ja (T_j)_cb by X_ac and U_jq by Y_qb.  Y enters every column b by the same U, so that sums
and triangles split: JᵀJ of X is Σ_j (a₁a₁ᵀ) ⊗ (T_jT_jᵀ), whatever the number of columns.

Several heads stand beside each other: X is d × (heads · d'), U has the columns of all heads, Y their rows below each other, and P_j is zero
outside its blocks.  Below, d' and p count those of all heads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.householder import householder
from dsketch.matrix.rows import Block
from dsketch.passes.attention import TILE
from dsketch.passes.base import Part, Pass
from dsketch.passes.layer_sweep import Keys, Views, doubt_of, view

_LEAF_BYTES = 16_000_000  # of the rows of the Jacobian that are in memory at once


class LayerSums(NamedTuple):
    """What one look tells of a layer near (X, Y), with D = d d' numbers of X, by rows.

    Attributes
    ----------
    squared : ndarray, shape (D, D)
        JᵀJ, J by X alone.
    cross : ndarray, shape (k, p, D)
        Σ_j U_j ⊗ J_jb.
    slope : ndarray, shape (D,)
        Jᵀr.
    mixed : ndarray, shape (D, p k)
        By how much the slope changes with Y, r held: of the Hessian, besides the cross terms.
    bend : ndarray, shape (D, D)
        What the Hessian by X has besides JᵀJ; 0 where it was not asked for.
    R : ndarray, shape (p + k, p + k)
        The triangle of [U r].
    size : float
        ‖B‖².
    """

    squared: Floats
    cross: Floats
    slope: Floats
    mixed: Floats
    bend: Floats
    R: Floats
    size: float


class LayerTriangle(NamedTuple):
    """What an examination tells of a layer at (X, Y).

    Attributes
    ----------
    R : ndarray, shape (D + p k + 1, D + p k + 1)
        Of [J r], J by X and Y, both by rows; the columns of r last.
    bend : ndarray, shape (D + p k, D + p k)
        What the Hessian has besides JᵀJ.
    doubt : float
        How far rounding of the sweep may have moved f, in units of one rounding, as a norm.
    size : float
        ‖B‖².
    """

    R: Floats
    bend: Floats
    doubt: float
    size: float


@dataclass(frozen=True)
class LayerPass:
    """What passes over the rows of a layer know.

    Parameters
    ----------
    keys : Keys
    basis : ndarray, shape (·, d)
        Orthonormal columns: the rows that are meant are A₁ times it.
    X : ndarray, shape (d, heads · d')
    Y : ndarray, shape (heads · p, k)
    """

    keys: Keys
    basis: Floats
    X: Floats
    Y: Floats

    @property
    def shapes(self) -> tuple[int, int, int, int]:
        """d, d', p, k."""
        return *self.X.shape, *self.Y.shape

    @property
    def heads(self) -> int:
        """How many there are."""
        return int(self.X.shape[1] // len(self.keys.key_mean))

    def cut(self, M: Floats) -> list[Floats]:
        """Return the columns of each head."""
        return [np.ascontiguousarray(part) for part in np.split(M, self.heads, axis=1)]

    def see(self, block: Block) -> tuple[Floats, Floats, Floats, Views]:
        """Return the rows of A₁, those of B, the logits' left side, and what the rows see."""
        ((_, X, B),) = block.slices(block.stop - block.start)
        A = X @ self.basis
        L = A @ self.X
        return A, B, L, view(self.keys, L)


@dataclass(frozen=True)
class LayerMoments(LayerPass, Pass[LayerSums]):
    """Finish to what a step needs.

    Parameters
    ----------
    query_turn, key_turn : ndarray, shapes (d, d) and (d', d')
        W and W', of all heads: sums are by Z with X = W Z W'ᵀ.  Where queries or keys are all but dependent, sums by X have too few digits.
    is_exact : bool
        Whether the Hessian by Z is asked for, which takes a second sweep in the same look.

    Notes
    -----
    One sweep with d'p + d' + p + 1 value columns: 2 n m (d' + d'p + …) flops, and 2 n d d' (d d' + 2 p k) besides.
    """

    query_turn: Floats
    key_turn: Floats
    is_exact: bool = False

    kind: ClassVar[str] = "layer moments"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows."""
        d, e, p, k = self.shapes
        squared, cross, slope, mixed, bend, size, R = part or (
            np.zeros((d * d, e * e)),
            np.zeros((d * p, e * k)),
            np.zeros((d, e)),
            np.zeros((d * k, e * p)),
            np.zeros((d * d, e * e) if self.is_exact else (0, 0)),
            np.zeros(1),
            np.zeros((0, p + k)),
        )
        A, B, L, seen = self.see(block)
        r = seen.values @ self.Y - B
        curved = seen.bend(self.keys, L, r, self.Y)[0] if self.is_exact else None
        W, A = self.key_turn, A @ self.query_turn
        for rows in _slices(len(A), TILE):
            a, U, P = A[rows], seen.values[rows], W.T @ seen.covariance[rows]
            T = P @ self.Y
            squared += _products(a, a).T @ (T @ T.swapaxes(1, 2)).reshape(len(a), -1)
            cross += _products(a, U).T @ T.reshape(len(a), -1)
            slope += a.T @ _times(T, r[rows])
            mixed += _products(a, r[rows]).T @ P.reshape(len(a), -1)
            if curved is not None:
                bend += _products(a, a).T @ _bent(W.T @ curved[rows] @ W, _times(T, r[rows]), seen.keys[rows] @ W, self.heads)
            R = householder(np.concatenate([R, np.concatenate([U, r[rows]], axis=1)]))
        size += (B**2).sum()
        return squared, cross, slope, mixed, bend, size, R

    def merge(self, left: Part, right: Part) -> Part:
        """Add the sums, and return the triangle of two stacked triangles."""
        sums = (mine + other for mine, other in zip(left[:-1], right[:-1], strict=True))
        return *sums, householder(np.concatenate([left[-1], right[-1]]))

    def added(self, part: Part) -> list[Floats]:
        """Return the sums, and the squares of the triangle's columns."""
        return [*part[:-1], (part[-1] ** 2).sum(axis=0)]

    def finish(self, part: Part) -> LayerSums:
        """Return matrices by X as a vector."""
        d, e, p, k = self.shapes
        squared, cross, slope, mixed, bend, size, R = part
        bent = _order_pairs(bend, self.shapes) if self.is_exact else np.zeros((d * e, d * e))
        return LayerSums(
            _order_pairs(squared, self.shapes),
            np.ascontiguousarray(cross.reshape(d, p, e, k).transpose(3, 1, 0, 2).reshape(k, p, d * e)),
            slope.reshape(-1),
            _order_mixed(mixed, self.shapes),
            bent,
            np.concatenate([R, np.zeros((p + k - len(R), p + k))]),
            float(size[0]),
        )

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return (d d')², twice for the Hessian, + 2 d d' p k + (p + k)² numbers, and a few."""
        del columns, sides
        d, e, p, k = self.shapes
        return 8 * ((1 + self.is_exact) * (d * e) ** 2 + d * e * (2 * p * k + 1) + (p + k) ** 2 + 1)


@dataclass(frozen=True)
class LayerJacobian(LayerPass, Pass[LayerTriangle]):
    """Finish to the triangle of [J r], and the exact Hessian.

    Notes
    -----
    Two sweeps in one look, and 2 n k (d d')² flops: U is taken out of all k columns by one QR, what is left of J by X by another.
    """

    kind: ClassVar[str] = "layer jacobian"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows."""
        d, e, p, k = self.shapes
        state = part or (
            np.zeros((p, p)),
            np.zeros((p, k * (d * e + 1))),
            np.zeros((0, d * e + 1)),
            np.zeros((d * d, e * e)),
            np.zeros((d * k, e * p)),
            np.zeros(2),
        )
        own, right, left, bend, mixed, sizes = state
        A, B, L, seen = self.see(block)
        r = seen.values @ self.Y - B
        curved, squares = seen.bend(self.keys, L, r, self.Y)
        doubt = np.sum([doubt_of(self.keys, A, *one) for one in seen.by_heads(L, self.X, self.Y, squares)], axis=0)
        sizes = sizes + np.array([(doubt**2).sum(), (B**2).sum()])
        for rows in _slices(len(A), self.leaf):
            a, T = A[rows], seen.covariance[rows] @ self.Y
            J = a[:, None, :, None] * T.swapaxes(1, 2)[:, :, None, :]
            J = np.concatenate([J.reshape(len(a), k, d * e), r[rows][:, :, None]], axis=2)
            own, right, left = _eliminate(own, right, left, seen.values[rows], J.reshape(len(a), -1))
            bend = bend + _products(a, a).T @ _bent(curved[rows], _times(T, r[rows]), seen.keys[rows], self.heads)
            mixed = mixed + _products(a, r[rows]).T @ seen.covariance[rows].reshape(len(a), -1)
        return own, right, left, bend, mixed, sizes

    @property
    def leaf(self) -> int:
        """Rows of A₁ whose rows of the Jacobian are in memory at once."""
        d, e, p, k = self.shapes
        return min(max(_LEAF_BYTES // (8 * k * (d * e + 1)), 2 * p), TILE)

    def merge(self, left: Part, right: Part) -> Part:
        """Take U out of both, and add the rest."""
        d, e, _, _ = self.shapes
        own, beside, below = _eliminate(left[0], left[1], left[2], right[0], right[1])
        below = householder(np.concatenate([below, right[2].reshape(-1, d * e + 1)]))
        return own, beside, below, *(mine + other for mine, other in zip(left[3:], right[3:], strict=True))

    def added(self, part: Part) -> list[Floats]:
        """Return the sums, and the squares of the triangles' columns."""
        d, e, _, k = self.shapes
        own, beside, below, *sums = part
        squares = (beside**2).sum(axis=0).reshape(k, d * e + 1).sum(axis=0) + (below**2).sum(axis=0)
        return [*sums, (own**2).sum(axis=0), squares]

    def finish(self, part: Part) -> LayerTriangle:
        """Return one triangle, columns in the order of X, Y, r, and the Hessian's other part."""
        d, e, p, k = self.shapes
        own, beside, below, bend, mixed, sizes = part
        D = d * e
        M = np.zeros((p * k + len(below), D + p * k + 1))
        for b in range(k):
            rows = slice(b * p, (b + 1) * p)
            J = beside[:, b * (D + 1) : (b + 1) * (D + 1)]
            M[rows, :D], M[rows, D + b : D + p * k : k], M[rows, -1] = J[:, :-1], own, J[:, -1]
        M[p * k :, :D], M[p * k :, -1] = below[:, :-1], below[:, -1]
        H = np.zeros((D + p * k, D + p * k))
        H[:D, :D] = _order_pairs(bend, self.shapes)
        H[:D, D:] = _order_mixed(mixed, self.shapes)
        H[D:, :D] = H[:D, D:].T
        R = householder(M)
        full = np.concatenate([R, np.zeros((M.shape[1] - len(R), M.shape[1]))])
        return LayerTriangle(full, H, float(np.sqrt(sizes[0])), float(sizes[1]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return two squares of d d', and p times k d d'."""
        del columns, sides
        d, e, p, k = self.shapes
        return 8 * (2 * (d * e + 1) ** 2 + 2 * p * k * (d * e + 1) + p**2 + 2)


def _slices(rows: int, height: int) -> Iterator[slice]:
    for low in range(0, rows, height):
        yield slice(low, min(low + height, rows))


def _order_pairs(sums: Floats, shapes: tuple[int, int, int, int]) -> Floats:
    """Return sums over rows of (a ⊗ a) by what has two places of a key as a symmetric matrix by X."""
    d, e, _, _ = shapes
    square = sums.reshape(d, d, e, e).transpose(0, 2, 1, 3).reshape(d * e, d * e)
    return np.asarray(0.5 * (square + square.T))


def _order_mixed(sums: Floats, shapes: tuple[int, int, int, int]) -> Floats:
    """Return sums over rows of (a ⊗ r) by P as a matrix by X and Y."""
    d, e, p, k = shapes
    return np.ascontiguousarray(sums.reshape(d, k, e, p).transpose(0, 2, 3, 1).reshape(d * e, p * k))


def _times(T: Floats, r: Floats) -> Floats:
    """Return T_jr_j of each row."""
    return np.asarray((T @ r[:, :, None])[:, :, 0])


def _bent(curved: Floats, slope: Floats, mean: Floats, heads: int) -> Floats:
    """Return Σ t k kᵀ about the mean of the keys that a row sees, by rows: Σ t k is its T_jr_j."""
    turned = slope[:, :, None] * mean[:, None, :]
    if heads > 1:
        turned *= np.kron(np.eye(heads), np.ones((turned.shape[1] // heads,) * 2))
    return np.asarray((curved - turned - turned.swapaxes(1, 2)).reshape(len(curved), -1))


def _products(a: Floats, b: Floats) -> Floats:
    """Return the products of each row's numbers with each other, by rows."""
    return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)


def _eliminate(own: Floats, beside: Floats, below: Floats, U: Floats, J: Floats) -> tuple[Floats, Floats, Floats]:
    """Add rows [U J], J of k columns each of D + 1 numbers: return the triangle of U, what is beside it, and the triangle of the rest."""
    width, p = below.shape[1], len(own)
    Q, R = np.linalg.qr(np.concatenate([own, U]), mode="complete")
    turned = Q.T @ np.concatenate([beside, J])
    return R[:p], turned[:p], householder(np.concatenate([below, turned[p:].reshape(-1, width)]))
