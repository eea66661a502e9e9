"""Features of an even power whose products are never below 0: a sketch of half the power, tensored with itself.

With ψ features of ⟨x, y⟩^{p/2}, ⟨ψ(x), ψ(y)⟩² ≥ 0 is a product of the r(r + 1)/2 monomials of degree 2 of ψ.  A product of ψ has noise
of about ‖x‖^{p/2}‖y‖^{p/2} √(1/r), so one that is small next to that comes out as its square, 1/r of what lengths allow.

References
----------
P. Kacham, V. Mirrokni, P. Zhong, "PolySketchFormer: fast transformers via sketching polynomial kernels", ICML 2024.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.features.base import RowMap
from dsketch.features.taylor import Monomials
from dsketch.features.tensor_srht import TensorSRHTPower


@dataclass(frozen=True, eq=False)
class SquaredSketch(RowMap):
    """Features of about ⟨x, y⟩^p, p even.

    Attributes
    ----------
    degree : int
        p.
    size : int
        Rows r of the sketch of half the power.
    seed : int
    """

    degree: int
    size: int
    seed: int = 0

    name: ClassVar[str] = "squared_sketch"

    def width(self, columns: int) -> int:
        """Return r(r + 1)/2."""
        del columns
        return Monomials(2).width(self.size)

    def fill(self, X: Any, out: Floats) -> None:
        """Sketch, then take all products of two."""
        Monomials(2).fill(self.half.apply(X), out)

    @property
    def half(self) -> RowMap:
        """The sketch of half the power, whose products are squared."""
        return TensorSRHTPower(self.size, self.degree // 2, self.seed)
