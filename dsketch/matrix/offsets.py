"""Which columns lie far from 0 for how much they vary, and the stored value of each that is worth subtracting.

A few rows tell: of each column the lower median s of the sample (a value that is stored, and the same whatever a first row of zeros or
an outlier holds), taken only where it is large against the distances of the others from it.  Elsewhere it stays 0, so that ordinary
data keep their bits and the speed of their passes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.matrix.base import Matrix
from dsketch.matrix.shift import difference, exact_type

Numbers = NDArray[Any]

_PLACES = 3  # the beginning, the middle and the end: sorted data look constant from one place
_ROWS = 8  # so many rows at each place lie in one chunk, nearly always
_FEW_BLOCKS = 8  # three of so few blocks, decoded as a whole, would cost nearly a pass, so all rows come from the middle one
_OUTLIERS = 8  # one in so many of the distances is not looked at, the largest
# Offset over distance from which on a column is shifted.  [A 1] loses about this factor in the slope: below it, less than a digit.
_FAR = 8.0


def offsets(A: Matrix, *weights: Matrix | None) -> Numbers | None:
    """Return the value to subtract from each column of A, 0 where there is none; None if there is none at all.

    Parameters
    ----------
    A : Matrix, shape (n, d)
    *weights : Matrix, shape (n, 1), or None
        Rows of which one is 0 are not looked at, unless there is no other in the sample.

    Returns
    -------
    ndarray, shape (d,), or None
        In the :func:`~dsketch.matrix.shift.exact_type` of A.

    Raises
    ------
    DataError
        If the sampled rows cannot be read.

    Notes
    -----
    Reads three times eight rows in this process, as the plan's probe does; a function of the data and their chunks alone.  Of CSR rows
    a column is shifted only if the sample is full of it, for each row must then store a number.
    """
    if A.dtype.kind == "b":
        return None
    sample = _sample(A, A)
    given = [_sample(A, matrix)[:, 0] > 0 for matrix in weights if matrix is not None]
    if given and (counts := np.logical_and.reduce(given)).any():
        sample = sample[counts]
    values = sample.astype(exact_type(A.dtype))
    shift = far_values(values)
    if A.nonzeros is not None:
        shift[~(values != 0).all(axis=0)] = 0
    return shift if shift.any() else None


def far_values(values: Numbers) -> Numbers:
    """Return the value to subtract from each column of some rows, shape (d,), 0 where there is none.

    Examples
    --------
    >>> far_values(np.array([[2001.0, 1.0], [2002.0, 3.0], [2003.0, -2.0]]))
    array([2002.,    0.])
    """
    shift = _lower_medians(values)
    return np.asarray(np.where(_is_far(shift, values), shift, np.zeros_like(shift)))


def _lower_medians(values: Numbers) -> Numbers:
    """Return the lower median of the finite values of each column, 0 for a column that has none."""
    is_finite = np.isfinite(values)
    ordered = np.sort(np.where(is_finite, values, np.nan) if values.dtype.kind == "f" else values, axis=0)
    count = is_finite.sum(axis=0)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    return np.asarray(np.where(count > 0, middle, np.zeros_like(middle)))


def _is_far(shift: Numbers, values: Numbers) -> NDArray[np.bool_]:
    """Whether each shift is large against the distances of the finite values from it."""
    with np.errstate(invalid="ignore", over="ignore"):
        distances = np.abs(difference(values, shift))
    distances = np.sort(np.where(np.isfinite(distances), distances, np.nan), axis=0)
    count = np.isfinite(distances).sum(axis=0)
    last = np.maximum(count - count // _OUTLIERS - 1, 0)
    reach = np.take_along_axis(distances, last[None], axis=0)[0]
    size = np.abs(shift.astype(np.float64))
    far: NDArray[np.bool_] = (size > 0) & (size >= _FAR * reach)
    return far


def _sample(A: Matrix, matrix: Matrix) -> Numbers:
    """Return 24 rows of a matrix beside A, dense, or all if there are no more."""
    spans = _spans(A)
    return np.concatenate([piece for low, high in _join_spans(matrix, spans) for piece in _read(matrix, low, high, spans)])


def _spans(A: Matrix) -> list[tuple[int, int]]:
    """Return the first and last row of each place."""
    n, blocks = A.shape[0], len(A.cuts) - 1
    if n <= _PLACES * _ROWS:
        return [(0, n)]
    if not A.is_raw and 1 < blocks < _FEW_BLOCKS:
        start = min(n // 2, n - _PLACES * _ROWS)
        return [(start, start + _PLACES * _ROWS)]
    return [(start, start + _ROWS) for start in (0, n // 2, n - _ROWS)]


def _join_spans(matrix: Matrix, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans to read: those in one block that decodes as a whole are one, for it would be decoded for each."""
    if matrix.is_raw:
        return spans
    joined: dict[int, tuple[int, int]] = {}
    for low, high in spans:
        block = int(np.searchsorted(matrix.cuts, low, side="right"))
        joined[block] = (joined[block][0] if block in joined else low, high)
    return list(joined.values())


def _read(matrix: Matrix, low: int, high: int, spans: list[tuple[int, int]]) -> list[Numbers]:
    """Return the rows of the spans within ``low:high``, read at once."""
    rows: Any = matrix.read(low, high)
    pieces = [rows[start - low : stop - low] for start, stop in spans if low <= start and stop <= high]
    return [piece.toarray() if matrix.nonzeros is not None else np.array(piece) for piece in pieces]
