"""Least-squares problems whose answer is known by construction, kind and nasty ones.

>>> problem = tall(200, 5, condition=1e6)
>>> problem.A.shape, problem.rank
((200, 5), 5)
>>> bool(np.linalg.norm(problem.A.T @ (problem.b - problem.A @ problem.x)) < 1e-12)
True
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats

_HEAVY = 1e4  # the rows that carry the columns are so much larger than all others


@dataclass(frozen=True)
class Known:
    """A, b and what is known of the answer.

    Attributes
    ----------
    A : ndarray, shape (n, d)
    b : ndarray, shape (n,) or (n, k)
    x : ndarray, shape (d,) or (d, k)
        The minimum-norm solution, exact up to the rounding of A and b: within u·kappa·(1 + kappa ‖r‖/(‖A‖‖x‖)) of theirs.
    rank : int
        Of A without rounding.
    condition : float
        Largest over smallest nonzero singular value.
    """

    A: Floats
    b: Floats
    x: Floats
    rank: int
    condition: float


def tall(
    n: int,
    d: int,
    *,
    condition: float = 10.0,
    residual: float = 1e-3,
    rows: str = "incoherent",
    sides: int = 0,
    seed: int = 0,
) -> Known:
    """Return A = U diag(s) Vᵀ with s falling geometrically from 1 to 1/condition, and b = A x + r with Aᵀr = 0.

    Parameters
    ----------
    n, d : int
    condition : float
        At least 1.
    residual : float
        ‖r‖ relative to ‖A x‖.
    rows : str
        A key of :data:`ROWS`: which rows carry the columns.
    sides : int
        k; 0 makes b a vector.
    seed : int
    """
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(ROWS[rows](n, d, rng))[0]
    V = np.linalg.qr(rng.standard_normal((d, d)))[0]
    s = np.geomspace(1.0, 1.0 / condition, d)
    A = (U * s) @ V.T
    x = rng.standard_normal((d, sides or 1))
    fitted = A @ x
    noise = _across(U, rng.standard_normal((n, sides or 1))) if n > d else np.zeros_like(fitted)
    b = fitted + residual * noise * np.linalg.norm(fitted, axis=0)
    return Known(A, b if sides else b[:, 0], x if sides else x[:, 0], d, float(s[0] / s[-1]))


def _across(U: Floats, noise: Floats) -> Floats:
    """Return unit vectors orthogonal to the range of U; projecting twice leaves nothing but rounding."""
    for _ in range(2):
        noise = noise - U @ (U.T @ noise)
    return np.asarray(noise / np.linalg.norm(noise, axis=0))


# ---- rows: where the leverage sits ----------------------------------------------------------------------------------


def incoherent(n: int, d: int, rng: np.random.Generator) -> Floats:
    """Return normal numbers: every row has leverage near d/n."""
    return rng.standard_normal((n, d))


def coherent(n: int, d: int, rng: np.random.Generator) -> Floats:
    """Return rows of which d, anywhere, carry the columns: their leverage is near 1."""
    return _few_heavy_rows(n, d, rng, np.sort(rng.choice(n, d, replace=False)))


def adjacent(n: int, d: int, rng: np.random.Generator) -> Floats:
    """Return rows of which d consecutive ones carry the columns, as in sorted data."""
    return _few_heavy_rows(n, d, rng, np.arange(d) + (n - d) // 3)


def heavy_tailed(n: int, d: int, rng: np.random.Generator) -> Floats:
    """Return normal rows times Cauchy scales: leverage of every size."""
    return rng.standard_normal((n, d)) * rng.standard_cauchy((n, 1))


def one_hot(n: int, d: int, rng: np.random.Generator) -> Floats:
    """Return one 1 a row; the last category occurs once."""
    category = rng.integers(0, max(d - 1, 1), n)
    category[:d] = np.arange(d)
    return np.eye(d)[category]


def _few_heavy_rows(n: int, d: int, rng: np.random.Generator, places: NDArray[np.int64]) -> Floats:
    G = rng.standard_normal((n, d)) / _HEAVY
    G[places] = np.linalg.qr(rng.standard_normal((d, d)))[0] * np.sqrt(n)
    return G


ROWS: dict[str, Callable[[int, int, np.random.Generator], Floats]] = {
    "adjacent": adjacent,
    "coherent": coherent,
    "heavy_tailed": heavy_tailed,
    "incoherent": incoherent,
    "one_hot": one_hot,
}


# ---- the table ------------------------------------------------------------------------------------------------------


def by_columns(A: Floats, rank: int, *, residual: float = 1e-2, seed: int = 0) -> Known:
    """Return a problem for a given A: b has a part outside its range, x is the minimum-norm solution by construction."""
    rng = np.random.default_rng(seed)
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    U, s, Vt = U[:, :rank], s[:rank], Vt[:rank]
    x = Vt.T @ rng.standard_normal(rank)
    fitted = A @ x
    size = float(np.linalg.norm(fitted)) or 1.0
    noise = _across(U, rng.standard_normal((A.shape[0], 1)))[:, 0] if A.shape[0] > rank else np.zeros(A.shape[0])
    return Known(A, fitted + residual * size * noise, x, rank, float(s[0] / s[-1]) if rank else 1.0)


def _normal(n: int = 400, d: int = 8, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, d))


def _duplicate() -> Known:
    A = _normal()
    A[:, 5] = A[:, 2]
    return by_columns(A, 7)


def _dependent() -> Known:
    A = np.concatenate([np.ones((400, 1)), one_hot(400, 5, np.random.default_rng(2)), _normal(d=2)], axis=1)
    return by_columns(A, 7)


def _product() -> Known:
    return by_columns(_normal(d=3) @ _normal(n=3, d=8, seed=4), 3)


def _zero_column() -> Known:
    A = _normal()
    A[:, 3] = 0.0
    return by_columns(A, 7)


def _constant_column() -> Known:
    A = _normal()
    A[:, 0] = 7.0
    return by_columns(A, 8)


def _zero_side() -> Known:
    known = tall(400, 8)
    return replace(known, b=np.zeros(400), x=np.zeros(8))


def _zero_matrix() -> Known:
    return Known(np.zeros((50, 4)), np.arange(50.0), np.zeros(4), 0, 1.0)


def scale(known: Known, factor: float) -> Known:
    """Return the problem with A and b times a factor; x stays."""
    return replace(known, A=known.A * factor, b=known.b * factor)


def badly_scaled(known: Known, decades: int) -> Known:
    """Return the problem with columns in units that differ by powers of two over so many decades; x follows exactly."""
    d = known.A.shape[1]
    units = np.ldexp(1.0, np.round(np.linspace(-0.5, 0.5, d) * decades * np.log2(10)).astype(int))
    A = known.A * units
    s = np.linalg.svd(A, compute_uv=False)
    return replace(known, A=A, x=(known.x.T / units).T, condition=float(s[0] / s[-1]))


KNOWN: dict[str, Callable[[], Known]] = {
    "adjacent rows, 1e10": lambda: tall(600, 8, condition=1e10, rows="adjacent"),
    "badly scaled columns": lambda: badly_scaled(tall(600, 8), 12),
    "coherent rows, 1e10": lambda: tall(600, 8, condition=1e10, rows="coherent"),
    "condition 1": lambda: tall(600, 8, condition=1.0),
    "condition 1e3": lambda: tall(600, 8, condition=1e3),
    "condition 1e6": lambda: tall(600, 8, condition=1e6, residual=1e-6),
    "condition 1e10": lambda: tall(600, 8, condition=1e10),
    "condition 1e14": lambda: tall(600, 8, condition=1e14, residual=1e-10),
    "consistent": lambda: tall(600, 8, residual=0.0),
    "constant column": _constant_column,
    "dependent columns": _dependent,
    "duplicate columns": _duplicate,
    "heavy-tailed rows, 1e6": lambda: tall(600, 8, condition=1e6, rows="heavy_tailed"),
    "huge": lambda: scale(tall(400, 8), 1e100),
    "large residual, 1e8": lambda: tall(600, 8, condition=1e8, residual=1e3),
    "n = d": lambda: tall(8, 8),
    "n = d + 1": lambda: tall(9, 8),
    "one column": lambda: tall(300, 1),
    "one row": lambda: Known(np.array([[2.0]]), np.array([3.0]), np.array([1.5]), 1, 1.0),
    "one-hot": lambda: by_columns(one_hot(500, 8, np.random.default_rng(5)), 8),
    "product of thin factors": _product,
    "several sides": lambda: tall(500, 8, condition=1e4, sides=3),
    "tiny": lambda: scale(tall(400, 8), 1e-100),
    "zero column": _zero_column,
    "zero matrix": _zero_matrix,
    "zero right-hand side": _zero_side,
}
