"""Targets and weights lose the rows that A loses, and what each column cost is told."""

import json

import numpy as np
import pandas as pd
import pytest
import zarr
from click.testing import CliRunner

from dsketch._cli import main
from dsketch.errors import DsketchError, SpecError
from dsketch.ingest import ingest
from tests.ingest.files import read
from tests.ingest.tables import put, said


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy"])
def test_sides_come_from_the_rows_of_the_matrix(tmp_path, kind):
    """Targets and weights lose the rows that A loses, and each column's cost is told."""
    table = pd.DataFrame({"x0": np.arange(40.0), "x1": np.arange(40.0) * 2, "x2": np.arange(40.0) * 3, "x3": np.arange(40.0) % 3})
    table.loc[[5, 6], "x0"] = np.nan
    table.loc[[6, 30], "x3"] = np.nan
    path = tmp_path / f"t.{kind}"
    {
        "csv": lambda: table.to_csv(path, index=False),
        "parquet": lambda: table.to_parquet(path),
        "npy": lambda: np.save(path, table),
    }[kind]()
    done = ingest(
        path,
        tmp_path / "A",
        target=["x2", "x1"],
        target_to=tmp_path / "b",
        weights="x3",
        weights_to=tmp_path / "W",
        nulls="drop",
    )
    full = table.dropna()
    np.testing.assert_array_equal(read(done), full[["x0"]])
    np.testing.assert_array_equal(zarr.open_array(done.target)[...], full[["x2", "x1"]])
    np.testing.assert_array_equal(zarr.open_array(done.weights)[...], full["x3"])
    assert said(done.target)["columns"] == ["x2", "x1"]
    assert (done.rows_dropped, done.rows_dropped_by) == (3, {"x0": 2, "x3": 2})
    assert len({said(where)["rows_digest"] for where in (done.matrix, done.target, done.weights)}) == 1


def test_digest_tells_rows_apart(tmp_path):
    """Equal if the same rows of as many stayed, whatever the columns and the file; different if others were dropped."""
    rows = "".join(f"{i if i % 7 else ''},{2 * i if (i + 1) % 7 else ''},{i if i % 7 else ''}\n" for i in range(1, 71))
    path = put(tmp_path, "t.csv", "x,y,z\n" + rows)
    pd.read_csv(path).to_parquet(tmp_path / "t.parquet")
    digest = {c: said(ingest(path, tmp_path / c, columns=[c], nulls="drop").matrix)["rows_digest"] for c in "xyz"}
    assert digest["x"] == digest["z"] != digest["y"]
    assert said(ingest(tmp_path / "t.parquet", tmp_path / "p", columns=["x"], nulls="drop").matrix)["rows_digest"] == digest["x"]


def test_weights_need_a_place_and_numbers(tmp_path):
    """Weights without a path, a path without weights, the target again, or text are refused."""
    path = put(tmp_path, "t.csv", "x,w,s\n1,2,a\n")
    for options in ({"weights": "w"}, {"weights_to": tmp_path / "W"}, {"weights": "s", "weights_to": tmp_path / "W"}):
        with pytest.raises(DsketchError, match="expected"):
            ingest(path, tmp_path / "A", **options)
    with pytest.raises(SpecError, match="twice"):
        ingest(path, tmp_path / "A", target="w", target_to=tmp_path / "b", weights="w", weights_to=tmp_path / "W")


def test_command_line_says_what_columns_cost(tmp_path):
    """The rows that each column cost, the reference levels and the notes are printed, and are in the JSON."""
    path = put(tmp_path, "t.csv", ",x,s,y\n0,1,a,1\n1,,b,2\n2,3,c,3\n3,4,a,\n")
    words = ["ingest", str(path), "--to", str(tmp_path / "A"), "--target", "y", "--target-to", str(tmp_path / "b")]
    ran = CliRunner().invoke(main, [*words, "--nulls", "drop", "--base", "c"])
    assert ran.exit_code == 0
    assert "4 read, 2 with nulls left out (x 1, y 1)" in ran.stdout
    assert "s=c" in ran.stdout
    found = json.loads(CliRunner().invoke(main, [*words, "--nulls", "drop", "--overwrite", "--json"]).stdout)
    assert found["rows_dropped_by"] == {"x": 1, "y": 1}
    assert "--drop ''" in found["notes"][0]
