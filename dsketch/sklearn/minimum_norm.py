"""Least squares on few rows: fewer than columns, in memory, where many x fit equally well and the shortest coefficients are taken."""

from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as sl
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Bounds, Known
from dsketch._units import format_bytes
from dsketch.errors import DataError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray
from dsketch.matrix.offsets import offsets
from dsketch.matrix.shift import difference

_DENSE_BYTES = 1_000_000_000  # larger sparse rows are not made dense


class MinimumNorm(NamedTuple):
    """What :func:`solve_minimum_norm` found.

    ``x`` of shape (d, k), or (d + 1, k) with the intercept last; ``singular`` the singular values of (centred) W^½ X, shape (min(n, d),);
    ``rank`` how many of them count; ``shift`` what was subtracted from the columns, shape (d,), or None: the intercept is theirs.
    """

    x: Floats
    singular: Floats
    rank: int
    shift: AnyArray | None = None


def solve_minimum_norm(X: Any, y: Floats, weights: Floats | None, alpha: float, *, intercept: bool) -> MinimumNorm:
    """Return the minimizer of ‖W^½ (X w + c − y)‖² + alpha ‖w‖² with the smallest ‖w‖.

    Parameters
    ----------
    X : ndarray or csr_array, shape (n, d)
    y : ndarray, shape (n, k)
    weights : ndarray, shape (n,), optional
    alpha : float
    intercept : bool
        Whether there is a c; it is not penalized.

    Raises
    ------
    DataError
        If sparse rows are too many to be made dense.

    Notes
    -----
    By centring and a singular value decomposition (LAPACK's gesdd): the filter s / (s² + alpha) is the pseudoinverse where alpha is 0
    and s is above max(n, d) eps times the largest.
    """
    dense, shift = _dense(X, intercept)
    root = np.sqrt(np.ones(len(y)) if weights is None else weights)[:, None]
    share = root**2 / max(float(np.sum(root**2)), np.finfo(float).tiny)
    means = (
        ((share * dense).sum(axis=0), (share * y).sum(axis=0)) if intercept else (np.zeros(dense.shape[1]), np.zeros(y.shape[1]))
    )
    U, s, Vt = sl.svd(root * (dense - means[0]), full_matrices=False)
    kept = s > max(dense.shape) * np.finfo(float).eps * s.max(initial=0.0)
    filtered = np.divide(s, s**2 + alpha, out=np.zeros_like(s), where=kept)
    w = Vt.T @ (filtered[:, None] * (U.T @ (root * (y - means[1]))))
    x = np.concatenate([w, (means[1] - means[0] @ w)[None]]) if intercept else w
    return MinimumNorm(x, s, int(np.count_nonzero(kept)), shift)


def shorten_coefficients(x: Floats, factor: Known) -> Floats:
    """Return, of all minimizers of a rank-deficient system with an intercept, the one whose coefficients alone are shortest.

    dsketch counts the intercept into the norm, scikit-learn (which centres) does not.

    Parameters
    ----------
    x : ndarray, shape (d + 1, k)
    factor : Factor or Bounds
        Of [A 1].
    """
    if isinstance(factor, Bounds) or not factor.is_deficient:
        return x
    N = factor.null
    back: Floats = N @ np.asarray(sl.lstsq(N[:-1], x[:-1])[0])
    return x - back


def centred_singular_values(R: Floats) -> Floats:
    """Return the singular values of A − 1 meanᵀ from the factor of [A 1]: those of what is left of R when its ones come first."""
    moved = np.concatenate([R[:, -1:], R[:, :-1]], axis=1)
    return np.asarray(sl.svdvals(sl.qr(moved, mode="r")[0][1:, 1:]))


def _dense(X: Any, intercept: bool) -> tuple[Floats, AnyArray | None]:
    """Return the rows as floats, less the offsets of their columns if there is an intercept, and those."""
    stored = _toarray(X)
    shift = offsets(ArrayMatrix(stored)) if intercept else None
    return (np.asarray(stored, dtype=np.float64), None) if shift is None else (difference(stored, shift), shift)


def _toarray(X: Any) -> AnyArray:
    if not scipy.sparse.issparse(X):
        return np.asarray(X)
    if 8 * X.shape[0] * X.shape[1] > _DENSE_BYTES:
        raise DataError(
            f"sparse rows fewer than columns are made dense up to {format_bytes(_DENSE_BYTES)}; these are {X.shape[0]} × {X.shape[1]}. "
            "Leave out columns, or use scipy.sparse.linalg.lsqr."
        )
    return np.asarray(X.toarray())
