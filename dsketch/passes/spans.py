"""The other side of a sweep: rows of matrices that belong together, read span by span, again for each block that is swept against them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats, State
from dsketch.matrix.base import Cuts, Matrix, even_cuts
from dsketch.matrix.cache import BlockCache

_SPAN_BYTES = 16_000_000  # so much of all matrices is in memory at once, besides what is made of it
_SPAN_ROWS = (256, 4096)  # the fewest and the most rows: beyond, a reading costs no less a row
_COPY_BYTES = 128_000_000  # a pass may keep so much of decoded spans in a process


@dataclass(frozen=True)
class Spans:
    """Rows of one or several matrices, as float64.

    Attributes
    ----------
    matrices : tuple of Matrix
        With the same number of rows.
    height : int
        Rows of a span.
    """

    matrices: tuple[Matrix, ...]
    height: int

    @classmethod
    def of(cls, *matrices: Matrix) -> "Spans":
        """Return the rows of matrices, in spans whose height depends on their shapes alone."""
        row_bytes = 8 * sum(matrix.shape[1] for matrix in matrices)
        least, most = _SPAN_ROWS
        return cls(matrices, min(max(_SPAN_BYTES // row_bytes, least), most))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.matrices[0].shape[0]

    @property
    def cuts(self) -> Cuts:
        """Row numbers between spans."""
        return even_cuts(self.rows, self.height)

    def read(self, start: int, stop: int) -> tuple[Floats, ...]:
        """Return rows ``start:stop`` of each matrix, C order; not to be changed."""
        return tuple(self._read(number, start, stop) for number in range(len(self.matrices)))

    def _read(self, number: int, start: int, stop: int) -> Floats:
        """Return rows of one matrix; decoded ones are kept as far as there is room, raw ones are as near as a copy would be."""
        matrix = self.matrices[number]
        found: Any = None if matrix.is_raw else self._copies.get("", (number, start))
        if found is None:
            stored: Any = matrix.read(start, stop)
            found = np.ascontiguousarray(stored.toarray() if scipy.sparse.issparse(stored) else stored, dtype=np.float64)
            if not matrix.is_raw:
                self._copies.offer("", (number, start), found)
        rows: Floats = found
        return rows

    @cached_property
    def _copies(self) -> BlockCache:
        return BlockCache(_COPY_BYTES)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the copies behind."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def state(self) -> Iterator[State]:
        """Yield the heights of spans, which decide last bits, and what tells the matrices apart."""
        yield repr(self.height)
        for matrix in self.matrices:
            yield from matrix.state()
