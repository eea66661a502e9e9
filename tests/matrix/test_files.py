"""Files other than Zarr: read where they lie, by blocks, on workers too, and refused with a remedy that works."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import zarr
from distributed import Client

import dsketch as ds
from dsketch._inspect.inspect import inspect
from dsketch.errors import DataError
from dsketch.matrix.npy import NpyMatrix

N = 400
RNG = np.random.default_rng(0)
A = RNG.standard_normal((N, 3))
B = RNG.standard_normal(N)


def hdf5(path: Path, array: np.ndarray = A) -> str:
    """Write a dataset in a group, and another."""
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("group/A", data=array, chunks=(50, 3))
        file["b"] = B
    return f"{path.with_suffix('.h5')}::group/A"


def members(path: Path, array: np.ndarray = A) -> str:
    """Write two members."""
    np.savez_compressed(path, A=array, b=B)
    return f"{path}.npz::A"


def saved(path: Path, array: np.ndarray = A) -> str:
    """Write one array."""
    np.save(path, array)
    return f"{path}.npy"


def parquet(path: Path, array: np.ndarray = A) -> str:
    """Write row groups of 70 rows."""
    pd.DataFrame(array, columns=list("uvw")).to_parquet(path.with_suffix(".parquet"), row_group_size=70)
    return str(path.with_suffix(".parquet"))


KINDS: dict[str, Callable[..., str]] = {
    ".npy": saved,
    ".npy by columns": lambda path, array=A: saved(path, np.asfortranarray(array)),
    ".npy of the other endian": lambda path, array=A: saved(path, array.astype(">f8")),
    ".npz": members,
    ".h5": hdf5,
    ".parquet": parquet,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_as_its_numbers(kind: str, tmp_path: Path) -> None:
    """Any rows, in any order, and a solve: as of the array."""
    matrix = ds.open_matrix(KINDS[kind](tmp_path / "A"))

    for start, stop in ((0, N), (90, 93), (0, 70), (69, 211), (N - 1, N)):
        np.testing.assert_array_equal(matrix.read(start, stop), A[start:stop])
    assert (matrix.shape, matrix.dtype) == (A.shape, np.dtype(float))
    np.testing.assert_allclose(ds.lstsq(matrix, B).x, np.linalg.lstsq(A, B)[0], rtol=1e-12)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != ".npz"])
def test_a_file_travels_as_its_path(kind: str, tmp_path: Path) -> None:
    """What is pickled is small, opens the same rows, and knows where they lie, so that a journal can open them again."""
    matrix = ds.open_matrix(KINDS[kind](tmp_path / "A"))
    sent = pickle.dumps(matrix.window(0, 10))
    again = pickle.loads(sent)  # noqa: S301 - our own

    assert len(sent) < 1000
    assert again.fingerprint() == matrix.fingerprint() == ds.open_matrix(matrix.source).fingerprint()
    np.testing.assert_array_equal(again.read(5, 9), A[5:9])


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_sees_other_numbers(kind: str, tmp_path: Path) -> None:
    """A file of which the first row differs is other data."""
    here, other = KINDS[kind](tmp_path / "A"), KINDS[kind](tmp_path / "other", A + np.eye(N, 3))

    assert ds.open_matrix(here).fingerprint() != ds.open_matrix(other).fingerprint()


@pytest.mark.cluster
@pytest.mark.parametrize("kind", [".npy", ".h5", ".parquet"])
def test_workers_open_files(kind: str, tmp_path: Path, client: Client) -> None:
    """The same bits on workers as in this process."""
    path = KINDS[kind](tmp_path / "A")

    here, there = ds.lstsq(path, B, cluster="serial", method="tsqr"), ds.lstsq(path, B, cluster=client, method="tsqr")

    assert here.x.tobytes() == there.x.tobytes()


@pytest.mark.parametrize("order", ["C", "F"])
def test_files_of_several_dimensions_are_laid_flat(order: str, tmp_path: Path) -> None:
    """Dimensions after the first are targets, in the order in which they stand, however the file has them."""
    cube = np.asarray(RNG.standard_normal((N, 2, 3)), order=order)  # type: ignore[call-overload]
    saved(tmp_path / "b", cube)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["b"] = cube

    for path in ("b.npy", "b.h5"):
        matrix = ds.open_matrix(tmp_path / path, what="b", has_targets=True)
        assert (matrix.shape, matrix.trailing) == ((N, 6), (2, 3))
        np.testing.assert_array_equal(matrix.read(50, 60), cube[50:60].reshape(10, 6))
        assert ds.lstsq(A, tmp_path / path).to_xarray().x.dims == ("column", "target_0", "target_1")


def test_names_come_along_and_a_journal_resumes(tmp_path: Path) -> None:
    """Parquet's columns name x, and a run of it is resumed without its problem."""
    np.save(tmp_path / "b.npy", B)
    solution = ds.lstsq(parquet(tmp_path / "A"), tmp_path / "b.npy", journal=tmp_path / "run")

    assert solution.names == ("u", "v", "w")
    assert ds.resume(tmp_path / "run").x.tobytes() == solution.x.tobytes()


def test_a_sparse_matrix_of_scipy_is_sparse(tmp_path: Path) -> None:
    """What ``scipy.sparse.save_npz`` wrote stays CSR."""
    X = scipy.sparse.random(50, 4, 0.2, "csr", random_state=0)
    scipy.sparse.save_npz(tmp_path / "X.npz", X)

    assert ds.open_matrix(tmp_path / "X.npz").nonzeros == X.nnz


def damage(path: str) -> None:
    """Cut a file."""
    whole = Path(path.partition("::")[0])
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


@pytest.mark.parametrize("kind", [".npy", ".npz", ".h5", ".parquet"])
def test_a_cut_file_is_refused_by_its_path(kind: str, tmp_path: Path) -> None:
    """The error says which file and why."""
    path = KINDS[kind](tmp_path / "A")
    damage(path)

    with pytest.raises(DataError, match=str(tmp_path)):
        ds.lstsq(path, B)


def test_a_file_that_shrinks_is_no_crash(tmp_path: Path) -> None:
    """Rows that are gone after opening are an error of that read."""
    matrix = ds.open_matrix(saved(tmp_path / "A"))
    damage(matrix.source or "")

    with pytest.raises(DataError, match="truncated"):
        matrix.read(N - 10, N)


def refusals(tmp_path: Path) -> list[tuple[Any, str]]:
    """Return what is no matrix, and what is said."""
    pd.DataFrame({"u": [1.0, None, 3.0], "v": [1, 2, 3]}).to_parquet(tmp_path / "hole.parquet", row_group_size=1)
    pd.DataFrame({"u": ["a", "b"]}).to_parquet(tmp_path / "text.parquet")
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    several = members(tmp_path / "A").partition("::")[0]
    return [
        (tmp_path / "hole.parquet", "row 1, column 'u' is missing"),
        (tmp_path / "text.parquet", "column 'u' of A holds strings"),
        (tmp_path / "text.npy", "must hold real numbers"),
        (tmp_path / "objects.npy", "cannot be read"),
        (several, "it holds A, b. Say which: .*A.npz::A"),
        (f"{several}::c", "the array 'c' was expected"),
        (hdf5(tmp_path / "A").partition("::")[0], "it holds b, group/A"),
        (f"{saved(tmp_path / 'A')}::A", "has no arrays by name"),
    ]


def test_what_is_no_matrix_is_told_the_way(tmp_path: Path) -> None:
    """Each refusal names the place, what was found and what to do."""
    for source, message in refusals(tmp_path):
        with pytest.raises(DataError, match=message):
            ds.open_matrix(source).read(0, 2)


def test_a_store_a_place_in_one_and_a_session_are_opened(tmp_path: Path) -> None:
    """Whatever holds a Zarr store is one."""
    stored = zarr.create_array(str(tmp_path / "A.zarr"), data=A, chunks=(50, 3))

    class Session:
        """As of Icechunk."""

        store = stored.store

    for source in (stored.store, stored.store_path, Session()):
        np.testing.assert_array_equal(ds.open_matrix(source).read(0, N), A)
    assert isinstance(ds.open_matrix(saved(tmp_path / "A")), NpyMatrix)


def test_a_file_is_no_store_to_look_at(tmp_path: Path) -> None:
    """``dsketch info`` is about Zarr, and says of a file what it is."""
    with pytest.raises(DataError, match=r"A.npy is a file, 400 × 3 float64. It is solved as it is"):
        inspect(saved(tmp_path / "A"))
