"""Sweeps of the gradient of softmax attention: what a loss with the gradient dY at Y = S V, S = softmax(s Q Kᵀ), has at Q, K and V.

With P = dY Vᵀ and D = rowsum(dY ∘ Y), which is rowsum(S ∘ P): dV = Sᵀ dY, and with E = S ∘ (P − D 1ᵀ) dQ = s E K, dK = s Eᵀ Q.  A sweep
of its own keeps of each row of Q the logarithm of its sum of weights and its D; then a tile of S is exp(z − log-sum), made again where it
is used.

References
----------
T. Dao, D. Y. Fu, S. Ermon, A. Rudra, C. Ré, "FlashAttention: fast and memory-efficient exact attention with IO-awareness", NeurIPS 2022
(appendix B).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.matrix.rows import Block
from dsketch.passes.attention import SoftmaxRows
from dsketch.passes.base import Part
from dsketch.passes.rowwise import RowPass
from dsketch.passes.sight import Sight, tiles
from dsketch.passes.spans import Spans

WANTED = ("Q", "K", "V")  # of what a gradient is taken


@dataclass(frozen=True)
class SoftmaxStatistics(SoftmaxRows):
    """Finish to the logarithms of the sums of weights, and to D, of rows of Q with those of dY beside them, shape (n, 2 heads).

    Notes
    -----
    A sweep as attention itself; two numbers a row and head.
    """

    kind: ClassVar[str] = "softmax statistics"

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        ((start, X, dY),) = block.slices(block.stop - block.start)
        sums, top = self.sum_up(start, X)
        weight = sums[:, :, -1]
        log_sum = np.log(weight) + (0.0 if self.is_tame else top[:, :, 0])
        Y = np.moveaxis(sums[:, :, :-1] / weight[:, :, None], 0, 1)
        D = np.einsum("ihp,ihp->ih", dY.reshape(Y.shape), Y)
        own = (np.concatenate([log_sum.T, D], axis=1),)
        return own if part is None else self.merge(part, own)


@dataclass(frozen=True)
class SoftmaxGradient(RowPass):
    """Finish to dQ, dK or dV by rows.

    Parameters
    ----------
    wanted : {"Q", "K", "V"}
    others : Spans
        For dQ, of rows of Q with those of dY beside them: K and V.  For dK and dV, of rows of K with those of V beside them: Q and dY.
    statistics : ndarray, shape (n, 2 heads)
        By :class:`SoftmaxStatistics`.
    heads : int
    offset : int or None
        Row i of Q sees rows 0 … i + offset of K and V; None: all of them.
    tile : int
    scale : float
        s.

    Notes
    -----
    n m weights of each head, made again; 2 n m (2 d + p) flops for dQ and dK, 2 n m (d + p) for dV.
    """

    wanted: str
    others: Spans
    statistics: Floats
    heads: int
    offset: int | None
    tile: int
    scale: float

    kind: ClassVar[str] = "softmax gradient"

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the gradient at the first rows of all."""
        return self.gradient(0, X, Y)

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        ((start, X, Y),) = block.slices(block.stop - block.start)
        own = (self.gradient(start, X, Y),)
        return own if part is None else self.merge(part, own)

    def gradient(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the gradient at rows ``start …``, with what lies beside them."""
        sight = Sight(self.offset, self.wanted != "Q")
        first, end = sight.reach(start, start + len(X), self.others.rows)
        out = np.zeros((len(X), self.others.matrices[1 if self.wanted == "V" else 0].shape[1]))
        L = X * self.scale
        for left in range(first // self.others.height * self.others.height, end, self.others.height):
            Z, W = self.others.read(left, min(left + self.others.height, self.others.rows))
            for head in range(self.heads):
                self._sweep(sight, head, (start, L, Y), (left, Z, W), out)
        if self.wanted != "V":
            out *= self.scale
        return out

    def _sweep(
        self, sight: Sight, head: int, rows: tuple[int, Floats, Floats], others: tuple[int, Floats, Floats], out: Floats
    ) -> None:
        """Add what one head has of one span."""
        (start, L, Y), (left, Z, W) = rows, others
        wide, deep = self._columns(L, head), self._columns(Y, head)
        mine = deep if self.wanted == "V" else wide
        carried = W if self.wanted == "V" else Z
        for own, other, hidden in tiles(sight, (start, len(L)), (left, len(Z)), self.tile):
            shape = (own.stop - own.start, other.stop - other.start)
            T = np.matmul(L[own, wide], Z[other, wide].T, out=scratch("tile", shape))
            log_sum, D = self._statistics(head, start, own, left, other)
            T -= log_sum
            if hidden is not None:
                np.copyto(T, -np.inf, where=hidden)
            np.exp(T, out=T)
            if self.wanted != "V":
                P = np.matmul(Y[own, deep], W[other, deep].T, out=scratch("second tile", shape))
                P -= D
                T *= P
            out[own, mine] += np.matmul(T, carried[other, mine], out=scratch("tile sums", (shape[0], mine.stop - mine.start)))

    def _columns(self, X: Floats, head: int) -> slice:
        width = X.shape[1] // self.heads
        return slice(head * width, (head + 1) * width)

    def _statistics(self, head: int, start: int, own: slice, left: int, other: slice) -> tuple[Floats, Floats]:
        """Return the statistics of a tile's rows of Q, as columns or as rows."""
        low, part = (start, own) if self.wanted == "Q" else (left, other)
        log_sum, D = (self.statistics[low + part.start : low + part.stop, column] for column in (head, self.heads + head))
        return (log_sum[:, None], D[:, None]) if self.wanted == "Q" else (log_sum, D)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        return 8 * (sides if self.wanted == "V" else columns) * 4096
