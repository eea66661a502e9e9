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

from dsketch._linalg.arrays import Floats
from dsketch._linalg.streams import TENSOR_SKETCH_LEAVES
from dsketch.features.hashing import count_sketch
from dsketch.features.stacking import Hashed, PowerMap, Sizes, Stacked


def _sketch_powers(hashed: Hashed, columns: int, sizes: Sizes, seed: int) -> Iterator[tuple[int, Floats]]:
    """Yield (p, sketch of the p-th tensor power, shape (m_p, h)) for every degree of ``sizes``.

    Leaf t serves all degrees from t on; it is as long as the longest of them, and the running product of transforms is thinned out as
    the lengths fall.
    """
    full, length, running = max(sizes.values(), default=0), 0, None
    for power in range(1, max(sizes, default=0) + 1):
        longest = max(size for later, size in sizes.items() if later >= power)
        leaf = scipy.fft.rfft(hashed(count_sketch(seed, TENSOR_SKETCH_LEAVES.at(power), columns, full, longest)), axis=0)
        if running is not None:
            leaf *= _thin_out(running, length, longest)
        running, length = leaf, longest
        if power in sizes:
            yield power, scipy.fft.irfft(_thin_out(running, length, sizes[power]), n=sizes[power], axis=0)


def _thin_out(transform: Any, length: int, size: int) -> Any:
    """Return the transform of the vectors folded from ``length`` to ``size``."""
    return transform[:: length // size][: size // 2 + 1]


@dataclass(frozen=True, eq=False)
class TensorSketch(Stacked):
    """The exponential: exact low degrees, a TensorSketch for each of the others."""

    name: ClassVar[str] = "tensor_sketch"

    def powers(self, hashed: Hashed, columns: int, sizes: Sizes) -> Iterator[tuple[int, Floats]]:
        """Yield each degree's sketch."""
        return _sketch_powers(hashed, columns, sizes, self.seed)


@dataclass(frozen=True, eq=False)
class TensorSketchPower(PowerMap):
    """The single power ⟨x, y⟩^p by one TensorSketch."""

    name: ClassVar[str] = "tensor_sketch_power"

    def powers(self, hashed: Hashed, columns: int, sizes: Sizes) -> Iterator[tuple[int, Floats]]:
        """Yield the degree's sketch."""
        return _sketch_powers(hashed, columns, sizes, self.seed)
