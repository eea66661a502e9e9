"""Many files, packed files, and files whose folders are columns."""

import bz2
import gzip
import lzma
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from dsketch.errors import DataError
from dsketch.ingest import ingest
from tests.ingest.files import read
from tests.ingest.tables import put, put_parquet


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
