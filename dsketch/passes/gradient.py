"""The light pass: Aᵀ(b − A x), ‖b − A x‖² and the moments of b, at the speed of reading memory."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass

_SMALLEST = 1e-140  # the squares of smaller numbers are no longer normal


class Slope(NamedTuple):
    """What a gradient pass finds at x.

    ``g`` = Aᵀ(b − A x), shape (d, k); ``rr`` = ‖b − A x‖² by side, shape (k,); ``weight`` the sum of weights, shape (1,); ``mean`` and
    ``spread`` the weighted mean of b and Σ w (b − mean)², each of shape (k,); ``rows`` the number of rows of positive weight, shape
    (1,); ``peak``, shape (k,), a size of √w b that no square can hide: the norm, of a block, or where squares are lost the largest.
    """

    g: Floats
    rr: Floats
    weight: Floats
    mean: Floats
    spread: Floats
    rows: Floats
    peak: Floats


@dataclass(frozen=True)
class Gradient(Pass[Slope]):
    """Residual and its projection on the columns.

    Parameters
    ----------
    x : ndarray, shape (d, k)
        Travels to every worker once.  Where b has one column, x may have more: the points of a path.

    Notes
    -----
    One read, 4 n d k flops, k (d + 5) numbers a part.  Slices stay in the second-level cache between the two products, so A
    comes from memory once.
    """

    x: Floats

    kind: ClassVar[str] = "gradient"
    takes_sparse: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's Xᵀ(Y − X x), its squares and its moments."""
        k = self.x.shape[1]
        g, rr, *moments = part or (np.zeros(self.x.shape), np.zeros(k), *_no_moments(k))
        if k == 1:
            self._map_vector(block, g[:, 0], rr)
        else:
            for _, X, Y in block.slices(sparse=True):
                residual = Y - X @ self.x
                g += X.T @ residual
                rr += np.einsum("ij,ij->j", residual, residual)
        return g, rr, *_join_moments(moments, _moments(block))

    def _map_vector(self, block: Block, g: Floats, rr: Floats) -> None:
        """Do the same with matrix-vector products, which read X at full speed."""
        x = np.ascontiguousarray(self.x[:, 0])
        for _, X, Y in block.slices(sparse=True):
            residual = Y[:, 0] - X @ x
            g += residual @ X
            rr += residual @ residual

    def merge(self, left: Part, right: Part) -> Part:
        """Add gradients and squares; join the moments."""
        return left[0] + right[0], left[1] + right[1], *_join_moments(left[2:], right[2:])

    def added(self, part: Part) -> list[Floats]:
        """Return gradients and squares."""
        return list(part[:2])

    def finish(self, part: Part) -> Slope:
        """Return the slope."""
        return Slope(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return k (d + 5) numbers, k the columns of x."""
        return 8 * max(sides, int(self.x.shape[1])) * (columns + 5)


def _no_moments(sides: int) -> tuple[Floats, ...]:
    """Return the moments of no rows."""
    return np.zeros(1), np.zeros(sides), np.zeros(sides), np.zeros(1), np.zeros(sides)


def _moments(block: Block) -> tuple[Floats, ...]:
    """Return weight, mean and spread of the block's b, the number of rows that count and the largest √w |b|."""
    b = np.empty((block.stop - block.start, 0)) if block.b is None else block.b.astype(np.float64, copy=False)
    w = None if block.weights is None else block.weights.astype(np.float64, copy=False)
    rows = len(b) if w is None else np.count_nonzero(w)
    weight = np.array([float(rows)]) if w is None else w.sum(axis=0)
    mean = _weigh(w, b).sum(axis=0) / max(weight[0], np.finfo(float).tiny)
    spread = _weigh(w, (b - mean) ** 2).sum(axis=0)
    peak = np.sqrt(spread + weight * mean**2)
    if not (peak > _SMALLEST).all():
        peak = _weigh(None if w is None else np.sqrt(w), np.abs(b)).max(axis=0, initial=0.0)
    return weight, mean, spread, np.array([float(rows)]), peak


def _weigh(w: Floats | None, b: Floats) -> Floats:
    """Return w b."""
    return b if w is None else w * b


def _join_moments(left: Part, right: Part) -> tuple[Floats, ...]:
    """Return the moments of two sets of rows.

    T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", The American Statistician, 1983.
    """
    weight, rows, peak = left[0] + right[0], left[3] + right[3], np.maximum(left[4], right[4])
    if not weight[0]:
        return left[0], left[1], left[2], rows, peak
    shift = right[1] - left[1]
    mean = left[1] + shift * (right[0] / weight)
    return weight, mean, left[2] + right[2] + shift**2 * (left[0] * right[0] / weight), rows, peak
