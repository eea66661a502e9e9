"""Files other than Zarr that are read where they lie: ``.npy``, a member of ``.npz``, an HDF5 dataset, Parquet.

``file::name`` is an array in a file.  Each matrix here travels as its path, and every process opens the file for itself.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dsketch.errors import DataError, DsketchError, SpecError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.csr import csr_in_memory
from dsketch.matrix.labelled import SlicedMatrix
from dsketch.matrix.npy import NpyMatrix
from dsketch.matrix.parquet import ParquetMatrix

_MOST_NAMED = 8


def split_member(address: str) -> tuple[str, str]:
    """Return the file of an address, and the name of an array in it, empty where there is none.

    >>> split_member("run.h5::group/X")
    ('run.h5', 'group/X')
    """
    path, _, name = address.partition("::")
    return path, name


def opener_of(path: str) -> "Callable[[str, str, str], Matrix] | None":
    """Return who opens a file of this ending, ``open(path, name, what)``; None for endings that others read, or nobody."""
    return _OPENERS.get(Path(path).suffix.lower()) if Path(path).is_file() else None


def _open_npy(path: str, name: str, what: str) -> Matrix:
    _refuse_member(path, name, what)
    return NpyMatrix(path, what=what)


def _open_npz(path: str, name: str, what: str) -> Matrix:
    """Return a member, in memory: it may be compressed; or the sparse matrix that ``scipy.sparse.save_npz`` wrote."""
    try:
        with np.load(path, allow_pickle=False) as members:
            if not name and "indptr" in members.files:
                return csr_in_memory(scipy.sparse.load_npz(path).tocsr(), what=what)
            matrix: Matrix = ArrayMatrix(members[_choose(members.files, name, path, what)], what=what)
    except DsketchError:
        raise
    except Exception as error:
        raise _cannot(path, what, error) from error
    return matrix


def _open_parquet(path: str, name: str, what: str) -> Matrix:
    _refuse_member(path, name, what)
    return ParquetMatrix(path, what=what)


def _open_hdf5(path: str, name: str, what: str, may_lack: bool = False) -> Matrix:
    try:
        import h5py
    except ImportError as error:
        raise SpecError(f"{what} at {path} is read by h5py, which is not installed. pip install h5py.") from error
    try:
        file = h5py.File(path, "r")
    except Exception as error:
        raise _cannot(path, what, error) from error
    datasets: list[str] = []
    file.visititems(lambda found, item: datasets.append(found) if hasattr(item, "read_direct") else None)
    chosen = file[_choose(sorted(datasets), name.strip("/"), path, what)]
    return Hdf5Matrix(chosen, path=path, may_lack=may_lack, what=what)


class Hdf5Matrix(SlicedMatrix):
    """A dataset of an HDF5 file that has a path: what travels is the path.

    Parameters
    ----------
    dataset : h5py.Dataset, shape (n,) or (n, d)
    path : str
    may_lack : bool
    what : str
        The name that errors use.
    """

    is_local = False

    def __init__(self, dataset: Any, *, path: str, may_lack: bool = False, what: str = "A") -> None:
        super().__init__(dataset, may_lack=may_lack, what=what)
        self.source = f"{path}::{dataset.name.strip('/')}"

    def __reduce__(self) -> Any:
        """Travel as the path."""
        path, name = split_member(self.source or "")
        return _open_hdf5, (path, name, self._what, self.may_lack)

    def with_gaps(self) -> "Hdf5Matrix":
        """Return the same rows with NaN where the attributes say that a number is none."""
        return Hdf5Matrix(self._array, path=split_member(self.source or "")[0], may_lack=True, what=self._what)

    def window(self, start: int, stop: int) -> Matrix:
        """Return the matrix itself: a worker opens the file."""
        del start, stop
        return self


def _choose(members: Sequence[str], name: str, path: str, what: str) -> str:
    """Return the member that is meant.

    Raises
    ------
    DataError
        If there is none of this name, or several and no name.
    """
    if name in members:
        return name
    if not name and len(members) == 1:
        return members[0]
    found = ", ".join(members[:_MOST_NAMED]) + (" …" if len(members) > _MOST_NAMED else "") or "none"
    wanted = f"the array {name!r}" if name else "one array"
    example = members[0] if members else "NAME"
    raise DataError(f"{wanted} was expected in {path} for {what}; it holds {found}. Say which: {path}::{example}.")


def _refuse_member(path: str, name: str, what: str) -> None:
    if name:
        raise DataError(f"{what} must be a file of one array; {path} has no arrays by name, got ::{name}. Leave that out.")


def _cannot(path: str, what: str, error: Exception) -> DataError:
    return DataError(
        f"{what} at {path} cannot be read: {type(error).__name__}: {error}. Is the file whole, and of its ending's format?"
    )


_OPENERS: dict[str, Callable[[str, str, str], Matrix]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    **dict.fromkeys((".parquet", ".pq", ".parq"), _open_parquet),
    **dict.fromkeys((".h5", ".hdf5", ".nc", ".nc4"), _open_hdf5),
}
