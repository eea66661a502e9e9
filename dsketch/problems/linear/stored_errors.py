"""How far x is from the minimizer for A as it is stored, where the answer is that of shifted columns.

The intercept c = c′ − s·w has the errors of c′ and of the slopes, each times its shift, and half a unit in its last place.  Of a
rank-deficient A the shortest x is meant for A as it is stored: it feels how well the null space is known there, where a shift makes
the rounding of a null vector large.
"""

from dataclasses import replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import null_space, shortest, uncentre_answer
from dsketch.problems.linear.distance import coefficient_errors, forward_error
from dsketch.problems.linear.method import LinearAnswer
from dsketch.settings import EPS

_TURN = 4 * EPS  # a null vector, columns scaled, may be off by this times kappa; R itself is known to 0.1 to 2.8 eps


def stored_errors(answer: LinearAnswer, rows: int, shift: AnyArray | None) -> Floats:
    """Return first-order bounds on |x − x*|, shape (d, k), x being that of A as it is stored; as :func:`coefficient_errors`."""
    scale = answer.factor.scale[:, None]
    if shift is None:
        return coefficient_errors(answer, rows) / scale
    x = uncentre_answer(answer.x, shift)
    if not answer.factor.is_deficient:
        return _spread(coefficient_errors(answer, rows) / scale, shift) + _rounding(x)
    near = replace(
        answer, x=answer.factor.shortest(answer.x)
    )  # errors of what is determined: the rest is not of these coordinates
    errors = _spread(coefficient_errors(near, rows) / scale, shift)
    return _spread_along_null(errors, answer, x, shift) + _rounding(x)


def stored_forward_error(answer: LinearAnswer, rows: int, shift: AnyArray) -> Floats:
    """Return a first-order bound on ‖D (x − x*)‖/‖D x*‖, shape (k,), D the norms of the columns as they are stored.

    At full rank the larger of this and of the one for shifted columns: it holds in both units.
    """
    R, x = answer.triangle.R, uncentre_answer(answer.x, shift)
    sizes = norms(np.concatenate([R[:, :-1] + R[:, -1:] * shift.astype(np.float64), R[:, -1:]], axis=1))[:, None]
    far = norms(sizes * stored_errors(answer, rows, shift))
    own = ratio(far, np.maximum(norms(sizes * x) - far, 0.0))
    return own if answer.factor.is_deficient else np.maximum(own, forward_error(answer, rows))


def _spread(errors: Floats, shift: AnyArray) -> Floats:
    """Return the errors with those of the slopes, times their shifts, added to the intercept's."""
    return np.concatenate([errors[:-1], errors[-1:] + np.abs(shift.astype(np.float64)) @ errors[:-1]])


def _rounding(x: Floats) -> Floats:
    """Return what rounding adds to the intercept."""
    return np.concatenate([np.zeros_like(x[:-1]), EPS / 2 * np.abs(x[-1:])])


def _spread_along_null(errors: Floats, answer: LinearAnswer, x: Floats, shift: AnyArray) -> Floats:
    """Return the errors of the shortest x: projected, with the part of x that is not shortest, and with the turn of the null space."""
    factor = answer.triangle
    null, own = null_space(factor, shift)
    units = factor.scale[:, None]
    unsure = _TURN * factor.scaled_condition * np.abs(null * units).max(axis=0, initial=0.0) / units
    unsure = _spread(unsure, shift)
    Q, R = np.linalg.qr(own)
    least = np.linalg.svd(R, compute_uv=False)[-1]
    along = ratio(norms(unsure.T @ np.abs(x)), least) + norms(errors)
    rest = np.abs(x - uncentre_answer(shortest(answer.x, factor, shift), shift))
    return np.asarray(errors + rest + np.linalg.norm(Q, axis=1)[:, None] * along)
