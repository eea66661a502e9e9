"""Passes that count their roundings on the way: how deep the sums of a part really are, whatever the chunks and the workers.

A bound on the rounding of a sum needs the number of additions that stand one above the other.  It depends on the height of slices, on how
many blocks a panel has and on the tree of panels; here it is counted as the sums are made, and travels with the part.

References
----------
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002, Sections 3.1 (γₙ) and 19.3 (Householder QR).
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, SlicePass
from dsketch.passes.gram import Gram
from dsketch.passes.triangle import CHILDREN, Reduced, Triangle

_HOUSEHOLDER = (
    8  # c of c·m·n·u: what a reflector of m rows, applied, moves a column by at most, relative to its norm, is (8 m + 61) u
)


class CountedGram(NamedTuple):
    """AᵀA, Aᵀb and bᵀb as :class:`~dsketch.passes.gram.Gram` has them, and ``depth``: the most roundings that one product went through."""

    G: Floats
    c: Floats
    bb: Floats
    depth: float


@dataclass(frozen=True)
class GramDepth(SlicePass[CountedGram]):
    """Finish to the Gram matrix with the depth of its sums.

    A product is rounded once, added to others of its slice (of h rows, in any order: h roundings at most), and its slice to a panel
    and that to others.
    """

    inner: Gram = field(default_factory=Gram)

    kind: ClassVar[str] = "gram"
    takes_sparse: ClassVar[bool] = True

    def zero(self, columns: int, sides: int) -> Part:
        """Return the part of no rows, with no slice yet: of what height, and how many sums above."""
        return self.inner.zero(columns, sides), np.zeros(2)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the slice, and count it."""
        own, depth = part
        self.inner.add(own, start, X, Y)
        rows = X.shape[0] * (2 if scipy.sparse.issparse(X) else 1)  # CSR rows may be made dense in turns: one sum more for each
        depth[0] = max(depth[0], rows)
        depth[1] += 1

    def merge(self, left: Part, right: Part) -> Part:
        """Merge the products; the deeper of both is one sum deeper."""
        depth = np.maximum(left[1], right[1]) + np.array([0.0, 1.0])
        return self.inner.merge(left[0], right[0]), depth

    def added(self, part: Part) -> list[Floats]:
        """Return the products."""
        return self.inner.added(part[0])

    def end_panel(self, part: Part) -> Part:
        """End it as the products do."""
        return self.inner.end_panel(part[0]), part[1]

    def finish(self, part: Part) -> CountedGram:
        """Return the products and their depth."""
        return CountedGram(*self.inner.finish(part[0]), float(part[1].sum()))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return those of the products, and two numbers."""
        return self.inner.part_bytes(columns, sides) + 16


@dataclass(frozen=True)
class TriangleDepth(Pass[tuple[Reduced, float]]):
    """Finish to the triangle of [A b] and how far its QRs together may have moved a column, relative to its norm, in units of u.

    Of leaves by Householder QR alone; others count as infinitely deep.
    """

    inner: Triangle

    kind: ClassVar[str] = "triangle"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the triangle of the block, and what its leaves and the tree above them add."""
        found = self.inner.map(block, None), np.array([self._depth(block)])
        return found if part is None else self.merge(part, found)

    def _depth(self, block: Block) -> float:
        d, k, rows = block.columns, block.sides, block.stop - block.start
        height = min(self.inner.leaf_rows(d, k), rows)
        if k > d or not self.inner.has_plain_leaves(d, k, height):
            return float("inf")
        leaves, levels = -(-rows // height), 0
        while leaves > 1:
            leaves, levels = -(-leaves // CHILDREN), levels + 1
        return reflections(height, d + k) + (levels + 1) * reflections(CHILDREN * (d + k), d + k)

    def merge(self, left: Part, right: Part) -> Part:
        """Merge the triangles by one QR more."""
        own = self.inner.merge(left[0], right[0])
        columns = own[0].shape[1]
        return own, np.maximum(left[1], right[1]) + reflections(2 * columns, columns)

    def added(self, part: Part) -> list[Floats]:
        """Return what adds of the triangle."""
        return self.inner.added(part[0])

    def finish(self, part: Part) -> tuple[Reduced, float]:
        """Return the triangle and its depth."""
        return self.inner.finish(part[0]), float(part[1][0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return those of the triangle, and a number."""
        return self.inner.part_bytes(columns, sides) + 8


def reflections(rows: int, columns: int) -> float:
    """Return how far a Householder QR of so many rows may move a column, relative to its norm, in units of u.

    >>> reflections(800, 100)
    646100.0
    """
    return float(min(rows, columns) * (_HOUSEHOLDER * rows + 61))
