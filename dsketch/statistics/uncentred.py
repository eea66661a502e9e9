"""A fit of shifted columns, told of A as it is stored: only what concerns the intercept differs.

Lengths, whitened coordinates, variance, R² and F are the same for [A 1] and [A − 1 sᵀ, 1].  The covariance of (w, c) is that of
(w, c′) under the linear map c = c′ − s·w, applied to the rows of T exactly: an intercept far from the data has an error s times that
of the slope, and none of its digits come from a cancellation.
"""

from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch.linalg.columns import norms
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import shortest, uncentred
from dsketch.methods.base import EPS
from dsketch.passes.base import Floats
from dsketch.statistics.estimates import Fit

_ROUNDING = float(np.sqrt(EPS))  # share of null vectors in the intercept that rounding alone does not make, as for the slopes


@dataclass(frozen=True)
class Uncentred(Fit):
    """A fit with x and errors of A as it is stored; factor and slope are those of the shifted columns.

    Attributes
    ----------
    shift : ndarray, shape (d − 1,)
        What was subtracted from the columns.
    """

    shift: AnyArray = field(kw_only=True)

    @cached_property
    def spread(self) -> Floats:
        """T projected, as :attr:`Fit.spread`, with the last row put right."""
        return uncentred(shortest(self.basis, self.factor, self.shift), self.shift)

    @cached_property
    def is_estimable(self) -> NDArray[np.bool_]:
        """For each coefficient, whether the data determine it; the intercept, if c′ and all slopes that it is made of have no part."""
        sure = super().is_estimable
        if not self.factor.is_deficient:
            return sure
        scale = self.factor.scale[:, None]
        null = sl.qr(self.factor.null * scale, mode="economic")[0] / scale
        part = norms(uncentred(null, self.shift)[-1:].T) * scale[-1]
        terms = (np.abs(self.shift.astype(np.float64)) @ norms(null[:-1].T)) * scale[-1]
        return np.append(sure[:-1], part <= _ROUNDING * (1 + terms))


def as_stored(fit: Fit, shift: AnyArray | None) -> Fit:
    """Return the fit in the coordinates of A as it is stored."""
    if shift is None:
        return fit
    own = {part.name: getattr(fit, part.name) for part in fields(fit)}
    own["x"] = uncentred(shortest(fit.x, fit.factor, shift), shift)
    return Uncentred(**own, shift=shift)
