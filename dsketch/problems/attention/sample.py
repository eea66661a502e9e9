"""A few rows of Q, K and V, read before the first pass: what cannot be read is told at once, and tiles are timed on them."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.threads import one_blas_thread
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Block, Rows, find_nonfinite
from dsketch.passes import Pass

_ROWS = 512  # a tile of them takes a few milliseconds
_READ_ROWS = 4096  # so many are read of raw rows; of others the first block


@dataclass(frozen=True)
class Sample:
    """The first rows of each matrix.

    Attributes
    ----------
    matrices : tuple of Matrix
        Each of 512 rows: the first ones, again and again where there are fewer.
    """

    matrices: tuple[Matrix, ...]

    def entry_seconds(self, pass_: Pass[Any], rows: Rows) -> float:
        """Return the seconds that a pass over a sample takes for an entry of a tile, one thread, by the better of two runs."""
        block = rows.block(0, rows.shape[0])
        with one_blas_thread(), np.errstate(all="ignore"):  # what overflows is told by the passes
            return min(_time_pass(pass_, block) for _ in range(2)) / _ROWS**2

    def row_seconds(self, pass_: Pass[Any], rows: Rows) -> float:
        """Return the seconds that a pass over a sample takes for a row, one thread, by the better of two runs."""
        return self.entry_seconds(pass_, rows) * _ROWS


def _time_pass(pass_: Pass[Any], block: Block) -> float:
    began = time.perf_counter()
    pass_.map(block, None)
    return time.perf_counter() - began


def sample_rows(**matrices: Matrix) -> Sample:
    """Return the first rows of matrices that are called as given.

    Raises
    ------
    DataError
        If they cannot be read or hold a NaN.
    """
    return Sample(tuple(ArrayMatrix(_first_rows(matrix, name)) for name, matrix in matrices.items()))


def _first_rows(matrix: Matrix, name: str) -> Floats:
    stop = min(int(matrix.cuts[1]), _READ_ROWS if matrix.is_raw else matrix.shape[0])
    block = Rows(matrix, names=(name, "b")).block(0, stop)
    find_nonfinite(block)
    _, X, _ = next(iter(block.slices(_ROWS)))
    return np.resize(X, (_ROWS, X.shape[1]))
