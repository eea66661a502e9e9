"""Tables that are not what they seem, and rows that must fit others: read as what they are, or refused in one sentence."""

import bz2
import gzip
import json
import lzma
import shlex
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import zarr
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import dsketch as ds
from dsketch.cli import main
from dsketch.errors import DataError, DsketchError, MissingDataError, SpecError
from dsketch.ingest import Ingested, ingest
from dsketch.ingest.looks import look


def put(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def put_parquet(folder: Path, name: str, **columns: object) -> Path:
    """Write a Parquet file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)
    return path


def read(done: Ingested) -> np.ndarray:
    """Return A."""
    return zarr.open_array(done.matrix, mode="r")[...]


def said(path: object) -> dict:
    """Return the attributes of an array."""
    return dict(zarr.open_array(str(path), mode="r").attrs)


# ---- the first line --------------------------------------------------------------------------------------------------


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


# ---- text that is no category ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (["1,500", "3,250"], "separators"),
        (["1.500,25", "2"], "separators"),
        (["1'500", "900"], "separators"),
        (["1,5", "2,5"], "separators"),
        (["(1,200)", "30"], "separators"),
        (["−5", "3"], "separators"),
        (["$1.50", "$20"], "money"),
        (["€ 3", "€ 4"], "money"),
        (["5 EUR", "7 EUR"], "money"),
        (["20 %", "3.5%"], "percentages"),
        (["12:30", "13:45"], "clock times"),
        (["1:05:33 PM", "2:00:00 AM"], "clock times"),
        (["01/02/2020", "13/02/2020"], "dates"),
        (["1.2.2020", "2.2.2020"], "dates"),
        (["2020-01-01", "2020-01-02T10:00:00Z"], "dates"),
        (["Apr-1-1995", "5 May 1996"], "dates"),
        (["2020Q1", "2020Q2"], "dates"),
        (["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "unknown"], "dates"),
        ([str(i) for i in range(20)] + ["n.a."], "numbers"),
        ([f"{i} kg" for i in range(20)], "numbers with a unit"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers_and_dates_as_text_are_refused(tmp_path, kind, cells, what):
    """Prices, percentages, clock times, dates, numbers with separators: the column, an example and what to do, never one-hot."""
    table = pd.DataFrame({"x": range(len(cells)), "odd col": cells})
    path = tmp_path / f"t.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    with pytest.raises(DataError, match=rf"'odd col' holds .*{what}.*--drop 'odd col'.*--categories 'odd col'"):
        ingest(path, tmp_path / "A")
    assert ingest(path, tmp_path / "A", drop=["odd col"]).columns == ("x",)
    assert ingest(path, tmp_path / "B", categories=["odd col"]).shape == (len(cells), 1 + len(cells))


@pytest.mark.parametrize(
    "cells",
    [
        ["18-25", "26-35"],
        ["2019/20", "2020/21"],
        ["1st", "2nd"],
        ["A1", "B-52"],
        ["16:9", "4:3"],
        ["May", "June"],
        [">50K", "<=50K"],
    ],
)
def test_categories_stay(tmp_path, cells):
    """Words, ranges, codes and ordinals are categories, without a note."""
    done = ingest(put(tmp_path, "t.csv", "x,s\n" + "".join(f"{i},{cells[i % 2]}\n" for i in range(30))), tmp_path / "A")
    assert done.columns == ("x", *(f"s={cell}" for cell in sorted(cells)))
    assert not done.notes


def test_declared_categories_are_not_judged(tmp_path):
    """A category of Parquet is one even where its levels are numbers, with a reference level of one's choice."""
    path = put_parquet(tmp_path, "t.parquet", g=pa.array(["10%", "5%", "1%"]).dictionary_encode())
    assert ingest(path, tmp_path / "A", base={"g": "5%"}).columns == ("g=1%", "g=10%")


def test_columns_of_numbers_can_be_categories(tmp_path):
    """``categories`` makes levels of numbers, in the order of their size."""
    done = ingest(put_parquet(tmp_path, "t.parquet", zip=[10, 9, 10]), tmp_path / "A", categories=["zip"])
    assert done.columns == ("zip=9", "zip=10")
    np.testing.assert_array_equal(read(done), [[0, 1], [1, 0], [0, 1]])


def test_a_level_for_each_row_is_noted(tmp_path):
    """A text that differs from row to row is said to name the rows."""
    done = ingest(put(tmp_path, "t.csv", "x,id\n" + "".join(f"{i},user{i}\n" for i in range(40))), tmp_path / "A")
    assert "says which row it is" in done.notes[0]


@settings(max_examples=50, deadline=None)
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_every_dress_of_a_number_is_seen(number):
    """With separators, a currency or a percent sign, any number looks like a number."""
    assert all(
        look(text) for text in (f"{number:,}", f"${number:,}", f"{number} %", f"{number} €", f"{number:,}".replace(",", "'"))
    )


# ---- columns that name rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Date Egg", "a,b", 'say "x"', "-x", " $HOME"])
def test_remedy_works_as_printed(tmp_path, name):
    """The option in the message, typed into a shell, leaves the column out."""
    path = tmp_path / "t.csv"
    pd.DataFrame({name: [None, 2], "y": [3, 4]}).to_csv(path, index=False)
    ran = CliRunner().invoke(main, ["ingest", str(path), "--to", str(tmp_path / "A")])
    assert ran.exit_code == 2
    printed = ran.stderr.split("(--nulls drop)")[1].split(",) (", 1)[1].rstrip().removesuffix(").")
    ran = CliRunner().invoke(main, ["ingest", str(path), "--to", str(tmp_path / "A"), *shlex.split(printed), "--json"])
    assert json.loads(ran.stdout)["columns"] == ["y"]


def test_row_labels_are_noted(tmp_path):
    """The nameless column of pandas and R, and the index in Parquet, are kept and said, with how to leave them out."""
    done = ingest(put(tmp_path, "t.csv", ",x\n0,5\n1,6\n"), tmp_path / "A")
    assert done.columns == ("", "x")
    assert "--drop ''" in done.notes[0]
    assert ingest(tmp_path / "t.csv", tmp_path / "B", drop=[""]).columns == ("x",)
    assert "index" in ingest(put_parquet(tmp_path, "t.parquet", __index_level_0__=[1], x=[2]), tmp_path / "C").notes[0]
    pd.DataFrame({"x": [1.0]}, index=pd.Index([7], name="id")).to_parquet(tmp_path / "u.parquet")
    assert "'id' is the index" in ingest(tmp_path / "u.parquet", tmp_path / "D").notes[0]


# ---- many files, packed files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["bz2", "xz", "zst", "gz"])
def test_packed_csv(tmp_path, ending):
    """All usual packings are read, also where a file is several packed ones after another; damage is one sentence."""
    pack = {
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "gz": gzip.compress,
        "zst": lambda text: pa.compress(text, "zstd", asbytes=True),
    }
    path = put(tmp_path, f"t.csv.{ending}", pack[ending](b"x,y\n1,2\n") + pack[ending](b"3,4\n"))
    np.testing.assert_array_equal(read(ingest(path, tmp_path / "A")), [[1, 2], [3, 4]])
    put(tmp_path, path.name, zlib.compress(b"nonsense"))
    with pytest.raises(DataError, match="readable file"):
        ingest(path, tmp_path / "B")


@pytest.mark.parametrize("pattern", ["many", "many/*"])
def test_many_csv_files(tmp_path, pattern):
    """A directory or glob is read in the order of the names, columns matched by name, packed or not."""
    put(tmp_path, "many/b.csv", "y,x\n3,4\n")
    put(tmp_path, "many/a.csv", "x,y\n1,2\n")
    put(tmp_path, "many/c.tsv.gz", gzip.compress(b"x\ty\n5\t6\n", mtime=0))
    np.testing.assert_array_equal(read(ingest(str(tmp_path / pattern), tmp_path / "A")), [[1, 2], [4, 3], [5, 6]])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_columns_that_only_some_files_have(tmp_path, kind, order):
    """They are an error in either order of the files, unless dropped or not chosen."""
    for name, table in zip(order, (pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [2.0], "extra": [3.0]})), strict=True):
        (tmp_path / "many").mkdir(exist_ok=True)
        path = tmp_path / f"many/{name}.{kind}"
        table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    with pytest.raises(DataError, match=r"has no 'extra'.*--drop extra"):
        ingest(tmp_path / "many", tmp_path / "A")
    assert ingest(tmp_path / "many", tmp_path / "A", drop=["extra"]).shape == (2, 1)
    assert ingest(tmp_path / "many", tmp_path / "B", columns=["x"]).shape == (2, 1)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("pattern", ["hv", "hv/*/p.*", "hv/year=*", "hv/**", "hv/year=2020/p.{kind}", "hv/year=2020"])
def test_keys_in_paths_are_columns_in_every_form(tmp_path, kind, pattern):
    """A directory, a glob and a single file give the same key columns."""
    for year in (2020, 2021):
        path = tmp_path / f"hv/year={year}/p.{kind}"
        path.parent.mkdir(parents=True)
        table = pd.DataFrame({"x": [float(year)]})
        table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    done = ingest(str(tmp_path / pattern.format(kind=kind)), tmp_path / "A")
    assert done.columns == ("x", "year")
    assert (read(done)[:, 0] == read(done)[:, 1]).all()
    assert read(ingest(str(tmp_path / pattern.format(kind=kind)), tmp_path / "B", columns=["year"])).shape == (len(read(done)), 1)


def test_dates_in_paths_are_dates(tmp_path):
    """A key that is a date is refused as a date in a cell is, and can be dropped."""
    put_parquet(tmp_path, "d/day=2020-01-01/p.parquet", x=[1.0])
    with pytest.raises(DataError, match="'day' holds dates"):
        ingest(tmp_path / "d", tmp_path / "A")
    assert ingest(tmp_path / "d", tmp_path / "A", drop=["day"]).columns == ("x",)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("values", [["a", "b"], pa.array(["a", "b"]).dictionary_encode(), [1, 2], [True, False]])
def test_null_type_fits_every_type(tmp_path, is_first, values):
    """A file where a column is all null, and so has the type null, is read with files where it has values."""
    put_parquet(tmp_path, f"n/{int(not is_first)}.parquet", x=[1.0, 2.0], g=pa.nulls(2))
    put_parquet(tmp_path, f"n/{int(is_first)}.parquet", x=[3.0, 4.0], g=values)
    done = ingest(tmp_path / "n", tmp_path / "A", nulls="drop")
    np.testing.assert_array_equal(read(done)[:, 0], [3, 4])
    assert done.rows_dropped_by == {"g": 2}


def test_names_twice_in_parquet(tmp_path):
    """A name that is there twice is refused with our own words, and harmless when not used."""
    parquet.write_table(pa.Table.from_arrays([pa.array([1.0])] * 3, ["x", "x", "y"]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"has 'x' twice.*--drop x"):
        ingest(tmp_path / "t.parquet", tmp_path / "A")
    assert ingest(tmp_path / "t.parquet", tmp_path / "A", drop=["x"]).columns == ("y",)


# ---- like ------------------------------------------------------------------------------------------------------------

_EFFECT = {"x": 1.0, "y": 10.0, "z": 100.0}


@pytest.fixture
def trained(tmp_path, request):
    """Return the answer for a table of numbers and levels, and the path of its A."""
    options = getattr(request, "param", {})
    rows = "".join(f"{2 * i + _EFFECT['xyz'[i % 3]]},{i},{'xyz'[i % 3]}\n" for i in range(60))
    source = put(tmp_path, "train.csv", "y,age,city\n" + rows)
    ingest(source, tmp_path / "A.zarr", target="y", target_to=tmp_path / "b.zarr", **options)
    return ds.lstsq(str(tmp_path / "A.zarr"), str(tmp_path / "b.zarr"), intercept=bool(options)), tmp_path / "A.zarr"


@pytest.mark.parametrize("trained", [{}, {"drop_first": True}, {"base": ["y"]}], indirect=True)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_like_makes_rows_that_fit(tmp_path, trained, kind):
    """New rows with other order, columns and fewer levels get the columns of A, and the right predictions."""
    solution, like = trained
    table = pd.DataFrame({"city": ["z", "x"], "height": [1, 2], "age": [2, 0]})
    path = tmp_path / f"new.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    done = ingest(path, tmp_path / "N.zarr", like=like)
    assert done.columns == tuple(said(like)["columns"])
    assert "'height'" in done.notes[0]
    assert {word: said(done.matrix).get(word) for word in ("levels", "base")} == {
        word: said(like).get(word) for word in ("levels", "base")
    }
    np.testing.assert_allclose(solution.predict(str(tmp_path / "N.zarr")), [104, 1], rtol=1e-9)


@pytest.mark.parametrize("trained", [{}, {"drop_first": True}], indirect=True)
def test_like_refuses_what_does_not_fit(tmp_path, trained):
    """An unseen level, a column that is missing and a number that is text are named."""
    _, like = trained
    for text, words in [
        ("age,city\n1,x\n2,w\n", r"row 2 has 'w'.*--unseen zero"),
        (
            "age,city\n1,x\n,y\n",
            r"'age' has a null or NaN in row 2\. Fill it, or drop such rows with nulls='drop' \(--nulls drop\)\.$",
        ),
        ("age\n1\n", "lacks 'city'"),
        ("age,city\nold,x\n", "'age' is text: row 1 holds 'old'"),
        ("age,city\n,x\n", "null or NaN in row 1"),
    ]:
        with pytest.raises(DataError, match=words):
            ingest(put(tmp_path, "new.csv", text), tmp_path / "N", like=like)
    done = ingest(put(tmp_path, "new.csv", "age,city\n1,x\n2,w\n"), tmp_path / "N", like=like, unseen="zero")
    assert "1 of 2 rows" in done.notes[0]
    assert (read(done)[1, 1:] == 0).all()


def test_like_with_target_and_weights(tmp_path, trained):
    """Columns beside A can still become b and weights; what A has cannot, and options that like decides are refused."""
    _, like = trained
    path = put(tmp_path, "new.csv", "w,y,age,city\n3,1,5,x\n")
    done = ingest(
        path,
        tmp_path / "N",
        like=like,
        target="y",
        target_to=tmp_path / "c",
        weights="w",
        weights_to=tmp_path / "w",
        nulls="drop",
    )
    assert (zarr.open_array(done.target)[...], zarr.open_array(done.weights)[...]) == ([1], [3])
    for options in ({"columns": ["age"]}, {"drop_first": True}, {"base": ["x"]}, {"add_intercept": True}, {"drop": ["age"]}):
        with pytest.raises(SpecError, match=r"A\.zarr|that matrix"):
            ingest(path, tmp_path / "M", like=like, **options)


def test_like_needs_a_matrix_with_names(tmp_path):
    """Nothing there, a file, or an array without names: one sentence."""
    path = put(tmp_path, "t.csv", "x\n1\n")
    with pytest.raises(MissingDataError):
        ingest(path, tmp_path / "N", like=tmp_path / "none.zarr")
    zarr.create_array(str(tmp_path / "bare.zarr"), data=np.ones((2, 1)))
    with pytest.raises(DataError, match="has no attribute 'columns'"):
        ingest(path, tmp_path / "N", like=tmp_path / "bare.zarr")


def test_like_makes_the_stored_intercept_again(tmp_path):
    """Ones that ingest appended are appended again; a column of the source that has their name is read."""
    path = put(tmp_path, "t.csv", "x\n1\n2\n")
    ingest(path, tmp_path / "A", add_intercept=True)
    np.testing.assert_array_equal(read(ingest(path, tmp_path / "N", like=tmp_path / "A")), [[1, 1], [2, 1]])
    path = put(tmp_path, "u.csv", "x,intercept\n1,5\n")
    ingest(path, tmp_path / "B")
    np.testing.assert_array_equal(read(ingest(path, tmp_path / "M", like=tmp_path / "B")), [[1, 5]])


def test_like_for_arrays(tmp_path):
    """Numbered columns of .npy fit those of an A that came from one."""
    np.save(tmp_path / "m.npy", np.arange(6.0).reshape(2, 3))
    ingest(tmp_path / "m.npy", tmp_path / "A", columns=["x2", "x0"])
    np.testing.assert_array_equal(read(ingest(tmp_path / "m.npy", tmp_path / "N", like=tmp_path / "A")), [[2, 0], [5, 3]])


# ---- levels, weights, targets, dropped rows --------------------------------------------------------------------------


@pytest.mark.parametrize("base", [{"b": "u"}, ["b=u"], ["q"]])
def test_reference_level(tmp_path, base):
    """A chosen level has no column; the other columns keep all of theirs; both are in the attributes."""
    done = ingest(put(tmp_path, "t.csv", "a,b\nu,u\nv,q\n"), tmp_path / "A", base=base)
    left_out = "q" if base == ["q"] else "u"
    assert done.columns == ("a=u", "a=v", "b=u" if left_out == "q" else "b=q")
    assert said(done.matrix)["levels"] == {"a": ["u", "v"], "b": ["q", "u"]}
    assert said(done.matrix)["base"] == done.base == {"b": left_out}


@pytest.mark.parametrize(
    ("base", "words"),
    [
        (["u"], r"in several. Say --base a=u or --base b=u"),
        (["b=z"], "'b' has 'q', 'u'"),
        (["z"], "column=level"),
        (["b=q", "b=u"], "one reference level"),
        ("u", "dict of levels"),
    ],
)
def test_reference_level_that_is_none(tmp_path, base, words):
    """A level that several columns have, or none, is refused with those that there are."""
    with pytest.raises(SpecError, match=words):
        ingest(put(tmp_path, "t.csv", "a,b\nu,u\nv,q\n"), tmp_path / "A", base=base)


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
