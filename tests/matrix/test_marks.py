"""Numbers that the attributes of an array say are none: with missing="drop" they leave their row out wherever the array lies."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dsketch as ds
from dsketch.matrix import open_targets as opening
from dsketch.matrix.gaps import open_with_gaps

N, MARK = 40, -999.0
RNG = np.random.default_rng(3)
A, B = RNG.standard_normal((N, 2)), RNG.standard_normal((N, 3))
HOLES = B.copy()
HOLES[[3, 3, 17], [1, 2, 1]] = np.nan
MARKED = np.where(np.isnan(HOLES), MARK, HOLES)
LABELLED = xr.DataArray(MARKED, dims=("time", "trait"), attrs={"missing_value": MARK, "units": "K"})

Make = Callable[[Path], Any]


def hdf5(folder: Path) -> str:
    """Write a dataset with an attribute."""
    with h5py.File(folder / "b.h5", "w") as file:
        file["b"] = MARKED
        file["b"].attrs["_FillValue"] = MARK
    return str(folder / "b.h5")


def parquet(folder: Path) -> str:
    """Write nulls."""
    pd.DataFrame(HOLES, columns=["ä", "b", "c"]).to_parquet(folder / "b.parquet", row_group_size=10)
    return str(folder / "b.parquet")


KINDS: dict[str, Make] = {
    "DataArray": lambda _: LABELLED,
    "DataArray over dask": lambda _: LABELLED.chunk(time=7),
    "Dataset": lambda _: xr.Dataset({name: LABELLED[:, place] for place, name in enumerate("uvw")}),
    "HDF5 dataset": lambda folder: h5py.File(hdf5(folder), "r+")["b"],
    "HDF5 file": hdf5,
    "Parquet file": parquet,
}


@pytest.fixture(params=KINDS)
def marked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Return the numbers of B with holes, in each kind of source."""
    made = KINDS[request.param](tmp_path)
    yield made
    if isinstance(made, h5py.Dataset):
        made.file.close()


def test_a_marked_number_leaves_its_row_out(marked: Any) -> None:
    """Of b for its target, of A for all, of both sides of marginal regressions: the same bits as with NaN."""
    for theirs, mine in (
        (ds.lstsq(A, HOLES, missing="drop"), ds.lstsq(A, marked, missing="drop")),
        (ds.lstsq(HOLES, A, missing="drop"), ds.lstsq(marked, A, missing="drop")),
        (ds.marginal(A, HOLES).solution, ds.marginal(A, marked).solution),
    ):
        assert np.asarray(mine.x).tobytes() == np.asarray(theirs.x).tobytes()
        assert mine.notes == theirs.notes


def test_a_marked_number_is_refused_otherwise(marked: Any, tmp_path: Path) -> None:
    """Nobody takes it for a number, in answers by target either."""
    for choices in ({}, {"out_dir": tmp_path / "fit.zarr"}):
        with pytest.raises(ds.DataError, match="row 3"):
            ds.lstsq(A, marked, **choices)
    with pytest.raises(ds.DataError, match="row 3"):
        ds.lstsq(marked, A)


@pytest.mark.parametrize("kind", ["DataArray", "HDF5 dataset"])
def test_columns_to_look_at_lack_what_is_marked(kind: str, tmp_path: Path) -> None:
    """A marked entry of a wide array in memory, or in an open file, is a missing one."""
    made = KINDS[kind](tmp_path)
    np.testing.assert_array_equal(ds.marginal(made, A).counts, ds.marginal(HOLES, A).counts)
    if isinstance(made, h5py.Dataset):
        made.attrs["scale_factor"] = 0.5
        for solve in (lambda: ds.marginal(made, A), lambda: ds.lstsq(A, made, missing="drop")):
            with pytest.raises(ds.DataError, match="packed"):
                solve()
        made.file.close()


@pytest.mark.parametrize("kind", ["HDF5 file", "Parquet file"])
def test_a_file_with_gaps_travels_as_its_path(kind: str, tmp_path: Path) -> None:
    """A worker opens it with its gaps."""
    again = pickle.loads(pickle.dumps(open_with_gaps(KINDS[kind](tmp_path), "A")))  # noqa: S301 - our own
    np.testing.assert_array_equal(again.read(0, N), HOLES)


def test_a_labelled_table_of_predictors_may_lack_values() -> None:
    """Names of columns, text or not, are no reason to take a DataArray for a long table of Arrow."""
    for names in (["ä", "b", "c"], [1, 2, 3]):
        table = xr.DataArray(HOLES, dims=("time", "column"), coords={"column": names})
        for source in (table, table.to_dataset("column").rename({name: f"c{name}" for name in names})):
            found = ds.lstsq(source, A, missing="drop")
            assert found.x.tobytes() == ds.lstsq(HOLES, A, missing="drop").x.tobytes()


def test_what_is_in_memory_is_as_large_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on what is brought into memory is none on what is there; of an open file it is one."""
    monkeypatch.setattr(opening, "_IN_MEMORY_BYTES", 100)
    assert ds.lstsq(A, LABELLED, missing="drop").x.shape == (2, 3)


@pytest.mark.parametrize("mark", [1e20, np.float64(1e20), np.float32(1e20), np.array([1e20]), [-1, 1e20]])
@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8"])
def test_a_mark_is_compared_as_a_cell_holds_it(mark: Any, dtype: str) -> None:
    """1e20 as a float32 is another number than 1e20: in an attribute of whatever type it is the same mark."""
    held = np.where(np.isnan(HOLES), np.float32(1e20) if dtype != "f8" else np.ravel(mark)[-1], HOLES).astype(dtype)
    wanted = ds.lstsq(A, HOLES.astype(dtype), missing="drop", cluster="serial").x
    marked = xr.DataArray(held, dims=("time", "trait"), attrs={"_FillValue": mark})

    for source in (marked, marked.chunk(time=7)):
        np.testing.assert_array_equal(ds.lstsq(A, source, missing="drop", cluster="serial").x.reshape(wanted.shape), wanted)
        with pytest.raises(ds.DataError, match=r"row \d+, column \d+"):
            ds.lstsq(A, source, cluster="serial")
