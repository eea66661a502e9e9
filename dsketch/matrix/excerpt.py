"""Some runs of rows of a matrix, one after the other, as a matrix of its own that is never stored."""

from typing import Any

import numpy as np

from dsketch.matrix.base import AnyArray, Cuts, Matrix


class Excerpt(Matrix):
    """Runs of equally many rows, evenly spread: a look at a large matrix that reads next to nothing.

    Parameters
    ----------
    base : Matrix
    starts : tuple of int
        First rows of the runs, increasing.
    height : int
        Rows of each run.

    Examples
    --------
    >>> from dsketch.matrix.open import open_matrix
    >>> excerpt = Excerpt(open_matrix(range(10)), (1, 6), 2)
    >>> [excerpt.read(start, start + 2).ravel().tolist() for start in excerpt.cuts[:-1]]
    [[1, 2], [6, 7]]
    """

    is_kept = False  # what the cache keeps is told apart by rows alone

    def __init__(self, base: Matrix, starts: tuple[int, ...], height: int) -> None:
        self.base, self.starts, self.height = base, starts, height
        self.shape = (len(starts) * height, base.shape[1])
        self.dtype = base.dtype
        self.is_local, self.held = base.is_local, base.held
        self.nonzeros = None if base.nonzeros is None else max(int(base.density * self.shape[0] * self.shape[1]), 1)

    @property
    def cuts(self) -> Cuts:
        """A block a run."""
        return np.arange(len(self.starts) + 1, dtype=np.int64) * self.height

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Read rows of one run: errors name the rows of the base."""
        del out
        run = start // self.height
        first = self.starts[run] + start - run * self.height
        return self.base.read(first, first + stop - start)

    def window(self, start: int, stop: int) -> "Excerpt":
        """Return what a worker needs: the base from the first run to the last."""
        first, last = start // self.height, (stop - 1) // self.height
        base = self.base.window(self.starts[first], self.starts[last] + self.height)
        return Excerpt(base, self.starts, self.height)

    def futures(self) -> list[Any]:
        """Return the base's futures."""
        return self.base.futures()

    def holding(self, values: list[Any]) -> "Excerpt":
        """Return the excerpt with the base's futures taken out or their values put in."""
        return Excerpt(self.base.holding(values), self.starts, self.height)

    def fingerprint(self) -> str:
        """Return the base's, and which rows are taken."""
        return f"{self.base.fingerprint()}[{self.starts}:{self.height}]"

    def describe(self) -> str:
        """Return the base's words."""
        return f"{len(self.starts)} runs of {self.height} rows of {self.base.describe()}"
