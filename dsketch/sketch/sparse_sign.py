"""The sparse sign sketch: z signs in every column, one in each of z stacked CountSketches.

Column i of S has the value ±1/√z once in each of z row ranges of m/z rows.  With z = 8 its distortion is that of a Gaussian
sketch on every family of matrices measured, coherent ones included (dsketch/README.md, "Which sketch").

Cost z·n·d additions; of CSR rows z for each stored number.

References
----------
J. Nelson, H. L. Nguyễn, "OSNAP: faster numerical linear algebra algorithms via sparser subspace embeddings", FOCS 2013.
C. Camaño, E. N. Epperly, R. A. Meyer, J. A. Tropp, "Faster linear algebra algorithms with structured random matrices",
arXiv 2508.21189, 2025 (SparseStack).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.scatter import add_entries
from dsketch._linalg.streams import SKETCH_ENTRIES
from dsketch.sketch.base import Sketch


@dataclass(frozen=True)
class SparseSign(Sketch):
    """z signs a row of A, stacked; the default sketch.

    Attributes
    ----------
    nonzeros : int
        z.  8 where a fixed step or the error bar relies on both ends of the spectrum, 4 where a Gram matrix or conjugate
        gradients follow (only injectivity matters); 2 lost rank on coherent matrices at m ≤ 4d.
    """

    nonzeros: int = 8

    name: ClassVar[str] = "sparse_sign"

    def operator(self, start: int, stop: int) -> Callable[[Floats], Floats]:
        """Return one sparse product: 32 random bits a nonzero, 31 for its place and one for its sign."""
        S = self._csc(*self._draw(start, stop))
        return lambda X: S @ X

    def adder(self, start: int, stop: int) -> Callable[[Floats, Any], None]:
        """Return the same for CSR rows, each added to z rows of the target: no work for the m·d numbers of the target."""
        places, signs = self._draw(start, stop)

        def add(target: Floats, X: Any) -> None:
            if not scipy.sparse.issparse(X):
                target += self._csc(places, signs) @ X
                return
            for stack in range(places.shape[1]):
                add_entries(target, places[:, stack].astype(np.int64), signs[:, stack], X)

        return add

    def _draw(self, start: int, stop: int) -> tuple[NDArray[np.int32], Floats]:
        """Return places and values of the nonzeros of S[:, start:stop], shape (rows, z), stack by stack."""
        per_row = min(self.nonzeros, self.size)
        raw = random_words.draw(self.seed, SKETCH_ENTRIES, start, stop, -(-per_row // 2)).view(np.uint32)[:, :per_row]
        edges = (np.arange(per_row + 1) * self.size) // per_row
        heights = np.diff(edges).astype(np.uint64)
        places = ((raw >> np.uint32(1)) * heights) >> np.uint64(31)
        values = np.array([1.0, -1.0])[raw & np.uint32(1)] / np.sqrt(per_row)
        return places.astype(np.int32) + edges[:-1].astype(np.int32), values

    def _csc(self, places: NDArray[np.int32], values: Floats) -> Any:
        rows, per_row = places.shape
        pointers = np.arange(0, rows * per_row + 1, per_row, dtype=np.int32)
        return scipy.sparse.csc_array((values.ravel(), places.ravel(), pointers), shape=(self.size, rows))
