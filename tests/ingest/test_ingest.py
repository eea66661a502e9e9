"""Files of NumPy, CSV and Parquet become Zarr arrays, whole or not at all."""

import csv
import gzip
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pyarrow as pa
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv
from pyarrow import parquet

import dsketch
from dsketch.errors import DataError, DsketchError, MissingDataError, SpecError
from dsketch.events import Note, Progress
from dsketch.ingest import Ingested, ingest
from dsketch.ingest.survey import MAX_LEVELS

# A fresh file for each example would need a fixture for each; all examples of a test may share its folder.
examples = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(done: Ingested) -> np.ndarray:
    """Return A."""
    return zarr.open_array(done.matrix, mode="r")[...]


def read_target(done: Ingested) -> np.ndarray:
    """Return b."""
    return zarr.open_array(done.target, mode="r")[...]


def write_csv(folder: Path, text: str, name: str = "t.csv") -> Path:
    """Write a CSV file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def write_parquet(folder: Path, columns: dict, name: str = "t.parquet", **options: object) -> Path:
    """Write a Parquet file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, **options)
    return path


# A child runs in another folder, where a relative PYTHONPATH would mean something else.
_CHILD = os.environ | {"PYTHONPATH": str(Path(dsketch.__file__).parents[1])}


def run(program: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, env=_CHILD, capture_output=True, text=True, check=False)


def leftovers(folder: Path) -> list[str]:
    """Return what dsketch's temporaries would be called."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


# ---- NumPy -----------------------------------------------------------------------------------------------------------


@examples
@given(
    matrix=arrays.arrays(
        st.sampled_from(["f8", "f4", ">f8", "i8", "u1", "?"]),
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=30),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    chunk_bytes=st.integers(1, 2000),
    is_fortran=st.booleans(),
    add_intercept=st.booleans(),
)
def test_npy_comes_back(tmp_path, matrix, chunk_bytes, is_fortran, add_intercept):
    """A matrix of any dtype, order and chunking comes back as the nearest floats, with ones behind it if wanted."""
    np.save(tmp_path / "m.npy", np.asfortranarray(matrix) if is_fortran else matrix)
    done = ingest(tmp_path / "m.npy", tmp_path / "A", add_intercept=add_intercept, chunk_bytes=chunk_bytes, overwrite=True)
    expected = np.column_stack([matrix, np.ones(len(matrix))]) if add_intercept else matrix
    np.testing.assert_array_equal(read(done), expected.astype(np.float64))
    assert done.shape == expected.shape
    assert done.rows_read == len(matrix)


def test_the_module_is_called_as_its_function(tmp_path):
    """``dsketch.ingest(…)`` calls ``dsketch.ingest.ingest``."""
    np.save(tmp_path / "A.npy", np.ones((5, 2)))
    assert dsketch.ingest(tmp_path / "A.npy", tmp_path / "A.zarr").shape == (5, 2)


def test_blocks_and_chunks_need_not_agree(tmp_path):
    """Rows that arrive in several blocks fill chunks of another height, for A and b alike."""
    matrix = np.arange(2_300_000, dtype="f4").reshape(-1, 1) + np.array([0, 0.5], dtype="f4")
    np.save(tmp_path / "m.npy", matrix)
    done = ingest(tmp_path / "m.npy", tmp_path / "A", target="x1", target_to=tmp_path / "b", chunk_bytes=3_333_332, nulls="drop")
    np.testing.assert_array_equal(read(done), matrix[:, :1])
    np.testing.assert_array_equal(read_target(done), matrix[:, 1])


def test_vector_stays_a_vector(tmp_path):
    """A 1-D source gives a 1-D array, as b has to be."""
    np.save(tmp_path / "v.npy", np.arange(5.0))
    np.testing.assert_array_equal(read(ingest(tmp_path / "v.npy", tmp_path / "b")), np.arange(5.0))


def test_npy_target_is_a_numbered_column(tmp_path):
    """Columns without names are x0, x1, …; one of them can be the target, others chosen or dropped."""
    matrix = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "m.npy", matrix)
    done = ingest(tmp_path / "m.npy", tmp_path / "A", target="x1", target_to=tmp_path / "b", columns=["x3", "x0"])
    assert done.columns == ("x3", "x0")
    np.testing.assert_array_equal(read(done), matrix[:, [3, 0]])
    np.testing.assert_array_equal(read_target(done), matrix[:, 1])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keys", [("A", "b"), ("X", "y")])
def test_npz_with_matrix_and_target(tmp_path, save, keys):
    """A and b, or X and y, of an .npz go to their two places, compressed and Fortran-ordered too."""
    matrix, target = np.asfortranarray(np.arange(8.0).reshape(4, 2)), np.arange(4)
    save(tmp_path / "m.npz", **{keys[0]: matrix, keys[1]: target.reshape(4, 1)})
    done = ingest(tmp_path / "m.npz", tmp_path / "A", target_to=tmp_path / "b")
    np.testing.assert_array_equal(read(done), matrix)
    np.testing.assert_array_equal(read_target(done), target)
    assert done.dtype == "float64"
    assert not leftovers(tmp_path)


def test_npz_with_one_array(tmp_path):
    """A single array is the matrix, whatever its name."""
    np.savez(tmp_path / "m.npz", weather=np.eye(3))
    np.testing.assert_array_equal(read(ingest(tmp_path / "m.npz", tmp_path / "A")), np.eye(3))


def test_npz_with_unknown_keys_names_them(tmp_path):
    """Arrays whose roles are unclear are refused, with their names."""
    np.savez(tmp_path / "m.npz", left=np.eye(3), right=np.eye(3))
    with pytest.raises(DataError, match="left, right"):
        ingest(tmp_path / "m.npz", tmp_path / "A")


def test_npz_never_loses_the_target_silently(tmp_path):
    """A file with b needs a place for it, or the word to drop it."""
    np.savez(tmp_path / "m.npz", A=np.eye(3), b=np.ones(3))
    with pytest.raises(SpecError, match="target_to"):
        ingest(tmp_path / "m.npz", tmp_path / "A")
    assert ingest(tmp_path / "m.npz", tmp_path / "A", drop=["b"]).target is None


def test_npz_target_of_other_length(tmp_path):
    """A and b must have the same rows."""
    np.savez(tmp_path / "m.npz", A=np.eye(3), b=np.ones(4))
    with pytest.raises(DataError, match=r"3 values .* \(4,\)"):
        ingest(tmp_path / "m.npz", tmp_path / "A", target_to=tmp_path / "b")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((2, 2, 2)), r"\(2, 2, 2\)"),
        (np.ones((0, 3)), "m.npy"),
        (np.ones(2, dtype=complex), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([{}], dtype=object), "Python objects"),
    ],
)
def test_npy_that_is_no_real_matrix(tmp_path, array, words):
    """Other shapes and types are refused by name."""
    np.save(tmp_path / "m.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=words):
        ingest(tmp_path / "m.npy", tmp_path / "A")


# ---- CSV -------------------------------------------------------------------------------------------------------------


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


# ---- Parquet ---------------------------------------------------------------------------------------------------------


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


# ---- nulls -----------------------------------------------------------------------------------------------------------

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


# ---- requests --------------------------------------------------------------------------------------------------------


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


# ---- output ----------------------------------------------------------------------------------------------------------


def test_output_format(tmp_path):
    """Zarr 3, raw chunks of whole rows, each on the disk even if all zero, b cut like A, columns in the attributes."""
    np.save(tmp_path / "m.npy", np.zeros((100, 3)))
    done = ingest(tmp_path / "m.npy", tmp_path / "A", target="x2", target_to=tmp_path / "b", chunk_bytes=320)
    matrix, target = zarr.open_array(done.matrix), zarr.open_array(done.target)
    assert (matrix.metadata.zarr_format, matrix.compressors, matrix.chunks, target.chunks) == (3, (), (20, 2), (20,))
    assert matrix.nchunks_initialized == target.nchunks_initialized == 5
    digest = target.attrs["rows_digest"]
    assert dict(matrix.attrs) == {
        "columns": ["x0", "x1"],
        "source": str(tmp_path / "m.npy"),
        "created_by": "dsketch ingest",
        "rows_digest": digest,
    }
    files = [path for folder in ("A", "b") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert done.bytes_written == sum(path.stat().st_size for path in files)


def test_progress_runs_from_start_to_end(tmp_path):
    """Progress never goes back and ends at its total, with one pass or two."""
    table = pa.table({"x": np.arange(200_000.0), "s": ["a", "b"] * 100_000})
    parquet.write_table(table, tmp_path / "t.parquet")
    arrow_csv.write_csv(table, tmp_path / "t.csv")
    np.save(tmp_path / "t.npy", np.zeros((3_000_000, 2)))
    for name in ("t.parquet", "t.csv", "t.npy"):
        told: list[Progress] = []
        ingest(tmp_path / name, tmp_path / "A", tell=told.append, overwrite=True)
        done = [event.done_bytes for event in told]
        assert len(done) > 1
        assert done == sorted(done)
        assert done[-1] == told[-1].total_bytes == told[0].total_bytes


def test_existing_output_needs_overwrite(tmp_path):
    """What exists stays unless overwrite is said; then it is replaced."""
    for number in (1, 2):
        np.save(tmp_path / f"{number}.npy", np.full((3, 2), float(number)))
    first = ingest(tmp_path / "1.npy", tmp_path / "A")
    with pytest.raises(DataError, match=r"A exists.*overwrite=True"):
        ingest(tmp_path / "2.npy", tmp_path / "A")
    assert (read(first) == 1).all()
    assert (read(ingest(tmp_path / "2.npy", tmp_path / "A", overwrite=True)) == 2).all()
    assert not leftovers(tmp_path)


def test_overwrite_touches_only_zarr(tmp_path):
    """A directory of something else is never removed."""
    np.save(tmp_path / "m.npy", np.eye(2))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(DataError, match="something else"):
        ingest(tmp_path / "m.npy", tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").exists()


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_failure_leaves_the_old_output_and_no_temporary(tmp_path, failure):
    """Whatever stops the run, the outputs are as before and nothing lies beside them."""
    np.save(tmp_path / "old.npy", np.ones((3, 2)))
    np.save(tmp_path / "new.npy", np.zeros((3_000_000, 2)))
    options = {"target": "x1", "target_to": tmp_path / "b"}
    old = ingest(tmp_path / "old.npy", tmp_path / "A", **options)

    def stop(event: object) -> None:
        raise failure

    with pytest.raises(failure):
        ingest(tmp_path / "new.npy", tmp_path / "A", tell=stop, overwrite=True, chunk_bytes=80_000, **options)
    assert (read(old) == 1).all()
    assert (read_target(old) == 1).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A", "b", "new.npy", "old.npy"]


def test_bad_row_far_down_leaves_nothing(tmp_path):
    """An error in the middle of writing removes the chunks that were written."""
    matrix = np.zeros((2_000_000, 2))
    matrix[-1, 0] = np.nan
    np.save(tmp_path / "m.npy", matrix)
    with pytest.raises(DataError, match="row 2,000,000"):
        ingest(tmp_path / "m.npy", tmp_path / "A", chunk_bytes=1_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npy"]


def test_interrupt_from_the_keyboard(tmp_path):
    """Ctrl-C in the middle of writing leaves nothing behind."""
    np.save(tmp_path / "m.npy", np.zeros((4_000_000, 4)))
    program = (
        "import sys\n"
        "from dsketch.ingest import ingest\n"
        "def wait(event):\n"
        "    print('going', flush=True)\n"
        "    sys.stdin.read()\n"
        "ingest('m.npy', 'A', chunk_bytes=500_000, tell=wait)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=_CHILD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert "KeyboardInterrupt" in said
    assert [path.name for path in tmp_path.iterdir()] == ["m.npy"]


def test_place_that_cannot_be_written(tmp_path):
    """A parent that is a file gives one error with path and cause."""
    np.save(tmp_path / "m.npy", np.eye(2))
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"written was expected; .*file.*(Not a directory|File exists).*another path"):
        ingest(tmp_path / "m.npy", tmp_path / "file" / "A")


def test_disk_full(tmp_path):
    """A disk that refuses more bytes gives one error with path and cause, and is left as it was."""
    np.save(tmp_path / "m.npy", np.zeros((200_000, 2)))
    (tmp_path / "disk").mkdir()
    # The kernel refuses files above the limit just as a full disk refuses them, and that needs no root.
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from dsketch.ingest import ingest\n"
        "ingest('m.npy', 'disk/A')"
    )
    ended = run(program, tmp_path)
    assert "DataError: a place that can be written was expected" in ended.stderr
    assert "File too large" in ended.stderr
    assert not list((tmp_path / "disk").iterdir())


def test_tmpfs_full(tmp_path):
    """A file system without room gives its own words, and is left empty."""
    np.save(tmp_path / "m.npy", np.zeros((200_000, 2)))
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        with pytest.raises(DataError, match="No space left on device"):
            ingest(tmp_path / "m.npy", disk / "A", chunk_bytes=100_000)
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_source_that_changes_meanwhile(tmp_path):
    """Rows or levels that appear between the passes are an error, not a wrong matrix."""
    path = write_csv(tmp_path, "x,s\n1,a\n2,b\n")
    for late in ("3,a\n", "3,c\n"):
        path.write_text("x,s\n1,a\n2,b\n")
        told: list = []

        def append(event: object, late: str = late, told: list = told) -> None:
            told.append(event)
            if len(told) == 1:
                path.write_text("x,s\n1,a\n2,b\n" + late)

        with pytest.raises(DsketchError, match="meanwhile"):
            ingest(path, tmp_path / "A", tell=append)
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]


def test_memory_is_bounded(tmp_path):
    """About 150 MB of Parquet in one row group pass through far less memory than they take."""
    rows, width = 1_000_000, 19
    random = np.random.default_rng(0)
    write_parquet(
        tmp_path, {f"x{i}": random.standard_normal(rows) for i in range(width)}, row_group_size=rows, compression="none"
    )
    program = (
        "import sys\n"
        "import pyarrow.parquet, pyarrow.dataset, zarr\n"
        "from dsketch.ingest import ingest\n"
        "def peak():\n"
        "    return int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1]) * 1024\n"
        "ingest('small.parquet', 'small', chunk_bytes=2_000_000)\n"
        "small = peak()\n"
        "print(ingest('t.parquet', 'A', chunk_bytes=2_000_000).shape[0], peak() - small)"
    )
    write_parquet(tmp_path, {f"x{i}": random.standard_normal(100_000) for i in range(width)}, "small.parquet")
    ended = run(program, tmp_path)
    assert not ended.returncode, ended.stderr
    read_rows, grown_bytes = map(int, ended.stdout.split())
    assert read_rows == rows
    # The file is 10 times the small one; a reader that kept it, or its row group, would grow by 137 MB.
    assert grown_bytes < 90_000_000
