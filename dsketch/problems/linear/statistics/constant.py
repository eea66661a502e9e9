"""Whether A holds a constant without having been given ``intercept=True``: a column of ones, or dummies that add up to one.

R² and F compare with the mean of b only if the model contains it.  R alone cannot tell (it knows lengths and angles of columns, not
of ones), so: a few rows that no combination fits to 1 prove that there is none, which is the ordinary case and costs no pass;
otherwise one light pass gives s = AᵀW1, and ‖1‖² − ‖Tᵀs‖² is the squared distance of 1 from the columns.
"""

from dataclasses import replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import solve_small
from dsketch._linalg.threads import one_blas_thread
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Normal
from dsketch.passes.base import Flow
from dsketch.settings import EPS

_PLACES = 3  # the beginning, the middle and the end: sorted data look constant from one place
_SPARE_ROWS = 64  # the sample has so many rows more than d, so that a chance fit is out of the question
FITS = 1e-8  # a constant is plausible if the sample's relative residual is below this; backward stable QR leaves about 1e-15
_DISTANCE = 64 * EPS  # ‖Tᵀs‖² is known to this times kappa, columns scaled


def is_plausible(rows: Rows) -> bool:
    """Return False where a few rows prove that no combination of columns is constant.

    Notes
    -----
    Reads up to three pieces of (d + 64)/3 rows in this process, as the plan's probe does.
    """
    n, d = rows.shape
    count = min(n, d + _SPARE_ROWS)
    height = -(-count // _PLACES)
    starts = sorted({0, (n - height) // 2, n - height})
    pieces = [_ones_beside(rows, start, min(start + height, n)) for start in starts]
    with one_blas_thread():
        sample = np.concatenate(pieces)
        M, ones = sample[:, :-1], sample[:, -1:]
        return bool(np.linalg.norm(ones - M @ solve_small(M, ones)[1]) <= FITS * np.linalg.norm(ones))


def _ones_beside(rows: Rows, start: int, stop: int) -> Floats:
    """Return √W [A 1] for some rows."""
    block = replace(rows, b=None, intercept=True).block(start, stop)
    return np.concatenate([X.copy() for _, X, _ in block.slices()])


def direction(rows: Rows, T: Floats, scaled_condition: float) -> Flow[Floats | None]:
    """Return q = Tᵀs, the coordinates of the constant in the whitened basis, or None if 1 is no combination of columns.  One pass.

    Parameters
    ----------
    T : ndarray, shape (d, r)
        With √W A T orthonormal.
    scaled_condition : float
        Of A, columns scaled.
    """
    d = rows.shape[1]
    last = np.eye(d + 1)[:, -1:]
    s = yield Look(Normal(last), replace(rows, b=None, intercept=True))
    q = T.T @ s[:d]
    weight = float(s[d, 0])
    distance = weight - float(np.sum(q * q))
    return q[:, 0] if distance <= _DISTANCE * max(scaled_condition, 1.0) * weight else None
