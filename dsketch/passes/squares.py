"""The pass that finds the squares of the columns and their products with b: units, and where an iteration begins."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Sparse
from dsketch.matrix.csr_slices import csr_of, turn
from dsketch.passes.base import Part, SlicePass


class ColumnSums(NamedTuple):
    """What is summed over the columns.

    Attributes
    ----------
    squares : ndarray, shape (d,)
        ‖a‖² of each column.
    products : ndarray, shape (d, k)
        Aᵀb.
    unsorted : ndarray, shape (1,)
        Of how many slices of CSR rows the entries are not in order: where they share places, ``squares`` are those of the entries, not of
        their sums.
    """

    squares: Floats
    products: Floats
    unsorted: Floats


@dataclass(frozen=True)
class Squares(SlicePass[ColumnSums]):
    """Finish to the :class:`ColumnSums` of [A b].

    Parameters
    ----------
    is_exact : bool
        Whether entries of CSR rows that share a place are added before they are squared, which takes ten times as long where they are
        not in order.

    Notes
    -----
    One read, 2 n d (k + 1) flops, d (k + 1) numbers a part; of CSR rows two flops a stored number.
    """

    is_exact: bool = False

    kind: ClassVar[str] = "squares"
    takes_sparse: ClassVar[bool] = True

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sums of no rows."""
        return np.zeros(columns), np.zeros((columns, sides)), np.zeros(1)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add those of a slice."""
        del start
        squares, products, unsorted = part
        if not scipy.sparse.issparse(X):
            squares += np.einsum("ij,ij->j", X, X)
        elif X.has_canonical_format or self.is_exact:
            squares += _of_sums(X)
        else:
            squares += squares_of(X)
            unsorted += 1
        if Y.shape[1] == 1:
            products[:, 0] += turn(X) @ Y[:, 0]
        else:
            products += turn(X) @ Y

    def finish(self, part: Part) -> ColumnSums:
        """Return the sums."""
        return ColumnSums(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d (k + 1) + 1 numbers."""
        return 8 * (columns * (sides + 1) + 1)


def squares_of(X: Sparse) -> Floats:
    """Return the sums of the squares of the entries of each column of a csr_array."""
    squares: Floats = turn(csr_of(X.data * X.data, X.indices, X.indptr, X.shape[1])) @ np.ones(X.shape[0])
    return squares


def _of_sums(X: Sparse) -> Floats:
    """Return the squares of the columns of a csr_array, entries of one place added."""
    if X.has_canonical_format:
        return squares_of(X)
    by_column = X.tocsc()
    by_column.sum_duplicates()
    squared = csr_of(by_column.data**2, by_column.indices, by_column.indptr, X.shape[0])
    squares: Floats = squared @ np.ones(X.shape[0])
    return squares
