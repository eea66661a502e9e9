"""CSR groups that are broken are named, with the row, the column or the array that is at fault."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from zarr.codecs import ZstdCodec

import dsketch as ds
from dsketch.errors import DataError, MissingDataError
from dsketch.ingest import write_csr
from tests.matrix.csr import D, N, sparse


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, sp.csr_array]:
    """Return the path of a CSR group and its matrix."""
    X = sparse()
    return write_csr(tmp_path / "A.zarr", X, chunk_nonzeros=100), X


def solved(path: str) -> Any:
    """Solve with what lies there."""
    return ds.lstsq(path, np.ones(N), progress=False)


def changed(path: str, name: str, change: Callable[[np.ndarray], None]) -> None:
    """Change values of one of the three arrays in place."""
    array = zarr.open_group(path, mode="r+")[name]
    values = array[...]
    change(values)
    array[...] = values


def entry_row(X: sp.csr_array, place: int) -> int:
    """Return the row of an entry."""
    return int(np.searchsorted(X.indptr, place, side="right")) - 1


@pytest.mark.parametrize("bad", [D, -1, 10**6])
def test_columns_out_of_range_are_named(store: tuple[str, sp.csr_array], bad: int) -> None:
    """The row and the column number that does not exist."""
    path, X = store
    changed(path, "indices", lambda indices: indices.__setitem__(333, bad))

    with pytest.raises(DataError, match=rf"column numbers of A must lie in 0 … 11; row {entry_row(X, 333)} has {bad}\."):
        solved(path)


def test_decreasing_row_pointers_are_named(store: tuple[str, sp.csr_array]) -> None:
    """The row whose pointers run backwards."""
    path, X = store
    changed(path, "indptr", lambda indptr: indptr.__setitem__(201, 0))

    with pytest.raises(DataError, match=rf"row pointers .* must not decrease; row 200 runs from {X.indptr[200]} to 0\."):
        solved(path)


@pytest.mark.parametrize(("place", "value", "row"), [(0, 1, 0), (-1, 10**6, N), (-1, 900, N)])
def test_row_pointers_run_over_all_entries(store: tuple[str, sp.csr_array], place: int, value: int, row: int) -> None:
    """The first is 0 and the last is the number of entries: anything else is a part of a matrix."""
    path, X = store
    value = value if value != 900 else int(X.indptr[-2])
    changed(path, "indptr", lambda indptr: indptr.__setitem__(place, value))

    with pytest.raises(DataError, match=rf"must run from 0 to its {X.nnz} stored numbers; that of row {row} is {value}\."):
        solved(path)


@pytest.mark.parametrize(("name", "size"), [("indices", 500), ("indptr", N)])
def test_arrays_of_other_lengths_are_refused(store: tuple[str, sp.csr_array], name: str, size: int) -> None:
    """The array that does not fit is named with its length."""
    path, _ = store
    zarr.open_group(path, mode="r+")[name].resize((size,))

    with pytest.raises(DataError, match=rf"A/{name} must have \d+ entries for {N} rows; its shape is \({size}, 1\)"):
        ds.open_matrix(path)


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_absent_array_is_named(store: tuple[str, sp.csr_array], name: str) -> None:
    """Without one of the three there is no matrix."""
    path, _ = store
    shutil.rmtree(Path(path) / name)

    with pytest.raises(DataError, match=rf"must have the arrays data, indices, indptr; it lacks {name}\."):
        ds.open_matrix(path)


@pytest.mark.parametrize("shape", [None, [3], "tall", [N, -1], [N, 2.5]])
def test_shape_is_two_sizes(store: tuple[str, sp.csr_array], shape: Any) -> None:
    """The attribute shape is what says how many columns there are."""
    path, _ = store
    zarr.open_group(path, mode="r+").attrs["shape"] = shape

    with pytest.raises(DataError, match="must have an attribute shape with two sizes"):
        ds.open_matrix(path)


@pytest.mark.parametrize("compressors", [None, ZstdCodec()], ids=["raw", "zstd"])
@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_missing_and_truncated_chunks_are_named(name: str, compressors: Any, tmp_path: Path) -> None:
    """The array and the chunk; as for dense arrays."""
    path = write_csr(tmp_path / "A.zarr", sparse(), chunk_nonzeros=100, compressors=compressors)
    chunk = Path(path) / name / "c" / "2"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-10])
    with pytest.raises(DataError, match=rf"chunk 2 of A/{name} .*copy it again"):
        solved(path)
    chunk.unlink()
    # A lost chunk of zeros reads as columns 0 or rows that run backwards: data that solve with missing="fill" must not invent.
    with pytest.raises(DataError, match=rf"chunk 2 of A/{name} is absent"):
        solved(path)
    assert issubclass(MissingDataError, DataError)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["conjugate_gradient", "tsqr", "gram"])
def test_nonfinite_numbers_are_named(store: tuple[str, sp.csr_array], method: str, bad: float) -> None:
    """The global row and the column, whichever pass stumbles on it, and although the plan looked at a few rows only."""
    path, X = store
    changed(path, "data", lambda data: data.__setitem__(700, bad))

    with pytest.raises(DataError, match=rf"A must be finite; row {entry_row(X, 700)}, column {X.indices[700]} is {bad}"):
        ds.lstsq(path, np.ones(N), method=method, progress=False)


def test_matrix_by_columns_and_other_groups_are_refused(store: tuple[str, sp.csr_array]) -> None:
    """A csc_matrix says what to do; a group around a CSR matrix names it."""
    path, _ = store
    outer = str(Path(path).parent / "outer.zarr")
    zarr.open_group(outer, mode="w")
    shutil.copytree(path, f"{outer}/X")
    with pytest.raises(DataError, match="is a group with the arrays: X"):
        ds.open_matrix(outer)
    assert ds.open_matrix(f"{outer}/X").shape == (N, D)
    assert ds.open_matrix(zarr.open_group(outer, mode="r")["X"]).source == f"{outer}/X"

    zarr.open_group(path, mode="r+").attrs["encoding-type"] = "csc_matrix"
    with pytest.raises(DataError, match=r"must be stored by rows; .*tocsr\(\)"):
        ds.open_matrix(path)


def test_other_dtypes_are_refused(tmp_path: Path) -> None:
    """Complex entries, and row pointers that are no integers."""
    with pytest.raises(DataError, match="A must hold real numbers"):
        ds.open_matrix(sp.csr_array(np.ones((3, 2), complex)))
    path = write_csr(tmp_path / "A.zarr", sparse())
    group = zarr.open_group(path, mode="r+")
    pointers = group["indptr"][...].astype(float)
    shutil.rmtree(Path(path) / "indptr")
    group.create_array("indptr", data=pointers)
    with pytest.raises(DataError, match=r"A/indptr must hold integers; its dtype is float64"):
        ds.open_matrix(path)


def test_sparse_right_hand_sides_are_refused() -> None:
    """b and weights are dense: one number a row is no place for row pointers."""
    for name in ("b", "weights"):
        given = {"b": np.ones(N)} | {name: sp.csr_array(np.ones((N, 1)))}
        with pytest.raises(DataError, match=rf"{name} must be dense; .*{name}\.toarray\(\)"):
            ds.LeastSquares(np.ones((N, 2)), **given)


def test_sparse_vectors_are_refused() -> None:
    """A sparse array of one dimension has no rows and columns."""
    with pytest.raises(DataError, match="must have two dimensions where it is sparse"):
        ds.open_matrix(sp.coo_array(np.arange(4)))
