"""Tables of polars and Arrow with nulls: with missing="drop" a null leaves its row out, as a NaN does."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

RNG = np.random.default_rng(2)
A, B = RNG.standard_normal((30, 2)), RNG.standard_normal((30, 3))
A[3, 1] = B[5, 0] = np.nan


def columns_of(X: np.ndarray, names: str) -> dict[str, list[float | None]]:
    """Return columns with None in place of NaN."""
    return {
        name: [None if np.isnan(value) else float(value) for value in column] for name, column in zip(names, X.T, strict=True)
    }


@pytest.mark.parametrize("table", [pl.DataFrame, pa.table], ids=["polars", "Arrow"])
def test_a_null_is_missing_as_nan_is(table: Any) -> None:
    """Of A it leaves the row out for all, of b for its target; names stay."""
    wanted = ds.lstsq(A, B, missing="drop", cluster="serial")
    found: Any = ds.lstsq(table(columns_of(A, "uv")), table(columns_of(B, "abc")), missing="drop", cluster="serial")
    assert found.x.tobytes() == wanted.x.tobytes()
    assert (found.columns.names, found.target_names, found.notes) == (("u", "v"), ("a", "b", "c"), wanted.notes)


@pytest.mark.parametrize("table", [pl.DataFrame, pa.table], ids=["polars", "Arrow"])
def test_a_null_is_refused_otherwise(table: Any) -> None:
    """Without missing="drop" it is named by row and column; text is refused."""
    with pytest.raises(ds.DataError, match="row 3, column 'v' is missing"):
        ds.lstsq(table(columns_of(A, "uv")), B, cluster="serial")
    with pytest.raises(ds.DataError, match="strings"):
        ds.lstsq(table({"u": ["a", "b"] * 15}), B, missing="drop", cluster="serial")
