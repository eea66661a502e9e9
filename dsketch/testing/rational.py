"""Least squares without any rounding: float64 data are dyadic rationals, and so is every minimizer.

``minimizer`` gives the shortest x of min Σ w (b − A x)² + Σ p x² as fractions, whatever the rank; ``backward_error`` the Karlson–Waldén
estimate of any float64 x with columns scaled to norm one, from an exact residual and slope.  For a handful of columns and
some tens of rows: numerators grow to thousands of bits.

References
----------
R. Karlson, B. Waldén, "Estimation of optimal backward perturbation bounds for the linear least squares problem", BIT 37, 1997.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats

Row = list[Fraction]


@dataclass(frozen=True)
class Exact:
    """min Σ w (b − A x)² + Σ p x², as fractions.

    Attributes
    ----------
    A : list of rows
    b : list
    weights : list
    penalty : list
    """

    A: list[Row]
    b: Row
    weights: Row
    penalty: Row

    @classmethod
    def of(cls, A: NDArray[np.generic], b: Floats, weights: Floats | None, penalty: Floats, *, intercept: bool) -> "Exact":
        """Return the problem of arrays; integers stay what they are."""
        rows = [[Fraction(v) for v in row] + [Fraction(1)] * intercept for row in A.tolist()]
        many = [Fraction(1)] * len(rows) if weights is None else [Fraction(w) for w in weights.tolist()]
        return cls(rows, [Fraction(v) for v in b.tolist()], many, [Fraction(p) for p in penalty.tolist()])

    @cached_property
    def gram(self) -> list[Row]:
        """AᵀWA + diag p."""
        d = len(self.penalty)
        weighted = [[w * v for v in row] for w, row in zip(self.weights, self.A, strict=True)]
        G = [[sum((x[i] * y[j] for x, y in zip(weighted, self.A, strict=True)), Fraction(0)) for j in range(d)] for i in range(d)]
        for i, p in enumerate(self.penalty):
            G[i][i] += p
        return G

    def residual(self, x: Row) -> Row:
        """Return b − A x."""
        return [b - sum((a * v for a, v in zip(row, x, strict=True)), Fraction(0)) for row, b in zip(self.A, self.b, strict=True)]

    def slope(self, x: Row) -> Row:
        """Return AᵀW(b − A x) − p∘x."""
        r = [w * v for w, v in zip(self.weights, self.residual(x), strict=True)]
        inner = [sum((row[j] * v for row, v in zip(self.A, r, strict=True)), Fraction(0)) for j in range(len(x))]
        return [value - p * v for value, p, v in zip(inner, self.penalty, x, strict=True)]

    def minimizer(self) -> tuple[Row, int]:
        """Return the shortest minimizer, and the rank of [√W A; √p]."""
        G, zero = self.gram, [Fraction(0)] * len(self.penalty)
        reduced, pivots = echelon([[*row, c] for row, c in zip(G, self.slope(zero), strict=True)], len(zero))
        basic = list(zero)
        for row, j in zip(reduced, pivots, strict=False):
            basic[j] = row[-1]
        null = [_null_vector(reduced, pivots, free, len(zero)) for free in range(len(zero)) if free not in pivots]
        return _without(basic, null), len(pivots)

    def squares(self) -> Row:
        """Return ‖a‖² of each column of [√W A; √p], 1 where it is 0."""
        return [row[i] or Fraction(1) for i, row in enumerate(self.gram)]

    def backward_error(self, x: Floats) -> float:
        """Return how little [√W A; √p] must change for x to be exact, columns scaled to norm one.

        ::

            η² = gᵀ (‖D x‖² AᵀA + ‖r‖² D²)⁻¹ g / ‖A D⁻¹‖_F²
        """
        exact, D = [Fraction(v) for v in x.tolist()], self.squares()
        rr = sum((w * v * v for w, v in zip(self.weights, self.residual(exact), strict=True)), Fraction(0))
        rr += sum((p * v * v for p, v in zip(self.penalty, exact, strict=True)), Fraction(0))
        g, G = self.slope(exact), self.gram
        if not any(g):
            return 0.0
        length = sum((size * v * v for size, v in zip(D, exact, strict=True)), Fraction(0))
        M = [[length * v + (rr * D[i] if i == j else 0) for j, v in enumerate(row)] for i, row in enumerate(G)]
        solved, pivots = echelon([[*row, c] for row, c in zip(M, g, strict=True)], len(g))
        value = sum((g[j] * row[-1] for row, j in zip(solved, pivots, strict=False)), Fraction(0))
        return math.sqrt(value / sum(1 for i, row in enumerate(G) if row[i]))


def relative_distance(x: Floats, exact: Row, squares: Row) -> float:
    """Return ‖D (x − x*)‖/‖D x*‖, infinite for x* = 0 unless x is 0 too; D² is given."""
    far = sum((D * (Fraction(v) - w) ** 2 for v, w, D in zip(x.tolist(), exact, squares, strict=True)), Fraction(0))
    long = sum((D * w * w for w, D in zip(exact, squares, strict=True)), Fraction(0))
    return math.sqrt(far / long) if long else (math.inf if far else 0.0)


def echelon(M: list[Row], columns: int) -> tuple[list[Row], list[int]]:
    """Return the reduced row echelon form of M over its first ``columns`` columns, and the pivots."""
    M, pivots, top = [list(row) for row in M], [], 0
    for j in range(columns):
        found = next((i for i in range(top, len(M)) if M[i][j]), None)
        if found is None:
            continue
        M[top], M[found] = M[found], M[top]
        M[top] = [v / M[top][j] for v in M[top]]
        for i in range(len(M)):
            if i != top and M[i][j]:
                share = M[i][j]
                M[i] = [v - share * w for v, w in zip(M[i], M[top], strict=True)]
        pivots.append(j)
        top += 1
    return M, pivots


def _null_vector(reduced: list[Row], pivots: list[int], free: int, d: int) -> Row:
    v = [Fraction(0)] * d
    v[free] = Fraction(1)
    for row, j in zip(reduced, pivots, strict=False):
        v[j] = -row[free]
    return v


def _without(x: Row, null: list[Row]) -> Row:
    """Return x without its component in the span of ``null``."""
    if not null:
        return x
    inner = [[sum((a * b for a, b in zip(v, w, strict=True)), Fraction(0)) for w in null] for v in null]
    along = [sum((a * b for a, b in zip(v, x, strict=True)), Fraction(0)) for v in null]
    solved, _ = echelon([[*row, c] for row, c in zip(inner, along, strict=True)], len(null))
    shares = [row[-1] for row in solved]
    return [value - sum((c * v[i] for c, v in zip(shares, null, strict=True)), Fraction(0)) for i, value in enumerate(x)]
