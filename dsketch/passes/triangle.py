"""The one-pass tall-skinny QR of [A b]: only R, leaves in cache, triangles merged along the fixed tree.

R of [A b] is a sufficient statistic: least squares, every ridge, minimum norm, singular values, residual norms, covariance.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM J. Sci.
Comput. 34, 2012.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.householder import CHOLESKY_FROM_COLUMNS, householder, randomized_cholesky
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.sketch.size import rows_for
from dsketch.sketch.sparse_sign import SparseSign

_HOUSEHOLDER_ROWS = 8  # a slice of 8 d rows stays in cache, and the tree above it adds a seventh to the work
_CHILDREN = 8  # a node has eight: rounding errors grow with the depth of the tree, and a flat chain of N slices would cost √N
_CHOLESKY_ROWS = 32  # for a slice of 32 d rows the sketch (4 d rows) and its QR are an eighth of the work


@dataclass(frozen=True)
class Triangle(Pass[Floats]):
    """Finish to R of [A b], shape (d + k, d + k), upper triangular.

    Parameters
    ----------
    seed : int
        Of the sketches inside the leaves.

    Notes
    -----
    One read, about 2 n (d + k)² flops, (d + k)² numbers a part.  Normwise and columnwise backward stable: the condition number does
    not enter.
    """

    seed: int = 0

    kind: ClassVar[str] = "triangle"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the triangle of the block's rows: leaves, then a tree with eight children a node."""
        d = block.columns
        rows = (_CHOLESKY_ROWS if d >= CHOLESKY_FROM_COLUMNS else _HOUSEHOLDER_ROWS) * d
        leaves = (self._leaf(np.concatenate([X, Y], axis=1), start) for start, X, Y in block.slices(rows))
        R = _root(leaves)
        return (R,) if part is None else self.merge(part, (R,))

    def _leaf(self, Z: Floats, start: int) -> Floats:
        if Z.shape[1] >= CHOLESKY_FROM_COLUMNS and Z.shape[0] >= _HOUSEHOLDER_ROWS * Z.shape[1]:
            return self._shrink(Z, start)
        return householder(Z)

    def _shrink(self, Z: Floats, start: int) -> Floats:
        """Return the triangle of a tall slice."""
        sketch = SparseSign(rows_for(Z.shape[1], 2, "sparse_sign"), self.seed, nonzeros=8)
        return randomized_cholesky(Z, sketch.operator(start, start + Z.shape[0])(Z))

    def merge(self, left: Part, right: Part) -> Part:
        """Return the triangle of two stacked triangles."""
        return (householder(np.concatenate([left[0], right[0]])),)

    def added(self, part: Part) -> list[Floats]:
        """Return the squares of R's columns, and of R times alternating signs over √d, so that rounding is a few d u of either."""
        R: Floats = part[0]
        d = R.shape[1]
        return [(R**2).sum(axis=0), np.array([((R @ np.where(np.arange(d) % 2, -1.0, 1.0)) ** 2).sum() / np.sqrt(d)])]

    def finish(self, part: Part) -> Floats:
        """Return R, padded with zero rows to a square."""
        R: Floats = part[0]
        return np.concatenate([R, np.zeros((max(R.shape[1] - R.shape[0], 0), R.shape[1]))])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return (d + k)² numbers."""
        return 8 * (columns + sides) ** 2


def _root(leaves: Iterator[Floats]) -> Floats:
    """Return the triangle of all leaves by a tree with ``_CHILDREN`` children a node, built as they come."""
    levels: list[list[Floats]] = [[]]
    for leaf in leaves:
        levels[0].append(leaf)
        height = 0
        while len(levels[height]) == _CHILDREN:
            if height + 1 == len(levels):
                levels.append([])
            levels[height + 1].append(householder(np.concatenate(levels[height])))
            levels[height] = []
            height += 1
    rest: list[Floats] = []
    for level in levels:
        rest = [*level, *rest]
        rest = [householder(np.concatenate(rest))] if len(rest) > 1 else rest
    return rest[0]
