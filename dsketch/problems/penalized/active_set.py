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

# Whole steps one after the other leave what rounding leaves: after one a sign may be rounding's, which the next puts right.  None is not
# enough, however small the excess: nearly dependent columns hide in it.
_WHOLE = 2
_LEAST = float(np.finfo(float).tiny)  # of an excess that stands for its sign


def minimize(quadratic: Quadratic, cost: Cost, z: Floats) -> Floats:
    """Return the minimizer of quadratic + cost from z, which must lie within the bounds.

    Notes
    -----
    Where the minimizer is not unique, one of them.  The number of steps is bounded; what is left undone, the certificate tells.
    """
    z, whole = z.copy(), 0
    for _ in range(20 * len(z) + 100):
        excess = cost.excess(z, quadratic.slope(z))
        free = ~cost.rests(z)
        off = np.abs(excess) > quadratic.noise(z) + EPS * cost.lasso
        entering = off & ~free
        if not entering.any() and (whole == _WHOLE or (whole and not off.any())):
            lower = _uncover(quadratic, cost, z, excess, free)
            if lower is None:
                break
            z, whole = lower, 0
            continue
        columns, step = _descend(quadratic, cost, z, excess, free, entering)
        if not (descent := float(excess[columns] @ step)) > 0:
            break
        moved, is_whole = _advance(cost, z, columns, step, descent)
        if np.array_equal(moved, z):
            break
        z, whole = moved, whole + 1 if is_whole else 0
    return z


def _uncover(quadratic: Quadratic, cost: Cost, z: Floats, excess: Floats, free: NDArray[np.bool_]) -> Floats | None:
    """Return a point that is lower by much more than rounding, with a column freed whose pull is rounding's; None: there is none.

    A column at its kink that nearly depends on the free ones has a pull of the square of its distance from them, whose sign rounding of
    A z decides; what it would gain is seen in the residual.
    """
    now = quadratic.misfit(z)
    if not now > 0:
        return None
    left, right = cost.slopes(z)
    pull, doubt = quadratic.slope(z), 4 * EPS * quadratic.sizes * float(quadratic.sizes @ np.abs(z))
    for column in np.flatnonzero(~free & (np.minimum(right - pull, pull - left) <= doubt)):
        is_it = np.arange(z.size) == column
        toward = np.where(is_it, _LEAST if right[column] - pull[column] <= pull[column] - left[column] else -_LEAST, excess)
        columns, step = _solve(quadratic, cost, z, toward, free | is_it)
        moved, _ = _advance(cost, z, columns, step, max(float(toward[columns] @ step), _LEAST))
        gain = now + cost.value(z) - quadratic.misfit(moved) - cost.value(moved)
        if gain > now / 4:
            return moved
    return None


def begin(quadratic: Quadratic, cost: Cost) -> Floats:
    """Return where to begin without a point nearby: as near to 0 as bounds allow, with what no kink holds (an intercept) solved for."""
    z = cost.start()
    excess, free = cost.excess(z, quadratic.slope(z)), ~cost.rests(z)
    columns, step = _solve(quadratic, cost, z, excess, free)
    return _advance(cost, z, columns, step, float(excess[columns] @ step))[0] if columns.size else z


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
    columns, (left, right) = np.flatnonzero(moving), cost.slopes(z)
    if not columns.size:
        return columns, np.zeros(0)
    held = np.where(excess > 0, right, left)[columns]  # of a free column both are the same
    return columns, quadratic.step(columns, z, excess[columns], held, cost.ridge[columns])


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
