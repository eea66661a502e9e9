"""From a solution of the d × d problem to one that the data certify: look at the rows, correct, seldom look again.

A look gives the pull Aᵀ(b − A x) as the data have it.  With it the d × d problem is posed again around x (its curvature from the first
pass, its pull exact): iterative refinement of a problem with kinks.  One correction gains as many digits as the curvature has.
"""

from collections.abc import Sequence

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes import Slope
from dsketch.passes.base import Flow
from dsketch.problems.linear.statistics.rounding import is_rounding, require_squares_of_b, size_of
from dsketch.problems.penalized.active_set import begin, minimize
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.gap import Distance, Measured, measure, rounding_of
from dsketch.problems.penalized.guess import minimize_all
from dsketch.problems.penalized.method import PenalizedAnswer
from dsketch.problems.penalized.quadratic import GramQuadratic, Quadratic
from dsketch.problems.penalized.system import PenalizedSystem, Sums
from dsketch.settings import EPS

_LOOKS = 4  # one is enough but for a Gram matrix near its limit of trust


def solve_points(system: PenalizedSystem, quadratics: Sequence[Quadratic], costs: Sequence[Cost]) -> Floats:
    """Return the minimizers of all points, shape (d, m), by the curvature and pull of the first pass."""
    found: list[Floats] = []
    for point, (quadratic, cost) in enumerate(zip(quadratics, costs, strict=True)):
        near = found[-1] if system.follows(point) else None
        if isinstance(quadratic, GramQuadratic) and not cost.has_bounds:
            start = cost.start() if near is None else near
            found.append(minimize_all(quadratic, Cost.beside(cost), start[:, None])[:, 0])
        else:
            found.append(minimize(quadratic, cost, begin(quadratic, cost) if near is None else near))
    return np.column_stack(found)


def certify_and_correct(
    system: PenalizedSystem,
    quadratics: Sequence[Quadratic],
    costs: Sequence[Cost],
    z: Floats,
    scale: Floats,
    sums: Sums,
    pull: Floats,
    enough: float,
    factor: Factor | None = None,
) -> Flow[PenalizedAnswer]:
    """Return the answer near z with what the data say of it.  One pass, rarely two.

    Parameters
    ----------
    quadratics, costs : sequences of length m
        Of each point, columns scaled.
    z : ndarray, shape (d, m)
    scale : ndarray, shape (d,)
    sums : Sums
        Of the first pass.
    enough : float
        The backward error below which a correction is not worth its own rounding.
    """
    worst = np.inf
    for _ in range(_LOOKS):
        slope = yield from system.gradient(z / scale[:, None])
        require_squares_of_b(slope.peak)
        states = [
            _correct(quadratic, cost, Measured(z[:, i], slope.g[:, i] / scale, float(slope.rr[i]), system.shape[0]), enough)
            for i, (quadratic, cost) in enumerate(zip(quadratics, costs, strict=True))
        ]
        z = np.column_stack([at.z for at, _ in states])
        doubt = max(at.doubt / _size(at) for at, _ in states)
        yield Converged(max(distance.backward for _, distance in states), float(np.sqrt(slope.rr).max(initial=0.0)))
        if doubt <= EPS or doubt > worst / 4:
            break
        worst = doubt
    return PenalizedAnswer(
        x=z / scale[:, None],
        scale=scale,
        distances=tuple(distance for _, distance in states),
        residual_norm=np.sqrt([at.squares for at, _ in states]),
        total=total_of(system, slope),
        weight=sums.weight,
        sizes=quadratics[0].sizes,
        pull=pull,
        factor=factor,
        folds=sums.folds,
    )


def total_of(system: PenalizedSystem, slope: Slope) -> Floats:
    """Return Σ w (b − mean)² with an intercept, unless that is rounding of ‖b‖², and ‖b‖² without, for each point."""
    size = size_of(slope)
    is_about_mean = system.rows.intercept & ~is_rounding(np.sqrt(slope.spread), size)
    return np.where(is_about_mean, slope.spread, size**2)


def _size(at: Measured) -> float:
    """Return what the doubt of a point is measured against: the size of b, from what is fitted and what is not."""
    return float(np.sqrt(at.squares) + np.linalg.norm(at.z)) or 1.0


def _correct(quadratic: Quadratic, cost: Cost, at: Measured, enough: float) -> tuple[Measured, Distance]:
    """Return the point, corrected where that brings it nearer than rounding hides, and its distance from the minimizer."""
    distance = measure(quadratic, cost, at)
    if distance.backward <= enough or distance.is_deficient:
        return at, distance
    local = quadratic.around(at.z, at.pull, sum(rounding_of(quadratic, at)))
    z = minimize(local, cost, at.z)
    d = z - at.z
    curved = quadratic.curve(d)
    squares = max(at.squares - 2 * float(d @ at.pull) + float(d @ curved), 0.0)
    length = float(np.linalg.norm(d))
    doubt = (EPS + quadratic.spread / np.sqrt(distance.correction.least)) * length
    moved = Measured(z, at.pull - curved, squares, at.rows, float(doubt))
    further = measure(local, cost, moved)
    is_nearer = further.gap < distance.gap / 4
    # No gap is below ½ once². Where a ridge is so large that both have come down to it, what is asked of the columns tells them apart.
    lowest = 2 * rounding_of(quadratic, at)[0] ** 2
    is_righter = max(distance.gap, further.gap) <= lowest and further.backward < distance.backward / 4
    return (moved, further) if is_nearer or is_righter else (at, distance)
