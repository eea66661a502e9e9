"""What holds of x as it is told, for A as it is stored, where the answer is that of shifted columns.

The intercept c = c′ − s·w has the errors of c′ and of the slopes, each times its shift, and is rounded once more.  A column of ones has
the norm √Σ w, so an intercept that is off by ε moves the residual by ε √Σ w: as √(2 gap) is a length of that kind too, both add up.
"""

from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import uncentre_answer
from dsketch.problems.penalized.method import PenalizedAnswer
from dsketch.settings import EPS


class Told(NamedTuple):
    """How x is told, for m points.

    Attributes
    ----------
    shift : ndarray, shape (d,), or None
    off : ndarray, shape (m,)
        How far the intercept that is told may be from the answer's.
    """

    shift: AnyArray | None
    off: Floats

    @classmethod
    def rounded(cls, answer: PenalizedAnswer, shift: AnyArray | None) -> "Told":
        """Return how the answer is told: where columns are shifted its intercept is rounded once."""
        if shift is None:
            return cls(None, np.zeros(answer.x.shape[1]))
        return cls(shift, EPS / 2 * np.abs(uncentre_answer(answer.x, shift)[-1]))


def told_gap(gap: Floats, answer: PenalizedAnswer, told: Told) -> Floats:
    """Return the duality gaps of what is told, shape (m,), from those of the answer."""
    moved = told.off * answer.sizes[-1] * answer.scale[-1]
    return np.asarray(np.where(moved > 0, 0.5 * (np.sqrt(2 * gap) + moved) ** 2, gap))


def told_errors(answer: PenalizedAnswer, told: Told) -> Floats:
    """Return bounds on |x − x*| of what is told, shape (d, m)."""
    errors = np.outer(1 / answer.scale, _far(answer))
    if told.shift is not None:
        errors[-1] += np.abs(told.shift.astype(np.float64)) @ errors[:-1] + told.off
    return errors


def told_forward_error(answer: PenalizedAnswer, told: Told) -> Floats:
    """Return bounds on ‖D (x − x*)‖/‖D x*‖, shape (m,), D the norms of the columns as they are stored.

    Of shifted columns the larger of this and of the one in their own norms: it holds in both.  How long a stored column is, is known by the
    triangle inequality: shifted columns lie far from 0, so that this is near.
    """
    z, sizes, far = answer.x * answer.scale[:, None], answer.sizes[:, None], _far(answer) * answer.sizes.max(initial=0.0)
    own = ratio(far, np.maximum(norms(sizes * z) - far, 0.0))
    if told.shift is None:
        return own
    x, lengths = uncentre_answer(answer.x, told.shift), answer.sizes * answer.scale
    moved = np.append(np.abs(told.shift.astype(np.float64)) * lengths[-1], 0.0)
    stored = norms((lengths + moved)[:, None] * told_errors(answer, told))
    return np.maximum(own, ratio(stored, np.maximum(norms(np.abs(lengths - moved)[:, None] * x) - stored, 0.0)))


def _far(answer: PenalizedAnswer) -> Floats:
    return np.array([distance.far for distance in answer.distances])
