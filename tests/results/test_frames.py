"""Answers by their labels: as a Dataset, as a frame, in JSON, and in what is written."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
import zarr

import dsketch as ds
from dsketch.problems import ExpKernel

N = 40
RNG = np.random.default_rng(0)
A = pd.DataFrame(RNG.standard_normal((N, 2)), columns=["u", "v"])
Y = pd.DataFrame(RNG.standard_normal((N, 3)), columns=["p", "q", "r"])
MAP = xr.DataArray(
    RNG.standard_normal((N, 2, 3)), dims=("time", "lat", "lon"), coords={"lat": [1.0, 2.0], "lon": [10, 20, 30], "height": 2.0}
)


@pytest.mark.parametrize(
    "b", [Y, pl.DataFrame(Y.to_dict("list")), xr.DataArray(Y, dims=("row", "target"))], ids=["pandas", "polars", "xarray"]
)
def test_targets_have_the_names_of_b(b: Any) -> None:
    """In the frame, in the Dataset, in JSON, in the table."""
    solution = ds.lstsq(A, b, intercept=True)
    frame, told = solution.to_pandas(), solution.to_dict()

    assert (solution.target_names, told["targets"]) == (("p", "q", "r"), ["p", "q", "r"])
    assert (list(frame.index), list(frame.columns)) == (["u", "v", "intercept"], ["p", "q", "r"])
    np.testing.assert_array_equal(frame, solution.x)
    np.testing.assert_array_equal(solution.to_xarray().x.sel(target="q", column="v"), solution.x[1, 1])
    assert "right-hand side 1: q" in str(solution.summary())


def test_what_is_written_knows_its_targets(tmp_path: Path) -> None:
    """The attributes of a stored x name the targets beside the columns."""
    from dsketch._results.output import attributes_of

    attributes = attributes_of(ds.lstsq(A, Y), None)

    assert (attributes["columns"], attributes["targets"]) == (["u", "v"], ["p", "q", "r"])
    assert zarr.create_array(str(tmp_path / "x.zarr"), data=np.ones(1), attributes=attributes).attrs["targets"] == ["p", "q", "r"]


def test_a_map_comes_back_as_a_map() -> None:
    """Dimensions and coordinates of b but those of the rows; errors, t, p, R² with a summary."""
    solution = ds.lstsq(A.to_numpy(), MAP, intercept=True)
    summary = solution.summary()
    told = solution.to_xarray(summary)

    assert told.x.dims == ("column", "lat", "lon")
    assert (told.x.shape, told.backward_error.dims, float(told.height)) == ((3, 2, 3), ("lat", "lon"), 2.0)
    assert (list(told.column.values), told.attrs["status"]) == (["x0", "x1", "intercept"], "solved")
    one = ds.lstsq(A.to_numpy(), MAP.values[:, 1, 2], intercept=True).summary()
    chosen = told.sel(lat=2.0, lon=30)
    for mine, theirs in (("x", "coefficients"), ("standard_errors",) * 2, ("t", "t_values"), ("p", "p_values")):
        np.testing.assert_allclose(chosen[mine], getattr(one, theirs), rtol=1e-9)
    np.testing.assert_allclose([chosen.r_squared, chosen.residual_variance], [one.r_squared, one.residual_variance], rtol=1e-9)
    assert (int(chosen.counts), int(chosen.degrees_of_freedom)) == (N, N - 3)
    assert solution.to_pandas().columns.names == ["lat", "lon"]


def test_a_stored_map_names_its_dimensions(tmp_path: Path) -> None:
    """What Zarr or xarray wrote of dimensions is heard where a path is given; without it they are counted."""
    path = tmp_path / "b.zarr"
    zarr.create_array(str(path), data=MAP.values, chunks=(10, 2, 3), dimension_names=("time", "lat", "lon"))

    assert ds.lstsq(A, path).to_xarray().x.dims == ("column", "lat", "lon")
    assert ds.lstsq(A, MAP.values).to_xarray().x.dims == ("column", "target_0", "target_1")


def test_a_vector_comes_back_as_a_series() -> None:
    """With the name of b."""
    series = ds.lstsq(A, Y.q).to_pandas()

    assert (series.name, list(series.index)) == ("q", ["u", "v"])
    assert ds.lstsq(A, MAP[:, 0, 0].rename("t2m")).to_pandas().name == "t2m"
    assert ds.lstsq(A, np.ones(N)).to_xarray().x.dims == ("column",)


def test_a_dimension_called_column_makes_room() -> None:
    """The columns of A have the word; a target's dimension of this name gets another."""
    told = ds.lstsq(A, MAP.rename(lat="column")).to_xarray()

    assert told.x.dims == ("column", "target_column", "lon")
    np.testing.assert_array_equal(told.target_column, [1.0, 2.0])


def test_other_problems_have_labels_where_x_has_columns() -> None:
    """Generalised linear models with their table; an x with a number for each row has no frame."""
    fit = ds.glm(A, pd.Series(RNG.poisson(2.0, N), name="count"), family="poisson", intercept=True)
    told = fit.to_xarray(fit.summary())

    assert {"x", "standard_errors", "p"} <= set(told)
    assert fit.to_pandas().name == "count"
    with pytest.raises(ds.SpecError, match="belongs to the columns of A was expected; that of exp-kernel"):
        ds.solve(ExpKernel(A, Y.p, alpha=1.0)).to_pandas()


@pytest.mark.parametrize(
    ("method", "package", "advice"), [("to_xarray", "xarray", r"'dsketch\[xarray\]'"), ("to_pandas", "pandas", "pandas")]
)
def test_a_package_that_lacks_is_named(method: str, package: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to install it."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ds.SpecError, match=f"pip install {advice}"):
        getattr(ds.lstsq(A.to_numpy(), Y.to_numpy()), method)()
