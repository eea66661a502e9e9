"""What estimators with an intercept share: coefficients for X as it is, and what predicts with the digits of columns far from 0."""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import AnyArray
from dsketch.matrix.centring import uncentre_answer
from dsketch.problems.linear.centring import Centre


class Centred:
    """``coef_``, ``intercept_``, and the answer for shifted columns beside them."""

    coef_: Floats
    intercept_: Any
    _centre: Centre | None

    def _undo_shift(self, x: Floats, shift: AnyArray | None, is_vector: bool) -> Floats:
        """Return x for X as it is; keep the intercept of shifted columns, for the one of X has lost digits to their offset."""
        own = uncentre_answer(x, shift)
        x, own = (x[:, 0], own[:, 0]) if is_vector else (x, own)
        self._centre = None if shift is None else Centre(shift, x)
        return own

    def _valid_centre(self) -> Centre | None:
        """Return shift and intercept of shifted columns, if the attributes are still those of the fit."""
        centre: Centre | None = getattr(self, "_centre", None)
        if centre is None:
            return None
        own = uncentre_answer(centre.x.reshape(len(centre.x), -1), centre.shift).reshape(centre.x.shape)
        return centre if np.array_equal(own, self._x()) else None

    def _x(self) -> Floats:
        """Return coefficients and intercept as dsketch has them, shape (d + 1,) or (d + 1, k)."""
        w = np.asarray(self.coef_).T
        return np.concatenate([w, np.broadcast_to(self.intercept_, (1, *w.shape[1:]))])
