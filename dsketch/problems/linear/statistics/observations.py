"""Which rows are observations: those of positive weight, as R counts them; a row of weight 0 changes nothing, as if it were not there.

Passes that carry the moments of b count them on the way (:class:`~dsketch.passes.Slope`); nobody reads the rows for it.
"""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.matrix.rows import Rows
from dsketch.passes import Gradient, Look, Slope
from dsketch.passes.base import Flow


def require_observations(rows: Rows, x: Floats, slope: Slope | None) -> Flow[None]:
    """Go on only if a row has a positive weight.  No pass, but a light one over the weights where x is 0 and there is no slope.

    Parameters
    ----------
    rows : Rows
    x : ndarray, shape (d, k)
        That solves for these rows: only where it is 0 can all weights be 0.
    slope : Slope or None
        From the data, if there is one.

    Raises
    ------
    DataError
        If all weights are 0.
    """
    if rows.weights is None or x.any():
        return
    if slope is None:
        slope = yield Look(Gradient(np.zeros((1, 0))), Rows(rows.weights, weights=rows.weights))
    require_weight(slope.rows)


def require_weight(counted: Any) -> None:
    """Go on only if some row counts.

    Parameters
    ----------
    counted : array_like
        The number of rows of positive weight, or the weights themselves.

    Raises
    ------
    DataError
        If none does.
    """
    if not np.any(counted):
        raise DataError(
            "weights must be positive for at least one row; all of them are 0, so that no row counts. Give rows that count a weight "
            "above 0, or leave the weights out."
        )
