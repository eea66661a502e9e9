"""A fit of shifted columns, told of A as it is stored: only what concerns the intercept differs.

Lengths, whitened coordinates, variance, R² and F are the same for [A 1] and [A − 1 sᵀ, 1].  The covariance of (w, c) is that of
(w, c′) under the linear map c = c′ − s·w, applied to the rows of T exactly: an intercept far from the data has an error s times that
of the slope, and none of its digits come from a cancellation.
"""

from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import intercepts, shortest, sum_shifts, uncentre_answer
from dsketch.problems.linear.statistics.estimates import Fit


@dataclass(frozen=True)
class Uncentred(Fit):
    """A fit with x and errors of A as it is stored; factor and slope are those of the shifted columns.

    Attributes
    ----------
    shift : ndarray, shape (d − 1,)
        What was subtracted from the columns.
    met : ndarray of bool, shape (k,)
        Whether the residual is nothing but rounding of the shifted columns and of b.
    """

    shift: AnyArray = field(kw_only=True)
    met: NDArray[np.bool_] = field(kw_only=True)

    def restate(self, V: Floats) -> Floats:
        """Return solutions as :meth:`Fit.restate`, with the intercepts put right."""
        return uncentre_answer(shortest(V, self.factor, self.shift), self.shift)

    def is_touched(self, directions: Floats, limit: float) -> NDArray[np.bool_]:
        """Return which coefficients have a part in directions; the intercept where c′ or a slope that it is made of has one."""
        touched = super().is_touched(directions, limit)
        last, scale = intercepts(self.shift), self.factor.scale
        own = directions / scale[:, None]
        part = norms(uncentre_answer(own, self.shift)[last].T) * scale[last]
        terms = sum_shifts(self.shift, norms(own.T)[:, None])[:, 0] * scale[last]
        touched[last] = part > limit * (1 + terms)
        return touched

    @cached_property
    def is_met(self) -> NDArray[np.bool_]:
        """Whether the residual is rounding: of shifted columns."""
        return self.met


def as_stored(fit: Fit, shift: AnyArray | None) -> Fit:
    """Return the fit in the coordinates of A as it is stored."""
    if shift is None:
        return fit
    own = {part.name: getattr(fit, part.name) for part in fields(fit)}
    own["x"] = uncentre_answer(shortest(fit.x, fit.factor, shift), shift) if fit.full is None else fit.full.stored
    return Uncentred(**own, shift=shift, met=fit.is_met)
