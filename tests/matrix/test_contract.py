"""Matrices: every storage of dense rows keeps the contract."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

from dsketch import open_matrix
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.testing.matrices import MatrixTests
from dsketch.testing.recut import Recut
from tests.matrix.stored import STORED, D, N, values, write


class TestStored(MatrixTests):
    """Zarr arrays on disk, in all the ways they are written."""

    @pytest.fixture(params=sorted(STORED))
    def pair(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Matrix, AnyArray]:
        """Return an opened matrix and its values."""
        array, options = STORED[request.param]
        options = dict(options)
        dtype = np.dtype(options.pop("dtype", array.dtype))
        path = write(tmp_path / "A.zarr", array.astype(dtype), **options)
        return open_matrix(path), array.reshape(array.shape[0], -1)


IN_MEMORY: dict[str, Callable[[], AnyArray]] = {
    "C order": values,
    "Fortran order": lambda: np.asfortranarray(values()),
    "strided": lambda: values(n=2 * N, d=2 * D)[::2, ::2],
    "float32": lambda: values("float32"),
    "int": lambda: values("int64"),
    "bool": lambda: values("bool"),
    "vector": lambda: values()[:, 0],
}


class TestInMemory(MatrixTests):
    """NumPy arrays."""

    @pytest.fixture(params=sorted(IN_MEMORY))
    def pair(self, request: pytest.FixtureRequest) -> tuple[Matrix, AnyArray]:
        """Return a matrix of an array, and the array."""
        array = IN_MEMORY[request.param]()
        return open_matrix(array), array.reshape(array.shape[0], -1)


class TestRecut(MatrixTests):
    """The contract's own matrix with a chosen grid."""

    @pytest.fixture
    def pair(self) -> tuple[Matrix, AnyArray]:
        """Return an array with uneven blocks."""
        return Recut(ArrayMatrix(values()), np.array([0, 1, 30, 31, 90, N])), values()


LAZY: dict[str, Callable[[], Any]] = {
    "from_array": lambda: da.from_array(values(), chunks=(20, D)),
    "one chunk": lambda: da.from_array(values(), chunks=(N, D)),
    "unequal chunks": lambda: da.from_array(values(), chunks=((1, 50, 2, 50), (D,))),
    "empty chunks": lambda: da.from_array(values(), chunks=((0, 50, 0, 53, 0), (D,))),
    "column chunks": lambda: da.from_array(values(), chunks=(20, 3)),
    "float32": lambda: da.from_array(values("float32"), chunks=(20, D)),
    "map_blocks": lambda: da.from_array(values() - 1, chunks=(20, D)).map_blocks(_plus_one),
    "computed": lambda: (da.from_array(2 * values(), chunks=(20, 3)).T / 2).T,
    "vector": lambda: da.from_array(values()[:, 0], chunks=20),
}


def _plus_one(block: np.ndarray) -> np.ndarray:
    return block + 1


class TestLazy(MatrixTests):
    """Dask arrays that are computed where they are read."""

    @pytest.fixture(params=sorted(LAZY))
    def pair(self, request: pytest.FixtureRequest) -> tuple[Matrix, AnyArray]:
        """Return a matrix of a dask array and the values."""
        lazy = LAZY[request.param]()
        return open_matrix(lazy), values(str(lazy.dtype)).reshape(N, -1)[:, : 1 if lazy.ndim == 1 else D]
