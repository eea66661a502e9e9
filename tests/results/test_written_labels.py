"""Labels of written answers: whoever opens the group later finds the names of columns and targets as coordinates."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import dsketch as ds

N = 30
RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((N, 2)), RNG.standard_normal((N, 4))
PREDICTORS, TRAITS = ["höhe", "w"], ["ä", "中", "c", "d"]


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_names_of_tables_are_coordinates(table: Any, tmp_path: Path) -> None:
    """Of A's columns, the intercept last, and of b's."""
    named = table(dict(zip(PREDICTORS, A.T, strict=True))), table(dict(zip(TRAITS, B.T, strict=True)))
    fit = ds.lstsq(*named, intercept=True, out_dir=tmp_path / "fit.zarr")
    found = xr.open_zarr(tmp_path / "fit.zarr")

    assert found.column.values.tolist() == [*PREDICTORS, "intercept"]
    assert found.target.values.tolist() == TRAITS
    np.testing.assert_array_equal(found.x.sel(target="中"), np.asarray(fit.x)[:, 1])


def test_text_of_coordinates_is_kept(tmp_path: Path) -> None:
    """Names along a dimension, and texts beside them; what no store holds is left out, and no reason to fail."""
    coords: Any = {"p": [1.5, 2.5], "gene": ["α", "β"], "note": ("gene", ["x", "yy"]), "thing": ("p", [None, 3])}
    ds.lstsq(A, xr.DataArray(B.reshape(N, 2, 2), dims=("time", "p", "gene"), coords=coords), out_dir=tmp_path / "fit.zarr")
    found = xr.open_zarr(tmp_path / "fit.zarr")
    assert {name: each.values.tolist() for name, each in found.coords.items()} == {
        "target_p": [1.5, 2.5],
        "gene": ["α", "β"],
        "note": ["x", "yy"],
    }
    assert found.x.sel(gene="β").dims == ("column", "target_p")

    pixels = pd.MultiIndex.from_product([[1, 2], [3, 4]], names=["lat", "lon"])
    stacked = xr.DataArray(B, dims=("time", "pixel"), coords={"pixel": pixels, "area": ("pixel", np.arange(4.0))})
    ds.lstsq(A, stacked, out_dir=tmp_path / "stacked.zarr")
    assert [*xr.open_zarr(tmp_path / "stacked.zarr").coords] == ["area"]


def test_marginal_answers_keep_names(tmp_path: Path) -> None:
    """Of the columns that were looked at, and of the targets."""
    G = xr.DataArray(B, dims=("samples", "snp"), coords={"snp": TRAITS})
    ds.marginal(G, pd.DataFrame(A, columns=PREDICTORS), tmp_path / "assoc.zarr")
    found = xr.open_zarr(tmp_path / "assoc.zarr")
    assert (found.column.values.tolist(), found.target.values.tolist()) == (TRAITS, PREDICTORS)


def test_marginal_answers_show_themselves_in_notebooks() -> None:
    """As the solution that they are."""
    found = ds.marginal(A, B)
    assert found._repr_html_() == found.solution._repr_html_()
