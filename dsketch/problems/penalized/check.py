"""Judge any x of a penalized or bounded problem by the data: one pass that knows nothing of how x was found."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.centring import centre_answer, rounding_of_intercept
from dsketch.passes import Both, Gradient, Look, Triangle
from dsketch.passes.base import Flow
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.linear.statistics.rounding import require_squares_of_b
from dsketch.problems.penalized.gap import Measured, measure
from dsketch.problems.penalized.method import PenalizedAnswer
from dsketch.problems.penalized.quadratic import TriangleQuadratic
from dsketch.problems.penalized.refinement import total_of
from dsketch.problems.penalized.system import PenalizedSystem
from dsketch.problems.penalized.told import Told
from dsketch.settings import EPS


def check_penalized(system: PenalizedSystem, x: Floats) -> Flow[tuple[PenalizedAnswer, Told]]:
    """Judge x by a QR of [A b], the residual and the pull at x, in one pass; and how far what is judged may be from x.

    Parameters
    ----------
    system : PenalizedSystem
        With shifted columns, if they are.
    x : ndarray, shape (d, m)
        For A as it is stored.  Where columns are shifted, what is judged is the best of the intercepts that x, rounded to float64, may
        stand for.

    Raises
    ------
    DataError
        If all weights are 0, or the squares of b are below what float64 holds.
    """
    (n, _), shift = system.shape, system.rows.shift
    given, x = x, centre_answer(x, shift)
    found, slope = yield Look(Both(Triangle(), Gradient(x)), system.rows)
    require_weight(slope.rows)
    require_squares_of_b(slope.peak)
    factor = Factor(found.R)
    scale, R, sides = factor.scale, factor.scaled, found.z
    z, pulls, squares = x * scale[:, None], slope.g / scale[:, None], slope.rr
    off = np.zeros(x.shape[1])
    if shift is not None:
        room = rounding_of_intercept(given, shift) * scale[-1]
        ones = float(R[:, -1] @ R[:, -1])
        move = np.clip(pulls[-1] / ones, -room, room)
        off = np.abs(move) / scale[-1] + EPS / 2 * np.abs(x[-1])
        squares = np.maximum(squares - 2 * move * pulls[-1] + move**2 * ones, 0.0)
        z, pulls = np.concatenate([z[:-1], z[-1:] + move]), pulls - np.outer(R.T @ R[:, -1], move)
    pull = system.baseline(found.R.T @ found.R, found.R.T @ sides)
    weight = float(slope.weight[0])
    distances = [
        measure(
            TriangleQuadratic(R=R, side=sides[:, system.side_of(point)], pull=pulls[:, point], origin=z[:, point]),
            cost.scaled(scale),
            Measured(z[:, point], pulls[:, point], float(squares[point]), n),
        )
        for point, cost in enumerate(system.costs(weight, pull))
    ]
    answer = PenalizedAnswer(
        z / scale[:, None], scale, tuple(distances), np.sqrt(squares), total_of(system, slope), weight,
        np.linalg.norm(R, axis=0), pull, factor,
    )  # fmt: skip
    return answer, Told(shift, off)
