"""An attention layer ½‖Σ_h softmax(A₁X_hA₂ᵀ)A₃Y_h − B‖² + ½ alpha (‖X‖² + ‖Y‖²): its data, its sizes, and the rows that are swept."""

from dataclasses import dataclass, replace

from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.attention import attention_rows
from dsketch.passes.spans import Spans

# Of X, of Y, and of products of a key and a value, of all heads: their Gram matrix has so many rows and columns, 8 MB; d is then about 30.
MOST_OF_MATRIX = 1024
# Likewise where nothing is a matrix of them: products of a key and a value are examined in spans of 134 MB; d is then 256.
MOST_NUMBERS = 65_536
_SPAN_BYTES = 32_000_000  # of the products of keys and values of a span
_LEAST_SPAN = 256


@dataclass(frozen=True)
class LayerSystem:
    """A layer's data.

    Attributes
    ----------
    A1 : Matrix, shape (n, d)
    A2 : Matrix, shape (m, d')
    A3 : Matrix, shape (m, p)
    B : Matrix, shape (n, k)
    alpha : float
    heads : int
        Each has an X and a Y of its own.
    """

    A1: Matrix
    A2: Matrix
    A3: Matrix
    B: Matrix
    alpha: float
    heads: int = 1

    @property
    def shapes(self) -> tuple[int, int, int, int]:
        """d, d', p, k."""
        return self.A1.shape[1], self.A2.shape[1], self.A3.shape[1], self.B.shape[1]

    @property
    def numbers(self) -> int:
        """Of all X, of all Y, or of products of a key and a value, whichever has most."""
        d, e, p, k = self.shapes
        return max(self.heads * d * e, self.heads * p * k, self.heads**2 * e * p)

    @property
    def has_matrix(self) -> bool:
        """Whether looks may sum matrices that have a row for each number of X."""
        return self.numbers <= MOST_OF_MATRIX

    @property
    def rows(self) -> Rows:
        """A₁ and B in the blocks of a sweep."""
        _, e, p, _ = self.shapes
        wide = self.heads**2 * (2 * e * p + e * e) if self.has_matrix else 4 * self.heads * (e + p)
        return attention_rows(self.A1, self.B, wide, ("A1", "B"))

    @property
    def others(self) -> Spans:
        """A₂ and A₃, as they are swept over."""
        _, e, p, _ = self.shapes
        spans = Spans.of(self.A2, self.A3)
        return replace(spans, height=min(spans.height, max(_SPAN_BYTES // (8 * e * max(e, p)), _LEAST_SPAN)))
