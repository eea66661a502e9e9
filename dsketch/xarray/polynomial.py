"""Polynomials along a dimension, told by xarray's own convention so that ``xarray.polyval`` takes them."""

import math
from typing import Any

import numpy as np
import xarray as xr

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.xarray.clock import Clock, clock_of
from dsketch.xarray.fit import fit_columns, residuals_of, with_own_names

_NANOSECONDS = 1e9
_HIGHEST = 20  # powers of numbers up to 1 are then independent to 1e-8 still


def polyfit(array: xr.DataArray, dim: str, deg: int, *, missing: str = "error", **choices: Any) -> xr.Dataset:
    """Fit a polynomial along ``dim`` to each target, as ``DataArray.polyfit`` does.

    Parameters
    ----------
    array : DataArray
    dim : str
        With numbers or dates as coordinate.
    deg : int
        The degree, 0 to 20.
    missing, **choices
        As in :func:`dsketch.lstsq`.

    Returns
    -------
    Dataset
        ``polyfit_coefficients`` (``degree`` from ``deg`` down to 0, then the other dimensions), for numbers as they are and dates as
        nanoseconds from 1970-01-01: xarray's convention, which ``xarray.polyval`` takes.  ``polyfit_residuals``: Σ r² of each target.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError

    Notes
    -----
    What is solved are powers of the coordinate centred and scaled to [−1, 1]; powers of nanoseconds from 1970 are one another's multiples
    to rounding.  Coefficients so far from the data still cancel where they are evaluated: for one number a target, take
    :func:`~dsketch.xarray.trend`.
    """
    if not isinstance(deg, int) or not 0 <= deg <= _HIGHEST:
        raise SpecError(
            f"deg must be a whole number from 0 to {_HIGHEST}; got {deg!r}. Polynomials of more wiggle between the data."
        )
    clock = clock_of(array, dim)
    reach = float(np.abs(clock.steps).max(initial=0.0)) or 1.0
    powers = (clock.steps / reach)[:, None] ** np.arange(deg + 1)
    fit = fit_columns(array, dim, powers, [str(power) for power in range(deg + 1)], missing=missing, choices=choices)
    moved = _move(fit.x.to_numpy(), clock, reach)
    names = {"column": "degree"}
    told = fit.x.rename(names).assign_coords(degree=np.arange(deg, -1, -1)).copy(data=moved[::-1])
    found = xr.Dataset({"polyfit_coefficients": told.drop_attrs(), "polyfit_residuals": residuals_of(fit)}, attrs=fit.attrs)
    return with_own_names(found, array)


def _move(x: Floats, clock: Clock, reach: float) -> Floats:
    """Return coefficients of powers of the coordinate itself from those of ((t − origin)/reach)ʲ, shape (deg + 1, …)."""
    wide = np.longdouble
    scale = wide(reach) * (wide(_NANOSECONDS) if clock.is_dates else wide(1))
    moved = np.zeros(x.shape, wide)
    for j in range(len(x)):
        for k in range(j + 1):
            moved[k] += wide(math.comb(j, k)) * wide(-clock.origin) ** (j - k) / scale**j * x[j].astype(wide)
    return moved.astype(np.float64)
