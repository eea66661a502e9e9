"""The trend along a dimension: how fast each target changes, with its standard error, in a unit that is said."""

from typing import Any

import numpy as np
import xarray as xr

from dsketch.xarray.clock import clock_of
from dsketch.xarray.fit import fit_columns, with_own_names

SLOPE, LEVEL = "slope", "intercept"


def trend(array: xr.DataArray, dim: str, *, per: str | float | None = None, missing: str = "error", **choices: Any) -> xr.Dataset:
    """Fit a line along ``dim`` to each target: every point of the other dimensions.

    Parameters
    ----------
    array : DataArray
        In memory, over dask, or a lazily opened Zarr array, which is read directly.
    dim : str
        With numbers or dates (``datetime64`` or ``cftime``) as coordinate.
    per : str or float, optional
        The unit of time of the slope: ``second, minute, hour, day, week, year, decade, century``; where the coordinate is numbers, how
        many of its units.  None: ``year`` (365.2425 days; of other calendars theirs), or 1.
    missing, **choices
        As in :func:`dsketch.lstsq`: ``missing="drop"`` leaves out, for each target alone, the rows that it lacks; with ``out_dir`` the
        workers write the answer as a Zarr group, and the Dataset is lazy; ``cluster``, ``journal``, ``progress``, …

    Returns
    -------
    Dataset
        ``slope``, its ``standard_errors``, ``t`` and ``p``; ``intercept``, the value of the line at the middle of ``dim``, which its
        attribute ``at`` names; ``r_squared``, ``residual_variance``, ``counts``, ``degrees_of_freedom``, ``backward_error``.
        ``slope.attrs["units"]`` says its unit.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError

    Notes
    -----
    Equal to xarray's ``polyfit(dim, 1)``, whose slope is per nanosecond, and to ``scipy.stats.linregress`` of each target.
    """
    clock = clock_of(array, dim)
    unit, word = clock.unit(per)
    design = np.stack([clock.steps / unit, np.ones(len(clock.steps))], axis=1)
    fit = fit_columns(array, dim, design, [SLOPE, LEVEL], missing=missing, choices=choices)
    return _tell(fit, array, word, clock.reference)


def _tell(fit: xr.Dataset, array: xr.DataArray, word: str, reference: Any) -> xr.Dataset:
    """Return the numbers of a line by their own names."""
    slope, level = (fit.x.sel(column=name, drop=True) for name in (SLOPE, LEVEL))
    units = array.attrs.get("units")
    rate = f"{units or '1'} per {word}" if word != "1" else units or "1"
    slope.attrs = {"units": rate, "long_name": f"trend of {array.attrs.get('long_name', array.name or 'the array')}"}
    level.attrs = {**({"units": units} if units else {}), "at": str(reference)}
    of_slope = {name: fit[name].sel(column=SLOPE, drop=True) for name in ("standard_errors", "t", "p")}
    of_slope["standard_errors"].attrs = {"units": rate}
    rest = {name: fit[name] for name in ("r_squared", "residual_variance", "counts", "degrees_of_freedom", "backward_error")}
    told = xr.Dataset({SLOPE: slope, LEVEL: level, **of_slope, **rest}, attrs=fit.attrs)
    return with_own_names(told.drop_vars("column", errors="ignore"), array)
