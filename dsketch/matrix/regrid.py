"""The same rows in other blocks: finer ones where a row is much work, tiny ones for tests."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dsketch.matrix.base import AnyArray, Cuts, Matrix
from dsketch.matrix.raw import UnreadRows
from dsketch.matrix.window import Asked


class Recut(Matrix):
    """A matrix with a grid of our choice.

    Parameters
    ----------
    matrix : Matrix
        Read as it is.
    cuts : sequence of int
        Row numbers between blocks, from 0 to n.
    """

    def __init__(self, matrix: Matrix, cuts: ArrayLike) -> None:
        self.matrix = matrix
        self.shape, self.dtype, self.source = matrix.shape, matrix.dtype, matrix.source
        self.is_raw, self.is_local, self.is_remote = matrix.is_raw, matrix.is_local, matrix.is_remote
        self.is_vector, self.trailing = matrix.is_vector, matrix.trailing
        self.names, self.held = matrix.names, matrix.held
        self.is_kept, self.nonzeros, self.nbytes = matrix.is_kept, matrix.nonzeros, matrix.nbytes
        self._cuts = np.asarray(cuts, dtype=np.int64)

    @property
    def cuts(self) -> Cuts:
        """The chosen cuts."""
        return self._cuts

    def traffic(self) -> tuple[int, int] | None:
        """Return what the matrix asks for."""
        return self.matrix.traffic()

    def ask_ahead(self, start: int, stop: int, until: int) -> Iterator[Asked]:
        """Yield what the matrix asks."""
        yield from self.matrix.ask_ahead(start, stop, until)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows ``start:stop`` of the matrix."""
        return self.matrix.read(start, stop, out)

    def open_rows(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray | UnreadRows:
        """Return rows ``start:stop`` of the matrix as a pass looks at them."""
        return self.matrix.open_rows(start, stop, out)

    @property
    def kept_dtype(self) -> np.dtype[np.generic]:
        """Of the matrix."""
        return self.matrix.kept_dtype

    def read_kept(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows of the matrix as memory keeps them."""
        return self.read(start, stop, out) if self.kept_dtype == self.dtype else self.matrix.read_kept(start, stop, out)

    def open_kept(self, kept: AnyArray, start: int) -> AnyArray | UnreadRows:
        """Return what the matrix makes of them."""
        return self.matrix.open_kept(kept, start)

    def needs_buffer(self, start: int, stop: int) -> bool:
        """Whether the matrix fills memory."""
        return self.matrix.needs_buffer(start, stop)

    def window(self, start: int, stop: int) -> "Recut":
        """Return the matrix's window with the same grid."""
        return Recut(self.matrix.window(start, stop), self._cuts)

    def futures(self) -> list[Any]:
        """Return the matrix's futures."""
        return self.matrix.futures()

    def holding(self, values: list[Any]) -> "Recut":
        """Return the matrix with its futures taken out or their values put in."""
        return Recut(self.matrix.holding(values), self._cuts)

    def fingerprint(self) -> str:
        """Return the matrix's fingerprint."""
        return self.matrix.fingerprint()

    def describe(self) -> str:
        """Return the matrix's description."""
        return self.matrix.describe()
