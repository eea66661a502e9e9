"""The first line of a file tells what the file is, unless the user does."""

import gzip

import numpy as np
import pytest

from dsketch.errors import DataError, SpecError
from dsketch.ingest import ingest
from tests.ingest.files import read
from tests.ingest.tables import put


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("größe,stadt\n1,Köln\n".encode("latin-1"), r"UTF-8 was expected.*--encoding latin-1.*iconv"),
        ("x,stadt\n1,Köln\n".encode("latin-1"), r"UTF-8 was expected.*--encoding latin-1.*iconv"),
        ("x,y\n1,2\n".encode("utf-16"), r"--encoding utf-16\b"),
        ("x,y\n1,2\n".encode("utf-16-le"), r"--encoding utf-16-le"),
        (b"x;y\n1;2\n", r"'x;y', with ';'.*--delimiter ';'"),
        (b"x;y\n1,5;2\n", r"'x;y', with ';'.*--delimiter ';'"),
        (b"x\ty\n1\t2\n", r"with a tab.*--delimiter tab"),
        (b"x|y\n1|2\n", r"--delimiter '\|'"),
        (b"1.5 2 3\n4  5.5 6\n", r"with blanks.*--delimiter space"),
        (b"1.0,2.0\n3.0,4.0\n", r"only numbers: '1.0', '2.0'.*--no-header"),
        (b"0,0,5\n1,2,3\n", r"only numbers.*--no-header"),
        (b"a,2.5\nb,3\n", r"the number '2.5'.*--no-header"),
        (b"7\n8\n", r"only numbers: '7'.*--no-header"),
        (gzip.compress(b"x,y\n1,2\n", mtime=0), r"first bytes of a \.gz file"),
        (b"PK\x03\x04", r"first bytes of a \.zip file"),
    ],
)
def test_first_line_tells_what_the_file_is(tmp_path, text, words):
    """Another encoding, delimiter or packing, or no names: one sentence with what was seen and the option to say."""
    with pytest.raises(DataError, match=words):
        ingest(put(tmp_path, "t.csv", text), tmp_path / "A")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("text", "options", "columns", "matrix"),
    [
        ("größe,y\n1,2\n".encode("latin-1"), {"encoding": "latin-1"}, ("größe", "y"), [[1, 2]]),
        ("größe,y\n1,2\n".encode("utf-16"), {"encoding": "utf-16"}, ("größe", "y"), [[1, 2]]),
        (b"x;y\n1;2\n", {"delimiter": ";"}, ("x", "y"), [[1, 2]]),
        (b"x\ty\n1\t2\n", {"delimiter": "tab"}, ("x", "y"), [[1, 2]]),
        (
            b" 1.5  2\t3\r\n4 5.5   6 \r\n",
            {"delimiter": "space", "header": False},
            ("x0", "x1", "x2"),
            [[1.5, 2, 3], [4, 5.5, 6]],
        ),
        (b"1.0,2.0\n3.0,4.0\n", {"header": False}, ("x0", "x1"), [[1, 2], [3, 4]]),
        (b"1.0,2.0\n3.0,4.0\n", {"header": True}, ("1.0", "2.0"), [[3, 4]]),
        (b"0,1\n3.0,4.0\n", {}, ("0", "1"), [[3, 4]]),
        ("\ufeffx,y\n1,2\n".encode(), {}, ("x", "y"), [[1, 2]]),
        (b"full name\nJohn Smith\nJohn Smith\n", {"delimiter": "comma"}, ("full name=John Smith",), [[1], [1]]),
    ],
)
def test_what_is_said_of_a_file_is_believed(tmp_path, text, options, columns, matrix):
    """Encoding, delimiter and header as said give the numbers of the file."""
    done = ingest(put(tmp_path, "t.csv", text), tmp_path / "A", **options)
    assert done.columns == columns
    np.testing.assert_array_equal(read(done), matrix)


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ";;"},
        {"delimiter": "é"},
        {"encoding": "latin-99"},
        {"encoding": "base64"},
        {"unseen": "zero"},
        {"header": "no"},
        {"target": 3, "target_to": "b"},
        {"weights": ["x"], "weights_to": "w"},
        {"drop": [0]},
    ],
)
def test_options_that_mean_nothing(tmp_path, options):
    """A delimiter of two signs, an unknown encoding, levels of no matrix, or names that are no texts are SpecErrors."""
    with pytest.raises(SpecError, match=r"expected|was given"):
        ingest(put(tmp_path, "t.csv", "x\n1\n"), tmp_path / "A", **options)


def test_wrong_encoding_is_one_sentence(tmp_path):
    """An encoding that does not fit the bytes is a DataError that names it."""
    with pytest.raises(DataError, match="text in utf-16 was expected"):
        ingest(put(tmp_path, "t.csv", "größe\n1\n".encode("latin-1")), tmp_path / "A", encoding="utf-16")


def test_numbers_among_the_names_are_noted(tmp_path):
    """Years are names; that they were taken for names is said."""
    done = ingest(put(tmp_path, "t.csv", "land,2019,2020\na,1,2\n"), tmp_path / "A")
    assert done.columns == ("land=a", "2019", "2020")
    assert "'2019' among them is a number" in done.notes[0]
