"""Small problems whose x is known, and leverage scores and their gradient, dense and in extended precision."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch._results.solution import Solution
from dsketch.problems import Problem

Long = Any  # arrays of np.longdouble


@dataclass(frozen=True)
class Known:
    """Data and an x; ``problem`` asks for x from g(x) or from σ(x)."""

    A: Floats
    b: Floats
    x: Floats

    def rows(self, x: Long) -> Long:
        """Return S⁻¹A."""
        A, b = self.A.astype(np.longdouble), self.b.astype(np.longdouble)
        return A / (A @ np.asarray(x, np.longdouble) - b)[:, None]

    def sigma(self, x: Long) -> Long:
        """Return σ(x), some digits more than float64 has: an inverse that is refined."""
        rows = self.rows(x)
        units = np.sqrt(np.sum(rows**2, axis=0))
        scaled = rows / units
        G = scaled.T @ scaled
        inverse = np.linalg.inv(G.astype(np.float64)).astype(np.longdouble)
        for _ in range(4):
            inverse = inverse @ (2 * np.eye(len(G)) - G @ inverse)
        return np.einsum("ij,jk,ik->i", scaled, inverse, scaled)

    def g(self, x: Long) -> Long:
        """Return g(x) = −A_xᵀσ(x)."""
        return -self.rows(x).T @ self.sigma(x)

    def gradient(self, c: Any = None, A: Any = None, b: Any = None, **options: Any) -> ds.LeverageGradient:
        """Return it as the problem of the gradient."""
        c = self.g(self.x).astype(np.float64) if c is None else c
        return ds.LeverageGradient(self.A if A is None else A, self.b if b is None else b, c, **options)

    def scores(self, sigma: Any = None, A: Any = None, b: Any = None, **options: Any) -> ds.LeverageDistribution:
        """Return it as the problem of the scores."""
        sigma = self.sigma(self.x).astype(np.float64) if sigma is None else sigma
        return ds.LeverageDistribution(self.A if A is None else A, self.b if b is None else b, sigma, **options)

    def hessian(self, x: Floats) -> Floats:
        """Return ∇²V by differences."""
        return differences(self.g, x)

    def error(self, x: Floats) -> float:
        """Return how far an x is from the known one, with columns scaled."""
        units = np.linalg.norm(self.A, axis=0)
        return float(np.linalg.norm(units * (x - self.x)) / np.linalg.norm(units * self.x))


def differences(f: Callable[[Long], Long], x: Floats) -> Long:
    """Return the derivatives of f, last index first, by differences in extended precision, extrapolated once."""
    h = np.longdouble(2.0) ** -14 * np.abs(x)  # in the units of the columns
    units = np.diag(h.astype(np.longdouble))

    def centred(part: int) -> Long:
        return np.stack(
            [(f(x + unit / part) - f(x - unit / part)) / (2 * step / part) for unit, step in zip(units, h, strict=True)], -1
        )

    return (4 * centred(2) - centred(1)) / 3


def known(
    n: int = 400, d: int = 4, share: float = 0.5, seed: int = 0, *, mixed: bool = False, units: Floats | None = None
) -> Known:
    """Return a problem with x at a share of the way from 0 to the nearest slack of 0; slacks of one sign, or ``mixed``."""
    rng = np.random.default_rng([seed, n, d])
    A, b = rng.standard_normal((n, d)), rng.uniform(0.5, 1.5, n)
    if mixed:
        b = b * np.where(rng.random(n) < 0.5, 1.0, -1.0)
    x = rng.standard_normal(d)
    ways = b / (A @ x)
    x = share * ways[ways > 0].min() * x
    if units is not None:
        A, x = A * units, x / units
    return Known(A, b, x)


def solve(problem: Problem, **choices: Any) -> Solution:
    """Solve in this process."""
    return ds.solve(problem, cluster="serial", progress=False, **choices)
