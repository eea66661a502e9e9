"""The pass of softmax with a residual connection: all sums of u = exp(A x) + A x that loss, gradient and Hessian need."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part
from dsketch.passes.online import OnlineSums


class ResnetFacts(NamedTuple):
    """What the pass finds; α = Σu, f = u/α, v = exp(A x) + 1.

    ``top`` = σ, the largest z = A x, at least 0.  ``alpha`` = α e^{−σ}, ``size`` = Σ abs(u) e^{−σ}.  ``ff``, ``fb``, ``bb`` = ‖f‖², ⟨f, b⟩,
    ‖b‖².  Of shape (d,): ``slope`` = Aᵀv/α, ``square`` = Aᵀ(v∘f)/α, ``cross`` = Aᵀ(v∘b)/α.  ``grams``, shape (g, d, d): Aᵀdiag(v∘v)A/α²,
    then Aᵀdiag(w)A/α with w = exp(A x)∘f, exp(A x)∘b and exp(A x).
    """

    top: float
    alpha: float
    size: float
    ff: float
    fb: float
    bb: float
    slope: Floats
    square: Floats
    cross: Floats
    grams: Floats


@dataclass(frozen=True)
class ResnetSums(OnlineSums[ResnetFacts]):
    """Finish to the sums of softmax with a residual connection.

    Parameters
    ----------
    x : ndarray, shape (d,)
    grams : int
        0: loss and gradient alone; 1: also JᵀJ; 4: also the Hessian.

    Notes
    -----
    One read; (2 + grams·d) n d flops, grams·d² + 3 d numbers a part.  A x is scaled as the exponentials are, so that the sum of both is
    right whichever is the larger; where α = 0 quotients are infinite, which the caller must look at.
    """

    x: Floats
    grams: int = 1

    kind: ClassVar[str] = "resnet"
    orders: ClassVar[tuple[int, ...]] = (1, 1, 2, 1, 0, 1, 2, 1, 2, 2, 1)

    def zero(self, columns: int, sides: int) -> Part:
        """Return a top of 0: where all z are negative A x is the larger summand and needs no scale."""
        return (np.zeros(1), *self.zeros(columns, sides))

    def zeros(self, columns: int, sides: int) -> Part:
        """Return Σu, Σ|u|, Σu², Σub, Σb²; Aᵀv, Aᵀ(v∘u), Aᵀ(v∘b); the Gram matrices with v², with e∘u, with e∘b and e."""
        del sides
        all_four = self.grams > 1
        shapes = (
            (columns, columns) if self.grams else (0, 0),
            (all_four * 1, columns, columns),
            (all_four * 2, columns, columns),
        )
        return (*(np.zeros(1) for _ in range(5)), *(np.zeros(columns) for _ in range(3)), *(np.zeros(shape) for shape in shapes))

    def exponents(self, X: Floats) -> Floats:
        """Return A x."""
        return X @ self.x

    def add_terms(self, sums: Part, X: Floats, Y: Floats, z: Floats, top: float) -> None:
        """Add the rows."""
        b, e, one = Y[:, 0], np.exp(z - top), np.exp(-top)
        u, v = e + one * z, e + one
        for total, terms in zip(sums[:5], (u, np.abs(u), u * u, u * b, b * b), strict=True):
            total += terms.sum()
        for total, weights in zip(sums[5:8], (v, v * u, v * b), strict=True):
            total += weights @ X
        if self.grams:
            Z = X * v[:, None]
            sums[8][...] += Z.T @ Z
        for total, weights in zip((*sums[9], *sums[10]), (e * u, e * b, e), strict=False):
            total += (X * weights[:, None]).T @ X

    def conclude(self, top: float, sums: Part) -> ResnetFacts:
        """Divide by α and its square."""
        alpha, size, uu, ub, bb = (float(total[0]) for total in sums[:5])
        v, vu, vb, gram, eu, others = sums[5:]
        with np.errstate(divide="ignore", invalid="ignore"):
            grams = (
                np.concatenate([gram[None] / alpha**2, eu / alpha**2, others / alpha])
                if self.grams
                else np.zeros((0, *gram.shape))
            )
            ff, fb = np.float64(uu) / alpha**2, np.float64(ub) / alpha
            return ResnetFacts(top, alpha, size, float(ff), float(fb), bb, v / alpha, vu / alpha**2, vb / alpha, grams)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return grams·d² + 3 d + 6 numbers."""
        del sides
        return 8 * (self.grams * columns**2 + 3 * columns + 6)
