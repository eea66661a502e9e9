"""CountSketch: one sign in every column.  The cheapest sketch, and the first to fail on coherent rows.

Needs m of the order of d² for its guarantee; with m ∝ d it loses rank when d rows carry the columns, which the methods notice
(a Cholesky factor that breaks, no progress) and answer by going on with another one.

References
----------
K. L. Clarkson, D. P. Woodruff, "Low-rank approximation and regression in input sparsity time", STOC 2013.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.sketch.base import Sketch
from dsketch.sketch.sparse_sign import SparseSign


@dataclass(frozen=True)
class CountSketch(Sketch):
    """One sign a row of A: n·d additions, or as many as CSR rows store numbers."""

    name: ClassVar[str] = "count_sketch"

    def operator(self, start: int, stop: int) -> Callable[[Floats], Floats]:
        """Return the sparse sign sketch with one nonzero."""
        return self._signs.operator(start, stop)

    def adder(self, start: int, stop: int) -> Callable[[Floats, Any], None]:
        """Return its adder: one addition a stored number."""
        return self._signs.adder(start, stop)

    @property
    def _signs(self) -> SparseSign:
        return SparseSign(self.size, self.seed, nonzeros=1)
