"""A head: some columns of a stored A, or A W for a narrow W, as a Matrix of its own that is never stored.

Several heads of one A are problems like any other, alone; answered together (:mod:`dsketch.problems.heads.lockstep`) they share
each reading of A.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats, State
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray, Cuts, Matrix
from dsketch.matrix.masked import require_unmasked
from dsketch.matrix.open import open_matrix


@dataclass(frozen=True)
class Selection:
    """What a head takes of a row: columns ``start:stop``, or the row times W.

    Attributes
    ----------
    start, stop : int
    W : ndarray, shape (d, p), or None
    """

    start: int
    stop: int
    W: Floats | None = None

    def of(self, rows: Any) -> AnyArray:
        """Return the head's rows for rows of A, C order."""
        if self.W is not None:
            return np.asarray(rows @ self.W)
        chosen = rows[:, self.start : self.stop]
        return np.ascontiguousarray(chosen.toarray() if scipy.sparse.issparse(chosen) else chosen)

    def fingerprint(self) -> str:
        """Return a text that tells selections apart."""
        W = "" if self.W is None else hashlib.sha256(np.ascontiguousarray(self.W).data).hexdigest()[:16]
        return f"{self.start}:{self.stop}{W}"

    def state(self) -> Iterator[State]:
        """Yield the fingerprint."""
        yield self.fingerprint()


class Head(Matrix):
    """Columns ``start:stop`` of A, or A W.

    Its blocks are A's, and it counts A's bytes: reading some columns of row chunks reads them all.

    Parameters
    ----------
    A : Matrix, path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    columns : (int, int), optional
        First column and the one after the last.
    projection : ndarray, shape (d, p), optional
        W; as an attention head has it.  Give one of the two.

    Raises
    ------
    DataError
        If the columns are not there, or W does not fit.

    Examples
    --------
    >>> Head(np.arange(12.0).reshape(3, 4), columns=(1, 3)).read(0, 2)
    array([[1., 2.],
           [5., 6.]])
    """

    is_kept = False  # what the cache keeps is told apart by rows alone

    def __init__(self, A: Any, *, columns: tuple[int, int] | None = None, projection: Any = None) -> None:
        self.base = open_matrix(A)
        n, d = self.base.shape
        if (columns is None) == (projection is None):
            raise DataError("a head needs either columns=(start, stop) or projection=W, not both; give one.")
        require_unmasked(projection, "projection")
        W = None if projection is None else np.array(projection, dtype=np.float64, ndmin=2)
        start, stop = columns or (0, d)
        if W is not None and W.shape[0] != d:
            raise DataError(
                f"projection must have one row for each of the {d} columns of A; its shape is {W.shape}. Transpose it?"
            )
        if not 0 <= start < stop <= d:
            raise DataError(f"columns of a head must lie within the {d} of A; got {start}:{stop}. The stop is not included.")
        self.selection = Selection(start, stop, W)
        self.shape = (n, stop - start if W is None else W.shape[1])
        self.dtype = self.base.dtype if W is None else np.dtype(np.float64)
        self.names = None if self.base.names is None or W is not None else self.base.names[start:stop]
        self.rows_digest, self.is_local, self.held = self.base.rows_digest, self.base.is_local, self.base.held

    @property
    def cuts(self) -> Cuts:
        """A's own."""
        return self.base.cuts

    @property
    def nbytes(self) -> int:
        """Decoded bytes of all of A."""
        return self.base.nbytes

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Read rows of A and keep what belongs to the head."""
        del out
        return self.selection.of(self.base.read(start, stop))

    def window(self, start: int, stop: int) -> "Head":
        """Return the head of A's window."""
        return self._of(self.base.window(start, stop))

    def futures(self) -> list[Any]:
        """Return A's futures."""
        return self.base.futures()

    def holding(self, values: list[Any]) -> "Head":
        """Return the head with A's futures taken out or their values put in."""
        return self._of(self.base.holding(values))

    def _of(self, base: Matrix) -> "Head":
        selection = self.selection
        if selection.W is not None:
            return Head(base, projection=selection.W)
        return Head(base, columns=(selection.start, selection.stop))

    def fingerprint(self) -> str:
        """Return A's, and what is taken of it."""
        return f"{self.base.fingerprint()}[{self.selection.fingerprint()}]"

    def describe(self) -> str:
        """Return A's words, and what is taken of it."""
        taken = (
            f"columns {self.selection.start}:{self.selection.stop}"
            if self.selection.W is None
            else f"{self.shape[1]} projections"
        )
        return f"{taken} of {self.base.describe()}"
