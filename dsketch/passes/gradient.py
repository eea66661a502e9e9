"""The light pass: Aᵀ(b − A x), ‖b − A x‖² and the moments of b, at the speed of reading memory."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch._linalg.tiles import column_tiles, rows_of_tile
from dsketch.matrix.csr_slices import turn
from dsketch.matrix.rows import Block, rows_beside
from dsketch.passes.base import Part, Pass

_SMALLEST = 1e-140  # the squares of smaller numbers are no longer normal


class Slope(NamedTuple):
    """What a gradient pass finds at x.

    ``g`` = Aᵀ(b − A x), shape (d, k); ``rr`` = ‖b − A x‖² by side, shape (k,); ``weight`` the sum of weights, shape (1,); ``mean`` and
    ``spread`` the weighted mean of b and Σ w (b − mean)², each of shape (k,); ``rows`` the number of rows of positive weight, shape
    (1,); ``peak``, shape (k,), a size of √w b that no square can hide: the norm, of a block, or where squares are lost the largest.
    A :class:`BareGradient` finds no ``mean`` and ``spread``: they are empty.
    """

    g: Floats
    rr: Floats
    weight: Floats
    mean: Floats
    spread: Floats
    rows: Floats
    peak: Floats

    @property
    def has_moments(self) -> bool:
        """Whether mean and spread of b were found."""
        return len(self.mean) == len(self.rr)


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
        elif block.sides > block.columns:
            self._map_wide(block, g, rr)
        else:
            for _, X, Y in block.light_slices():
                residual = Y - X @ self.x
                g += turn(X) @ residual
                rr += np.einsum("ij,ij->j", residual, residual)
        return g, rr, *_join_moments(moments, self._moments(block))

    def _map_vector(self, block: Block, g: Floats, rr: Floats) -> None:
        """Do the same with matrix-vector products, which read X at full speed."""
        x = np.ascontiguousarray(self.x[:, 0])
        for _, X, Y in block.light_slices():
            residual = Y[:, 0] - X @ x
            g += turn(X) @ residual if block.is_sparse else residual @ X
            rr += residual @ residual

    def _map_wide(self, block: Block, g: Floats, rr: Floats) -> None:
        """Do the same where b has more columns than A, tile by tile of b."""
        for _, X, Y in block.slices(rows_of_tile(block.sides), sparse=True):
            is_csr = scipy.sparse.issparse(X)
            turned = turn(X) if is_csr else np.ascontiguousarray(X.T)
            for tile in column_tiles(len(Y), Y.shape[1]):
                x, own = self.x[:, tile], Y[:, tile]
                residual = X @ x if is_csr else np.matmul(X, x, out=scratch("residual", own.shape))
                np.subtract(own, residual, out=residual)
                g[:, tile] += turned @ residual
                rr[tile] += np.einsum("ij,ij->j", residual, residual)

    def _moments(self, block: Block) -> tuple[Floats, ...]:
        return moments_of(block)

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


@dataclass(frozen=True)
class BareGradient(Gradient):
    """The same without mean and spread of b, whose two sweeps over it would be half the work where b has more columns than A."""

    kind: ClassVar[str] = "bare gradient"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's gradient and squares, and where these are lost the largest √w |b|."""
        found = super().map(block, part)
        lost, peak = np.flatnonzero(~(found[1] > _SMALLEST**2)), found[-1]
        if lost.size and block.b is not None:
            w = None if block.weights is None else np.sqrt(block.weights.astype(np.float64, copy=False))
            own = _weigh(w, np.abs(block.b[:, lost].astype(np.float64, copy=False))).max(axis=0, initial=0.0)
            peak[lost] = np.maximum(peak[lost], own)
        return found

    def _moments(self, block: Block) -> tuple[Floats, ...]:
        rows, weight = _count(block)
        nothing = np.zeros(self.x.shape[1])
        return weight, nothing, nothing, rows, nothing.copy()

    def finish(self, part: Part) -> Slope:
        """Return the slope; ``mean`` and ``spread`` are empty, ``peak`` is the norm of the residual, or what its square has hidden."""
        slope = Slope(*part)
        return slope._replace(mean=np.zeros(0), spread=np.zeros(0), peak=np.maximum(np.sqrt(slope.rr), slope.peak))


@dataclass(frozen=True)
class Moments(Pass[Slope]):
    """Finish to the moments of b as a :class:`Slope` of no columns.

    One read, of raw chunks of b alone; 5 n k flops, 3 k + 2 numbers a part.
    """

    kind: ClassVar[str] = "moments"

    def map(self, block: Block, part: Part | None) -> Part:
        """Join the block's moments."""
        return _join_moments(part or _no_moments(block.sides), moments_of(block))

    def merge(self, left: Part, right: Part) -> Part:
        """Join the moments of two sets of rows."""
        return _join_moments(left, right)

    def finish(self, part: Part) -> Slope:
        """Return the moments."""
        k = len(part[1])
        return Slope(np.zeros((0, k)), np.zeros(k), *part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 3 k + 2 numbers."""
        del columns
        return 8 * (3 * sides + 2)


def _no_moments(sides: int) -> tuple[Floats, ...]:
    """Return the moments of no rows."""
    return np.zeros(1), np.zeros(sides), np.zeros(sides), np.zeros(1), np.zeros(sides)


def moments_of(block: Block) -> tuple[Floats, ...]:
    """Return weight, mean and spread of the block's b, the number of rows that count and the largest √w |b|, no more at once than fits."""
    height, rows = rows_beside(block.sides), block.stop - block.start
    found = _moments(block, 0, min(height, rows))
    for low in range(height, rows, height):
        found = _join_moments(found, _moments(block, low, min(low + height, rows)))
    return found


def _count(block: Block, low: int = 0, high: int | None = None) -> tuple[Floats, Floats]:
    """Return how many rows count, and the sum of weights, shape (1,) each."""
    if block.weights is None:
        rows = float((block.stop - block.start if high is None else high) - low)
        return np.array([rows]), np.array([rows])
    w = block.weights[low:high].astype(np.float64, copy=False)
    return np.array([float(np.count_nonzero(w))]), w.sum(axis=0)


def _moments(block: Block, low: int, high: int) -> tuple[Floats, ...]:
    b = np.empty((high - low, 0)) if block.b is None else block.b[low:high].astype(np.float64, copy=False)
    w = None if block.weights is None else block.weights[low:high].astype(np.float64, copy=False)
    rows, weight = _count(block, low, high)
    mean = _weigh(w, b).sum(axis=0) / max(weight[0], np.finfo(float).tiny)
    spread = _weigh(w, (b - mean) ** 2).sum(axis=0)
    peak = np.sqrt(spread + weight * mean**2)
    if not (peak > _SMALLEST).all():
        peak = _weigh(None if w is None else np.sqrt(w), np.abs(b)).max(axis=0, initial=0.0)
    return weight, mean, spread, rows, peak


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
