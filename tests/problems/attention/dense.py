"""Attention as textbooks have it, n × m at once, in float64 or in many digits."""

from functools import reduce
from typing import Any

import mpmath
import numpy as np

Floats = np.ndarray


def data(n: int, m: int, d: int, p: int, seed: int = 0, size: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Return Q, K and V; the rows of Q times ``size``."""
    rng = np.random.default_rng(seed)
    return size * rng.standard_normal((n, d)), rng.standard_normal((m, d)), rng.standard_normal((m, p))


def hidden(n: int, m: int) -> Floats:
    """Return which entries a causal row does not see: the last row sees all."""
    return np.arange(m)[None, :] > np.arange(n)[:, None] + m - n


def softmax(Q: Floats, K: Floats, V: Floats, *, causal: bool = False, scale: float | None = None) -> Floats:
    """Return softmax(s Q Kᵀ) V of one head."""
    Z = Q @ K.T * (Q.shape[1] ** -0.5 if scale is None else scale)
    if causal:
        Z[hidden(*Z.shape)] = -np.inf
    W = np.exp(Z - Z.max(axis=1, keepdims=True))
    return W @ V / W.sum(axis=1, keepdims=True)


def by_heads(heads: int, Q: Floats, K: Floats, V: Floats, **options: Any) -> Floats:
    """Return the attention of several heads beside each other."""
    parts = (np.split(A, heads, axis=1) for A in (Q, K, V))
    return np.concatenate([softmax(*head, **options) for head in zip(*parts, strict=True)], axis=1)


def true_softmax(Q: Floats, K: Floats, V: Floats, scale: float, *, causal: bool = False) -> Floats:
    """Return the same in 50 digits, as an array of objects."""
    with mpmath.workdps(50):
        n, m = len(Q), len(K)
        unseen = hidden(n, m) if causal else np.zeros((n, m), bool)
        q, k, v = (np.vectorize(mpmath.mpf, otypes=[object])(A) for A in (Q, K, V))
        rows = []
        for i in range(n):
            z = [mpmath.mpf(scale) * sum(q[i] * k[j]) for j in range(m)]
            w = np.array([mpmath.mpf(0) if unseen[i, j] else mpmath.exp(z[j] - max(z)) for j in range(m)], dtype=object)
            rows.append(w @ v / w.sum())
        return np.array(rows)


def polynomial(Q: Floats, K: Floats, V: Floats, degree: int, *, causal: bool = False) -> Floats:
    """Return attention of one head whose weights are powers."""
    W = (Q @ K.T) ** degree
    if causal:
        W[hidden(*W.shape)] = 0.0
    return W @ V / W.sum(axis=1, keepdims=True)


def true_polynomial(Q: Floats, K: Floats, V: Floats, degree: int, *, causal: bool = False) -> Floats:
    """Return the same in 60 digits, as an array of objects."""
    with mpmath.workdps(60):
        q, k, v = (np.vectorize(mpmath.mpf, otypes=[object])(A) for A in (Q, K, V))
        W = (q @ k.T) ** degree
        if causal:
            W[hidden(*W.shape)] = mpmath.mpf(0)
        return (W @ v) / W.sum(axis=1, keepdims=True)


def gradients(
    Q: Floats, K: Floats, V: Floats, dY: Floats, *, causal: bool = False, scale: float | None = None
) -> dict[str, Floats]:
    """Return dQ, dK, dV of softmax attention of one head."""
    s = Q.shape[1] ** -0.5 if scale is None else scale
    Z = s * Q @ K.T
    if causal:
        Z[hidden(*Z.shape)] = -np.inf
    S = np.exp(Z - Z.max(axis=1, keepdims=True))
    S /= S.sum(axis=1, keepdims=True)
    P = dY @ V.T
    E = S * (P - np.sum(S * P, axis=1, keepdims=True))
    return {"Q": s * E @ K, "K": s * E.T @ Q, "V": S.T @ dY}


def polynomial_gradients(Q: Floats, K: Floats, V: Floats, dY: Floats, *, degree: int, causal: bool = False) -> dict[str, Floats]:
    """Return dQ, dK, dV of polynomial attention of one head, of numbers of any kind."""
    Z = Q @ K.T
    slopes = degree * reduce(np.multiply, [Z] * (degree - 1))
    W = slopes * Z / degree
    if causal:
        W[hidden(*W.shape)] = slopes[hidden(*W.shape)] = 0 * W[0, 0]
    weight = W.sum(axis=1, keepdims=True)
    S, P = W / weight, dY @ V.T
    E = slopes / weight * (P - (S * P).sum(axis=1, keepdims=True))
    return {"Q": E @ K, "K": E.T @ Q, "V": S.T @ dY}


def true_polynomial_gradients(*given: Floats, degree: int, causal: bool = False) -> dict[str, Floats]:
    """Return the same in 60 digits, as arrays of objects."""
    with mpmath.workdps(60):
        return polynomial_gradients(*(np.vectorize(mpmath.mpf, otypes=[object])(A) for A in given), degree=degree, causal=causal)


def gradients_by_heads(
    heads: int, Q: Floats, K: Floats, V: Floats, dY: Floats, of: Any = gradients, **options: Any
) -> dict[str, Floats]:
    """Return the gradients of several heads beside each other."""
    parts = (np.split(A, heads, axis=1) for A in (Q, K, V, dY))
    found = [of(*head, **options) for head in zip(*parts, strict=True)]
    return {name: np.concatenate([each[name] for each in found], axis=1) for name in "QKV"}


def true_gradients(Q: Floats, K: Floats, V: Floats, dY: Floats, scale: float) -> dict[str, Floats]:
    """Return the same in 50 digits or more, as arrays of objects."""
    with mpmath.workdps(max(50, mpmath.mp.dps)):
        q, k, v, y = (np.vectorize(mpmath.mpf, otypes=[object])(A) for A in (Q, K, V, dY))
        Z = mpmath.mpf(scale) * (q @ k.T)
        W = np.vectorize(mpmath.exp, otypes=[object])(Z - Z.max(axis=1, keepdims=True))
        S = W / W.sum(axis=1, keepdims=True)
        P = y @ v.T
        E = S * (P - (S * P).sum(axis=1, keepdims=True))
        return {"Q": mpmath.mpf(scale) * (E @ k), "K": mpmath.mpf(scale) * (E.T @ q), "V": S.T @ y}
