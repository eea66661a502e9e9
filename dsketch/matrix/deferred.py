"""A matrix some of whose blocks are read only if somebody looks at their numbers: a run that goes on has no need of most."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.regrid import Recut
from dsketch.matrix.window import Asked


class Later:
    """Rows ``start:stop`` of a matrix, read when an array is made of them."""

    def __init__(self, matrix: Matrix, start: int, stop: int) -> None:
        self._matrix, self._span = matrix, (start, stop)
        self.shape, self.dtype = (stop - start, matrix.shape[1]), matrix.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        """Read them."""
        del copy
        rows = self._matrix.read(*self._span)
        return rows if dtype is None else rows.astype(dtype)


class Deferred(Recut):
    """A matrix in its own blocks.

    Parameters
    ----------
    matrix : Matrix
    is_deferred : callable
        Returns for ``start, stop`` whether these rows are to be read later; it travels with the matrix.
    """

    def __init__(self, matrix: Matrix, is_deferred: Callable[[int, int], bool]) -> None:
        super().__init__(matrix, matrix.cuts)
        self.is_deferred = is_deferred

    def ask_ahead(self, start: int, stop: int, until: int) -> Iterator[Asked]:
        """Yield what the matrix asks for rows that are not read later."""
        if not self.is_deferred(start, stop):
            yield from self.matrix.ask_ahead(start, stop, until)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> Any:
        """Return rows, or what reads them when it must."""
        return Later(self.matrix, start, stop) if self.is_deferred(start, stop) else self.matrix.read(start, stop, out)

    @property
    def kept_dtype(self) -> np.dtype[np.generic]:
        """Of the rows themselves: those that are read later are not stored numbers."""
        return self.dtype

    def open_kept(self, kept: Any, start: int) -> Any:
        """Return them."""
        del start
        return kept

    def open_rows(self, start: int, stop: int, out: AnyArray | None = None) -> Any:
        """Return the same for a pass."""
        return self.read(start, stop, out)

    def window(self, start: int, stop: int) -> "Deferred":
        """Return the matrix's window."""
        return Deferred(Recut(self.matrix.window(start, stop), self.cuts), self.is_deferred)

    def holding(self, values: list[Any]) -> "Deferred":
        """Return the matrix with its futures taken out or their values put in."""
        return Deferred(Recut(self.matrix.holding(values), self.cuts), self.is_deferred)
