"""The pass that makes rows of an attention layer: softmax(A₁XA₂ᵀ)A₃Y for new rows of A₁."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.attention import SoftmaxRows


@dataclass(frozen=True)
class LayerRows(SoftmaxRows):
    """Finish to the rows of a layer, shape (n, k).

    Parameters
    ----------
    X : ndarray, shape (heads, d, d')
    Y : ndarray, shape (heads, p, k)

    Notes
    -----
    A sweep of attention with the rows of A₁X as Q, A₂ as K and A₃ as V, of each head.
    """

    X: Floats
    Y: Floats

    kind: ClassVar[str] = "layer rows"

    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the rows of the layer."""
        parts = [super(LayerRows, self).rows_at(start, X @ own, Y) @ mine for own, mine in zip(self.X, self.Y, strict=True)]
        return np.asarray(sum(parts[1:], parts[0]))
