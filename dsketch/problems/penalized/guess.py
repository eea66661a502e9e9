"""The minimizers of many elastic nets at once, by guessing which coefficients are free and with which sign.

With the signs known, a minimizer is one Cholesky solve of the free columns; the pull there, of all points in one product, tells which signs
were wrong.  Near the answer (the next point of a path, the same point without a fold) one to three guesses are right.  A guess is taken
only where the optimality conditions hold to rounding, which proves it; what is not proven is left to
:mod:`dsketch.problems.penalized.active_set`, whose steps always go downhill.

References
----------
M. Hintermüller, K. Ito, K. Kunisch, "The primal-dual active set strategy as a semismooth Newton method", SIAM Journal on Optimization 13,
2003.
"""

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.problems.penalized.active_set import minimize
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.quadratic import GramQuadratic
from dsketch.settings import EPS

_GUESSES = 12  # a path needs one or two a point, seven were seen from far away; where signs go round in circles no number helps


def minimize_all(quadratic: GramQuadratic, cost: Cost, near: Floats) -> Floats:
    """Return the minimizers of a quadratic, as it is known from 0, plus the cost of each of m points without bounds.

    Parameters
    ----------
    quadratic : GramQuadratic
    cost : Cost
        Of m points.
    near : ndarray, shape (d, m)
        Points near them, at best.

    Returns
    -------
    ndarray, shape (d, m)
        Where a minimizer is not unique, one of them.
    """
    z, is_proven = _guess(quadratic, cost, near)
    for point in np.flatnonzero(~is_proven).tolist():
        z[:, point] = minimize(quadratic, cost.of(point), z[:, point])
    return z


def _guess(quadratic: GramQuadratic, cost: Cost, near: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return minimizers, shape (d, m), and which of them the optimality conditions prove; the others are near at best."""
    is_kinked = cost.lasso > 0
    signs, z = np.sign(near) * is_kinked, np.array(near, order="F")
    is_proven, open_ = np.zeros(near.shape[1], dtype=np.bool_), np.arange(near.shape[1])
    for _ in range(_GUESSES):
        open_ = open_[[_solve(quadratic, cost, point, signs[:, point], is_kinked[:, point], z) for point in open_.tolist()]]
        at, sign, here = z[:, open_], signs[:, open_], cost.of(open_)
        excess = here.excess(at, quadratic.slope(at))
        is_off = np.abs(excess) > quadratic.noise(at) + EPS * here.lasso
        enters, leaves = is_off & (sign == 0) & is_kinked[:, open_], sign * at < 0
        is_wrong = (enters | leaves).any(axis=0)
        is_proven[open_] = ~(is_wrong | is_off.any(axis=0))
        signs[:, open_] = np.where(leaves, 0.0, np.where(enters, np.sign(excess), sign))
        open_ = open_[is_wrong]
        if not open_.size:
            break
    z[:, open_] = near[:, open_]
    return z, is_proven


def _solve(quadratic: GramQuadratic, cost: Cost, point: int, signs: Floats, is_kinked: NDArray[np.bool_], z: Floats) -> bool:
    """Put the minimizer of a point with such signs, 0 elsewhere, into its column of z; return whether it is unique."""
    columns = np.flatnonzero((signs != 0) | ~is_kinked)
    found = quadratic.solve(columns, (quadratic.pull - cost.lasso[:, point] * signs)[columns], cost.ridge[columns, point])
    if found is None:
        return False
    z[:, point] = 0.0
    z[columns, point] = found
    return True
