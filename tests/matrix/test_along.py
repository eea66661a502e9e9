"""The dimension of the rows: named, found, first; and what labels say of the others."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dsketch as ds
from dsketch.matrix.labels import Labels
from dsketch.matrix.open import open_matrix

N = 30
RNG = np.random.default_rng(0)
TIME = pd.date_range("2000-01-01", periods=N)
A = xr.DataArray(RNG.standard_normal((2, N)), dims=("feature", "time"), coords={"feature": ["u", "v"], "time": TIME})
B = xr.DataArray(
    RNG.standard_normal((3, N, 4)),
    dims=("lat", "time", "lon"),
    coords={"time": TIME, "lat": [1.0, 2, 3], "height": 2.0, "month": ("time", TIME.month)},
    name="t2m",
)
X = np.linalg.lstsq(A.values.T, B.transpose("time", ...).values.reshape(N, -1))[0]


@pytest.mark.parametrize("chunks", [None, {"time": 10}, {"time": 10, "lat": 2}], ids=["memory", "dask", "dask, lat in chunks"])
def test_rows_come_first_wherever_they_lie(chunks: dict[str, int] | None) -> None:
    """The dimension of the rows may stand anywhere in A and in b; the others of b keep their order."""
    b = B if chunks is None else B.chunk(chunks)

    np.testing.assert_allclose(np.reshape(ds.lstsq(A, b, dim="time").x, X.shape), X, rtol=1e-10)
    np.testing.assert_allclose(np.reshape(ds.lstsq(A.T, b).x, X.shape), X, rtol=1e-10)  # A's first, where nobody says it
    np.testing.assert_allclose(np.reshape(ds.ridge(A, b, 0.0, dim="time").x, X.shape), X, rtol=1e-10)


def test_a_dataset_gives_a_column_for_each_variable() -> None:
    """Variables are columns of A, and targets of b."""
    table = A.to_dataset("feature")
    solution = ds.lstsq(table, B.isel(lat=0).to_dataset("lon"), dim="time")

    assert solution.names == ("u", "v")
    np.testing.assert_allclose(np.reshape(solution.x, (2, -1)), X.reshape(2, 3, 4)[:, 0], rtol=1e-10)
    np.testing.assert_allclose(ds.lstsq(table.chunk(time=7), B[0, :, 0], dim="time").x, X[:, 0], rtol=1e-10)


def test_weights_and_families_have_rows_too() -> None:
    """Whatever has rows is arranged."""
    y = xr.DataArray(RNG.poisson(2.0, (1, N)), dims=("one", "time"))[0]
    weights = xr.DataArray(RNG.random(N), dims="time")

    assert ds.glm(A, y, family="poisson", dim="time").status.is_success
    solved = ds.lstsq(A, B[0, :, 0], weights=weights, dim="time")
    np.testing.assert_allclose(solved.x, ds.lstsq(A.values.T, B.values[0, :, 0], weights=weights.values).x, rtol=1e-12)


def test_labels_are_those_of_the_targets() -> None:
    """What lies along the rows is no label of a target; everything else stays."""
    labels = open_matrix(B.transpose("time", ...), has_targets=True).labels

    assert labels == Labels(("lat", "lon"), (3, 4), name="t2m")
    assert labels is not None
    assert set(labels.coords) == {"lat", "height"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((A, B, "t"), "dim must be a dimension of A, which has feature, time; got 't'"),
        ((A, B.rename(time="t"), "time"), "dim must be a dimension of b, which has lat, t, lon"),
        (
            (A.values.T, B.values[0, :, 0], "time"),
            r"dim names a dimension of labelled arrays \(xarray\); A and b and weights have none",
        ),
        ((xr.Dataset({"u": A[0], "v": A}), B, "time"), "must have variables of the same dimensions, time among them; 'v' has"),
        ((xr.Dataset(), B, "time"), "dim must be a dimension of A, which has none"),
    ],
)
def test_a_dimension_that_is_not_there_is_named(given: tuple[Any, Any, str], message: str) -> None:
    """The sentence has the dimensions that are."""
    with pytest.raises(ds.DsketchError, match=message):
        ds.lstsq(given[0], given[1], dim=given[2])


def test_dates_are_the_same_in_any_unit() -> None:
    """Days, seconds and nanoseconds of the same dates are the same rows."""
    plain = A.T.assign_coords(time=TIME.astype("datetime64[s]"))

    for unit in ("us", "ns"):
        assert ds.lstsq(plain, B.assign_coords(time=TIME.astype(f"datetime64[{unit}]")), dim="time").status.is_success


def test_rows_of_other_dates_are_refused() -> None:
    """Labels of rows are compared, as those of tables are."""
    with pytest.raises(ds.DataError, match="same rows in the same order"):
        ds.lstsq(A, B.assign_coords(time=TIME + pd.Timedelta(days=1)), dim="time")


@pytest.mark.parametrize(
    ("problem", "inputs", "more"),
    [
        (ds.LeastSquares, ("A", "b"), {}),
        (ds.Ridge, ("A", "b"), {}),
        (ds.Bounded, ("A", "b"), {}),
        (ds.ElasticNet, ("A", "b"), {}),
        (ds.ElasticNetPath, ("A", "b"), {}),
        (ds.SampledLeastSquares, ("A", "b"), {}),
        (ds.GLM, ("A", "y"), {"family": "poisson"}),
        (ds.LeverageScores, ("A",), {}),
        (ds.ExpKernel, ("A", "b"), {}),
        (ds.GramPower, ("A",), {"b": np.ones(3)}),
        (ds.OddGramPower, ("A", "b"), {}),
        (ds.Attention, ("Q", "K", "V"), {}),
        (ds.SoftmaxRegression, ("A", "b"), {}),
    ],
)
def test_constructors_lay_their_arrays_along_a_dimension(problem: type, inputs: tuple[str, ...], more: dict[str, Any]) -> None:
    """Whatever has rows is turned, and the others are taken as they are: the same numbers as of arrays with the rows first."""
    rng = np.random.default_rng(3)
    plain = {name: rng.random((12, 3)) for name in inputs if name not in ("b", "y")}
    plain |= {name: rng.random(12) for name in inputs if name in ("b", "y")}
    turned = {name: xr.DataArray(array.T, dims=("c", "time")[2 - array.ndim :]) for name, array in plain.items()}

    found, wanted = problem(**turned, **more, dim="time").data(), problem(**plain, **more).data()

    for name in inputs:
        np.testing.assert_array_equal(found[name].read(0, 12), wanted[name].read(0, 12))
    with pytest.raises(ds.SpecError, match="got 'space'"):
        problem(**turned, **more, dim="space")
