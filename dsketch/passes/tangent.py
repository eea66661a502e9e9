"""Any pass on the rows of the tangent problem: √(w h) a, right side −√w r/√h, at one x of a smooth problem.

Its least-squares solution is the Newton step, its triangle the factor of the Hessian √H A without squaring, its sketch a Newton sketch, its
sandwich the robust covariance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.matrix.beside import Places
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.linked import predictor

_ROWS_PER_COLUMN = 64  # what the inner pass is handed at once: enough for two levels of its tree of triangles
_LEAST_ROWS = 4096
_SMALL = 1e-300  # a curvature below counts as none


@dataclass(frozen=True)
class Tangent(Pass[Any]):
    """Finish to what ``inner`` makes of the tangent rows.

    Parameters
    ----------
    inner : Pass
        Any pass but one that reads other rows besides.
    loss : Loss
    places : Places
        Of y, offset, weights and frequencies among the columns of b.
    x : ndarray, shape (d, outputs)
    is_expected : bool
        Whether curvatures are those expected given η.
    begins : bool
        As in :class:`~dsketch.passes.linked.Linked`: η is the loss's own beginning, and the right side −r/√h + √h (η − offset).

    Notes
    -----
    One read; the inner pass's cost and parts.  Of several outputs a row of A gives ``outputs`` rows with d · outputs columns, by a Cholesky
    factor of its curvature; rows of curvature 0 give rows of 0.
    """

    inner: Pass[Any]
    loss: Loss
    places: Places
    x: Floats
    is_expected: bool = False
    begins: bool = False

    kind: ClassVar[str] = "tangent"

    @property
    def accumulates(self) -> bool:  # type: ignore[override]  # of the inner pass, which every reader asks the instance
        """Whether blocks of a panel are added into one part: as the inner pass has it."""
        return self.inner.accumulates

    def map(self, block: Block, part: Part | None) -> Part:
        """Hand the tangent rows to the inner pass."""
        for rows in self._tangent(block):
            part = self.inner.map(rows, part)
        return part

    def _tangent(self, block: Block) -> Iterator[Block]:
        q = self.x.shape[1]
        height = max(_ROWS_PER_COLUMN * block.columns, _LEAST_ROWS) // q + 1
        is_csr = block.is_sparse and self.inner.takes_sparse and q == 1
        for start, X, Y in block.slices(height, sparse=is_csr):
            slope, curvature = self._derivatives(start, X, Y)
            if q == 1:
                roots, right = _by_roots(slope[:, 0], curvature)
                yield Block(start, start + len(Y), _times(roots, X), right, None, False)
            else:
                L, right = _by_factors(slope, curvature)
                wide = np.einsum("ilk,ij->iklj", L, X).reshape(len(Y) * q, q * X.shape[1])
                yield Block(start * q, (start + len(Y)) * q, wide, right.reshape(-1, 1), None, False)

    def _derivatives(self, start: int, X: Any, Y: Floats) -> tuple[Floats, Floats]:
        """Return w r and w h."""
        y, weight, offset = Y[:, 0], self.places.weight(Y), self.places.of("offset", Y)
        self.loss.require(y, start)
        eta = self.loss.start(y)[:, None] if self.begins else predictor(X, self.x, offset)
        terms = self.loss.terms(eta, y)
        slope = terms.slope
        curvature = self.loss.expected_curvature(eta) if self.is_expected else terms.curvature
        if self.begins:
            slope = slope - curvature[:, None] * (eta if offset is None else eta - offset[:, None])
        if weight is None:
            return slope, curvature
        return slope * weight[:, None], curvature * (weight if curvature.ndim == 1 else weight[:, None, None])

    def merge(self, left: Part, right: Part) -> Part:
        """Merge as the inner pass does."""
        return self.inner.merge(left, right)

    def added(self, part: Part) -> list[Floats]:
        """Return the inner pass's."""
        return self.inner.added(part)

    def finish(self, part: Part) -> Any:
        """Finish as the inner pass does."""
        return self.inner.finish(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the inner pass's parts."""
        del sides
        return self.inner.part_bytes(columns * int(self.x.shape[1]), 1)

    def names(self) -> str:
        """Return the inner kind, of the tangent."""
        return f"{self.kind} {self.inner.names()}"


def _times(roots: Floats, X: Any) -> Any:
    """Return the rows times their roots, dense or CSR."""
    if scipy.sparse.issparse(X):
        return scipy.sparse.csr_array((X.data * np.repeat(roots, np.diff(X.indptr)), X.indices, X.indptr), shape=X.shape)
    return X * roots[:, None]


def _by_roots(slope: Floats, curvature: Floats) -> tuple[Floats, Floats]:
    """Return √h and the right side −r/√h, shapes (rows,) and (rows, 1); 0 where h is."""
    roots = np.sqrt(np.maximum(curvature, 0.0))
    right = np.where(curvature > _SMALL, -slope / np.maximum(roots, np.sqrt(_SMALL)), 0.0)
    return roots, right[:, None]


def _by_factors(slope: Floats, curvature: Floats) -> tuple[Floats, Floats]:
    """Return lower L with LLᵀ = h, shape (rows, q, q), and the right side −L⁻¹r, shape (rows, q).

    Column by column for all rows at once; a pivot that rounding has brought to 0 or below gives a column of 0.
    """
    rows, q = slope.shape
    L, right = np.zeros((rows, q, q)), np.zeros((rows, q))
    for k in range(q):
        column = curvature[:, k:, k] - np.einsum("im,ijm->ij", L[:, k, :k], L[:, k:, :k])
        pivot = np.sqrt(np.maximum(column[:, 0], 0.0))
        is_there = column[:, 0] > _SMALL
        safe = np.where(is_there, pivot, 1.0)
        L[:, k:, k] = np.where(is_there[:, None], column / safe[:, None], 0.0)
        rest = -slope[:, k] - np.einsum("im,im->i", L[:, k, :k], right[:, :k])
        right[:, k] = np.where(is_there, rest / safe, 0.0)
    return L, right
