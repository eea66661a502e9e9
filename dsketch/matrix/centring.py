"""An answer x = (slopes, intercept) for shifted columns and back: A w + c = (A − 1 sᵀ) w + c′ with c′ = c + s·w.

The dot product is exact and rounded once: c and s·w cancel where the columns lie far from 0.  Answers may stand one below the other, as
the outputs of a model of classes do: each has slopes and an intercept of its own.
"""

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.exact import exact_product, exact_sum, float_parts
from dsketch._linalg.factor import Factor
from dsketch.matrix.base import AnyArray
from dsketch.matrix.shift import exact_type

_EPS = float(np.finfo(float).eps)
_NOISE = 64 * _EPS  # times the condition this is the rounding of a null vector, columns scaled


def centre_answer(x: Floats, shift: AnyArray | None) -> Floats:
    """Return the answer for shifted columns; x of shape (d + 1, k), its last row the intercept, shift of shape (d,) or None.

    x of shape (m (d + 1), k): m of them, one below the other.

    Examples
    --------
    >>> centre_answer(np.array([[2.0], [1.0]]), np.array([10.0])).ravel()
    array([ 2., 21.])
    """
    return x if shift is None else _move_intercept(x, [(1, shift)])


def uncentre_answer(x: Floats, shift: AnyArray | None) -> Floats:
    """Return the answer for A as it is stored.

    Examples
    --------
    >>> uncentre_answer(np.array([[2.0], [21.0]]), np.array([10.0])).ravel()
    array([2., 1.])
    """
    return x if shift is None else _move_intercept(x, [(-1, shift)])


def recentre_answer(x: Floats, shift: AnyArray, dtype: np.dtype[np.generic]) -> tuple[Floats, AnyArray]:
    """Return the answer and the shift for rows of another dtype, which may not hold the stored values."""
    wanted = exact_type(dtype)
    if shift.dtype == wanted:
        return x, shift
    near = _nearest(shift, wanted)
    return _move_intercept(x, [(-1, shift), (1, near)]), near


def _nearest(shift: AnyArray, dtype: np.dtype[np.generic]) -> AnyArray:
    if dtype.kind == "f":
        return shift.astype(dtype)
    info = np.iinfo(dtype)  # type: ignore[type-var]  # an integer type
    return np.array([min(max(round(value), info.min), info.max) for value in shift.tolist()], dtype=dtype)


def _move_intercept(x: Floats, shifts: list[tuple[int, AnyArray]]) -> Floats:
    """Return x with ± s·w added to its last row, or to the last row of each answer in it."""
    height = len(shifts[0][1]) + 1
    if len(x) > height:
        return np.concatenate([_move_intercept(one, shifts) for one in np.split(x, len(x) // height)])
    terms = [x[-1:]]
    for sign, shift in shifts:
        columns = np.flatnonzero(shift)
        slopes = sign * x[:-1][columns]
        terms += [piece for part in float_parts(shift[columns]) for piece in exact_product(part[:, None], slopes)]
    return np.concatenate([x[:-1], exact_sum(np.concatenate(terms))[None]])


def intercepts(shift: AnyArray) -> slice:
    """Return which rows of answers, one below the other, are the intercepts."""
    return slice(len(shift), None, len(shift) + 1)


def sum_shifts(shift: AnyArray, sizes: Floats) -> Floats:
    """Return |s|·sizes of each answer, shape (m, k), for sizes of shape (m (d + 1), k)."""
    slopes = sizes.reshape(-1, len(shift) + 1, sizes.shape[1])[:, :-1]
    return np.asarray(np.abs(shift.astype(np.float64)) @ slopes)


def null_space(factor: Factor, shift: AnyArray) -> tuple[Floats, Floats]:
    """Return a basis of the null space for shifted columns, and the same vectors for A as it is stored; both of d + 1 − rank columns.

    What is below the rounding of a vector is 0 in it: a shift would make it large.
    """
    null = factor.null
    units, noise = factor.scale[:, None], _NOISE * factor.scaled_condition
    null = np.where(np.abs(null) * units > noise * np.abs(null * units).max(axis=0, initial=0.0), null, 0.0)
    own = uncentre_answer(null, shift)
    last = intercepts(shift)
    terms = np.abs(null[last]) + sum_shifts(shift, np.abs(null))
    own[last] = np.where(np.abs(own[last]) > noise * terms, own[last], 0.0)
    return null, own


def shortest(x: Floats, factor: Factor, shift: AnyArray | None) -> Floats:
    """Return the answer for shifted columns that is the shortest of the minimizers once put back, from any of them.

    Twice, as :meth:`~dsketch._linalg.factor.Factor.shortest` does; rows are sorted for the same reason.
    """
    if shift is None or not factor.is_deficient:
        return x
    null, own = null_space(factor, shift)
    order = np.argsort(-np.abs(own).max(axis=1, initial=0.0), kind="stable")
    Q, R, pivots = sl.qr(own[order], mode="economic", pivoting=True)
    sizes = np.abs(np.diagonal(R))
    kept = int(np.count_nonzero(sizes > _NOISE * sizes.max(initial=0.0)))
    Q, R, null = Q[:, :kept], R[:kept, :kept], null[:, pivots[:kept]]
    for _ in range(2):
        x = x - null @ sl.solve_triangular(R, Q.T @ uncentre_answer(x, shift)[order])
    return x


def rounding_of_intercept(x: Floats, shift: AnyArray) -> Floats:
    """Return by how much rounding x, as it is stored, of shape (d + 1, k), to float64 may move its intercept for shifted columns, (k,)."""
    terms = np.abs(x[-1]) + np.abs(shift.astype(np.float64)) @ np.abs(x[:-1])
    return np.asarray(_EPS / 2 * terms)
