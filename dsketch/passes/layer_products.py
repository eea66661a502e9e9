"""Passes of an attention layer that sum no matrix with a row for each number of X: slopes, and products with the Hessian or with JᵀJ.

Heads stand beside each other as in :mod:`dsketch.passes.layer`: X and its directions are d × (heads · d'), Y and its own (heads · p) × k.
All is by Z with X = W Z W'ᵀ.  A part has as many numbers as X, or as Y.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.householder import householder
from dsketch.matrix.rows import Block
from dsketch.passes.attention import TILE
from dsketch.passes.base import Part, Pass
from dsketch.passes.layer import LayerPass
from dsketch.passes.layer_tiles import Bend, Forward, sweep_back, sweep_forward


class LayerSlopes(NamedTuple):
    """What a look tells of the loss at (X, Y).

    Attributes
    ----------
    slope : ndarray, shape (d, heads · d')
        The gradient by Z of ½‖U Y − B‖²; 0 where it was not asked for.
    R : ndarray, shape (heads · p + k, heads · p + k)
        The triangle of [U r], r = U Y − B.
    size : float
        ‖B‖².
    """

    slope: Floats
    R: Floats
    size: float


@dataclass(frozen=True)
class _ProductPass(LayerPass):
    """What these passes know.

    Parameters
    ----------
    keys, basis, X, Y
        As in :class:`~dsketch.passes.layer.LayerPass`.
    query_turn, key_turn : ndarray, shapes (d, d) and (d', d')
        W, and W' of one head.
    """

    query_turn: Floats
    key_turn: Floats

    def forward(self, A: Floats, direction: Floats | None = None) -> list[Forward]:
        """Return what rows see by each head, and how that changes along a direction of X."""
        along: list[Floats | None] = [None] * self.heads if direction is None else [*self.cut(A @ direction)]
        return [sweep_forward(self.keys, L, D) for L, D in zip(self.cut(A @ self.X), along, strict=True)]

    def gather(self, A: Floats, backs: list[Floats]) -> Floats:
        """Return the sum over rows of what came back to the keys of each head, by Z."""
        turned = A @ self.query_turn
        return np.concatenate([turned.T @ (back @ self.key_turn) for back in backs], axis=1)


def _values(seen: list[Forward]) -> Floats:
    return np.concatenate([one.values for one in seen], axis=1)


def _changes(seen: list[Forward]) -> Floats:
    return np.concatenate([one.change for one in seen], axis=1)


def _rows(block: Block) -> tuple[Floats, Floats]:
    ((_, X, B),) = block.slices(block.stop - block.start)
    return X, B


@dataclass(frozen=True)
class LayerSlope(_ProductPass, Pass[LayerSlopes]):
    """Finish to the triangle of [U r], from which the best Y follows, and the gradient by Z.

    Parameters
    ----------
    has_slope : bool
        Whether the gradient is asked for, which takes a second sweep in the same look.

    Notes
    -----
    2 n m (d' + p) flops of each head, and for the gradient as many and n m d' more.
    """

    has_slope: bool

    kind: ClassVar[str] = "layer slope"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows."""
        width = sum(self.Y.shape)
        slope, size, R = part or (np.zeros(self.X.shape if self.has_slope else (0, 0)), np.zeros(1), np.zeros((0, width)))
        own, B = _rows(block)
        A = own @ self.basis
        seen = self.forward(A)
        U = _values(seen)
        r = U @ self.Y - B
        if self.has_slope:
            parts = zip(self.cut(A @ self.X), seen, np.split(self.Y, self.heads), strict=True)
            slope += self.gather(A, [sweep_back(self.keys, L, one, r @ mine.T) for L, one, mine in parts])
        for low in range(0, len(A), TILE):
            rows = slice(low, low + TILE)
            R = householder(np.concatenate([R, np.concatenate([U[rows], r[rows]], axis=1)]))
        size += (B**2).sum()
        return slope, size, R

    def merge(self, left: Part, right: Part) -> Part:
        """Add the sums, and return the triangle of two stacked triangles."""
        return left[0] + right[0], left[1] + right[1], householder(np.concatenate([left[2], right[2]]))

    def added(self, part: Part) -> list[Floats]:
        """Return the sums, and the squares of the triangle's columns."""
        return [part[0], part[1], (part[2] ** 2).sum(axis=0)]

    def finish(self, part: Part) -> LayerSlopes:
        """Return the square triangle."""
        slope, size, R = part
        width = R.shape[1]
        return LayerSlopes(slope, np.concatenate([R, np.zeros((width - len(R), width))]), float(size[0]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of X, and the square of those of a row of [U r]."""
        del columns, sides
        return 8 * (self.X.size + sum(self.Y.shape) ** 2 + 1)


@dataclass(frozen=True)
class LayerFollow(_ProductPass, Pass[Floats]):
    """Finish to the change of the gradient by Y along a direction of X, shape (heads · p, k): Σ U_jᵀ(U'_jY), with U' the change of U.

    Parameters
    ----------
    direction : ndarray, shape (d, heads · d')
        Of X.
    is_exact : bool
        Whether Σ U'_jᵀr_j is added, which JᵀJ leaves out.

    Notes
    -----
    One sweep, 2 n m (2 d' + 2 p) flops of each head.
    """

    direction: Floats
    is_exact: bool

    kind: ClassVar[str] = "layer follow"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows."""
        own, B = _rows(block)
        seen = self.forward(own @ self.basis, self.direction)
        U, change = _values(seen), _changes(seen)
        found = U.T @ (change @ self.Y)
        if self.is_exact:
            found += change.T @ (U @ self.Y - B)
        return (found if part is None else part[0] + found,)

    def finish(self, part: Part) -> Floats:
        """Return the sum."""
        return np.asarray(part[0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of Y."""
        del columns, sides
        return 8 * self.Y.size


@dataclass(frozen=True)
class LayerCurve(_ProductPass, Pass[Floats]):
    """Finish to the change of the gradient by Z along a direction of X and Y, shape (d, heads · d').

    Parameters
    ----------
    direction : ndarray, shape (d, heads · d')
        Of X.
    follow : ndarray, shape (heads · p, k)
        Of Y.
    is_exact : bool
        Whether it is the Hessian's rather than that of JᵀJ.

    Notes
    -----
    Two sweeps in one look, 2 n m (4 d' + 3 p) flops of each head; exactly 2 n m (d' + p) more.
    """

    direction: Floats
    follow: Floats
    is_exact: bool

    kind: ClassVar[str] = "layer curve"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows."""
        own, B = _rows(block)
        A = own @ self.basis
        seen = self.forward(A, self.direction)
        U = _values(seen)
        r, change = U @ self.Y - B, _changes(seen) @ self.Y + U @ self.follow
        found = self.gather(A, [self._back(head, A, one, r, change) for head, one in enumerate(seen)])
        return (found if part is None else part[0] + found,)

    def _back(self, head: int, A: Floats, seen: Forward, r: Floats, change: Floats) -> Floats:
        """Return what comes back to the keys of a head: of T_j(U'Y + U C), and of the Hessian besides (T_jr)'."""
        L, D = (self.cut(A @ M)[head] for M in (self.X, self.direction))
        Y, C = (np.split(M, self.heads)[head] for M in (self.Y, self.follow))
        if not self.is_exact:
            return sweep_back(self.keys, L, seen, change @ Y.T)
        return sweep_back(self.keys, L, seen, change @ Y.T + r @ C.T, Bend(D, r @ Y.T))

    def finish(self, part: Part) -> Floats:
        """Return the sum."""
        return np.asarray(part[0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of X."""
        del columns, sides
        return 8 * self.X.size
