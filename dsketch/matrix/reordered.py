"""The same columns in another order, put there as rows are read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from dsketch.matrix.base import AnyArray, Cuts, Matrix


class Reordered(Matrix):
    """Columns of a matrix in an order of our choice; blocks, bytes and place are those of the matrix.

    Parameters
    ----------
    base : Matrix, shape (n, d)
        Dense or CSR.
    order : sequence of int
        Column j is column ``order[j]`` of the base.

    Examples
    --------
    >>> from dsketch.matrix.array import ArrayMatrix
    >>> Reordered(ArrayMatrix(np.array([[1.0, 2.0, 3.0]])), [2, 0, 1]).read(0, 1)
    array([[3., 1., 2.]])
    """

    is_kept = False  # what the cache keeps is told apart by rows alone

    def __init__(self, base: Matrix, order: Sequence[int]) -> None:
        self.base = base
        self.order = np.asarray(order, dtype=np.intp)
        self.shape = (base.shape[0], len(order))
        self.dtype, self.nonzeros = base.dtype, base.nonzeros
        self.source = base.source  # what must survive; who opens it again has its own names to go by
        self.names = None if base.names is None else tuple(base.names[place] for place in order)
        self.levels, self.base_levels, self.rows_digest = dict(base.levels), dict(base.base_levels), base.rows_digest
        self.is_local, self.held = base.is_local, base.held

    @property
    def cuts(self) -> Cuts:
        """The base's own."""
        return self.base.cuts

    @property
    def nbytes(self) -> int:
        """Decoded bytes of the base."""
        return self.base.nbytes

    @property
    def block_bytes(self) -> int:
        """Decoded bytes of its largest block."""
        return self.base.block_bytes

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Read rows of the base and put their columns in order."""
        del out
        rows: Any = self.base.read(start, stop)
        return rows[:, self.order] if scipy.sparse.issparse(rows) else np.take(rows, self.order, axis=1)

    def window(self, start: int, stop: int) -> "Reordered":
        """Return the base's window in the same order."""
        return Reordered(self.base.window(start, stop), self.order.tolist())

    def futures(self) -> list[Any]:
        """Return the base's futures."""
        return self.base.futures()

    def holding(self, values: list[Any]) -> "Reordered":
        """Return the same of the base with its futures taken out or their values put in."""
        return Reordered(self.base.holding(values), self.order.tolist())

    def fingerprint(self) -> str:
        """Return the base's, and the order."""
        return f"{self.base.fingerprint()}{self.order.tolist()}"

    def describe(self) -> str:
        """Return the base's words."""
        return self.base.describe()
