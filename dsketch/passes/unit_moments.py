"""The passes of two-layer regression: moments of the units, which are as many as A₂ has columns, over rows that may be any number."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.online import LARGEST, OnlineSums, absolute_sums, centre_rows


class UnitFacts(NamedTuple):
    """What a pass tells of m units.

    ``y``, shape (m,); ``slope``, shape (m, d), its derivative in x; ``size`` and ``doubt``, shape (m,): the norm of y's terms, and the same
    with each times the absolute sum in its z.  ``top``, ``total``, ``mean`` (of A₁ − 1 centreᵀ, under f) and ``spread`` (the mean absolute
    sum) belong to softmax; ``active``, the rows with z > 0, to ReLU.
    """

    y: Floats
    slope: Floats
    size: Floats
    doubt: Floats
    top: float = 0.0
    total: float = 1.0
    mean: Floats | None = None
    spread: float = 0.0
    active: int = 0


@dataclass(frozen=True)
class SoftmaxMoments(OnlineSums[UnitFacts]):
    """Finish to y = A₂ᵀf and A₂ᵀJ_f A₁ for f = softmax(A₁x), J_f = diag f − f fᵀ; A₂ is n × m.

    Parameters
    ----------
    x : ndarray, shape (d,)
    centre : ndarray, shape (d,)
        What is subtracted from the rows of A₁; f does not depend on it.

    Notes
    -----
    One read; 2 n m d flops, m d + d + 3 m numbers a part: a Gauss–Newton step needs no other pass.
    """

    x: Floats
    centre: Floats

    kind: ClassVar[str] = "softmax units"
    orders: ClassVar[tuple[int, ...]] = (1, 1, 1, 2, 2, 1, 1)

    def zeros(self, columns: int, sides: int) -> Part:
        """Return Σe, Σes; A₂ᵀe; the squares of A₂'s rows under e² and under (e s)²; A₁ᵀe, A₂ᵀdiag(e)A₁."""
        return (np.zeros(1), np.zeros(1), *(np.zeros(sides) for _ in range(3)), np.zeros(columns), np.zeros((sides, columns)))

    def exponents(self, X: Floats) -> Floats:
        """Return C x."""
        return centre_rows(X, self.centre) @ self.x

    def add_terms(self, sums: Part, X: Floats, Y: Floats, z: Floats, top: float) -> None:
        """Add the rows."""
        C, e, squares = centre_rows(X, self.centre), np.exp(z - top), Y * Y
        es = e * absolute_sums(C, self.x)
        terms = (e.sum(), es.sum(), e @ Y, (e * e) @ squares, (es * es) @ squares, e @ C, (Y * e[:, None]).T @ C)
        for total, term in zip(sums, terms, strict=True):
            total += term

    def conclude(self, top: float, sums: Part) -> UnitFacts:
        """Divide by Σe."""
        total = float(sums[0][0])
        spread, y, size, doubt, mean, K = sums[1:]
        y, mean = y / total, mean / total
        return UnitFacts(
            y,
            K / total - np.outer(y, mean),
            np.sqrt(size) / total,
            np.sqrt(doubt) / total,
            top,
            total,
            mean,
            float(spread[0]) / total,
        )

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return m d + d + 3 m + 3 numbers."""
        return 8 * (sides * columns + columns + 3 * sides + 3)


@dataclass(frozen=True)
class ReluMoments(SlicePass[UnitFacts]):
    """Finish to y = A₂ᵀReLU(A₁x) and its derivative A₂ᵀdiag(1[A₁x > 0])A₁; A₂ is n × m.

    Parameters
    ----------
    x : ndarray, shape (d,)

    Notes
    -----
    One read; 2 n m d flops, m d + 3 m numbers a part.
    """

    x: Floats

    kind: ClassVar[str] = "relu units"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the number of active rows; A₂ᵀu; the squares of A₂'s rows under u² and under s²; the derivative."""
        return (np.zeros(1), *(np.zeros(sides) for _ in range(3)), np.zeros((sides, columns)))

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows."""
        del start
        z, squares = np.clip(X @ self.x, -LARGEST, LARGEST), Y * Y
        on = (z > 0).astype(np.float64)
        u, s = on * z, on * absolute_sums(X, self.x)
        for total, term in zip(
            part, (on.sum(), u @ Y, (u * u) @ squares, (s * s) @ squares, (Y * on[:, None]).T @ X), strict=True
        ):
            total += term

    def finish(self, part: Part) -> UnitFacts:
        """Return the moments."""
        active, y, size, doubt, slope = part
        return UnitFacts(y, slope, np.sqrt(size), np.sqrt(doubt), active=int(active[0]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return m d + 3 m + 1 numbers."""
        return 8 * (sides * columns + 3 * sides + 1)


@dataclass(frozen=True)
class SoftmaxBend(SlicePass[Floats]):
    """Finish to Cᵀdiag(t)C with t = f∘(v − ⟨f, v⟩), v = A₂w: the part of the Hessian that no Jacobian has, shape (d, d).

    Parameters
    ----------
    x, centre : ndarray, shape (d,)
        C = A₁ − 1 centreᵀ.
    top, total : float
        The largest of C x and the sum of the exponentials relative to it.
    weights : ndarray, shape (m,)
        w.
    mean : float
        ⟨f, v⟩ = wᵀA₂ᵀf.

    Notes
    -----
    One read; 2 n d² flops, d² numbers a part.
    """

    x: Floats
    centre: Floats
    top: float
    total: float
    weights: Floats
    mean: float

    kind: ClassVar[str] = "softmax bend"

    def zero(self, columns: int, sides: int) -> Part:
        """Return a zero matrix."""
        del sides
        return (np.zeros((columns, columns)),)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows."""
        del start
        C, t = self.rows_of(X, Y)
        part[0][...] += (C * t[:, None]).T @ C

    def rows_of(self, X: Floats, Y: Floats) -> tuple[Floats, Floats]:
        """Return C and t."""
        C = centre_rows(X, self.centre)
        f = np.exp(np.clip(C @ self.x, -LARGEST, LARGEST) - self.top) / self.total
        return C, f * (Y @ self.weights - self.mean)

    def finish(self, part: Part) -> Floats:
        """Return the sum."""
        found: Floats = part[0]
        return found

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d² numbers."""
        del sides
        return 8 * columns**2
