"""The fit below trends and polynomials: a few columns made here, every other dimension a target, answered by tiles."""

from typing import Any

import numpy as np
import xarray as xr

from dsketch._linalg.arrays import Floats
from dsketch._results.solution import Solution
from dsketch.api import lstsq, solve
from dsketch.matrix.along import along
from dsketch.problems import TargetRegression


def fit_columns(
    array: xr.DataArray, dim: str, columns: Floats, names: list[str], *, missing: str, choices: dict[str, Any]
) -> xr.Dataset:
    """Return x of each target on some columns, its errors and how well it fits, as a Dataset.

    Parameters
    ----------
    array : DataArray
    dim : str
        The dimension of the rows.
    columns : ndarray, shape (n, d)
    names : list of str
        Of the columns.
    missing, choices
        As in :func:`dsketch.lstsq`.
    """
    own = {dim: array.coords[dim]} if dim in array.coords else {}
    A = xr.DataArray(columns, dims=(dim, "column"), coords={"column": names, **own})
    if missing == "drop" or choices.get("out_dir") is not None:
        return tell(lstsq(A, array, dim=dim, missing=missing, **choices))
    A, b = along(dim, A=A, b=array)
    choices = {name: value for name, value in choices.items() if name not in ("out_dir", "overwrite")}
    return tell(solve(TargetRegression(A, b, missing=missing), **choices))


def tell(solution: Solution) -> xr.Dataset:
    """Return an answer by labels, with its errors."""
    has_arrays = isinstance(solution.problem, TargetRegression) or solution.problem.parameters["problem"] == "ridge"
    made: xr.Dataset = solution.to_xarray(None if has_arrays else solution.summary())
    return made


def with_own_names(told: xr.Dataset, array: xr.DataArray) -> xr.Dataset:
    """Return an answer whose dimensions and coordinates are called as the array's again, where nothing else has the name."""
    renamed = {f"target_{name}": name for name in map(str, {*array.dims, *array.coords}) if name not in told.variables}
    return told.rename({name: own for name, own in renamed.items() if name in told.variables or name in told.dims})


def residuals_of(fit: xr.Dataset) -> xr.DataArray:
    """Return Σ r² of each target."""
    freedom = fit.degrees_of_freedom
    squares: xr.DataArray = (fit.residual_variance * freedom).where(freedom > 0, np.nan)
    return squares
