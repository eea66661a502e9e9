"""The pass of an attention layer that sums what a certificate needs without a QR: the gradient, what rounding may do, norms of J's columns.

Covariances are swept, as rounding of logits is felt by them, but no matrix of them is summed.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.attention import TILE
from dsketch.passes.base import Part, Pass
from dsketch.passes.layer import LayerPass
from dsketch.passes.layer_sweep import doubt_of
from dsketch.passes.layer_tiles import sweep_squares

_ROW_BYTES = 64_000_000  # of the covariances of rows that are in memory at once


class LayerExtent(NamedTuple):
    """What is known of a layer at (X, Y) besides its Jacobian.

    Attributes
    ----------
    slope, squares : ndarray, shape (d, heads · d')
        Jᵀr by X, and ‖·‖² of the columns of J.
    slope_values, squares_values : ndarray, shapes (heads · p, k) and (heads · p, 1)
        Likewise by Y: columns of J are the same for all k.
    misfit, doubt, target : float
        ‖r‖, how far rounding may have moved f in units of one rounding, ‖B‖.
    """

    slope: Floats
    squares: Floats
    slope_values: Floats
    squares_values: Floats
    misfit: float
    doubt: float
    target: float


@dataclass(frozen=True)
class LayerSizes(LayerPass, Pass[LayerExtent]):
    """Finish to the gradient by X and Y, norms of J's columns, and what rounding may have done.

    Parameters
    ----------
    keys, basis, X, Y
        As in :class:`~dsketch.passes.layer.LayerPass`.

    Notes
    -----
    One sweep with d'p + d' + p + 1 value columns and one with k, of each head.
    """

    kind: ClassVar[str] = "layer sizes"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows."""
        sums = part or tuple(np.zeros(shape) for shape in (self.X.shape, self.X.shape, self.Y.shape, (len(self.Y), 1), 3))
        ((_, own, B),) = block.slices(block.stop - block.start)
        height = min(max(_ROW_BYTES // (8 * len(self.keys.key_mean) * len(self.keys.value_mean)), 1), TILE)
        for low in range(0, len(own), height):
            found = self._sum_up(own[low : low + height] @ self.basis, B[low : low + height])
            sums = tuple(mine + one for mine, one in zip(sums, found, strict=True))
        return sums

    def _sum_up(self, A: Floats, B: Floats) -> tuple[Floats, ...]:
        """Return what some rows add."""
        values, slopes, doubts = [], list[Floats](), list[Floats]()
        for X, Y in zip(self.cut(self.X), np.split(self.Y, self.heads), strict=True):
            L = A @ X
            seen = self.keys.sweep(L)
            squares = sweep_squares(self.keys, L, seen.top, seen.weight, Y)
            doubts.append(doubt_of(self.keys, A, X, L, seen, squares, Y))
            values.append(seen.values)
            slopes.append(seen.covariance @ Y)
        U = np.concatenate(values, axis=1)
        r, doubt = U @ self.Y - B, np.sum(doubts, axis=0)
        slope = np.concatenate([A.T @ (T @ r[:, :, None])[:, :, 0] for T in slopes], axis=1)
        norms = np.concatenate([(A**2).T @ (T**2).sum(axis=2) for T in slopes], axis=1)
        sizes = np.array([(r**2).sum(), (doubt**2).sum(), (B**2).sum()])
        return slope, norms, U.T @ r, (U**2).sum(axis=0)[:, None], sizes

    def finish(self, part: Part) -> LayerExtent:
        """Return roots of sums of squares."""
        slope, squares, slope_values, squares_values, sizes = part
        return LayerExtent(slope, squares, slope_values, squares_values, *np.sqrt(sizes).tolist())

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of X and Y, twice."""
        del columns, sides
        return 16 * (self.X.size + self.Y.size)
