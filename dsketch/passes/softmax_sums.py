"""The pass of softmax regression: all sums of f = exp(A x)/⟨exp(A x), 1⟩ that loss, gradient and Hessian need."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part
from dsketch.passes.online import OnlineSums, centre_rows


class SoftmaxFacts(NamedTuple):
    """What the pass finds, C being A − 1 centreᵀ.

    ``top``: the largest z = C x.  ``total`` = Σ e^{z − top}.  ``mean`` = Cᵀf, shape (d,).  ``ff``, ``fb``, ``bb`` = ‖f‖², ⟨f, b⟩, ‖b‖².
    ``square`` = Cᵀ(f∘f) and ``cross`` = Cᵀ(f∘b), each of shape (d,).  ``grams``, shape (g, d, d): Cᵀdiag(f∘f)C, then Cᵀdiag(f∘b)C and
    Cᵀdiag(f)C.
    """

    top: float
    total: float
    mean: Floats
    ff: float
    fb: float
    bb: float
    square: Floats
    cross: Floats
    grams: Floats


@dataclass(frozen=True)
class SoftmaxSums(OnlineSums[SoftmaxFacts]):
    """Finish to the sums of softmax regression.

    Parameters
    ----------
    x : ndarray, shape (d,)
    centre : ndarray, shape (d,)
        What is subtracted from the rows: f does not depend on it, and near Aᵀf nothing cancels in JᵀJ.
    grams : int
        0: loss and gradient alone; 1: also JᵀJ; 3: also the Hessian.

    Notes
    -----
    One read; (2 + grams·d) n d flops, grams·d² + 3 d numbers a part.
    """

    x: Floats
    centre: Floats
    grams: int = 1

    kind: ClassVar[str] = "softmax"
    orders: ClassVar[tuple[int, ...]] = (1, 2, 1, 0, 1, 2, 1, 2, 1)

    def zeros(self, columns: int, sides: int) -> Part:
        """Return Σe, Σe², Σeb, Σb²; the three products with C; the two stacks of Gram matrices."""
        del sides
        first = (columns, columns) if self.grams else (0, 0)
        others = (max(self.grams - 1, 0), columns, columns)
        return (*(np.zeros(1) for _ in range(4)), *(np.zeros(columns) for _ in range(3)), np.zeros(first), np.zeros(others))

    def exponents(self, X: Floats) -> Floats:
        """Return C x."""
        return centre_rows(X, self.centre) @ self.x

    def add_terms(self, sums: Part, X: Floats, Y: Floats, z: Floats, top: float) -> None:
        """Add the rows."""
        C, b, e = centre_rows(X, self.centre), Y[:, 0], np.exp(z - top)
        square, cross = e * e, e * b
        for total, terms in zip(sums[:4], (e, square, cross, b * b), strict=True):
            total += terms.sum()
        for total, weights in zip(sums[4:7], (e, square, cross), strict=True):
            total += weights @ C
        if self.grams:
            Z = C * e[:, None]
            sums[7][...] += Z.T @ Z
        for total, weights in zip(sums[8], (cross, e), strict=False):
            total += (C * weights[:, None]).T @ C

    def conclude(self, top: float, sums: Part) -> SoftmaxFacts:
        """Divide by Σe and its square."""
        e, ee, eb, bb, mean, square, cross, gram, others = sums
        total = float(e[0])
        grams = np.concatenate([gram[None] / total**2, others / total]) if self.grams else np.zeros((0, *gram.shape))
        return SoftmaxFacts(
            top,
            total,
            mean / total,
            float(ee[0]) / total**2,
            float(eb[0]) / total,
            float(bb[0]),
            square / total**2,
            cross / total,
            grams,
        )

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return grams·d² + 3 d + 5 numbers."""
        del sides
        return 8 * (self.grams * columns**2 + 3 * columns + 5)
