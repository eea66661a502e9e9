"""TensorSketch: a CountSketch of x ⊗ … ⊗ x without forming it, by the convolution theorem.

The CountSketch of a tensor product, with the sum of the leaves' hashes as its hash, is the circular convolution of the leaves'
CountSketches: irfft(∏_t rfft(C_t x)).  Unbiased for ⟨x, y⟩^p; the error of an entry is about √(‖x‖² ‖y‖²)^p (1 + 2 cos²)^{p/2} / √m, so the
number of columns grows like 3^p for close rows: from degree 8 on prefer the tree of ``tensor_srht``.  Cost p (nnz + m log m) a row.

References
----------
R. Pagh, "Compressed matrix multiplication", ACM Transactions on Computation Theory, 2013.
N. Pham, R. Pagh, "Fast and scalable polynomial kernels via explicit feature maps", KDD 2013.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import scipy.fft

from dsketch.errors import SpecError
from dsketch.features.base import Floats, RowMap
from dsketch.features.hashing import count_sketch
from dsketch.features.stacking import Hashed, Sizes, Stacked, hashed_by, require_degree

_STREAM = 1 << 32  # leaf t draws from stream _STREAM + t


def sketched_powers(hashed: Hashed, columns: int, sizes: Sizes, seed: int) -> Iterator[tuple[int, Floats]]:
    """Yield (p, sketch of the p-th tensor power, shape (m_p, h)) for every degree of ``sizes``.

    Leaf t serves all degrees from t on; it is as long as the longest of them, and the running product of transforms is thinned out as
    the lengths fall.
    """
    full, length, running = max(sizes.values(), default=0), 0, None
    for power in range(1, max(sizes, default=0) + 1):
        longest = max(size for later, size in sizes.items() if later >= power)
        leaf = scipy.fft.rfft(hashed(count_sketch(seed, _STREAM + power, columns, full, longest)), axis=0)
        if running is not None:
            leaf *= _thinned(running, length, longest)
        running, length = leaf, longest
        if power in sizes:
            yield power, scipy.fft.irfft(_thinned(running, length, sizes[power]), n=sizes[power], axis=0)


def _thinned(transform: Any, length: int, size: int) -> Any:
    """Return the transform of the vectors folded from ``length`` to ``size``."""
    return transform[:: length // size][: size // 2 + 1]


@dataclass(frozen=True, eq=False)
class TensorSketch(Stacked):
    """The exponential: exact low degrees, a TensorSketch for each of the others."""

    name: ClassVar[str] = "tensor_sketch"

    def powers(self, hashed: Hashed, columns: int, sizes: Sizes) -> Iterator[tuple[int, Floats]]:
        """Yield each degree's sketch."""
        return sketched_powers(hashed, columns, sizes, self.seed)


@dataclass(frozen=True, eq=False)
class TensorSketchPower(RowMap):
    """Features of the single power ⟨x, y⟩^p.

    Attributes
    ----------
    size : int
        Columns m.
    degree : int
        p.
    seed : int
    """

    size: int
    degree: int
    seed: int = 0

    name: ClassVar[str] = "tensor_sketch_power"
    takes_sparse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check at the door."""
        require_degree(self.degree)
        if self.size < 1:
            raise SpecError(f"size must be at least 1; it is {self.size}.")

    def width(self, columns: int) -> int:
        """Return m."""
        del columns
        return self.size

    def rows_at_once(self, columns: int) -> int:
        """Return a height at which one transform stays in the second-level cache."""
        del columns
        return 64

    def fill(self, X: Any, out: Floats) -> None:
        """Write the sketch of the p-th tensor power of each row."""
        for _, features in sketched_powers(hashed_by(X), X.shape[1], {self.degree: self.size}, self.seed):
            out[:] = features.T
