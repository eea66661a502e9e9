"""Data of attention layers with a known answer, and dense formulas."""

from typing import Any

import numpy as np

import dsketch as ds


def rows_of(A1: np.ndarray, X: np.ndarray, A2: np.ndarray, A3: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return softmax(A₁XA₂ᵀ)A₃Y, or the sum over heads."""
    if X.ndim == 3:
        return np.asarray(sum(rows_of(A1, own, A2, A3, mine) for own, mine in zip(X, Y, strict=True)))
    Z = A1 @ X @ A2.T
    S = np.exp(Z - Z.max(axis=1, keepdims=True))
    return np.asarray(S @ A3 @ Y / S.sum(axis=1, keepdims=True))


class Layer:
    """Data of a layer, and the X and Y that made B but for some noise."""

    def __init__(
        self, seed: int = 0, n: int = 60, m: int = 45, shapes: tuple[int, ...] = (3, 2, 4, 2), noise: float = 0.0, heads: int = 1
    ) -> None:
        d, e, p, k = shapes
        many = (heads,) if heads > 1 else ()
        self.heads = heads
        rng = np.random.default_rng(seed)
        self.A1, self.A2, self.A3 = (rng.standard_normal(shape) for shape in ((n, d), (m, e), (m, p)))
        self.X, self.Y = rng.standard_normal((*many, d, e)) / np.sqrt(d), rng.standard_normal((*many, p, k))
        self.off = rng.standard_normal(self.X.shape)
        self.B = rows_of(self.A1, self.X, self.A2, self.A3, self.Y) + noise * rng.standard_normal((n, k))

    def near(self, share: float) -> np.ndarray:
        """Return an X that is off by a share of its norm."""
        return np.asarray(self.X + share * np.linalg.norm(self.X) / np.linalg.norm(self.off) * self.off)

    def problem(self, **options: Any) -> ds.AttentionLayer:
        """Return the problem."""
        return ds.AttentionLayer(self.A1, self.A2, self.A3, self.B, heads=self.heads, **options)

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Return f − B by entries, of X and Y by rows."""
        split = self.X.size
        X, Y = x[:split].reshape(self.X.shape), x[split:].reshape(self.Y.shape)
        return np.asarray(rows_of(self.A1, X, self.A2, self.A3, Y) - self.B).reshape(-1)


def solve(problem: ds.AttentionLayer, **options: Any) -> ds.Solution:
    """Solve in this process."""
    return ds.solve(problem, cluster="serial", progress=False, **options)


def slopes(function: Any, x: np.ndarray, h: float) -> np.ndarray:
    """Return the derivatives of a function by centred differences, a column for each number of x."""
    return np.stack([(function(x + h * v) - function(x - h * v)) / (2 * h) for v in np.eye(len(x))], axis=-1)
