"""The pass AᵀA, Aᵀb: the normal equations, to be trusted only where the condition number allows."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch._linalg.blas import add_square
from dsketch._linalg.products import add_gram, mirror
from dsketch._linalg.scatter import add_sparse
from dsketch._linalg.tiled import mirror as mirror_in_place
from dsketch.matrix.base import BLOCK_BYTES, Sparse
from dsketch.passes.base import Part, SlicePass

# A multiplication of a sparse product costs 2.7 ns at the density where it matters (9 %), one of BLAS 0.02 ns (measured, d = 100 … 2000).
_SPARSE_PRICE = 128
# From here on a product of its own, to be added, costs more than half of the arithmetic on a block of 32 MB: memory for d² numbers, twice.
IN_PLACE_COLUMNS = 1024


@dataclass(frozen=True)
class Gram(SlicePass[tuple[Floats, Floats, Floats]]):
    """Finish to ``(AᵀA, Aᵀb, bᵀb)`` with shapes (d, d), (d, k), (k,): of bᵀb the diagonal alone.

    One read, n d² + 2 n d k flops (BLAS syrk, gemm), d (d + k) + k numbers a part.  The relative error of the least eigenvalue is u·kappa².
    Of CSR rows the cost is Σ nnz(row)² where they are sparse enough for that to pay, below a density of about 9 %.  Within a panel
    a part holds one triangle of AᵀA; what lies in the other is not read.
    """

    kind: ClassVar[str] = "gram"
    takes_sparse: ClassVar[bool] = True

    def zero(self, columns: int, sides: int) -> Part:
        """Return three zero products."""
        return np.zeros((columns, columns)), np.zeros((columns, sides)), np.zeros(sides)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add XᵀX, XᵀY and the squares of Y."""
        del start
        G, c, bb = part
        if scipy.sparse.issparse(X):
            add_sparse_gram(G, X)
        elif len(G) >= IN_PLACE_COLUMNS:
            add_square(G, np.ascontiguousarray(X))  # the upper triangle: what is below is nobody's until the end
        else:
            add_gram(G, X)
        c += X.T @ Y
        bb += np.einsum("ij,ij->j", Y, Y)

    def end_panel(self, part: Part) -> Part:
        """Return the part with both triangles, which a digest takes for one."""
        return self.finish(part)

    def finish(self, part: Part) -> tuple[Floats, Floats, Floats]:
        """Return the three products."""
        G, c, bb = part
        return mirror_in_place(G) if len(G) >= IN_PLACE_COLUMNS else mirror(G), c, bb

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d (d + k) + k numbers."""
        return 8 * (columns * (columns + sides) + sides)


def add_sparse_gram(G: Floats, X: Sparse) -> None:
    """Add XᵀX of a csr_array, in place: by a sparse product where that is less work, else by dense ones of 32 MB at most."""
    counts = np.diff(X.indptr).astype(np.float64)
    if _SPARSE_PRICE * (counts @ counts) < X.shape[0] * float(X.shape[1]) ** 2:
        add_sparse(G, X.T @ X)
        return
    step = max(BLOCK_BYTES // (8 * X.shape[1]), 1)
    for low in range(0, X.shape[0], step):
        dense = X[low : low + step].toarray()
        G += dense.T @ dense
