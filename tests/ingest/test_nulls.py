"""What is missing is named, or goes with its row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from dsketch.errors import DataError
from dsketch.ingest import ingest
from tests.ingest.files import read, read_target, write_parquet

_HOLED = {"x": [1.0, 2.0, None, 4.0], "s": ["a", "b", "c", None], "y": [1, 2, 3, 4], "z": [1.0, float("nan"), 3, 4]}


def _write_holed(folder: Path, kind: str) -> Path:
    table = pa.table(_HOLED)
    if kind == "csv":
        arrow_csv.write_csv(table, folder / "t.csv")
    else:
        parquet.write_table(table, folder / "t.parquet")
    return folder / f"t.{kind}"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_null_is_an_error_with_column_and_row(tmp_path, kind):
    """The first missing value, null or NaN, is named."""
    with pytest.raises(DataError, match=r"'z' has a null or NaN in row 2\."):
        ingest(_write_holed(tmp_path, kind), tmp_path / "A")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_nulls_can_be_dropped_with_their_rows(tmp_path, kind):
    """A row goes if any used column is null there; a level that goes with it leaves no column."""
    done = ingest(_write_holed(tmp_path, kind), tmp_path / "A", nulls="drop", drop=["z"])
    assert (done.rows_read, done.rows_dropped, done.shape) == (4, 2, (2, 4))
    assert done.columns == ("x", "s=a", "s=b", "y")
    np.testing.assert_array_equal(read(done), [[1, 1, 0, 1], [2, 0, 1, 2]])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_nulls_of_unused_columns_do_not_count(tmp_path, kind):
    """Only used columns are looked at."""
    np.testing.assert_array_equal(read(ingest(_write_holed(tmp_path, kind), tmp_path / "A", columns=["y"]))[:, 0], [1, 2, 3, 4])


def test_null_in_the_target_counts(tmp_path):
    """A missing b drops its row from A and b."""
    write_parquet(tmp_path, {"x": [1.0, 2.0, 3.0], "y": [None, 5.0, 6.0]})
    done = ingest(tmp_path / "t.parquet", tmp_path / "A", target="y", target_to=tmp_path / "b", nulls="drop")
    np.testing.assert_array_equal(read(done), [[2.0], [3.0]])
    np.testing.assert_array_equal(read_target(done), [5.0, 6.0])


def test_numpy_nans_follow_the_same_rule(tmp_path):
    """NaN in an .npy is an error with column and row, or drops its row; infinity is always an error."""
    matrix = np.array([[1.0, 2.0], [np.nan, 3.0], [4.0, 5.0]])
    np.save(tmp_path / "m.npy", matrix)
    with pytest.raises(DataError, match="'x0' has a null or NaN in row 2"):
        ingest(tmp_path / "m.npy", tmp_path / "A")
    np.testing.assert_array_equal(read(ingest(tmp_path / "m.npy", tmp_path / "A", nulls="drop")), matrix[[0, 2]])
    matrix[2, 1] = np.inf
    np.save(tmp_path / "m.npy", matrix)
    with pytest.raises(DataError, match="'x1' has inf in row 3"):
        ingest(tmp_path / "m.npy", tmp_path / "A", nulls="drop", overwrite=True)


def test_rows_are_counted_over_all_files(tmp_path):
    """The number of a bad row counts from the first file's first row."""
    write_parquet(tmp_path, {"x": [1.0, 2.0]}, "many/0.parquet")
    write_parquet(tmp_path, {"x": [3.0, None]}, "many/1.parquet")
    with pytest.raises(DataError, match=r"in row 4\."):
        ingest(tmp_path / "many", tmp_path / "A")
