"""Labelled arrays that show all of a Zarr array are read from it; what anything was done to is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

import dsketch as ds
from dsketch.matrix.untouched import stored_below

RNG = np.random.default_rng(0)
NUMBERS = RNG.integers(-500, 500, (60, 3)).astype("float32")
PACKED = {"scale_factor": 0.5, "add_offset": 100.0, "dtype": "int16", "_FillValue": -9999}


@pytest.fixture(params=[2, 3])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A group with plain numbers, packed ones, and unsigned ones."""
    plain = xr.DataArray(NUMBERS, dims=("time", "name"), coords={"time": np.arange(60), "name": [10, 20, 30]})
    signed = (plain % 200).astype("uint8").astype("int8").assign_attrs(_Unsigned="true")
    whole = xr.Dataset({"plain": plain, "packed": plain, "bytes": signed})
    whole.chunk(time=20).to_zarr(
        tmp_path / "data.zarr", encoding={"packed": PACKED}, zarr_format=request.param, consolidated=False
    )
    return str((tmp_path / "data.zarr").resolve())


@pytest.mark.parametrize("variable", ["plain", "packed"])
@pytest.mark.parametrize("options", [{}, {"chunks": None}, {"chunks": {"time": 40}}], ids=["dask", "lazy", "other chunks"])
def test_an_untouched_view_is_read_from_its_store(stored: str, variable: str, options: dict[str, Any]) -> None:
    """However it was opened: labels come along, numbers are those that xarray shows, and a journal can open it again."""
    array = xr.open_zarr(stored, consolidated=False, **options)[variable]
    matrix = ds.open_matrix(array)

    assert matrix.source == f"{stored}/{variable}"
    assert (matrix.names, matrix.rows_digest) == (("10", "20", "30"), ds.open_matrix(array.load()).rows_digest)
    np.testing.assert_array_equal(matrix.read(0, 60), NUMBERS)


def test_numbers_as_they_are_stored_are_those_that_are_shown(stored: str) -> None:
    """``mask_and_scale=False`` shows packed numbers as such: they are refused, as before, and not unpacked in silence."""
    array = xr.open_zarr(stored, consolidated=False, mask_and_scale=False).packed

    assert stored_below(array) is None
    with pytest.raises(ds.DataError, match="scale_factor"):
        ds.open_matrix(array)


TOUCHED: dict[str, Callable[[xr.DataArray], Any]] = {
    "a slice": lambda array: array[2:],
    "a step": lambda array: array.isel(time=slice(None, None, -1)),
    "a choice": lambda array: array.isel(name=[0, 2, 1]),
    "arithmetic": lambda array: 2 * array,
    "another order": lambda array: array.transpose("name", "time"),
    "another type": lambda array: array.astype("float64"),
    "numbers in memory": lambda array: array.compute(),
}


@pytest.mark.parametrize("touch", TOUCHED)
@pytest.mark.parametrize("options", [{}, {"chunks": None}], ids=["dask", "lazy"])
def test_what_was_touched_is_not(stored: str, touch: str, options: dict[str, Any]) -> None:
    """Anything that was done to it is done."""
    assert stored_below(TOUCHED[touch](xr.open_zarr(stored, consolidated=False, **options).plain)) is None


def test_chunks_on_a_cluster_are_not(stored: str) -> None:
    """Persisted numbers need no store."""
    assert stored_below(xr.open_zarr(stored, consolidated=False).plain.persist()) is None


def test_integers_of_the_other_sign_are_left_to_xarray(stored: str) -> None:
    """A decoder that is not known is not passed by."""
    array = xr.open_zarr(stored, consolidated=False)["bytes"]

    assert stored_below(array) is None
    np.testing.assert_array_equal(ds.open_matrix(array).read(0, 60), NUMBERS % 200)


def test_dask_s_own_view_of_zarr_is_known() -> None:
    """``dask.array.from_zarr`` is one, an array made elsewhere is not."""
    held = zarr.create_array({}, data=NUMBERS, chunks=(20, 3))

    assert stored_below(da.from_zarr(held)) is not None
    assert stored_below(da.from_array(NUMBERS)) is None
    assert stored_below(da.ones((4, 4))) is None


def test_an_absent_chunk_is_refused_or_filled_as_asked(stored: str, tmp_path: Path) -> None:
    """As of the path of the array."""
    chunk = next(path for path in (tmp_path / "data.zarr" / "plain").rglob("*") if path.name in ("0", "1.0") and path.is_file())
    chunk.unlink()
    array = xr.open_zarr(stored, consolidated=False, mask_and_scale=False).plain.drop_attrs()

    with pytest.raises(ds.MissingDataError, match="is absent"):
        ds.open_matrix(array).read(0, 60)


@pytest.mark.parametrize("chunks", ["auto", None], ids=["dask", "lazy"])
def test_maps_are_read_from_their_store_too(chunks: str | None, tmp_path: Path) -> None:
    """An array of several dimensions of targets is its store's, with the rows first; in another order it goes by way of xarray."""
    cube = xr.DataArray(RNG.standard_normal((60, 2, 3)), dims=("time", "lat", "lon"))
    cube.to_dataset(name="t2m").to_zarr(tmp_path / "cube.zarr", consolidated=False)
    array = xr.open_zarr(tmp_path / "cube.zarr", consolidated=False, chunks=chunks).t2m
    A = np.stack([np.arange(60.0), np.ones(60)], axis=1)

    assert ds.open_matrix(array, has_targets=True).source == str((tmp_path / "cube.zarr/t2m").resolve())
    x = ds.lstsq(A, array).x
    assert x.shape == (2, 2, 3)
    turned = ds.lstsq(xr.DataArray(A, dims=("time", "column")), array.transpose("lon", "time", "lat"), dim="time")
    np.testing.assert_allclose(turned.x, np.swapaxes(x, 1, 2), rtol=1e-10)
