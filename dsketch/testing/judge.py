"""Judge x by the data: residual, gradient and backward error recomputed from A and b in extended precision.

Where ``numpy.longdouble`` has no more bits than float64 (some platforms), the judgement is uncertain by n·u.

References
----------
B. Waldén, R. Karlson, J.-G. Sun, "Optimal backward perturbation bounds for the linear least squares problem", Numer. Linear
Algebra Appl. 2, 1995, Theorem 2.1.
R. Karlson, B. Waldén, BIT 37, 1997; S. Gratton, P. Jiránek, D. Titley-Peloquin, SIAM J. Matrix Anal. Appl. 33, 2012 (within √2).
"""

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats

EPS = float(np.finfo(np.float64).eps)


def residual(A: Floats, b: Floats, x: Floats) -> NDArray[np.longdouble]:
    """Return b − A x in extended precision, shape of b."""
    return np.asarray(b.astype(np.longdouble) - A.astype(np.longdouble) @ x.astype(np.longdouble))


def estimated_backward_error(A: Floats, b: Floats, x: Floats) -> Floats:
    """Return the Karlson–Waldén backward error of each side, columns scaled to norm near one: within √2 of the optimum, for any n.

    Parameters
    ----------
    A : ndarray, shape (n, d)
    b, x : ndarray, shapes (n,) and (d,), or (n, k) and (d, k)
    """
    A, b, x = _balance(A, b, x)
    size = float(np.linalg.norm(A))
    if size == 0:
        return np.zeros(b.shape[1])
    r = residual(A, b, x)
    g = (A.T.astype(np.longdouble) @ r).astype(np.float64)
    _, s, Vt = np.linalg.svd(A, full_matrices=False)
    weight = np.hypot(np.outer(s, np.linalg.norm(x, axis=0)), np.linalg.norm(r.astype(np.float64), axis=0))
    pieces = np.abs(Vt @ g)
    ratios = np.divide(pieces, weight, out=np.zeros_like(pieces), where=weight > 0)
    return np.asarray(np.linalg.norm(ratios, axis=0) / size)


def optimal_backward_error(A: Floats, b: Floats, x: Floats) -> float:
    """Return the smallest ‖E‖_F/‖A‖_F for which x minimizes ‖(A + E) x − b‖, for one side and small n (an SVD of n × (n + d)).

    Columns are scaled to norm near one first.

    ::

        η = min(φ, σ_min[A, φ (I − r rᵀ/‖r‖²)]),   φ = ‖r‖/‖x‖
    """
    A, sides, columns = _balance(A, b, x)
    b, x = sides[:, 0], columns[:, 0]
    r = residual(A, b, x).astype(np.float64)
    length = float(np.linalg.norm(r))
    if length == 0:
        return 0.0
    size, n = float(np.linalg.norm(A)), A.shape[0]
    if not x.any():
        return float(np.linalg.norm(A.T @ r)) / length / size
    phi = length / float(np.linalg.norm(x))
    across = np.eye(n) - np.outer(r, r) / length**2
    smallest = float(np.linalg.svd(np.concatenate([A, phi * across], axis=1), compute_uv=False)[n - 1])
    return min(phi, smallest) / size


def _balance(A: Floats, b: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the problem with columns of norm between ½ and 1 and b near one (by powers of two, exactly), all as columns."""
    b, x = b.reshape(b.shape[0], -1), x.reshape(x.shape[0], -1)
    peaks = np.frexp(np.abs(A).max(axis=0, initial=0.0))[1]
    norms = np.linalg.norm(np.ldexp(A, -peaks), axis=0)  # squares neither over- nor underflow
    up = peaks + np.where(norms > 0, np.frexp(norms)[1], 0)
    down = int(np.frexp(np.abs(b).max(initial=0.0) or 1.0)[1])
    return np.ldexp(A, -up), np.ldexp(b, -down), np.ldexp(x, up[:, None] - down)
