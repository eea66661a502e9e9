"""Matrices, right-hand sides, and their answers in 60 digits."""

from typing import Any

import mpmath
import numpy as np

import dsketch as ds
from dsketch.testing.known import tall

N, D = 60, 6
WANTED = 10  # times 2j·kappa·u: what issue 3 asks of the relative error
DIGITS = 60

Floats = np.ndarray[Any, np.dtype[np.float64]]


def matrix(condition: float, n: int = N, d: int = D, seed: int = 0) -> Floats:
    """Return A with singular values from 1 down to 1/condition."""
    return tall(n, d, condition=condition, seed=seed).A


def side(rows: int, k: int = 0, seed: int = 5) -> Floats:
    """Return a right-hand side without special direction."""
    return np.random.default_rng(seed).standard_normal((rows, k) if k else rows)


def exact(A: Floats) -> "mpmath.matrix":
    """Return the matrix in 60 digits, without rounding."""
    return mpmath.matrix(A.reshape(len(A), -1).tolist())


def reference(A: Floats, b: Floats, power: int) -> "mpmath.matrix":
    """Return x in 60 digits: least squares first if b has n rows, then j solves with AᵀA."""
    with mpmath.workdps(DIGITS):
        wide = exact(A)
        G, y = wide.T * wide, exact(b)
        if len(b) == len(A) != A.shape[1]:
            y = mpmath.lu_solve(G, wide.T * y)
        for _ in range(power):
            y = mpmath.lu_solve(G, y)
        return y


def error(x: Floats, truth: "mpmath.matrix") -> float:
    """Return ‖x − x*‖/‖x*‖ in 60 digits."""
    with mpmath.workdps(DIGITS):
        return float(mpmath.norm(exact(x) - truth) / mpmath.norm(truth))


def solve(problem: Any, **choices: Any) -> ds.Solution:
    """Solve in this process."""
    return ds.solve(problem, cluster="serial", progress=False, **choices)
