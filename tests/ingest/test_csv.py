"""Files of CSV become Zarr arrays, or one sentence that says what is wrong with them."""

import csv
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsketch.errors import DataError
from dsketch.events import Note
from dsketch.ingest import ingest
from tests.ingest.files import examples, read, write_csv


def test_csv_with_quoted_text(tmp_path):
    """Commas, quotes and line ends inside quotes are part of the text."""
    texts = ['a, "b"', "line\nend", "plain", "Ünï"]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["x", "what"], *([i, t] for i, t in enumerate(texts))])
    done = ingest(tmp_path / "t.csv", tmp_path / "A")
    assert done.columns == ("x", *(f"what={text}" for text in sorted(texts)))
    np.testing.assert_array_equal(read(done)[:, 0], range(4))
    np.testing.assert_array_equal(read(done)[:, 1:], [[t == s for s in sorted(texts)] for t in texts])


@pytest.mark.parametrize(
    ("name", "delimiter", "pack"),
    [
        ("t.csv", ",", bytes),
        ("t.tsv", "\t", bytes),
        ("t.csv.gz", ",", gzip.compress),
        ("T.TSV.GZ", "\t", gzip.compress),
    ],
)
def test_csv_endings(tmp_path, name, delimiter, pack):
    """The ending decides on delimiter and compression; spaces around names and cells do not count."""
    (tmp_path / name).write_bytes(pack(f" x{delimiter} y \n1{delimiter} 2.5\n-3e2 {delimiter}4\n".encode()))
    done = ingest(tmp_path / name, tmp_path / "A")
    assert done.columns == ("x", "y")
    np.testing.assert_array_equal(read(done), [[1, 2.5], [-300, 4]])


def test_csv_integers_that_become_floats_late(tmp_path):
    """A float megabytes behind the first block of integers is read as what it is."""
    rows = 1_500_000
    write_csv(tmp_path, "x,y\n" + "1,2\n" * rows + "0.5,3\n")
    matrix = read(ingest(tmp_path / "t.csv", tmp_path / "A"))
    assert matrix.shape == (rows + 1, 2)
    assert (matrix[:rows] == [1, 2]).all()
    np.testing.assert_array_equal(matrix[-1], [0.5, 3])


def test_csv_number_column_that_turns_to_text(tmp_path):
    """A word far down in a column of many numbers is an error with column, row and value."""
    rows = 200_000
    write_csv(tmp_path, "x,y\n" + "".join(f"{i},{i}\n" for i in range(rows)) + "1,oops\n")
    with pytest.raises(DataError, match=r"'y'.*row 200,001 holds 'oops'.*drop"):
        ingest(tmp_path / "t.csv", tmp_path / "A")


def test_csv_mixed_column_is_reported(tmp_path):
    """A column of few numbers and a word is one-hot, and the listener hears which cell is to blame."""
    told: list = []
    write_csv(tmp_path, "x,y\n1,7\n2,n.a.\n3,8\n")
    done = ingest(tmp_path / "t.csv", tmp_path / "A", tell=told.append)
    assert done.columns == ("x", "y=7", "y=8", "y=n.a.")
    assert [event.text for event in told if isinstance(event, Note)] == [
        "column 'y' is one-hot with 3 levels: row 2 holds 'n.a.', which is not a number"
    ]


def test_csv_booleans(tmp_path):
    """True and false in any case are one and zero."""
    write_csv(tmp_path, "x,f\n1,true\n2,FALSE\n3,True\n")
    np.testing.assert_array_equal(read(ingest(tmp_path / "t.csv", tmp_path / "A"))[:, 1], [1, 0, 1])


def test_csv_dates_are_refused(tmp_path):
    """Dates in text are no categories."""
    write_csv(tmp_path, "x,day\n1,2020-01-01\n2,2020-01-02\n")
    with pytest.raises(DataError, match=r"'day' holds dates \(2020-01-01.*drop=\('day',\)"):
        ingest(tmp_path / "t.csv", tmp_path / "A")


def test_csv_values_equal_python_floats(tmp_path):
    """Each number is the float64 that Python's own parser gives."""
    texts = ["0.1", "1e-320", "123456789012345678", "-0.0", "2.2250738585072011e-308", "1.7976931348623157e308"]
    write_csv(tmp_path, "x\n" + "\n".join(texts) + "\n")
    done = ingest(tmp_path / "t.csv", tmp_path / "A")
    assert read(done)[:, 0].tobytes() == np.array([float(text) for text in texts]).tobytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("x,y\n", "found none among 0"),
        ("x,x\n1,2\n", "'x' twice"),
        ("x,y\n1,2\n3\n", r"Row #3.*Expected 2 columns"),
        ("x,y\n1,2\n3,-inf\n", "'y' has -inf in row 2"),
        ("x,y\n1,2\n3,1e999\n", "'y' has inf in row 2"),
    ],
)
def test_csv_that_is_damaged(tmp_path, text, words):
    """What is wrong, and where, is in one sentence."""
    write_csv(tmp_path, text)
    with pytest.raises(DataError, match=words):
        ingest(tmp_path / "t.csv", tmp_path / "A")


def test_csv_that_is_not_utf8(tmp_path):
    """Another character set is an error, not mojibake."""
    (tmp_path / "t.csv").write_bytes("x,y\n1,ü\n".encode("latin-1"))
    with pytest.raises(DataError, match="invalid UTF8"):
        ingest(tmp_path / "t.csv", tmp_path / "A")


@examples
@given(
    rows=st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", "a", "B", "é", "a b", "10", "NA"])),
        min_size=1,
        max_size=30,
    )
)
def test_csv_agrees_with_plain_python(tmp_path, rows):
    """Dropping nulls, sorting levels and encoding give what a loop over the rows gives."""
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["x", "s"], *((repr(x), s) for x, s in rows)])
    full = [(x, s) for x, s in rows if s not in ("", "NA")]
    levels = sorted({s for _, s in full})
    if not full:
        with pytest.raises(DataError, match="none among"):
            ingest(tmp_path / "t.csv", tmp_path / "A", nulls="drop", overwrite=True)
        return
    done = ingest(tmp_path / "t.csv", tmp_path / "A", nulls="drop", overwrite=True)
    expected = [[x, 10.0] if levels == ["10"] else [x, *(float(s == level) for level in levels)] for x, s in full]
    np.testing.assert_array_equal(read(done), expected)
    assert done.rows_dropped == len(rows) - len(full)
