"""Text that is no category, numbers that are one, and columns that name rows."""

import json
import shlex

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dsketch._cli import main
from dsketch.errors import DataError, SpecError
from dsketch.ingest import ingest
from dsketch.ingest.looks import appearance_of
from tests.ingest.files import read
from tests.ingest.tables import put, put_parquet, said

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
        appearance_of(text)
        for text in (f"{number:,}", f"${number:,}", f"{number} %", f"{number} €", f"{number:,}".replace(",", "'"))
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


# ---- reference levels ------------------------------------------------------------------------------------------------


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
