"""Files of Parquet become Zarr arrays: types, partitions, levels, the narrowest floats."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from dsketch.errors import DataError
from dsketch.ingest import ingest
from dsketch.ingest.survey import MAX_LEVELS
from tests.ingest.files import read, read_target, write_parquet


def test_parquet_types(tmp_path):
    """Integers, decimals, booleans and floats are numbers; strings and dictionaries are one-hot, in sorted order."""
    write_parquet(
        tmp_path,
        {
            "f": [0.5, 1.5, 2.5],
            "i": pa.array([1, -2, 3], pa.int8()),
            "dec": pa.array([1, 2, 3], pa.decimal128(5, 2)),
            "flag": [True, False, True],
            "s": pa.array(["b", "a", "b"], pa.large_string()),
            "cat": pa.array(["y", "z", "x"]).dictionary_encode(),
        },
    )
    done = ingest(tmp_path / "t.parquet", tmp_path / "A")
    assert done.columns == (*("f", "i", "dec", "flag", "s=a", "s=b", "cat=x", "cat=y", "cat=z"),)
    np.testing.assert_array_equal(
        read(done),
        [
            [0.5, 1, 1, 1, 0, 1, 0, 1, 0],
            [1.5, -2, 2, 0, 1, 0, 0, 0, 1],
            [2.5, 3, 3, 1, 0, 1, 1, 0, 0],
        ],
    )


def test_drop_first_leaves_the_first_level_out(tmp_path):
    """With drop_first the smallest level is the row of zeros, and A with an intercept has full rank."""
    write_parquet(tmp_path, {"s": ["b", "a", "c", "b"], "t": ["u", "u", "v", "v"]})
    done = ingest(tmp_path / "t.parquet", tmp_path / "A", drop_first=True, add_intercept=True)
    assert done.columns == ("s=b", "s=c", "t=v", "intercept")
    np.testing.assert_array_equal(read(done), [[1, 0, 0, 1], [0, 0, 0, 1], [0, 1, 1, 1], [1, 0, 1, 1]])
    assert np.linalg.matrix_rank(read(done)) == 4


def test_single_level_with_drop_first_still_drops_nulls(tmp_path):
    """A column that leaves no trace in A still decides which rows are complete."""
    write_parquet(tmp_path, {"x": [1.0, 2.0], "s": ["a", None]})
    done = ingest(tmp_path / "t.parquet", tmp_path / "A", drop_first=True, nulls="drop")
    np.testing.assert_array_equal(read(done), [[1.0]])


@pytest.mark.parametrize("pattern", ["", "/part-*.parquet"])
def test_parquet_of_several_files(tmp_path, pattern):
    """A directory, or a glob, is read in the order of the names; integers in one file may be floats in the next."""
    folder = tmp_path / "many"
    write_parquet(folder, {"x": [3, 4], "s": ["q", "p"]}, "part-1.parquet")
    write_parquet(folder, {"s": ["r"], "x": [0.5]}, "part-2.parquet")
    write_parquet(folder, {"x": [1, 2], "s": pa.array(["p", "q"]).dictionary_encode()}, "part-0.parquet")
    (folder / "_SUCCESS").write_text("")
    done = ingest(f"{folder}{pattern}", tmp_path / "A")
    assert done.columns == ("x", "s=p", "s=q", "s=r")
    np.testing.assert_array_equal(read(done), [[1, 1, 0, 0], [2, 0, 1, 0], [3, 0, 1, 0], [4, 1, 0, 0], [0.5, 0, 0, 1]])


def test_parquet_partitions_are_columns(tmp_path):
    """Directories named key=value give their key as a column."""
    write_parquet(tmp_path, {"x": [1.0, 2.0]}, "many/year=2020/kind=a/p.parquet")
    write_parquet(tmp_path, {"x": [3.0]}, "many/year=2021/kind=b/p.parquet")
    done = ingest(tmp_path / "many", tmp_path / "A")
    assert done.columns == ("x", "year", "kind=a", "kind=b")
    np.testing.assert_array_equal(read(done), [[1, 2020, 1, 0], [2, 2020, 1, 0], [3, 2021, 0, 1]])


def test_parquet_row_groups_keep_their_order(tmp_path):
    """Many row groups and batches come in the order of the file."""
    x = np.random.default_rng(0).standard_normal(150_000)
    write_parquet(tmp_path, {"x": x, "y": np.arange(x.size)}, row_group_size=7_001)
    done = ingest(tmp_path / "t.parquet", tmp_path / "A", target="y", target_to=tmp_path / "b", chunk_bytes=100_000)
    np.testing.assert_array_equal(read(done)[:, 0], x)
    np.testing.assert_array_equal(read_target(done), np.arange(x.size))


@pytest.mark.parametrize(("second", "words"), [({"y": [1.0]}, "has no 'x'"), ({"x": ["a"]}, "one type in all files")])
def test_parquet_files_that_disagree(tmp_path, second, words):
    """Files with other columns, or text where another has numbers, are refused."""
    write_parquet(tmp_path, {"x": [1.0]}, "many/0.parquet")
    write_parquet(tmp_path, second, "many/1.parquet")
    with pytest.raises(DataError, match=words):
        ingest(tmp_path / "many", tmp_path / "A")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([date(2020, 1, 1)], "date32"),
        (pa.array([0], pa.timestamp("ms")), "timestamp"),
        ([[1.0]], "list"),
        ([b"x"], "binary"),
        ([{"a": 1}], "struct"),
    ],
)
def test_unfit_columns_are_named(tmp_path, values, words):
    """Dates, lists and the like are refused with column, type and remedy; dropped, they do no harm."""
    write_parquet(tmp_path, {"x": [1.0], "odd": values})
    with pytest.raises(DataError, match=rf"'odd' holds {words}.*drop=\('odd',\)"):
        ingest(tmp_path / "t.parquet", tmp_path / "A")
    assert ingest(tmp_path / "t.parquet", tmp_path / "A", drop=["odd"]).columns == ("x",)


def test_parquet_that_is_damaged(tmp_path):
    """A file that lost its end is named, with its cause."""
    path = write_parquet(tmp_path, {"x": [1.0]})
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"t\.parquet gave"):
        ingest(path, tmp_path / "A")


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_too_many_levels(tmp_path, kind):
    """Exactly the limit of levels is fine; one more names column, count and remedy."""
    for count in (MAX_LEVELS, MAX_LEVELS + 1):
        table = pa.table({"id": [f"w{i}" for i in range(count)], "x": [1.0] * count})
        path = tmp_path / f"t{count}.{kind}"
        (parquet.write_table if kind == "parquet" else arrow_csv.write_csv)(table, path)
    done = ingest(tmp_path / f"t{MAX_LEVELS}.{kind}", tmp_path / "A")
    assert done.shape == (MAX_LEVELS, MAX_LEVELS + 1)
    with pytest.raises(DataError, match=r"at most 1,000 .*'id' has 1,001.*drop=\('id',\)"):
        ingest(tmp_path / f"t{MAX_LEVELS + 1}.{kind}", tmp_path / "A1")


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["float32", "int16", "bool", "string"], "float32"),
        (["float32", "float64"], "float64"),
        (["float32", "int32"], "float64"),
        (["int8", "bool"], "float64"),
        (["float32", "decimal"], "float64"),
    ],
)
def test_narrowest_dtype(tmp_path, types, expected):
    """A is float32 where that is exact; b is always float64."""
    kinds, made = {"decimal": pa.decimal128(5, 2)}, {"string": "a", "bool": True}
    columns = {f"x{i}": pa.array([made.get(name, 1)], kinds.get(name, name)) for i, name in enumerate(types)}
    write_parquet(tmp_path, columns | {"y": [0.1]})
    done = ingest(tmp_path / "t.parquet", tmp_path / "A", target="y", target_to=tmp_path / "b")
    assert done.dtype == expected == str(read(done).dtype)
    np.testing.assert_array_equal(read_target(done), [0.1])
