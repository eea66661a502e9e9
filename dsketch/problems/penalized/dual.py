"""A feasible point of the dual problem near r = b − A z, and what it says: θ = r − A δ, δ a Newton step of the columns that move.

Columns move that their kinks do not hold: each then pulls exactly as its kink asks, and adds nothing to the gap but its share of ½‖A δ‖².
A coefficient that ought to rest, but is off by a little, costs less where it stands: what its kink adds is its size times the difference.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.quadratic import Correction, Quadratic
from dsketch.settings import EPS

_ROUNDS = 10  # resting columns that a step pulls out of their kinks join it; two rounds are common


@dataclass(frozen=True)
class Dual:
    """A point of the dual.

    Attributes
    ----------
    moving : ndarray of bool, shape (d,)
    pull : ndarray, shape (d,)
        Aᵀθ − μ z.
    correction : Correction
        The step of the moving columns.
    squares : float
        ‖A δ‖², their ridge counted.
    along : float
        (r, A δ), likewise.
    loss : ndarray, shape (d,)
        What each kink adds to the gap; infinite where θ is not feasible for it.
    """

    moving: NDArray[np.bool_]
    pull: Floats
    correction: Correction
    squares: float
    along: float
    loss: Floats


def dual_point(quadratic: Quadratic, cost: Cost, z: Floats, gamma: Floats, noise: Floats) -> Dual:
    """Return a dual point.

    Parameters
    ----------
    z : ndarray, shape (d,)
        Within its bounds.
    gamma : ndarray, shape (d,)
        Aᵀ(b − A z) − μ z.
    noise : ndarray, shape (d,)
        How far rounding may move each of them.
    """
    aim, (left, right) = cost.excess(z, gamma + cost.ridge * z), cost.slopes(z)
    wanted = np.where(aim > 0, right, left)
    weight = 2 * (quadratic.sizes**2 + cost.ridge)
    alone = np.where(weight > 0, aim**2 / np.where(weight > 0, weight, 1.0), np.inf)
    rounding = 16 * EPS * np.abs(z) * (cost.lasso + np.abs(gamma))
    stays = (cost.loss(z, gamma) <= alone) & (alone > rounding)
    moving = (~cost.rests(z) | (aim != 0)) & ~stays
    for _ in range(_ROUNDS):
        columns = np.flatnonzero(moving)
        aim = np.where(moving, gamma - wanted, 0.0)
        found = quadratic.correct(columns, aim[columns], cost.ridge[columns])
        pull = _pull_after(quadratic, cost, gamma, wanted, columns, found, noise)
        over = cost.excess(z, pull + cost.ridge * z)
        pull = np.where(~moving & (np.abs(over) <= noise), pull - over, pull)
        loss = cost.loss(z, pull)
        new = np.isinf(loss) & ~moving
        if not new.any():
            break
        wanted, moving = np.where(new & (over > 0), right, np.where(new, left, wanted)), moving | new
    step = found.step
    return Dual(moving, pull, found, max(float(aim[columns] @ step), 0.0), float(gamma[columns] @ step), loss)


def _pull_after(
    quadratic: Quadratic,
    cost: Cost,
    gamma: Floats,
    wanted: Floats,
    columns: NDArray[np.intp],
    found: Correction,
    noise: Floats,
) -> Floats:
    """Return the pull after a step: of the columns that move what they aim at, as far as they are independent."""
    whole = np.zeros_like(gamma)
    whole[columns] = found.step
    pull = gamma - quadratic.curve(whole) - cost.ridge * whole
    is_met = np.zeros(gamma.size, dtype=bool)
    is_met[columns] = (found.rank == columns.size) | (np.abs(pull - wanted)[columns] <= noise[columns])
    return np.where(is_met, wanted, pull)


def kinks_share(cost: Cost, z: Floats, dual: Dual, squares: float) -> float:
    """Return what the kinks add to the gap; s θ with s < 1 is taken where θ is not feasible, as far as λ |x| alone is in the way.

    Parameters
    ----------
    squares : float
        ‖b − A z‖².
    """
    outside = np.isinf(dual.loss)
    if not outside.any():
        return float(dual.loss.sum())
    if np.isfinite(cost.lower[outside]).any() or np.isfinite(cost.upper[outside]).any():
        return np.inf
    s = float((cost.lasso[outside] / np.abs(dual.pull[outside])).min())
    fitted = 0.5 * (1 - s) ** 2 * (squares + float(cost.ridge @ z**2)) + s * (1 - s) * abs(dual.along)
    return fitted + float(cost.loss(z, s * dual.pull * (1 - 2.0**-50)).sum())
