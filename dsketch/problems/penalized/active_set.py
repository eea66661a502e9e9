"""The minimizer of a d × d quadratic plus a cost with kinks, exactly: active sets with as many changes at once as go downhill.

A step solves for all free coefficients and all that their kinks no longer hold, then goes along it to the exact minimum of the piecewise
quadratic.  Entering coefficients that the step would push the wrong way are left out of it, so that every step goes downhill and the
number of steps is finite; from a near start (the next point of a path) it is one or two.

References
----------
H. Lee, A. Battle, R. Raina, A. Y. Ng, "Efficient sparse coding algorithms", NIPS 2006 (feature-sign search; one entering at a time).
P. B. Stark, R. L. Parker, "Bounded-variable least-squares: an algorithm and applications", Computational Statistics 10, 1995.
"""

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.quadratic import Quadratic
from dsketch.settings import EPS


def minimize(quadratic: Quadratic, cost: Cost, z: Floats) -> Floats:
    """Return the minimizer of quadratic + cost from z, which must lie within the bounds.

    Notes
    -----
    Where the minimizer is not unique, one of them.  The number of steps is bounded; what is left undone, the certificate tells.
    """
    z, is_full = z.copy(), False
    for _ in range(20 * len(z) + 100):
        excess = cost.excess(z, quadratic.slope(z))
        free = ~cost.rests(z)
        off = np.abs(excess) > quadratic.noise(z) + EPS * cost.lasso
        entering = off & ~free
        if not entering.any() and (is_full or not off.any()):
            break
        columns, step = _descend(quadratic, cost, z, excess, free, entering)
        if not columns.size:
            break
        moved, is_full = _advance(cost, z, columns, step, float(excess[columns] @ step))
        if np.array_equal(moved, z):
            break
        z = moved
    return z


def _descend(
    quadratic: Quadratic,
    cost: Cost,
    z: Floats,
    excess: Floats,
    free: NDArray[np.bool_],
    entering: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], Floats]:
    """Return the columns that move and their step, which goes downhill: none that enters is pushed against its kink."""
    if not entering.any():
        return _solve(quadratic, cost, z, excess, free)
    largest = np.zeros_like(entering)
    largest[np.argmax(np.where(entering, np.abs(excess) / np.maximum(quadratic.sizes, EPS), -1.0))] = True
    while True:
        columns, step = _solve(quadratic, cost, z, excess, free | entering)
        wrong = np.zeros_like(entering)
        wrong[columns[step * excess[columns] <= 0]] = True
        wrong &= entering
        if not wrong.any():
            return columns, step
        if not (entering & ~wrong).any():
            break
        entering &= ~wrong
    columns, step = _solve(quadratic, cost, z, excess, free)
    if columns.size and np.abs(step).max() > EPS * np.abs(z).max(initial=0.0):
        return columns, step
    return _solve(quadratic, cost, z, excess, free | largest)


def _solve(
    quadratic: Quadratic, cost: Cost, z: Floats, excess: Floats, moving: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], Floats]:
    columns = np.flatnonzero(moving)
    return columns, quadratic.step(columns, z, excess[columns], cost.ridge[columns]) if columns.size else np.zeros(0)


def _advance(cost: Cost, z: Floats, columns: NDArray[np.intp], step: Floats, descent: float) -> tuple[Floats, bool]:
    """Return the minimum along a step, whose slope there is −descent (1 − t) until the first kink, and whether it is the whole step."""
    d = np.zeros_like(z)
    d[columns] = step
    times, rises, places, values = cost.kinks(z, d)
    end, risen, stop = 1.0, 0.0, None
    for number, (time, rise) in enumerate(zip(times.tolist(), rises.tolist(), strict=True)):
        if time >= end:
            break
        risen += rise
        end = 1.0 - risen / descent if descent > 0 else -np.inf
        if end <= time:
            end, stop = time, number
            break
    moved = np.clip(z + end * d, cost.lower, cost.upper)
    if stop is not None:
        moved[places[stop]] = values[stop]
    return moved, end == 1.0
