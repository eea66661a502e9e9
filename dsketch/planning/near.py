"""How well-conditioned sampled CSR rows are, by a few products with them: a hint for plans, where a triangle costs more than a solve."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import ritz_values
from dsketch.matrix.base import Sparse
from dsketch.matrix.csr_slices import turn
from dsketch.passes.squares import squares_of

SAMPLE_ENTRIES = 2**20  # stored numbers of all sampled rows together: a product there and back takes 3 ms
_STEPS = 40  # rows that need more are worth a triangle
_LEFT = 1e-4  # of a right-hand side: by then the rate is known


class Near(NamedTuple):
    """What few steps told: the condition number of the rows, columns scaled, and ‖A‖_F²/‖A‖²."""

    condition: float
    trace: float


def condition_by_steps(pieces: Sequence[Sparse], penalty: Floats | None, rows: int) -> Near | None:
    """Return the condition of sampled rows, if conjugate gradients for a random right-hand side reach 1e-4 in 40 steps.

    Parameters
    ----------
    pieces : sequence of csr_array
        Of so many ``rows`` in all.
    penalty : ndarray, shape (d,), optional
        That is added to the diagonal of AᵀA.
    """
    sampled = sum(piece.shape[0] for piece in pieces)
    d = pieces[0].shape[1]
    beside = np.zeros(d) if penalty is None else penalty * min(sampled / rows, 1.0)
    squares = sum((squares_of(piece) for piece in pieces), beside)
    if not (np.isfinite(squares).all() and (squares > 0).all()):
        return None
    scale = np.sqrt(squares)
    r = np.random.default_rng(0).standard_normal(d)
    p, rho, lengths, betas = np.zeros(d), 0.0, list[float](), list[float]()
    start = float(r @ r)
    for _ in range(_STEPS):
        old, rho = rho, float(r @ r)
        if rho <= _LEFT**2 * start:
            break
        betas.append(rho / old if old else 0.0)
        p = r + betas[-1] * p
        v = p / scale
        product = sum((turn(piece) @ (piece @ v) for piece in pieces), beside * v) / scale
        curvature = float(p @ product)
        if not curvature > 0:
            return None
        lengths.append(rho / curvature)
        r = r - lengths[-1] * product
    else:
        return None
    ritz = ritz_values(lengths, betas)
    return Near(float(np.sqrt(ritz[-1] / ritz[0])), float(max(d / ritz[-1], 1.0))) if ritz[0] > 0 else None
