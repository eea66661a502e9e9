"""What a smooth problem with an intercept does beside its methods, whose columns were shifted before: x is told for A as it is stored.

Curvatures, decrement, reach and every length in their metric are the same for [A 1] and [A − 1 sᵀ, 1]; only the intercept c = c′ − s·w
differs, and that it is rounded to float64 as it is stored.
"""

from dataclasses import replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import intercepts, rounding_of_intercept, shortest
from dsketch.passes.linked import Local
from dsketch.problems.smooth.method import SmoothAnswer
from dsketch.problems.smooth.system import flat, unflatten
from dsketch.settings import EPS


def shorten(answer: SmoothAnswer, shift: AnyArray | None) -> SmoothAnswer:
    """Return the answer for shifted columns that is the shortest of the minimizers once put back."""
    if shift is None or not answer.factor.is_deficient:
        return answer
    return replace(answer, x=unflatten(shortest(flat(answer.x), answer.factor, shift), answer.x))


def rounding_of_told(x: Floats, answer: SmoothAnswer, shift: AnyArray | None) -> float:
    """Return how far x, as it is told, may be from the answer for shifted columns, in standard errors; x of shape (d, outputs).

    The intercepts are rounded once, by EPS/2 of their size; twice as much, as the metric may be that of an x near by.  What symmetric
    coordinates make of differences from class 0 (:class:`~dsketch.losses.softmax.Softmax`) is no longer.
    """
    if shift is None:
        return 0.0
    return EPS * float(np.linalg.norm(x[-1]) * np.linalg.norm(answer.factor.R[:, intercepts(shift)], 2))


def rounding_notes(answer: SmoothAnswer, off: float) -> tuple[str, ...]:
    """Return a sentence where most of the reach is the rounding of the intercept."""
    if not off > answer.proof.reach:
        return ()
    return (
        f"of the reach {off:.1e} is the rounding of the intercept, which lies far from the data; slopes, and predictions of this answer, "
        f"are within {answer.proof.reach:.1e} standard errors",
    )


def refine_intercepts(given: Floats, x: Floats, local: Local, factor: Factor, shift: AnyArray | None) -> tuple[Floats, float]:
    """Return, of all answers for shifted columns that rounding ``given`` to float64 allows, about the best one, and how far that moved.

    The intercept of A as it is stored is c = c′ − s·w.  Rounding it, and w, leaves c′ open by u (|c| + |s|·|w|): for an x that is right
    but for its rounding that may be far more than c′ is worth.  So the intercepts take the step that the slope says, but none longer.

    Parameters
    ----------
    given, x : ndarray, shape (d + 1, outputs)
        For A as it is stored, and for shifted columns.
    local, factor : Local, Factor
        At x.

    Returns
    -------
    x : ndarray, shape (d + 1, outputs)
    distance : float
        Of the move, in standard errors; twice, as the metric may be that of an x near by.
    """
    if shift is None or not factor.rank:
        return x, 0.0
    ones = factor.R[:, intercepts(shift)]
    wished = -np.linalg.lstsq(ones.T @ ones, local.gradient[-1], rcond=None)[0]
    room = rounding_of_intercept(given, shift)
    move = np.clip(wished, -room, room)
    return np.concatenate([x[:-1], x[-1:] + move]), 2.0 * float(np.linalg.norm(ones @ move))
