"""The pass that makes rows of an attention layer: softmax(A₁XA₂ᵀ)A₃Y for new rows of A₁."""

from dataclasses import dataclass
from typing import ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.passes.attention import SoftmaxRows


@dataclass(frozen=True)
class LayerRows(SoftmaxRows):
    """Finish to the rows of a layer, shape (n, k).

    Parameters
    ----------
    X : ndarray, shape (d, d')
    Y : ndarray, shape (p, k)

    Notes
    -----
    A sweep of attention with the rows of A₁X as Q, A₂ as K and A₃ as V.
    """

    X: Floats
    Y: Floats

    kind: ClassVar[str] = "layer rows"

    def prepare(self, X: Floats, start: int) -> Floats:
        """Return rows of A₁X."""
        del start
        return X @ self.X

    def attend(self, start: int, X: Floats) -> Floats:
        """Return the rows of the layer."""
        return super().attend(start, X) @ self.Y
