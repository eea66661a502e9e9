"""Sweeps of attention: each row of Q against all rows of K and V, in tiles of weights that are never stored.

With logits z = s⟨q, k⟩ a row of the answer is Σⱼ wⱼ vⱼ / Σⱼ wⱼ, w = exp(z − c) for any c.  Where no logit can be large c is 0, and a tile
costs its product, its exponential and the product with [V 1], whose last column is the sum of weights.  Else c is the largest logit so
far: when it grows, what was summed is multiplied by exp(c − c'), so that no exponential overflows whatever the logits.

References
----------
M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, 2018.
T. Dao, D. Y. Fu, S. Ermon, A. Rudra, C. Ré, "FlashAttention: fast and memory-efficient exact attention with IO-awareness", NeurIPS 2022.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.matrix.base import Matrix, even_cuts
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.passes.rowwise import PlacedRowPass
from dsketch.passes.sight import Hidden, Sight, tiles
from dsketch.passes.spans import Spans

TILE = 512  # rows and columns of a tile, 2 MB: its product, its exponential and what is summed of it each make one sweep of it
PIECES = 64  # so many blocks keep as many threads busy; each reads all of the other side
_BLOCK_BYTES = 32_000_000  # the largest block of rows, with what is summed for them
# Of all rows, the largest |z| up to which exp(z) is used as it is: sums of e^±300 times values of 1e±150 are float64 numbers.
TAME_LOGIT, TAME_VALUE = 300.0, 1e150


def attention_rows(A: Matrix, beside: Matrix | None, width: int, names: tuple[str, str], tile: int = TILE) -> Rows:
    """Return rows in the blocks of a sweep: a function of the shapes alone, of one height, whole tiles.

    Parameters
    ----------
    A, beside : Matrix
        What the rows are of, and what is read beside them.
    width : int
        Numbers a row of the answer.
    names : (str, str)
        What errors call both.
    """
    rows, columns = A.shape
    columns += width + (0 if beside is None else beside.shape[1])
    height = -(-rows // PIECES)
    height = -(-height // tile) * tile
    height = min(height, max(_BLOCK_BYTES // (8 * columns) // tile, 1) * tile)
    return Rows(Recut(A, even_cuts(rows, height)), beside, pieces=PIECES, names=names)


def no_weight(row: int) -> DataError:
    """Return what is said of a row of Q without weights."""
    return DataError(
        f"a row of Q that gives some row of K a weight was expected; all weights of row {row} are 0. Remove the row."
    )


@dataclass(frozen=True)
class AttentionRows(PlacedRowPass):
    """Finish to the attention of rows of Q, shape (n, heads · p).

    Parameters
    ----------
    others : Spans
        K, shape (m, heads · d), and V, shape (m, heads · p): head h has the columns h d … of Q and K, and h p … of V.
    heads : int
    offset : int or None
        Row i sees rows 0 … i + offset of K and V; None: all of them.
    tile : int
        Rows and columns of a tile.

    Notes
    -----
    n m weights of each head, or half of them; 2 n m (d + p) flops beside.  The other side is read once for each block.
    """

    others: Spans
    heads: int
    offset: int | None
    tile: int

    @abstractmethod
    def prepare(self, X: Floats, start: int) -> Floats:
        """Return rows of Q as they are multiplied with those of K."""

    @abstractmethod
    def weigh(self, T: Floats, hidden: Hidden, sums: Floats, top: Floats) -> None:
        """Turn a tile of products into weights, in place; those that are hidden are 0.

        Parameters
        ----------
        sums : ndarray, shape (h, p + 1)
            What was summed for its rows.
        top : ndarray, shape (h, 1)
            What was taken from the exponents so far; for whoever takes anything.
        """

    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the attention of rows ``start …`` of Q.

        Raises
        ------
        DataError
            If all weights of a row are 0.
        """
        del Y
        sums, _ = self.sum_up(start, X)
        return self._conclude(sums, start)

    def sum_up(self, start: int, X: Floats) -> tuple[Floats, Floats]:
        """Return what is summed for rows of Q, shape (heads, h, p + 1), and what was taken from their exponents, shape (heads, h, 1)."""
        L, sums = self.prepare(X, start), self._sums(len(X))
        top = np.full((self.heads, len(X), 1), -np.inf)
        for left, K, V in self._spans(start + len(X)):
            for head in range(self.heads):
                self._sweep(head, start, left, L, K, V, sums[head], top[head])
        return sums, top

    def _sums(self, rows: int) -> Floats:
        return np.zeros((self.heads, rows, self.values // self.heads + 1))

    def _spans(self, stop: int) -> Iterator[tuple[int, Floats, Floats]]:
        """Yield first row, K and [V 1] by heads of each span that rows before ``stop`` see."""
        _, end = Sight(self.offset).reach(0, stop, self.others.rows)
        for left in range(0, end, self.others.height):
            K, V = self.others.read(left, min(left + self.others.height, self.others.rows))
            ones = np.ones((len(V), self.heads, V.shape[1] // self.heads + 1))
            ones[:, :, :-1] = V.reshape(len(V), self.heads, -1)
            yield left, K, ones

    def _sweep(self, head: int, start: int, left: int, L: Floats, K: Floats, V: Floats, sums: Floats, top: Floats) -> None:
        """Add the products of one head with one span."""
        d = L.shape[1] // self.heads
        mine = slice(head * d, (head + 1) * d)
        for rows, columns, hidden in tiles(Sight(self.offset), (start, len(L)), (left, len(K)), self.tile):
            T = scratch("tile", (rows.stop - rows.start, columns.stop - columns.start))
            np.matmul(L[rows, mine], K[columns, mine].T, out=T)
            self.weigh(T, hidden, sums[rows], top[rows])
            sums[rows] += np.matmul(T, V[columns, head], out=scratch("tile sums", (len(T), V.shape[2])))

    def _conclude(self, sums: Floats, start: int) -> Floats:
        weight = sums[:, :, -1:]
        if not weight.all():
            raise no_weight(start + int(np.flatnonzero((weight == 0).any(axis=(0, 2)))[0]))
        return np.ascontiguousarray(np.moveaxis(sums[:, :, :-1] / weight, 0, 1).reshape(sums.shape[1], -1))

    @property
    def values(self) -> int:
        """Numbers a row of the answer, those of all heads."""
        return self.others.matrices[1].shape[1]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        del columns, sides
        return 8 * self.values * 4096


@dataclass(frozen=True)
class SoftmaxRows(AttentionRows):
    """Finish to softmax(s Q Kᵀ) V by rows.

    Parameters
    ----------
    scale : float
        s.
    is_tame : bool
        Whether no logit is beyond ``TAME_LOGIT`` in size, and no value beyond ``TAME_VALUE``: then nothing is taken from exponents.
    """

    scale: float
    is_tame: bool

    kind: ClassVar[str] = "softmax attention"

    def prepare(self, X: Floats, start: int) -> Floats:
        """Return s q."""
        del start
        return X * self.scale

    def weigh(self, T: Floats, hidden: Hidden, sums: Floats, top: Floats) -> None:
        """Take exponentials; where logits may be large, of what they are below the largest so far, and shrink what was summed."""
        if hidden is not None:
            np.copyto(T, -np.inf, where=hidden)
        if self.is_tame:
            np.exp(T, out=T)
        else:
            weigh_exponentials(T, sums, top)


def weigh_exponentials(T: Floats, sums: Floats, top: Floats) -> None:
    """Turn a tile of logits into weights relative to the largest so far, in place, and shrink what was summed if that grows.

    Parameters
    ----------
    sums : ndarray, shape (h, ·)
        What was summed for its rows.
    top : ndarray, shape (h, 1)
        The largest logit so far; −∞ before the first.
    """
    new = np.maximum(top, T.max(axis=1, keepdims=True))
    if (new > top).any():
        sums *= np.exp(top - new)
        top[:] = new
    T -= new
    np.exp(T, out=T)
