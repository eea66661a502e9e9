"""Labels of very many targets: values missing in some, answers written by the workers and opened lazily, arrays over Dask."""

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from distributed import Client

import dsketch as ds
import dsketch.xarray
from dsketch.matrix.dask_targets import DaskTargets
from dsketch.matrix.labels import TAKEN
from dsketch.matrix.open_targets import open_targets
from dsketch.matrix.targets import ZarrTargets

N = 96
RNG = np.random.default_rng(0)
TIME = pd.date_range("2000-01-01", periods=N, freq="MS")
NUMBERS = RNG.standard_normal((4, N, 5)).cumsum(1)
HOLES = np.where(RNG.random(NUMBERS.shape) < 0.1, np.nan, NUMBERS)
HOLES[0, :, 0] = np.nan
COORDS = {"time": TIME, "lat": [1.0, 2.0, 3.0, 4.0], "lon": [10, 20, 30, 40, 50], "height": 2.0}
WHOLE = xr.DataArray(NUMBERS, dims=("lat", "time", "lon"), coords=COORDS, name="t2m", attrs={"units": "K"})
SPARSE = WHOLE.copy(data=HOLES)


@pytest.mark.parametrize("chunks", [None, {"time": 30, "lat": 2}], ids=["memory", "dask"])
def test_missing_values_are_left_out_as_polyfit_does(chunks: dict[str, int] | None) -> None:
    """``missing="drop"`` is xarray's ``skipna``, for each target alone; one without a value is NaN, and counts say so."""
    array = SPARSE if chunks is None else SPARSE.chunk(chunks)
    mine, theirs = array.dsketch.polyfit("time", 1, missing="drop"), SPARSE.polyfit("time", 1)
    fit = array.dsketch.trend("time", missing="drop")

    known = np.isfinite(HOLES).any(1)
    fitted = [xr.polyval(WHOLE.time, found.polyfit_coefficients).transpose("lat", "time", "lon") for found in (mine, theirs)]
    np.testing.assert_allclose(fitted[0].values[:, 3][known], fitted[1].values[:, 3][known], rtol=1e-7)
    assert np.isnan(fit.slope.values[~known]).all()
    np.testing.assert_array_equal(fit.counts, np.isfinite(HOLES).sum(1))
    with pytest.raises(ds.DataError, match="row"):
        array.dsketch.trend("time")


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_written_answers_are_lazy_and_keep_their_coordinates(missing: str, tmp_path: Path) -> None:
    """The Dataset shows the group that the workers wrote; whoever opens that finds coordinates and numbers."""
    array = WHOLE if missing == "error" else SPARSE
    fit = array.dsketch.trend("time", missing=missing, out_dir=tmp_path / "fit.zarr")
    again = xr.open_zarr(tmp_path / "fit.zarr")

    assert fit.slope.chunks is not None
    assert fit.slope.attrs["units"] == "K per year"
    xr.testing.assert_allclose(fit.compute(), array.dsketch.trend("time", missing=missing))
    assert again.x.dims == ("column", "lat", "lon")
    for name in ("lat", "lon", "height"):
        np.testing.assert_array_equal(again[name], WHOLE[name])
    assert again.column.dtype.kind in "OTU"  # names of A's columns, the slope's first
    np.testing.assert_array_equal(again.x[0], fit.slope)


def test_a_stored_array_is_read_from_its_store(tmp_path: Path) -> None:
    """Packed and with fill values, as CF has it: what xarray decodes is decoded here, and holes are left out."""
    encoding = {"t2m": {"dtype": "int16", "scale_factor": 0.01, "add_offset": 3.0, "_FillValue": -9999}}
    rows = SPARSE.transpose("time", "lat", "lon").to_dataset()
    rows.chunk(time=20).to_zarr(tmp_path / "packed.zarr", encoding=encoding, consolidated=False)
    stored = xr.open_zarr(tmp_path / "packed.zarr", consolidated=False).t2m
    targets = open_targets(stored, missing="drop")

    assert isinstance(targets, ZarrTargets)
    assert (targets.source, targets.dimensions) == (str((tmp_path / "packed.zarr/t2m").resolve()), ("time", "lat", "lon"))
    here = stored.compute().dsketch.trend("time", missing="drop")
    xr.testing.assert_allclose(stored.dsketch.trend("time", missing="drop"), here, rtol=1e-9)


def test_boxes_of_a_dask_array_are_its_numbers() -> None:
    """Any rows of any box, whole or through a window that travels."""
    array = da.from_array(np.moveaxis(NUMBERS, 1, 0), chunks=(30, 3, 2)) + 0
    targets = open_targets(array)
    box = (slice(1, 4), slice(2, 5))

    assert isinstance(targets, DaskTargets)
    for source in (targets, targets.window([box])):
        for start, stop in ((0, N), (29, 31), (60, 90)):
            out = np.empty((stop - start, 3, 3))
            np.testing.assert_array_equal(source.read(start, stop, box, out), np.moveaxis(NUMBERS, 1, 0)[start:stop, 1:4, 2:5])


@pytest.mark.cluster
def test_workers_read_an_untouched_view_for_themselves(client: Client, tmp_path: Path) -> None:
    """Same bits as here, from a view that travels as the path of its store; labels stay with who asked."""
    WHOLE.transpose("time", ...).to_dataset().chunk(time=30).to_zarr(tmp_path / "whole.zarr", consolidated=False)
    array = xr.open_zarr(tmp_path / "whole.zarr", consolidated=False).t2m
    A = xr.Dataset({"year": ("time", np.arange(N) / 12), "one": ("time", np.ones(N))}, coords={"time": TIME})

    here, there = (ds.lstsq(A, array, dim="time", method="tsqr", cluster=where) for where in ("serial", client))
    assert here.x.tobytes() == there.x.tobytes()
    assert there.to_xarray().x.dims == ("column", "lat", "lon")


@pytest.mark.cluster
def test_workers_compute_the_boxes_of_a_dask_array(client: Client) -> None:
    """The bits of this process, whether numbers are made by a graph or lie on the cluster."""
    here = SPARSE.chunk(time=30, lat=2).dsketch.trend("time", missing="drop", cluster="serial")
    for array in (SPARSE.chunk(time=30, lat=2), SPARSE.chunk(time=30, lat=2).persist()):
        there = array.dsketch.trend("time", missing="drop", cluster=client)
        assert there.slope.values.tobytes() == here.slope.values.tobytes()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_tables_with_holes_give_names_back(kind: str) -> None:
    """The columns of b name the targets of a regression that leaves missing values out."""
    table = pd.DataFrame(HOLES[1], columns=list("vwxyz"))
    b: Any = table if kind == "pandas" else pl.DataFrame(table.to_dict("list"))
    solution = ds.lstsq(np.stack([np.arange(N), np.ones(N)], 1), b, missing="drop")

    assert solution.target_names == tuple("vwxyz")
    assert list(solution.to_pandas().columns) == list("vwxyz")
    assert solution.to_xarray().counts.sel(target="w") == np.isfinite(HOLES[1, :, 1]).sum()


def test_other_files_and_tables_are_targets_too(tmp_path: Path) -> None:
    """``.npy`` with holes, Parquet and Arrow by name."""
    A = np.stack([np.arange(N), np.ones(N)], 1)
    np.save(tmp_path / "b.npy", np.moveaxis(HOLES, 1, 0))
    table = pd.DataFrame(NUMBERS[1], columns=list("vwxyz"))
    table.to_parquet(tmp_path / "b.parquet")
    wanted = ds.lstsq(A, np.moveaxis(HOLES, 1, 0), missing="drop").x

    np.testing.assert_array_equal(ds.lstsq(A, tmp_path / "b.npy", missing="drop").x, wanted)
    for b in (tmp_path / "b.parquet", pa.table(table), table.astype("Float64").mask(table > 3)):
        assert ds.lstsq(A, b, missing="drop").target_names == tuple("vwxyz")


def test_one_series_has_a_trend() -> None:
    """No targets but one."""
    fit = WHOLE[0, :, 0].dsketch.trend("time")

    assert fit.slope.dims == ()
    np.testing.assert_allclose(fit.slope, WHOLE.dsketch.trend("time").slope[0, 0], rtol=1e-9)


def test_what_is_shown_of_targets_is_short(tmp_path: Path) -> None:
    """A page loads nothing that was written; a prompt is one line."""
    solution = ds.lstsq(xr.DataArray(np.ones((N, 1)), dims=("time", "c")), WHOLE, dim="time", out_dir=tmp_path / "fit.zarr")

    assert "arrays" in solution._repr_html_()
    assert len(repr(solution).splitlines()) == 1
    assert [axes.get_title() for axes in solution.plot()] == ["x0"]


@pytest.mark.parametrize("missing", ["error", "drop"])
@pytest.mark.parametrize("kind", ["xarray", "pandas"])
def test_rows_of_other_labels_are_refused(kind: str, missing: str) -> None:
    """Rows are paired by place, so that labels which differ are an error with values missing as without; labels that agree are none."""
    A = xr.DataArray(RNG.standard_normal((N, 2)), dims=("time", "column"), coords={"time": TIME})
    b: Any = WHOLE.isel(lat=0).transpose("time", "lon")
    if kind == "pandas":
        A, b = A.to_pandas(), b.to_pandas()

    assert ds.lstsq(A[::-1], b[::-1], missing=missing).x.shape == (2, 5)
    with pytest.raises(ds.DataError, match="same rows in the same order"):
        ds.lstsq(A[::-1], b, missing=missing)


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_a_map_over_x_and_y_keeps_its_answers(missing: str, tmp_path: Path) -> None:
    """Coordinates that are called as an answer is (x, t, p) take no answer away: they get another name, and their own where it is free."""
    array = WHOLE.transpose("time", "lat", "lon").rename(lat="y", lon="x").assign_coords(t=3.0, p=("y", [1.0, 2.0, 3.0, 4.0]))
    A = np.random.default_rng(2).standard_normal((N, 2))
    found = ds.lstsq(A, array, missing=missing)
    told, written = found.to_xarray(), ds.lstsq(A, array, missing=missing, out_dir=tmp_path / "fit.zarr").to_xarray()
    fit = array.dsketch.trend("time", missing=missing)
    curve = array.dsketch.polyfit("time", 1, missing=missing)

    assert {*found.arrays} <= TAKEN if missing == "drop" else {*array.dsketch.lstsq(A, "time").data_vars} <= TAKEN
    np.testing.assert_array_equal(told.x, found.x)
    np.testing.assert_allclose(written.x, found.x)
    assert told.x.dims == written.x.dims == ("column", "y", "target_x")
    for answer in (told, written):
        assert answer.target_t == 3.0
        np.testing.assert_array_equal(answer.target_x, array.x)
        np.testing.assert_array_equal(answer.target_p, array.p)
    for answer in (fit.slope, curve.polyfit_coefficients[0]):
        assert answer.dims == ("y", "x")
        np.testing.assert_array_equal(answer.x, array.x)
    np.testing.assert_allclose(fit.slope, WHOLE.dsketch.trend("time").slope)


def test_an_index_of_several_levels_is_no_end_of_a_written_run(tmp_path: Path) -> None:
    """No store holds such an index: the answers are written without it."""
    index = xr.Coordinates.from_pandas_multiindex(pd.MultiIndex.from_product([["a"], range(5)], names=["u", "v"]), "lon")
    array = WHOLE.transpose("time", "lat", "lon").drop_vars("lon").assign_coords(index)
    ds.lstsq(np.ones((N, 1)), array, out_dir=tmp_path / "fit.zarr")
    assert xr.open_zarr(tmp_path / "fit.zarr").x.sizes["lon"] == 5


@pytest.mark.cluster
def test_chunks_on_the_cluster_are_boxes_as_they_are(client: Client) -> None:
    """A box that is just some persisted chunks has no graph but their keys; it is answered all the same, here and on workers."""
    b = np.moveaxis(HOLES, 1, 0)
    held = da.from_array(b, chunks=(N // 3, 4, 2)).persist()
    A = np.random.default_rng(3).standard_normal((N, 2))
    wanted = ds.lstsq(A, b, missing="drop", cluster="serial").x
    for where in ("serial", client):
        np.testing.assert_allclose(ds.lstsq(A, held, missing="drop", cluster=where).x, wanted, rtol=1e-10)
