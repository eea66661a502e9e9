"""Tables and arrays of other libraries: their numbers, their names, and what they say is missing."""

import array
import decimal
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import dask.dataframe as dd
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
import zarr
from distributed import Client
from sklearn.model_selection import cross_val_score

import dsketch as ds
from dsketch.matrix.base import Matrix
from dsketch.problems import ExpKernel
from dsketch.sklearn import KernelRidge, LinearRegression, Ridge

NAMES = ("u", "v", "w")
N = 60
RNG = np.random.default_rng(0)
A = RNG.integers(-50, 50, (N, 3)).astype(float)  # integers: every type holds them
B = A @ [1.0, -2.0, 3.0] + RNG.standard_normal(N)
FRAME = pd.DataFrame(A, columns=list(NAMES))


class ByDataframe:
    """A table that is known by the interchange protocol alone."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        """Return the protocol's object."""
        return pa.table(FRAME).__dataframe__(nan_as_null, allow_copy)


class ByStream:
    """A table that is known by Arrow's stream alone."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return the stream."""
        return pa.table(FRAME).__arrow_c_stream__(requested_schema)


class ByArray:
    """Rows that convert to an array."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """Return the array."""
        return np.asarray(A, dtype)


LABELLED = xr.DataArray(A, dims=("time", "name"), coords={"name": list(NAMES)})
NAMED: dict[str, Any] = {
    "pandas": FRAME,
    "pandas integers": FRAME.astype("int16"),
    "pandas nullable": FRAME.astype("Int64"),
    "pandas Arrow": FRAME.astype("double[pyarrow]"),
    "pandas objects": FRAME.astype(object),
    "pandas decimals": FRAME.map(decimal.Decimal),
    "pandas sparse": FRAME.astype(pd.SparseDtype(float, 0.0)),
    "pandas mixed": FRAME.astype({"u": "float32", "v": "int8", "w": "Float64"}),
    "polars": pl.DataFrame(FRAME.to_dict("list")),
    "polars integers": pl.DataFrame(FRAME.astype(int).to_dict("list")),
    "pyarrow": pa.table(FRAME),
    "pyarrow batch": pa.RecordBatch.from_pandas(FRAME),
    "xarray": LABELLED,
    "xarray over dask": LABELLED.chunk(time=20),
    "xarray Dataset": LABELLED.to_dataset("name"),
    "xarray Dataset over dask": LABELLED.to_dataset("name").chunk(time=20),
    "__dataframe__": ByDataframe(),
    "__arrow_c_stream__": ByStream(),
}
NAMELESS: dict[str, Any] = {
    "__array_interface__": SimpleNamespace(__array_interface__=A.__array_interface__, kept=A),
    "pandas": pd.DataFrame(A),
    "xarray": xr.DataArray(A),
    "xarray variable": xr.Variable(("t", "c"), A),
    "list": A.tolist(),
    "tuples": tuple(map(tuple, A)),
    "memoryview": memoryview(A),
    "__array__": ByArray(),
}


def vectors(values: np.ndarray) -> dict[str, Any]:
    """Return the same numbers as columns of each library."""
    return {
        "pandas": pd.Series(values),
        "pandas nullable": pd.Series(values, dtype="Float64"),
        "pandas array": pd.array(values, dtype="Float64"),
        "polars": pl.Series("y", values),
        "pyarrow array": pa.array(values),
        "pyarrow chunks": pa.chunked_array([values[:20], values[20:]]),
        "xarray": xr.DataArray(values),
        "array.array": array.array("d", values),
        "memoryview": memoryview(values),
        "list": values.tolist(),
    }


VECTORS, WEIGHTS = vectors(B), vectors(np.abs(B))


# ---- the numbers and the names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NAMED)
def test_tables_are_solved_and_predicted_by_name(kind: str) -> None:
    """A table gives the answer of its numbers and keeps its names; one of other names is refused."""
    table, wanted = NAMED[kind], ds.lstsq(A, B)
    solution = ds.lstsq(table, B)

    np.testing.assert_allclose(solution.x, wanted.x, rtol=1e-12)
    assert solution.names == NAMES
    np.testing.assert_allclose(solution.predict(table), A @ wanted.x, rtol=1e-12)
    np.testing.assert_allclose(solution.predict(FRAME[["w", "u", "v"]]), A @ wanted.x, rtol=1e-12)
    with pytest.raises(ds.DataError, match="column 'u' was expected"):
        solution.predict(FRAME.rename(columns={"u": "height"}))


@pytest.mark.parametrize("kind", NAMELESS)
def test_arrays_without_names_go_by_place(kind: str) -> None:
    """What has no names, or only the numbers of places, has an answer without names."""
    solution = ds.lstsq(NAMELESS[kind], B)

    np.testing.assert_allclose(solution.x, ds.lstsq(A, B).x, rtol=1e-12)
    assert solution.names is None
    np.testing.assert_allclose(solution.predict(NAMELESS[kind]), A @ solution.x, rtol=1e-12)


@pytest.mark.parametrize("kind", VECTORS)
def test_columns_are_taken_for_b_and_weights(kind: str) -> None:
    """A column of any library is a vector, for which x is one too; also one that weighs the rows."""
    solution = ds.lstsq(A, VECTORS[kind])
    weighed = ds.ridge(np.abs(A), B, weights=WEIGHTS[kind])

    np.testing.assert_allclose(solution.x, ds.lstsq(A, B).x, rtol=1e-12)
    np.testing.assert_allclose(weighed.x, ds.ridge(np.abs(A), B, weights=np.abs(B)).x, rtol=1e-12)


def test_flags_and_ranges_are_numbers() -> None:
    """Booleans count as 0 and 1 in every library, and a range is its numbers."""
    flags = A[:, 0] > 0
    wanted = ds.lstsq(np.c_[flags, A[:, 1]], np.arange(N)).x
    for table in (
        pd.DataFrame({"f": flags, "v": A[:, 1]}),
        pd.DataFrame({"f": pd.array(flags, dtype="boolean"), "v": A[:, 1]}),
        pl.DataFrame({"f": flags, "v": A[:, 1]}),
        pa.table({"f": flags, "v": A[:, 1]}),
    ):
        np.testing.assert_allclose(ds.lstsq(table, range(N)).x, wanted, rtol=1e-12)


def test_sparse_columns_stay_sparse() -> None:
    """A frame of sparse columns is CSR, with its names."""
    assert ds.open_matrix(NAMED["pandas sparse"]).nonzeros == np.count_nonzero(A)


def test_x_of_a_table_judges_by_name() -> None:
    """check puts a solution's x in the order of the table that it is checked against."""
    solution = ds.lstsq(FRAME, B)

    assert ds.check(ds.LeastSquares(FRAME[["v", "w", "u"]], B), solution).backward_error[0] < 1e-14


# ---- what is missing, and what is no number ----------------------------------------------------------------------------

GAPS: dict[str, Any] = {
    "nan": pd.DataFrame({"a": [1.0, 2, np.nan, 4], "b": [1.0, 2, 3, 5]}),
    "nullable": pd.DataFrame({"a": pd.array([1, 2, None, 4], dtype="Int64"), "b": [1, 2, 3, 5]}),
    "boolean": pd.DataFrame({"a": pd.array([True, False, None, True], dtype="boolean"), "b": [1, 2, 3, 5]}),
    "objects": pd.DataFrame({"a": [1, 2, None, 4], "b": [1, 2, 3, 5]}, dtype=object),
    "inf": pl.DataFrame({"a": [1.0, 2, np.inf, 4], "b": [1.0, 2, 3, 5]}),
    "polars": pl.DataFrame({"a": [1, 2, None, 4], "b": [1, 2, 3, 5]}),
    "polars NaN": pl.DataFrame({"a": [1.0, 2, np.nan, 4], "b": [1, 2, 3, 5]}),
    "pyarrow": pa.table({"a": [1, 2, None, 4], "b": [1, 2, 3, 5]}),
    "decimals": pa.table({"a": [decimal.Decimal(1), decimal.Decimal(2), None, decimal.Decimal(4)], "b": [1, 2, 3, 5]}),
}


@pytest.mark.parametrize("kind", GAPS)
def test_missing_values_are_named_by_row_and_column(kind: str) -> None:
    """A null is no number, in rows to solve and in rows to predict; the first one is named."""
    with pytest.raises(ds.DataError, match=r"^A must be finite; row 2, column 'a' is (missing|nan|inf)"):
        ds.lstsq(GAPS[kind], [1, 2, 3, 4])
    with pytest.raises(ds.DataError, match=r"^A must be finite; row 2, column 'a' is (missing|nan|inf)"):
        ds.predict([1.0, 2.0], GAPS[kind])


@pytest.mark.parametrize(
    "values", [pd.Series([1, None, 3], dtype="Int64"), pl.Series([1, None, 3]), pa.array([1, None, 3]), [1, None, 3]]
)
def test_missing_targets_and_weights_are_named(values: Any) -> None:
    """The same for b and for weights, also in a plain list."""
    with pytest.raises(ds.DataError, match=r"^b must be finite; row 1, column .* is missing"):
        ds.lstsq(np.ones((3, 1)), values)
    with pytest.raises(ds.DataError, match=r"^weights must be finite; row 1, column .* is missing"):
        ds.lstsq(np.ones((3, 1)), np.ones(3), weights=values)


WORDS = ["Ulm", "Bern", "Ulm", "Rom"]
NO_NUMBERS: dict[str, tuple[Any, str]] = {
    "pandas text": (pd.DataFrame({"x": range(4), "city": WORDS}), "holds strings .row 0: 'Ulm'.*dsketch ingest"),
    "pandas objects": (pd.DataFrame({"city": pd.Series(WORDS, dtype=object)}), "holds strings"),
    "pandas digits": (pd.DataFrame({"city": pd.Series(["1", "2", "3", "4"], dtype=object)}), "holds strings"),
    "pandas categories": (pd.DataFrame({"city": pd.Categorical(WORDS)}), "holds categories"),
    "pandas times": (pd.DataFrame({"city": pd.date_range("2020", periods=4)}), "holds datetime64.*seconds since"),
    "pandas zones": (pd.DataFrame({"city": pd.date_range("2020", periods=4, tz="UTC")}), "holds datetime64"),
    "pandas durations": (pd.DataFrame({"city": pd.timedelta_range("1s", periods=4)}), "holds timedelta64"),
    "pandas complex": (pd.DataFrame({"city": [1j, 2, 3, 4]}), "holds complex128"),
    "polars text": (pl.DataFrame({"city": WORDS}), "holds strings"),
    "polars categories": (pl.DataFrame({"city": pl.Series(WORDS, dtype=pl.Categorical)}), "holds categories"),
    "polars lists": (pl.DataFrame({"city": [[1.0]] * 4}), "holds list"),
    "pyarrow text": (pa.table({"city": WORDS}), "holds strings"),
    "pyarrow categories": (pa.table({"city": pa.array(WORDS).dictionary_encode()}), "holds categories"),
    "pyarrow times": (pa.table({"city": pd.date_range("2020", periods=4)}), "holds timestamp"),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_columns_of_no_numbers_are_refused_by_name(kind: str) -> None:
    """Nothing that is no number is made into one: the column is named, and what it holds."""
    table, message = NO_NUMBERS[kind]
    with pytest.raises(ds.DataError, match=f"column 'city' of A {message}"):
        ds.lstsq(table, [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([[1, 2], [3]], "row 1 has length 1, row 0 has length 2"),
        ([[1, None], [2, 3]], "row 0, column 1 is missing"),
        ([[1, "x"], [2, None]], "column 1 of A holds strings"),
        ({"u": [1, 2]}, "a table in memory; got dict"),
        (xr.Dataset({"u": (("t", "s"), [[1.0, 2.0]])}), "must have one dimension, its rows; it has t, s. Say dim="),
        (pl.DataFrame({"u": [1, 2]}).lazy(), r"lazy. Pass its .collect\(\)"),
        (dd.from_pandas(FRAME, npartitions=2), r"\.to_dask_array\(lengths=True\)"),
    ],
)
def test_what_is_no_matrix_is_told_the_way(source: Any, message: str) -> None:
    """One sentence with the call that makes a matrix of it."""
    with pytest.raises(ds.DsketchError, match=message):
        ds.open_matrix(source)


def test_the_advice_for_a_dask_table_works() -> None:
    """The array of a lazy table is solved block by block."""
    table = dd.from_pandas(FRAME, npartitions=2)

    np.testing.assert_allclose(ds.lstsq(table.to_dask_array(lengths=True), B).x, ds.lstsq(A, B).x, rtol=1e-12)


def test_integers_that_a_float_would_round_are_refused() -> None:
    """Nanoseconds beside a column of floats would lose their last digits; alone they stay integers."""
    stamps = 1_700_000_000_000_000_001 + np.arange(4)

    with pytest.raises(ds.DataError, match=r"row 0, column 't' of A is 1700000000000000001. Subtract"):
        ds.open_matrix(pd.DataFrame({"t": stamps, "x": [0.5, 1, 2, 7]}))
    assert ds.open_matrix(pd.DataFrame({"t": stamps, "k": range(4)})).dtype == np.int64


def test_labels_of_rows_are_compared() -> None:
    """Rows of A and b that carry other labels, or the same in another order, do not belong together; what has none fits."""
    mixed = FRAME.sample(frac=1.0, random_state=1)
    target = pd.Series(B)

    with pytest.raises(ds.DataError, match=r"labels of their rows.*b.to_numpy\(\)"):
        ds.lstsq(mixed, target)
    with pytest.raises(ds.DataError, match="labels of their rows"):
        ds.lstsq(FRAME[2:], target[1:-1])
    for good in (target[mixed.index], target[mixed.index].to_numpy()):
        np.testing.assert_allclose(ds.lstsq(mixed, good).x, ds.lstsq(A, B).x, rtol=1e-12)
    assert ds.lstsq(FRAME[2:], target[2:].reset_index(drop=True)).status.is_success


# ---- lazy arrays, files, attributes ------------------------------------------------------------------------------------


def test_lazy_arrays_stay_lazy() -> None:
    """A DataArray over dask is read by its chunks."""
    matrix = ds.open_matrix(LABELLED.chunk(time=20))

    assert matrix.describe() == "dask array of 3 row chunks"
    assert matrix.cuts.tolist() == [0, 20, 40, 60]


@pytest.fixture
def dataset(tmp_path: Path) -> Any:
    """An HDF5 file with A and b."""
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file.create_dataset("A", data=A, chunks=(7, 3))
        file.create_dataset("b", data=B)
        yield file


def test_datasets_are_read_by_slices(dataset: Any) -> None:
    """An h5py dataset is A, b, weights and rows to predict, and no more than a block of it is in memory."""
    solution = ds.lstsq(dataset["A"], dataset["b"], intercept=True)

    np.testing.assert_allclose(solution.x, ds.lstsq(A, B, intercept=True).x, rtol=1e-12)
    np.testing.assert_allclose(solution.predict(dataset["A"]), solution.predict(A), rtol=1e-12)
    assert ds.open_matrix(dataset["A"]).describe() == "Dataset /A, read by slices"
    assert isinstance(pickle.loads(pickle.dumps(ds.open_matrix(dataset["A"]))), Matrix)  # noqa: S301 - our own


@pytest.mark.cluster
def test_a_worker_gets_the_rows_of_a_file(dataset: Any, client: Client) -> None:
    """A file handle stays here; rows travel with the tasks, and whole matrices where a pass needs them."""
    x = ds.lstsq(dataset["A"], dataset["b"], cluster=client).x
    kernel = ds.solve(ExpKernel(dataset["A"], dataset["b"], scale=1e-4), cluster=client).x

    np.testing.assert_array_equal(x, ds.lstsq(dataset["A"], dataset["b"], cluster="serial").x)
    np.testing.assert_array_equal(kernel, ds.solve(ExpKernel(dataset["A"], dataset["b"], scale=1e-4), cluster="serial").x)


def test_a_closed_file_is_a_sentence(dataset: Any) -> None:
    """A dataset of a file that was closed cannot be read."""
    lost, matrix = dataset["A"], ds.open_matrix(dataset["A"])
    dataset.close()

    with pytest.raises(ds.DataError, match="must be in an open file"):
        ds.open_matrix(lost)
    with pytest.raises(ds.DataError, match="cannot be read"):
        ds.lstsq(matrix, B)


def test_packed_numbers_and_fill_values_are_refused(dataset: Any) -> None:
    """Attributes that say that numbers stand for others, or for none, are heard wherever they come from."""
    packed = LABELLED.assign_attrs(scale_factor=0.1)
    filled = LABELLED.assign_attrs(_FillValue=A[3, 1], scale_factor=1.0)
    row, column = (int(place[0]) for place in np.nonzero(A[3, 1] == A))
    dataset["A"].attrs["missing_value"] = A[3, 1]
    sentence = f"row {row}, column {column} holds the (_FillValue|missing_value)"

    with pytest.raises(ds.DataError, match=r"attribute scale_factor=0.1, so they are packed"):
        ds.lstsq(packed, B)
    with pytest.raises(ValueError, match=r"X has the attribute scale_factor=0.1"):
        LinearRegression().fit(packed, B)
    for source in (filled, dataset["A"]):
        with pytest.raises(ds.DataError, match=sentence):
            ds.lstsq(source, B)
    assert ds.lstsq(LABELLED.assign_attrs(_FillValue=np.nan), B).status.is_success


def test_a_mask_in_a_list_is_kept() -> None:
    """Rows of masked arrays in a list are not read below the mask."""
    rows = [np.ma.array([1.0, 2.0], mask=[False, True]), np.ma.array([3.0, 4.0])]

    with pytest.raises(ds.DataError, match="masked at row 0, column 1"):
        ds.open_matrix(rows)


# ---- estimators --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [LinearRegression(), Ridge(), KernelRidge(scale=1e-4)], ids=["lstsq", "ridge", "kernel"])
@pytest.mark.parametrize("kind", ["in memory", "over dask", "dataset"])
def test_estimators_take_labelled_arrays(model: Any, kind: str, dataset: Any) -> None:
    """fit, predict, score and cross_val_score give with labelled arrays what they give with their numbers."""
    X, y = {
        "in memory": (LABELLED, xr.DataArray(B, dims="time")),
        "over dask": (LABELLED.chunk(time=20), xr.DataArray(B, dims="time").chunk(time=30)),
        "dataset": (dataset["A"], dataset["b"]),
    }[kind]
    wanted = type(model)(**model.get_params()).fit(A, B)
    model.fit(X, y)

    np.testing.assert_allclose(model.predict(X), wanted.predict(A), rtol=1e-9)
    assert model.score(X, y) == pytest.approx(wanted.score(A, B), rel=1e-9)
    np.testing.assert_allclose(cross_val_score(model, X, y, cv=3), cross_val_score(model, A, B, cv=3), rtol=1e-9)


def test_levels_are_compared_by_estimators(tmp_path: Path) -> None:
    """An estimator, also one that was pickled, refuses rows that leave out another reference level."""

    def stored(name: str, base: str) -> str:
        path = str(tmp_path / name)
        frame = {"columns": list(NAMES), "levels": {"c": ["p", base]}, "base": {"c": base}}
        da.from_array(A, chunks=(20, 3)).to_zarr(path)
        zarr.open_array(path).attrs.update(frame)
        return path

    model = pickle.loads(pickle.dumps(LinearRegression().fit(stored("A.zarr", "q"), B)))  # noqa: S301 - our own
    with pytest.raises(ds.DataError, match="X also have 'r'"):
        model.predict(stored("N.zarr", "r"))
