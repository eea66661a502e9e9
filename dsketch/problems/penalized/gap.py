"""How good an x is, from its measured pull: a duality gap of second order, what must change for it to be exact, where the minimizer lies.

For θ = r − A δ the duality gap of any x is that of its kinks plus ½‖A δ‖².  With δ the Newton step of the free coefficients, and of the
resting ones that their kinks do not hold, the kinks add nothing (v = Aᵀθ lies exactly where each asks), so

    gap = ½ eᵀ(H + diag μ)⁻¹ e,    e the excess of the pull Aᵀr − μ x over what the kinks hold:

no difference of large numbers, zero to second order, also with an intercept or without any penalty.  A gap bounds the distance from every
minimizer x*: ‖A (x − x*)‖² ≤ 2 gap, and a column whose v lies further inside its kink than ‖aⱼ‖√(2 gap) rests there in all of them.

References
----------
R. T. Rockafellar, Convex Analysis, 1970, § 31 (Fenchel duality).
E. Ndiaye, O. Fercoq, A. Gramfort, J. Salmon, "Gap safe screening rules for sparsity enforcing penalties", JMLR 18, 2017.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.quadratic import Correction, Quadratic
from dsketch.settings import EPS

_ROUNDS = 10  # resting columns that a correction pulls out of their kinks join it; two rounds are common


@dataclass(frozen=True)
class Measured:
    """What the data say at z, the columns scaled.

    Attributes
    ----------
    z : ndarray, shape (d,)
    pull : ndarray, shape (d,)
        Aᵀ(b − A z).
    squares : float
        ‖b − A z‖².
    rows : int
        n, that were summed over.
    doubt : float
        By how much more than rounding A δ may be off: what z was moved without looking again.
    """

    z: Floats
    pull: Floats
    squares: float
    rows: int
    doubt: float = 0.0


@dataclass(frozen=True)
class Distance:
    """How far z is from a minimizer.

    Attributes
    ----------
    measured : float
        √(2 gap) as it was computed.
    gap : float
        Primal minus dual objective at most, with what rounding of the pull may hide.
    primal : float
        The objective ½‖b − A z‖² + cost.
    excess : ndarray, shape (d,)
        By column: how far the pull lies outside of what its kink holds.
    backward : float
        How much the columns that are not held must change, relatively, for z to be exact.
    free : int
        Coefficients between kinks.
    far : float
        ‖z − z*‖ at most, of every minimizer z*.
    correction : Correction
        Of the columns that may be free in a minimizer: their condition and rank.
    columns : int
        How many those are.
    outside : float
        How far z lies out of its bounds.
    """

    measured: float
    gap: float
    primal: float
    excess: Floats
    backward: float
    free: int
    far: float
    correction: Correction
    columns: int
    outside: float

    @property
    def is_deficient(self) -> bool:
        """Whether columns that may be free are dependent, so that the minimizer may be one of many."""
        return self.correction.rank < self.columns


def measure(quadratic: Quadratic, cost: Cost, at: Measured) -> Distance:
    """Return how far z is from a minimizer, by its measured pull."""
    z = np.clip(at.z, cost.lower, cost.upper)
    outside, gamma = cost.outside(at.z), at.pull - cost.ridge * z
    free, excess = ~cost.rests(z), cost.excess(z, at.pull)
    moving, aim, found, left = _correct(quadratic, cost, at, z)
    columns = np.flatnonzero(moving)
    measured = math.sqrt(max(float(aim[columns] @ found.step), 0.0))
    once, twice = _rounding(quadratic, at)
    gap = _claim(measured + at.doubt + once, twice, found.least, float(quadratic.sizes @ np.abs(z)))
    gap += _scaled_gap(quadratic, cost, z, gamma, columns, found.step, left, at.squares)
    reach = math.sqrt(2 * gap)
    open_ = moving | (_margin(cost, z, gamma - _curve(quadratic, columns, found.step)) <= quadratic.sizes * reach)
    if not np.array_equal(open_, moving) and np.isfinite(gap):
        columns = np.flatnonzero(open_)
        found = quadratic.correct(columns, np.zeros(columns.size), cost.ridge[columns])
    acting = np.flatnonzero(free | (excess != 0))
    return Distance(
        measured=measured,
        gap=np.inf if outside else gap,
        primal=0.5 * at.squares + cost.value(z),
        excess=excess,
        backward=np.inf
        if outside
        else quadratic.weigh(acting, excess[acting], float(np.linalg.norm(z[acting])), float(np.sqrt(at.squares))),
        free=int(np.count_nonzero(free)),
        far=np.inf if outside or found.rank < columns.size else float(reach / np.sqrt(found.least)) if columns.size else 0.0,
        correction=found,
        columns=columns.size,
        outside=outside,
    )


def _correct(quadratic: Quadratic, cost: Cost, at: Measured, z: Floats) -> tuple[NDArray[np.bool_], Floats, Correction, Floats]:
    """Return which columns move, by how much their pull is to fall, their step, and the excess that is left to the others."""
    gamma, noise = at.pull - cost.ridge * z, quadratic.sizes * sum(_rounding(quadratic, at)) + EPS * cost.lasso
    aim = cost.excess(z, at.pull)
    moving = ~cost.rests(z) | (aim != 0)
    left_edge, right_edge = cost.slopes(z)
    for _ in range(_ROUNDS):
        columns = np.flatnonzero(moving)
        found = quadratic.correct(columns, aim[columns], cost.ridge[columns])
        left = cost.excess(z, at.pull - _curve(quadratic, columns, found.step))
        left[(moving & (found.rank == columns.size)) | (np.abs(left) <= noise)] = 0.0
        if not left[~moving].any():
            break
        new = (left != 0) & ~moving
        aim = np.where(new, gamma - np.where(left > 0, right_edge, left_edge), aim)
        moving |= new
    return moving, aim, found, left


def _curve(quadratic: Quadratic, columns: NDArray[np.intp], step: Floats) -> Floats:
    whole = np.zeros(quadratic.pull.size)
    whole[columns] = step
    return quadratic.curve(whole)


def _rounding(quadratic: Quadratic, at: Measured) -> tuple[float, float]:
    """Return by how much rounding may move the residual, and the sums over its rows beyond that (see ``linear.distance``)."""
    residual, fitted = np.sqrt(at.squares), float(quadratic.sizes @ np.abs(at.z))
    return float(EPS * (residual + 2 * fitted)), float(EPS * np.sqrt(2 * np.sqrt(at.rows)) * residual)


def _claim(once: float, twice: float, least: float, size: float) -> float:
    """Return the gap with what rounding may hide: the sums of a pull are off by ``twice`` times the size of each column.

    Where columns are near to dependent, the kinks take it up: to first order in rounding, but whatever the condition.
    """
    by_step = 0.5 * (once + twice / np.sqrt(least)) ** 2 if least > 0 else np.inf
    return min(float(by_step), 0.5 * once**2 + 2 * twice * size)


def _scaled_gap(
    quadratic: Quadratic,
    cost: Cost,
    z: Floats,
    gamma: Floats,
    columns: NDArray[np.intp],
    step: Floats,
    left: Floats,
    squares: float,
) -> float:
    """Return what is added to the gap where an excess is left: s θ with s < 1 takes it in where only λ |x| holds, else it is infinite."""
    if not left.any():
        return 0.0
    outside = left != 0
    if np.isfinite(cost.lower[outside]).any() or np.isfinite(cost.upper[outside]).any() or not cost.lasso[outside].all():
        return np.inf
    moved = gamma - _curve(quadratic, columns, step)
    s = min(float((cost.lasso[outside] / np.abs(moved[outside])).min()), 1.0)
    whole = 0.5 * (1 - s) ** 2 * (squares + float(cost.ridge @ z**2)) + s * (1 - s) * abs(float(gamma[columns] @ step))
    held = np.where(outside, moved, cost.lasso * np.sign(z))
    return whole + float(np.maximum(cost.lasso * np.abs(z) - s * z * held, 0.0).sum())


def _margin(cost: Cost, z: Floats, gamma: Floats) -> Floats:
    """Return how far inside of its kink each pull lies; below 0 for free columns' rounding."""
    left, right = cost.slopes(z)
    return np.minimum(right - gamma, gamma - left)
