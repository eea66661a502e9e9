"""Columns far from 0, and their exact rational answers."""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

import dsketch as ds

EPS = float(np.finfo(float).eps)
NS = 1_700_000_000_000_000_000


def exact(A: np.ndarray, b: np.ndarray, *, weights: Any = None, alpha: float = 0.0) -> list[Fraction]:
    """Return slopes and intercept of the numbers as they are stored, in rational arithmetic."""
    w = np.ones(len(A)) if weights is None else np.asarray(weights)
    rows = [
        ([*map(fraction, row), Fraction(1)], fraction(side), fraction(count)) for row, side, count in zip(A, b, w, strict=True)
    ]
    d = A.shape[1] + 1
    G = [[sum((c * r[i] * r[j] for r, _, c in rows), Fraction(0)) for j in range(d)] for i in range(d)]
    for i in range(d - 1):
        G[i][i] += fraction(alpha)
    return solved(G, [sum((c * r[i] * y for r, y, c in rows), Fraction(0)) for i in range(d)])


def fraction(value: Any) -> Fraction:
    """Return a stored number exactly."""
    return Fraction(value.item() if isinstance(value, np.generic) else value)


def solved(G: list[list[Fraction]], c: list[Fraction]) -> list[Fraction]:
    """Return the solution of a small system by elimination."""
    G, c = [list(row) for row in G], list(c)
    for i in range(len(c)):
        pivot = next(row for row in range(i, len(c)) if G[row][i])
        G[i], G[pivot], c[i], c[pivot] = G[pivot], G[i], c[pivot], c[i]
        for row in range(len(c)):
            if row != i:
                share = G[row][i] / G[i][i]
                G[row] = [mine - share * other for mine, other in zip(G[row], G[i], strict=True)]
                c[row] -= share * c[i]
    return [c[i] / G[i][i] for i in range(len(c))]


def off(x: Any, right: list[Fraction]) -> float:
    """Return the largest relative error of the coefficients, each against its own size."""
    return max(float(abs(fraction(float(mine)) / value - 1)) for mine, value in zip(x, right, strict=True))


class Case(NamedTuple):
    """Data, what the problem is asked, and the condition of its columns once shifted and scaled: what rounding still feels."""

    A: np.ndarray
    b: np.ndarray
    options: dict[str, Any]
    condition: float

    @property
    def alpha(self) -> float:
        """Of ridge; 0 for least squares."""
        return float(self.options.get("alpha", 0.0))

    def problem(self, A: Any = None) -> Any:
        """Return the problem, on A as it is stored elsewhere."""
        return (ds.Ridge if self.alpha else ds.LeastSquares)(self.A if A is None else A, self.b, intercept=True, **self.options)

    def right(self) -> list[Fraction]:
        """Return the exact answer."""
        return exact(self.A, self.b, weights=self.options.get("weights"), alpha=self.alpha)

    @property
    def bound(self) -> float:
        """Forward error of a backward stable method on the shifted columns (Higham 2002, Theorem 20.1, small residual times kappa²)."""
        return 64 * EPS * self.condition**2


def _case(A: Any, condition: float = 2.0, noise: float = 0.1, **options: Any) -> Case:
    A = np.asarray(A)
    A = A[:, None] if A.ndim == 1 else A
    rng = np.random.default_rng(5)
    middle = [np.sort(column)[len(column) // 2] for column in A.T]
    near = np.array(
        [[float(fraction(value) - fraction(s)) for value, s in zip(row, middle, strict=True)] for row in A],
    )
    b = near @ (1 / np.abs(near).max(axis=0)) + noise * rng.standard_normal(len(A)) + 1.0
    return Case(A, b, options, condition)


def _cases() -> dict[str, Case]:
    rng = np.random.default_rng(17)
    z, years = rng.standard_normal(60), np.arange(1950.0, 2010.0)
    weights = rng.uniform(0.5, 2, 60)
    weights[[0, 30, 59]] = 0.0
    hidden = 1.7e9 + 20 * z
    hidden[[0, 30, 59]] = 0.0
    utm = np.column_stack([5.4e6 + 300 * z, 5e5 + 200 * rng.standard_normal(60)])
    ticks = np.sort(rng.choice(2**20, 60, replace=False)).astype(np.uint64)
    return {
        "UNIX seconds over a minute": _case(1.7e9 + 20 * z),
        "UNIX seconds over a millisecond": _case(1.7e9 + 3e-4 * z),
        "a first row of zero": _case(np.append(0.0, 1.7e9 + 20 * z)),
        "int64 nanoseconds": _case(NS + 100 * np.arange(60)),
        "big-endian int64": _case((NS + 100 * np.arange(60)).astype(">i8")),
        "uint64 near its end": _case(np.uint64(2**64 - 2**20) + ticks),
        "int64 of both signs": _case(np.append([-(2**62), 2**62], NS + np.arange(60)), noise=1.0),
        "all of int64": _case(np.array([-(2**63), 2**63 - 1] * 3 + [2**63 - 1 - k for k in range(57)]), noise=1.0),
        "Julian days over an hour": _case(2460000.5 + rng.uniform(0, 1 / 24, 60)),
        "northings and eastings": _case(utm),
        "float32": _case((1e5 + z).astype(np.float32)),
        "int32": _case(2_000_000_000 + np.arange(60, dtype=np.int32)),
        "year, squared and cubed": _case(np.column_stack([years, years**2, years**3]), 3e5, 1e-3),
        "ridge at 1e8": _case(np.column_stack([1e8 + z, rng.standard_normal(60)]), alpha=2.5),
        "weights": _case(1.7e9 + 20 * z, weights=rng.uniform(0.5, 2, 60)),
        "rows of weight 0 hold zeros": _case(hidden, weights=weights),
    }


CASES = _cases()
