"""How good an x is, from its measured pull: a duality gap of second order, what must change for it to be exact, where the minimizer lies.

For θ = r − A δ the duality gap of any x is that of its kinks plus ½‖A δ‖².  With δ the Newton step of the free coefficients, and of the
resting ones that their kinks do not hold, the kinks add nothing (v = Aᵀθ lies exactly where each asks), so

    gap = ½ eᵀ(H + diag μ)⁻¹ e,    e the excess of the pull Aᵀr − μ x over what the kinks hold

(:mod:`dsketch.problems.penalized.dual`): no difference of large numbers, zero to second order, also with an intercept or without any
penalty.  A gap bounds the distance from every minimizer x*: ‖A (x − x*)‖² ≤ 2 gap, and a column whose v lies further inside its kink than
‖aⱼ‖√(2 gap) rests there in all of them.

References
----------
R. T. Rockafellar, Convex Analysis, 1970, § 31 (Fenchel duality).
E. Ndiaye, O. Fercoq, A. Gramfort, J. Salmon, "Gap safe screening rules for sparsity enforcing penalties", JMLR 18, 2017.
"""

import math
from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.dual import Dual, dual_point, kinks_share
from dsketch.problems.penalized.quadratic import Correction, Quadratic
from dsketch.settings import EPS


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
    outside, gamma, (once, twice) = cost.outside(at.z), at.pull - cost.ridge * z, rounding_of(quadratic, at)
    free, excess = ~cost.rests(z), cost.excess(z, at.pull)
    dual = dual_point(quadratic, cost, z, gamma, quadratic.sizes * (once + twice) + EPS * cost.lasso)
    measured, size = math.sqrt(dual.squares) * (1 + quadratic.trust(dual.correction.least)), float(quadratic.sizes @ np.abs(z))
    gap = _claim(measured + at.doubt + once, twice, dual.correction.least, size) + kinks_share(cost, z, dual, at.squares)
    columns, found, far = _may_be_free(quadratic, cost, z, dual, excess, gap, once + twice)
    acting = np.flatnonzero(free | (excess != 0))
    residual, length = math.sqrt(at.squares), float(np.linalg.norm(z[acting]))
    return Distance(
        measured=math.sqrt(2 * kinks_share(cost, z, dual, at.squares) + dual.squares),
        gap=np.inf if outside else gap,
        primal=0.5 * at.squares + cost.value(z),
        excess=excess,
        backward=np.inf if outside else quadratic.weigh(acting, excess[acting], length, residual),
        free=int(np.count_nonzero(free)),
        far=np.inf if outside else far,
        correction=found,
        columns=columns,
        outside=outside,
    )


def _may_be_free(
    quadratic: Quadratic, cost: Cost, z: Floats, dual: Dual, excess: Floats, gap: float, rounding: float
) -> tuple[int, Correction, float]:
    """Return how many columns may be free in a minimizer, or are at z; what is known of them; and the distance from every minimizer.

    A column at its kink whose pull is rounding's may be free in the minimizer, and all of a nearly dependent one hides in that: with g the
    least slope along such columns z is off by no more than ‖R⁻ᵀg‖ in the residual, as x* differs from z along them alone.
    """
    if not np.isfinite(gap):
        return int(np.count_nonzero(dual.moving)), dual.correction, np.inf
    left, right = cost.slopes(z)
    reach = math.sqrt(2 * gap)
    margin = np.minimum(right - dual.pull, dual.pull - left)
    is_open = dual.moving | ~cost.rests(z) | (margin <= quadratic.sizes * (reach + 2 * rounding))
    columns, found = np.flatnonzero(is_open), dual.correction
    if not np.array_equal(is_open, dual.moving):
        found = quadratic.correct(columns, excess[columns], cost.ridge[columns])
        reach += math.sqrt(max(float(excess[columns] @ found.step), 0.0))
    if found.rank < columns.size:
        return columns.size, found, np.inf
    return columns.size, found, reach / math.sqrt(found.least) if columns.size else 0.0


def rounding_of(quadratic: Quadratic, at: Measured) -> tuple[float, float]:
    """Return by how much rounding may move the residual, and the sums over its rows beyond that (see ``linear.distance``)."""
    residual, fitted = np.sqrt(at.squares), float(quadratic.sizes @ np.abs(at.z))
    return float(EPS * (residual + 2 * fitted)), float(EPS * np.sqrt(2 * np.sqrt(at.rows)) * residual)


def _claim(once: float, twice: float, least: float, size: float) -> float:
    """Return the gap with what rounding may hide: the sums of a pull are off by ``twice`` times the size of each column.

    Where columns are near to dependent, the kinks take it up: to first order in rounding, but whatever the condition.
    """
    by_step = 0.5 * (once + twice / np.sqrt(least)) ** 2 if least > 0 else np.inf
    return min(float(by_step), 0.5 * once**2 + 2 * twice * size)
