"""Requests that cannot be meant are refused in a sentence with what to say instead."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.ingest import ingest
from tests.ingest.files import run, write_csv


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ["hight"]}, "Did you mean 'height'"),
        ({"columns": "height"}, r"Write \['height'\]"),
        ({"columns": ["height", "height"]}, "twice"),
        ({"drop": ["age", "height", "sex"]}, "none of"),
        ({"target": "age"}, "target_to was expected"),
        ({"target_to": "b"}, "a target was expected"),
        ({"target": "age", "target_to": "b", "drop": ["age"]}, "also in drop"),
        ({"target": "age", "target_to": "A"}, "separate paths"),
        ({"target": "age", "target_to": "A/b"}, "separate paths"),
        ({"nulls": "fill"}, "'fill'"),
        ({"chunk_bytes": 0}, "size in bytes"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_bad_requests(tmp_path, monkeypatch, kind, options, words):
    """A request that cannot be meant is a SpecError that says what to write."""
    monkeypatch.chdir(tmp_path)
    table = pa.table({"age": [1.0, 2.0], "height": [3.0, 4.0], "sex": ["f", "m"]})
    (parquet.write_table if kind == "parquet" else arrow_csv.write_csv)(table, f"t.{kind}")
    with pytest.raises(SpecError, match=words):
        ingest(f"t.{kind}", "A", **options)
    assert [path.name for path in tmp_path.iterdir()] == [f"t.{kind}"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_target_of_text(tmp_path, kind):
    """A target must be numbers; the error names the column, and in CSV the cell."""
    table = pa.table({"x": [1.0, 2.0], "y": ["5", "high"]})
    (parquet.write_table if kind == "parquet" else arrow_csv.write_csv)(table, tmp_path / f"t.{kind}")
    with pytest.raises(DataError, match=r"'y' is text: row 2 holds 'high'" if kind == "csv" else "'y' holds string"):
        ingest(tmp_path / f"t.{kind}", tmp_path / "A", target="y", target_to=tmp_path / "b")


def test_name_twice_in_the_result(tmp_path):
    """A column that is already called intercept is not doubled."""
    write_csv(tmp_path, "x,intercept\n1,1\n")
    with pytest.raises(DataError, match="'intercept'"):
        ingest(tmp_path / "t.csv", tmp_path / "A", add_intercept=True)


@pytest.mark.parametrize("source", ["no.csv", "no/*.parquet", "empty"])
def test_missing_source(tmp_path, monkeypatch, source):
    """A source that is not there, or a directory without Parquet, is a MissingDataError that names it."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(MissingDataError, match=rf"'{source.replace('*', '.')}'"):
        ingest(source, "A")


@pytest.mark.parametrize("source", ["t.xlsx", "s3://bucket/t.csv", 3])
def test_unknown_source(tmp_path, monkeypatch, source):
    """Another format, a URL, or no path at all is refused with what would do."""
    monkeypatch.chdir(tmp_path)
    Path("t.xlsx").write_text("")
    with pytest.raises(SpecError, match="expected"):
        ingest(source, "A")


def test_without_pyarrow(tmp_path):
    """NumPy files need no pyarrow; CSV without it says what to install."""
    np.save(tmp_path / "m.npy", np.eye(2))
    write_csv(tmp_path, "x\n1\n")
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from dsketch.ingest import ingest\n"
        "print(ingest('m.npy', 'A').shape)\n"
        "ingest('t.csv', 'B')"
    )
    ended = run(program, tmp_path)
    assert ended.stdout.strip() == "(2, 2)"
    assert "DataError" in ended.stderr
    assert "pip install 'dsketch[ingest]'" in ended.stderr
