"""Sweeps of the gradient of softmax attention: what a loss with the gradient dY at Y = S V, S = softmax(s Q Kᵀ), has at Q, K and V.

With P = dY Vᵀ and D = rowsum(dY ∘ Y), which is rowsum(S ∘ P): dV = Sᵀ dY, and with E = S ∘ (P − D 1ᵀ) dQ = s E K, dK = s Eᵀ Q.  A sweep
of its own keeps of each row of Q the logarithm of its sum of weights and its D; then a tile of S is exp(z − log-sum), made again where it
is used.

References
----------
T. Dao, D. Y. Fu, S. Ermon, A. Rudra, C. Ré, "FlashAttention: fast and memory-efficient exact attention with IO-awareness", NeurIPS 2022
(appendix B).
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.matrix.rows import Block
from dsketch.passes.attention import SoftmaxRows
from dsketch.passes.base import Part, Pass
from dsketch.passes.rowwise import PlacedRowPass
from dsketch.passes.sight import Hidden, Sight, tiles
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


class Meeting(NamedTuple):
    """A tile: its head, places in the block and in a span that begins at ``left``, the tile, what is not seen, and both of the span."""

    head: int
    own: slice
    left: int
    other: slice
    T: Floats
    hidden: Hidden
    Z: Floats
    W: Floats


@dataclass(frozen=True)
class Meetings:
    """What passes of a gradient share: tiles in which rows meet all that they see, made again.

    Parameters
    ----------
    wanted : {"Q", "K", "V"}
    others : Spans
        For dQ, of rows of Q with those of dY beside them: K and V.  For dK and dV, of rows of K with those of V beside them: Q and dY.
    statistics : ndarray, shape (n, numbers · heads)
        What is known of the rows of Q.
    heads : int
    offset : int or None
        Row i of Q sees rows 0 … i + offset of K and V; None: all of them.
    tile : int
    """

    wanted: str
    others: Spans
    statistics: Floats
    heads: int
    offset: int | None
    tile: int

    @abstractmethod
    def own_rows(self, X: Floats) -> Floats:
        """Return rows of a block as they are multiplied."""

    def other_rows(self, Z: Floats) -> Floats:
        """Return rows of a span likewise."""
        return Z

    def meet(self, start: int, X: Floats) -> Iterator[Meeting]:
        """Yield the tiles of products of rows ``start …`` and all that they see; each until the next is asked for."""
        sight = Sight(self.offset, self.wanted != "Q")
        first, end = sight.reach(start, start + len(X), self.others.rows)
        L, height = self.own_rows(X), self.others.height
        for left in range(first // height * height, end, height):
            Z, W = self.others.read(left, min(left + height, self.others.rows))
            Z = self.other_rows(Z)
            for head in range(self.heads):
                wide = self.columns(L, head)
                for own, other, hidden in tiles(sight, (start, len(L)), (left, len(Z)), self.tile):
                    T = scratch("tile", (own.stop - own.start, other.stop - other.start))
                    np.matmul(L[own, wide], Z[other, wide].T, out=T)
                    yield Meeting(head, own, left, other, T, hidden, Z, W)

    def columns(self, X: Floats, head: int) -> slice:
        """Return the columns of a head."""
        width = X.shape[1] // self.heads
        return slice(head * width, (head + 1) * width)

    def statistic(self, number: int, start: int, met: Meeting) -> Floats:
        """Return a statistic of a tile's rows of Q, as a column or as a row."""
        low, part = (start, met.own) if self.wanted == "Q" else (met.left, met.other)
        found = self.statistics[low + part.start : low + part.stop, number * self.heads + met.head]
        return found[:, None] if self.wanted == "Q" else found


@dataclass(frozen=True)
class TileGradient(Meetings, PlacedRowPass):
    """Finish to dQ, dK or dV by rows, from tiles of weights; the first two statistics are what weights are relative to, and D."""

    @abstractmethod
    def weigh(self, start: int, met: Meeting) -> None:
        """Turn a tile of products into what the gradient is summed with, in place: for dV shares, else their slopes, before P − D."""

    @abstractmethod
    def conclude(self, X: Floats, out: Floats) -> None:
        """Bring sums to the units of X, in place."""

    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the gradient at rows ``start …``, with what lies beside them."""
        of_values = self.wanted == "V"
        out = np.zeros((len(X), self.others.matrices[1 if of_values else 0].shape[1]))
        for met in self.meet(start, X):
            self.weigh(start, met)
            T, own, other = met.T, met.own, met.other
            if not of_values:
                deep = self.columns(Y, met.head)
                P = np.matmul(Y[own, deep], met.W[other, deep].T, out=scratch("second tile", (T.shape[0], T.shape[1])))
                P -= self.statistic(1, start, met)
                T *= P
            carried, mine = met.W if of_values else met.Z, self.columns(out, met.head)
            out[own, mine] += np.matmul(T, carried[other, mine], out=scratch("tile sums", (len(T), mine.stop - mine.start)))
        if not of_values:
            self.conclude(X, out)
        return out

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        return 8 * (sides if self.wanted == "V" else columns) * 4096


@dataclass(frozen=True)
class _Shares(Meetings):
    """Tiles of S.

    Parameters
    ----------
    statistics : ndarray, shape (n, 2 heads)
        By :class:`SoftmaxStatistics`.
    scale : float
        s.
    """

    scale: float

    def own_rows(self, X: Floats) -> Floats:
        """Return s x."""
        return X * self.scale

    def weigh(self, start: int, met: Meeting) -> None:
        """Take exponentials relative to the sum of weights, in place."""
        T = met.T
        T -= self.statistic(0, start, met)
        if met.hidden is not None:
            np.copyto(T, -np.inf, where=met.hidden)
        np.exp(T, out=T)


@dataclass(frozen=True)
class SoftmaxGradient(_Shares, TileGradient):
    """Finish to dQ, dK or dV by rows.

    Notes
    -----
    n m weights of each head, made again; 2 n m (2 d + p) flops for dQ and dK, 2 n m (d + p) for dV.
    """

    kind: ClassVar[str] = "softmax gradient"

    def conclude(self, X: Floats, out: Floats) -> None:
        """Multiply by s."""
        del X
        out *= self.scale


class Largest(Pass[Floats]):
    """A pass whose part is one array: of two, the larger number in each place is kept."""

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger."""
        return (np.maximum(left[0], right[0]),)

    def finish(self, part: Part) -> Floats:
        """Return the largest."""
        largest: Floats = part[0]
        return largest


@dataclass(frozen=True)
class SoftmaxReach(_Shares, Largest):
    """Finish to the largest Σᵢ Sᵢⱼ uᵢ over the rows j of K, with uᵢ = ‖qᵢ‖‖dyᵢ‖ for dK and max|dyᵢ| for dV, shape (heads,).

    It is what a row of K can feel of all rows of Q: bounds on the gradient there are of this size.

    Notes
    -----
    n m weights of each head, made again; 2 n m d flops beside.
    """

    kind: ClassVar[str] = "softmax reach"

    def map(self, block: Block, part: Part | None) -> Part:
        """Take in the largest of the block's rows."""
        ((start, X, _),) = block.slices(block.stop - block.start)
        felt = np.zeros((len(X), self.heads))
        for met in self.meet(start, X):
            self.weigh(start, met)
            Z, W = (side[met.other, self.columns(side, met.head)] for side in (met.Z, met.W))
            felt[met.own, met.head] += met.T @ self._sizes(Z, W)
        found = (felt.max(axis=0),)
        return found if part is None else self.merge(part, found)

    def _sizes(self, Q: Floats, above: Floats) -> Floats:
        """Return u of a tile's rows of Q."""
        if self.wanted == "V":
            return np.asarray(np.abs(above).max(axis=1))
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", Q, Q)) * np.sqrt(np.einsum("ij,ij->i", above, above)))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number a head."""
        del columns, sides
        return 8 * self.heads
