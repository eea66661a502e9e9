"""Trends and polynomials along a dimension: equal to scipy's and xarray's, in units that are said, whatever the calendar."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr

import dsketch as ds
import dsketch.xarray
from dsketch.xarray.clock import clock_of

N = 120
RNG = np.random.default_rng(0)
MONTHS = xr.date_range("1980-01-01", periods=N, freq="MS")
WARM = xr.DataArray(
    280 + RNG.standard_normal((3, N, 4)).cumsum(1),
    dims=("lat", "time", "lon"),
    coords={"time": MONTHS, "lat": [1.0, 2.0, 3.0], "lon": [10, 20, 30, 40]},
    name="t2m",
    attrs={"units": "K"},
)
YEARS = (MONTHS - MONTHS[0]).total_seconds().to_numpy() / 86400 / 365.2425


def test_a_trend_is_that_of_linregress() -> None:
    """Slope, error, p and R² of each target, per year by default, which the units say."""
    fit = WARM.dsketch.trend("time")
    theirs = scipy.stats.linregress(YEARS, WARM.values[2, :, 1])
    mine = fit.sel(lat=3.0, lon=20)

    np.testing.assert_allclose(
        [mine.slope, mine.standard_errors, mine.p, mine.r_squared],
        [theirs.slope, theirs.stderr, theirs.pvalue, theirs.rvalue**2],
        rtol=1e-9,
    )
    assert (fit.slope.dims, fit.slope.attrs["units"]) == (("lat", "lon"), "K per year")
    middle = (np.datetime64(fit.intercept.attrs["at"]) - MONTHS[0].to_numpy()) / np.timedelta64(1, "D") / 365.2425
    np.testing.assert_allclose(mine.intercept, theirs.intercept + theirs.slope * middle, rtol=1e-12)


@pytest.mark.parametrize(
    ("per", "years"), [("second", 1 / 365.2425 / 86400), ("day", 1 / 365.2425), ("decade", 10), ("century", 100)]
)
def test_a_unit_is_what_it_says(per: str, years: float) -> None:
    """A slope per decade is ten times that per year, and so are its errors; t, p and R² have no unit."""
    year, other = WARM.dsketch.trend("time"), WARM.dsketch.trend("time", per=per)

    np.testing.assert_allclose(other.slope, years * year.slope, rtol=1e-9)
    np.testing.assert_allclose(other.standard_errors, years * year.standard_errors, rtol=1e-9)
    np.testing.assert_allclose(other.t, year.t, rtol=1e-9)
    assert other.slope.attrs["units"] == f"K per {per}"


def test_numbers_count_by_themselves() -> None:
    """A coordinate of numbers has no unit of time; none at all counts 0, 1, 2 …."""
    plain = WARM.drop_vars("time")

    np.testing.assert_allclose(plain.dsketch.trend("time").slope, plain.polyfit("time", 1).polyfit_coefficients[0], rtol=1e-9)
    np.testing.assert_allclose(plain.dsketch.trend("time", per=12).slope, 12 * plain.dsketch.trend("time").slope, rtol=1e-12)
    np.testing.assert_allclose(
        WARM.assign_coords(time=1e9 + np.arange(N) / 2).dsketch.trend("time").slope,
        2 * plain.dsketch.trend("time").slope,
        rtol=1e-9,
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_polynomials_are_xarray_s(degree: int) -> None:
    """The same names, order, unit and values: ``polyval`` takes them, and they leave no more residual than xarray's."""
    mine, theirs = WARM.dsketch.polyfit("time", degree), WARM.polyfit("time", degree, full=True)

    assert mine.polyfit_coefficients.dims == ("degree", "lat", "lon")
    np.testing.assert_array_equal(mine.degree, theirs.degree)
    fitted = [xr.polyval(WARM.time, found.polyfit_coefficients) for found in (mine, theirs)]
    # Powers of nanoseconds from 1970 cancel where they are evaluated: eps times their largest term, some 1e3 times the values.
    np.testing.assert_allclose(fitted[0], fitted[1], atol=1e-7)
    np.testing.assert_allclose(mine.polyfit_residuals, ((WARM - fitted[0]) ** 2).sum("time"), rtol=1e-9)


def test_other_calendars_have_their_own_years() -> None:
    """360 days are a year of twelve equal months, and a slope per year says so."""
    cftime = pytest.importorskip("cftime")
    dates = [cftime.Datetime360Day(1980 + month // 12, 1 + month % 12, 1) for month in range(N)]
    array = xr.DataArray(np.arange(N) / 12.0, dims="time", coords={"time": dates})

    assert float(array.dsketch.trend("time").slope) == pytest.approx(1.0, rel=1e-12)
    fit = array.dsketch.polyfit("time", 1).polyfit_coefficients
    assert float(fit[0]) == pytest.approx(float(array.polyfit("time", 1).polyfit_coefficients[0]), rel=1e-9)


def test_a_dataset_fits_each_of_its_variables(tmp_path: Path) -> None:
    """Those that have the dimension, with their names in front; lazily opened ones are read from their store."""
    both = xr.Dataset({"t2m": WARM, "rain": 2 * WARM, "mask": WARM[:, 0, :]})
    both.chunk(time=50).to_zarr(tmp_path / "both.zarr", consolidated=False)
    fit = xr.open_zarr(tmp_path / "both.zarr", consolidated=False).dsketch.trend("time")

    np.testing.assert_allclose(fit.t2m_slope, WARM.dsketch.trend("time").slope, rtol=1e-12)
    np.testing.assert_allclose(fit.rain_slope, 2 * fit.t2m_slope, rtol=1e-12)
    assert "mask_slope" not in fit
    assert set(both.dsketch.polyfit("time", 1)) >= {"t2m_polyfit_coefficients", "rain_polyfit_coefficients"}


def test_the_accessor_explains_an_array() -> None:
    """``y.dsketch.lstsq(A, dim)`` is ``ds.lstsq(A, y, dim=)`` by labels."""
    A = xr.Dataset({"trend": ("time", np.arange(N) / 12), "ones": ("time", np.ones(N))}, coords={"time": MONTHS})
    told = WARM.dsketch.lstsq(A, "time")

    assert told.x.dims == ("column", "lat", "lon")
    np.testing.assert_array_equal(told.x, np.reshape(ds.lstsq(A, WARM, dim="time").x, told.x.shape))
    assert "standard_errors" in told
    np.testing.assert_allclose(WARM.dsketch.ridge(A, "time", 0.0).x, told.x, rtol=1e-9)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda: WARM.dsketch.trend("t"), "dim must be one of the array's, which has lat, time, lon; got 't'"),
        (lambda: WARM.dsketch.trend("time", per="month"), "per must be one of second, .*, century; got 'month'"),
        (lambda: WARM.drop_vars("time").dsketch.trend("time", per="year"), "per must be a number above 0"),
        (lambda: WARM.dsketch.polyfit("time", 21), "deg must be a whole number from 0 to 20; got 21"),
        (lambda: WARM.to_dataset().dsketch.trend("t"), "dim must be a dimension of a variable"),
        (lambda: WARM.assign_coords(time=list("ab") * 60).dsketch.trend("time"), "must have numbers or dates"),
        (lambda: WARM.assign_coords(time=[pd.NaT, *list(MONTHS[1:])]).dsketch.trend("time"), "0 is NaT"),
        (lambda: WARM.assign_coords(time=np.r_[np.nan, np.arange(N - 1)]).dsketch.trend("time"), "not at place 0"),
    ],
)
def test_what_cannot_be_fitted_is_named(fit: Any, message: str) -> None:
    """One sentence, with what there is."""
    with pytest.raises(ds.DsketchError, match=message):
        fit()


def test_dates_count_by_their_differences() -> None:
    """Nanoseconds so far from 1970 that floats skip hundreds of them lose none here."""
    dates = np.datetime64("2024-01-01T00:00:00.000000000") + np.arange(5).astype("timedelta64[ns]")
    clock = clock_of(xr.DataArray(np.zeros(5), dims="t", coords={"t": dates}), "t")

    np.testing.assert_array_equal(np.diff(clock.steps), np.full(4, 1e-9))
    assert dsketch.xarray.trend is not None
