"""Small problems whose answer is known, and their f, dense and in extended precision."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch._results.solution import Solution
from dsketch.problems.nonlinear.problem import NonlinearProblem

N, D, M = 400, 4, 24
KINDS = ("softmax", "resnet", "softmax first", "relu first")
ROWWISE = KINDS[:2]
Long = Any  # arrays of np.longdouble


def softmax(z: Long) -> Long:
    """Return exp(z)/⟨exp(z), 1⟩ of longdouble."""
    e = np.exp(z - z.max())
    return e / e.sum()


def value(kind: str, A: Floats, A2: Floats, x: Long) -> Long:
    """Return f(x), to some digits more than float64 has."""
    z = A.astype(np.longdouble) @ np.asarray(x, dtype=np.longdouble)
    if kind == "softmax":
        return softmax(z)
    if kind == "resnet":
        top = np.maximum(z.max(), 0)
        u = np.exp(z - top) + np.exp(-top) * z
        return u / u.sum()
    if kind == "softmax first":
        return np.maximum(A2.T.astype(np.longdouble) @ softmax(z), 0)
    return softmax(A2.T.astype(np.longdouble) @ np.maximum(z, 0))


@dataclass(frozen=True)
class Known:
    """Data, an x, and b = f(x) but for noise."""

    kind: str
    A: Floats
    A2: Floats
    x: Floats
    b: Floats

    def f(self, x: Long) -> Long:
        """Return f(x)."""
        return value(self.kind, self.A, self.A2, x)

    def loss(self, x: Long) -> Long:
        """Return ½‖f(x) − b‖²."""
        r = self.f(x) - self.b
        return r @ r / 2

    def near(self, share: float = 0.3, seed: int = 1) -> Floats:
        """Return a start that is off by a share of each coefficient."""
        return self.x * (1 + share * np.random.default_rng(seed).uniform(-1, 1, len(self.x)))

    def problem(self, A: Any = None, b: Any = None, **options: Any) -> NonlinearProblem:
        """Return it as a problem."""
        A, b = self.A if A is None else A, self.b if b is None else b
        if self.kind == "softmax":
            return ds.SoftmaxRegression(A, b, **options)
        if self.kind == "resnet":
            return ds.SoftmaxResNet(A, b, **options)
        inner, outer = ("softmax", "relu") if self.kind == "softmax first" else ("relu", "softmax")
        return ds.TwoLayer(A, self.A2, b, inner=inner, outer=outer, **options)

    def derivatives(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the gradient, JᵀJ and the Hessian by differences in extended precision."""
        h = np.longdouble(2.0) ** -14 * np.abs(x).max()
        units = np.eye(len(x), dtype=np.longdouble) * h
        J = np.stack([(self.f(x + u) - self.f(x - u)) / (2 * h) for u in units], axis=1)
        J = (4 * np.stack([(self.f(x + u / 2) - self.f(x - u / 2)) / h for u in units], axis=1) - J) / 3

        def second(u: Long, v: Long) -> Long:
            return (self.loss(x + u + v) - self.loss(x + u - v) - self.loss(x - u + v) + self.loss(x - u - v)) / (4 * h * h)

        H = np.array([[(4 * second(u / 2, v / 2) * 4 - second(u, v)) / 3 for v in units] for u in units])
        r = self.f(x) - self.b
        return (J.T @ r).astype(np.float64), (J.T @ J).astype(np.float64), H.astype(np.float64)


def known(
    kind: str, n: int = N, d: int = D, m: int = M, noise: float = 0.0, seed: int = 0, units: Callable[[int], Floats] | None = None
) -> Known:
    """Return a problem with b = f(x), rounded, or with noise of so many times its size."""
    rng = np.random.default_rng(seed)
    A, A2, x = rng.standard_normal((n, d)), rng.standard_normal((n, m)), rng.standard_normal(d) / np.sqrt(d)
    if kind == "relu first":
        x = x / np.sqrt(n)
    if units is not None:
        A, x = A * units(d), x / units(d)
    b = value(kind, A, A2, x).astype(np.float64)
    return Known(kind, A, A2, x, b * (1 + noise * rng.standard_normal(len(b))))


def solve(problem: NonlinearProblem, **choices: Any) -> Solution:
    """Solve in this process."""
    return ds.solve(problem, cluster="serial", progress=False, **choices)
