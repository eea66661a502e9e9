"""Answers with a row for each of A's come back by the coordinates of the rows, wherever these lie in what was given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import dsketch as ds

N = 50
RNG = np.random.default_rng(0)
A = xr.DataArray(
    RNG.standard_normal((3, N)), dims=("feature", "time"), coords={"feature": list("uvw"), "time": np.arange(N) * 10}
)
G = xr.DataArray(
    RNG.integers(0, 3, (40, N)).astype("int8"),
    dims=("snp", "time"),
    coords={"snp": [f"rs{number}" for number in range(40)], "position": ("snp", np.arange(40))},
)
Y = xr.DataArray(RNG.standard_normal((2, N)), dims=("trait", "time"), coords={"trait": ["height", "weight"]})


@pytest.mark.parametrize("is_written", [False, True])
def test_leverage_scores_lie_along_the_rows(tmp_path: Path, is_written: bool) -> None:
    """By the coordinate of A's rows, in memory, or lazily from where they were written."""
    found = ds.leverage_scores(A, str(tmp_path / "h.zarr") if is_written else None, dim="time").to_xarray().x

    assert (found.dims, found.time.values.tolist()) == (("time",), A.time.values.tolist())
    assert hasattr(found.data, "dask") == is_written
    np.testing.assert_allclose(found.values, ds.leverage_scores(A.values.T).x, rtol=1e-13)


def test_attention_lies_along_queries_and_columns_of_values() -> None:
    """Keys have as many rows as values, queries others of the same name."""
    Q = xr.DataArray(RNG.standard_normal((20, 4)), dims=("token", "e"), coords={"token": np.arange(20) * 10})
    K = xr.DataArray(RNG.standard_normal((4, 30)), dims=("e", "token"))
    V = xr.DataArray(RNG.standard_normal((30, 2)), dims=("token", "out"), coords={"out": ["a", "b"]})

    found = ds.attention(Q, K, V, dim="token").to_xarray().x
    assert (found.dims, found.out.values.tolist(), found.token.values.tolist()) == (
        ("token", "out"),
        ["a", "b"],
        Q.token.values.tolist(),
    )
    np.testing.assert_allclose(found.values, ds.attention(Q.values, K.values.T, V.values).x, rtol=1e-12)

    of_values = ds.attention_gradient(Q, K, V, found, wrt="V", dim="token").to_xarray().x
    assert (of_values.sizes, of_values.out.values.tolist()) == ({"token": 30, "out": 2}, ["a", "b"])


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("is_turned", [False, True])
def test_marginal_regressions_lie_along_columns_and_targets(tmp_path: Path, is_turned: bool, is_written: bool) -> None:
    """By the coordinates of G that do not lie along the samples, and those of Y; samples lie where ``dim`` says."""
    out = str(tmp_path / "out.zarr") if is_written else None
    found = ds.marginal(G.T if is_turned else G, Y, out, covariates=A, dim="time").to_xarray()

    assert (found.beta.dims, found.sizes["snp"], found.trait.values.tolist()) == (("snp", "trait"), 40, ["height", "weight"])
    assert found.position.dims == ("snp",)
    expected = ds.marginal(G.values.T, Y.values.T, covariates=A.values.T)
    np.testing.assert_allclose(found.t.sel(snp="rs7", trait="weight"), np.asarray(expected.t)[7, 1], rtol=1e-10)


def test_paths_and_coresets_take_the_dimension_of_the_rows(tmp_path: Path) -> None:
    """Names of the columns come back."""
    path = ds.elastic_net_path(A, Y[0], alphas=5, dim="time")
    assert path.to_xarray().column.values.tolist() == ["u", "v", "w"]
    assert ds.coreset(A, Y[0], str(tmp_path / "core.zarr"), dim="time").A.shape[1] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((G, Y, "space", "auto"), "dim must be one of the first two dimensions of G, which has snp, time; got 'space'"),
        ((G, Y, "time", "rows"), "samples must be what dim says, 'columns' for 'time'; got 'rows'"),
        ((G.values, Y.values, "time", "auto"), r"dim names a dimension of labelled arrays \(xarray\)"),
    ],
)
def test_a_dimension_that_contradicts_is_refused(given: tuple[Any, Any, str, str], message: str) -> None:
    """The sentence has what was found."""
    columns, targets, dim, samples = given
    with pytest.raises(ds.SpecError, match=message):
        ds.marginal(columns, targets, dim=dim, samples=samples)
