"""The pass of cross-validation: a Gram matrix of [A b] for each fold of the rows, in one reading.

What is fitted without a fold follows from the sum of the others, what it is tested on from its own: no row is read again.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import draw
from dsketch._linalg.streams import FOLDS
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, heavy_rows
from dsketch.passes.gram import add_sparse_gram


class FoldSums(NamedTuple):
    """What the rows of each of K folds sum to.

    ``G`` = AᵀA, shape (K, d, d); ``c`` = Aᵀb, shape (K, d, k); ``bb``, shape (K, k), the squares of b; ``weight``, shape (K,), Σ w.
    """

    G: Floats
    c: Floats
    bb: Floats
    weight: Floats


@dataclass(frozen=True)
class FoldGrams(Pass[FoldSums]):
    """Finish to the :class:`FoldSums` of the rows.

    Parameters
    ----------
    folds : int
        K ≥ 1.
    seed : int
        Of the words that put rows in folds (:func:`fold_of_rows`).

    Notes
    -----
    One read, the n d² flops of a Gram matrix and a copy of the rows in the order of their folds, K (d (d + k) + k + 1) numbers a part.
    """

    folds: int
    seed: int

    kind: ClassVar[str] = "fold_grams"
    takes_sparse: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's rows to their folds."""
        d, k = block.columns, block.sides
        part = part or (
            np.zeros((self.folds, d, d)),
            np.zeros((self.folds, d, k)),
            np.zeros((self.folds, k)),
            np.zeros(self.folds),
        )
        for start, X, Y in block.slices(None if block.is_sparse else heavy_rows(d), sparse=True):
            low, high = start - block.start, start - block.start + X.shape[0]
            self._add(part, start, X, Y, None if block.weights is None else block.weights[low:high, 0].astype(np.float64))
        return part

    def _add(self, part: Part, start: int, X: Any, Y: Floats, weights: Floats | None) -> None:
        G, c, bb, total = part
        for fold, rows in enumerate(rows_of_folds(self.seed, start, start + X.shape[0], self.folds)):
            mine, sides = (X, Y) if self.folds == 1 else (X[rows], Y[rows])
            if scipy.sparse.issparse(mine):
                add_sparse_gram(G[fold], mine)
            else:
                G[fold] += mine.T @ mine
            c[fold] += mine.T @ sides
            bb[fold] += np.einsum("ij,ij->j", sides, sides)
            total[fold] += len(rows) if weights is None else weights[rows].sum()

    def finish(self, part: Part) -> FoldSums:
        """Return the sums."""
        return FoldSums(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return K (d (d + k) + k + 1) numbers."""
        return 8 * self.folds * (columns * (columns + sides) + sides + 1)


def fold_of_rows(seed: int, start: int, stop: int, folds: int) -> NDArray[np.int64]:
    """Return the folds of the rows ``start:stop``, numbers below ``folds``: a permutation of all folds for each K rows in a row.

    So folds differ in size by at most one, and the fold of a row depends on (seed, row) alone: the words of its K rows are ranked.

    Examples
    --------
    >>> fold_of_rows(0, 4, 12, 4)
    array([3, 0, 2, 1, 0, 2, 3, 1])
    >>> bool((fold_of_rows(0, 6, 9, 4) == fold_of_rows(0, 4, 12, 4)[2:5]).all())
    True
    """
    numbers = np.empty(stop - start, dtype=np.int64)
    for fold, rows in enumerate(rows_of_folds(seed, start, stop, folds)):
        numbers[rows] = fold
    return numbers


def rows_of_folds(seed: int, start: int, stop: int, folds: int) -> list[NDArray[np.intp]]:
    """Return which of the rows ``start:stop``, counted from ``start``, lie in each fold, ascending: :func:`fold_of_rows` the other way.

    Examples
    --------
    >>> rows_of_folds(0, 4, 12, 4)[1]
    array([3, 7])
    """
    first, last = start // folds, -(-stop // folds)
    words = draw(seed, FOLDS, first * folds, last * folds, 1).reshape(last - first, folds)
    places = np.argsort(words, axis=1, kind="stable") + np.arange(first * folds - start, last * folds - start, folds)[:, None]
    is_inside = (places >= 0) & (places < stop - start)
    return [rows[inside] for rows, inside in zip(places.T, is_inside.T, strict=True)]
