"""Rows that must fit the columns of a matrix that is there."""

import numpy as np
import pandas as pd
import pytest
import zarr

import dsketch as ds
from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.ingest import ingest
from tests.ingest.files import read
from tests.ingest.tables import put, said

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
