"""The one-pass tall-skinny QR A = Q R: R, Qᵀb and the squares of what is left of b; leaves in cache, merged along the fixed tree.

These are a sufficient statistic for each column of b: least squares, every ridge, minimum norm, singular values, residual norms.  Rows
below the d-th of a triangle of [A b] never mix back, so that of them a sum of squares is kept for each column and nothing else.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM J. Sci.
Comput. 34, 2012.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.householder import CHOLESKY_FROM_COLUMNS, householder, randomized_cholesky
from dsketch._linalg.scratch import scratch
from dsketch._linalg.tiles import column_tiles, rows_of_tile
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.sketch.size import rows_for
from dsketch.sketch.sparse_sign import SparseSign

_HOUSEHOLDER_ROWS = 8  # a slice of 8 d rows stays in cache, and the tree above it adds a seventh to the work
_LEAST_ROWS = 128  # of a slice beside a few columns: its QR is then more than the call of it
CHILDREN = 8  # a node has eight: rounding errors grow with the depth of the tree, and a flat chain of N slices would cost √N
_CHOLESKY_ROWS = 32  # for a slice of 32 d rows the sketch (4 d rows) and its QR are an eighth of the work


class Reduced(NamedTuple):
    """What a QR of A leaves of [A b].

    ``R``, shape (d, d), upper triangular, A = Q R; ``z`` = Qᵀb, shape (d, k); ``rr`` = ‖b − Q Qᵀb‖², shape (k,).
    """

    R: Floats
    z: Floats
    rr: Floats

    @property
    def rest(self) -> Floats:
        """‖b − Q Qᵀb‖ of each right-hand side, shape (k,)."""
        return np.asarray(np.sqrt(self.rr))


@dataclass(frozen=True)
class Triangle(Pass[Reduced]):
    """Finish to R, Qᵀb and the squares of the rest of b.

    Parameters
    ----------
    seed : int
        Of the sketches inside the leaves.

    Notes
    -----
    One read, about 2 n d (d + 2 k) flops, d (d + k) + k numbers a part.  Normwise and columnwise backward stable: the condition number
    does not enter.  The squares are sums of squares of what is left, never a difference of squares.
    """

    seed: int = 0

    kind: ClassVar[str] = "triangle"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the triangle of the block's rows: leaves, then a tree with eight children a node."""
        rows = self.leaf_rows(block.columns, block.sides)
        leaves = (self._leaf(X, Y, start) for start, X, Y in block.slices(rows))
        found = _root(leaves)
        return found if part is None else self.merge(part, found)

    def leaf_rows(self, columns: int, sides: int) -> int:
        """Return the most rows of a leaf."""
        rows = (_CHOLESKY_ROWS if columns >= CHOLESKY_FROM_COLUMNS else _HOUSEHOLDER_ROWS) * columns
        return max(rows, _LEAST_ROWS if sides <= columns else rows_of_tile(sides))

    def has_plain_leaves(self, columns: int, sides: int, rows: int) -> bool:
        """Return whether leaves of so many rows are made by Householder QR."""
        width = columns + sides
        return not (width >= CHOLESKY_FROM_COLUMNS and rows >= _HOUSEHOLDER_ROWS * width)

    def _leaf(self, X: Floats, Y: Floats, start: int) -> Part:
        d = X.shape[1]
        if Y.shape[1] > d:
            return _split(X, Y)
        Z = np.concatenate([X, Y], axis=1)
        return _cut(householder(Z) if self.has_plain_leaves(d, Y.shape[1], len(Z)) else self._shrink(Z, start), d)

    def _shrink(self, Z: Floats, start: int) -> Floats:
        """Return the triangle of a tall slice."""
        sketch = SparseSign(rows_for(Z.shape[1], 2, "sparse_sign"), self.seed, nonzeros=8)
        return randomized_cholesky(Z, sketch.operator(start, start + Z.shape[0])(Z))

    def merge(self, left: Part, right: Part) -> Part:
        """Return the triangle of two stacked triangles."""
        return _stack([left, right])

    def added(self, part: Part) -> list[Floats]:
        """Return the squares of the columns, and of R times alternating signs over √d, so that rounding is a few d u of either."""
        T, rr = part
        d = T.shape[1] - len(rr)
        squares = np.einsum("ij,ij->j", T, T)
        squares[d:] += rr
        return [squares, np.array([((T[:, :d] @ np.where(np.arange(d) % 2, -1.0, 1.0)) ** 2).sum() / np.sqrt(d)])]

    def finish(self, part: Part) -> Reduced:
        """Return what is left of [A b]; R and Qᵀb of few rows are padded with zero rows."""
        T, rr = part
        d = T.shape[1] - len(rr)
        T = np.concatenate([T, np.zeros((max(d - T.shape[0], 0), T.shape[1]))])
        return Reduced(T[:, :d], T[:, d:], rr)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d (d + k) + k numbers."""
        return 8 * (columns * (columns + sides) + sides)


@dataclass(frozen=True)
class JointTriangle(Triangle):
    """Finish to R of [A b] as one matrix of d + k columns, for what asks how columns of b depend on each other; (d + k)² numbers a part."""

    kind: ClassVar[str] = "joint triangle"

    def _leaf(self, X: Floats, Y: Floats, start: int) -> Part:
        return super()._leaf(np.concatenate([X, Y], axis=1), np.empty((len(Y), 0)), start)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return (d + k)² numbers."""
        return 8 * (columns + sides) ** 2


def join_rows_below(found: Reduced, X: Floats, Y: Floats) -> Reduced:
    """Return what a QR leaves of [A b] with the rows [X Y] below."""
    T, rr = _stack([(np.concatenate([found.R, found.z], axis=1), found.rr), (np.concatenate([X, Y], axis=1), 0.0 * found.rr)])
    return Reduced(T[:, : X.shape[1]], T[:, X.shape[1] :], rr)


def _cut(R: Floats, columns: int) -> Part:
    """Return a triangle of [A b] as a part: its first d rows, and the squares of what is below them."""
    below = R[columns:, columns:]
    return np.ascontiguousarray(R[:columns]), np.einsum("ij,ij->j", below, below)


def _split(X: Floats, Y: Floats) -> Part:
    """Return the part of rows with more right-hand sides than columns: Y is not made triangular, and not copied."""
    rows, d = X.shape
    Q, R = np.linalg.qr(X)
    T, rr = np.empty((len(R), d + Y.shape[1])), np.zeros(Y.shape[1])
    T[:, :d] = R
    back = np.ascontiguousarray(Q.T)
    for tile in column_tiles(rows, Y.shape[1]):
        own = Y[:, tile]
        z = T[:, d:][:, tile]
        z[...] = back @ own
        if rows > d:
            left = np.matmul(Q, z, out=scratch("left", own.shape))
            np.subtract(own, left, out=left)
            rr[tile] = np.einsum("ij,ij->j", left, left)
    return T, rr


def _stack(parts: list[Part]) -> Part:
    """Return the part of the rows of several."""
    T, rr = np.concatenate([part[0] for part in parts]), np.sum([part[1] for part in parts], axis=0)
    d = T.shape[1] - len(rr)
    if len(rr) > d:
        T, more = _split(T[:, :d], T[:, d:])
    else:
        T, more = _cut(householder(T), d)
    return T, rr + more


def _root(leaves: Iterable[Part]) -> Part:
    """Return the part of all leaves by a tree with ``CHILDREN`` children a node, built as they come."""
    levels: list[list[Part]] = [[]]
    for leaf in leaves:
        levels[0].append(leaf)
        height = 0
        while len(levels[height]) == CHILDREN:
            if height + 1 == len(levels):
                levels.append([])
            levels[height + 1].append(_stack(levels[height]))
            levels[height] = []
            height += 1
    rest: list[Part] = []
    for level in levels:
        rest = [*level, *rest]
        rest = [_stack(rest)] if len(rest) > 1 else rest
    return rest[0]
