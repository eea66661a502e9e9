"""Data stored in the ways that dsketch reads."""

from collections.abc import Callable, Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
import zarr

from tests.sklearn.model import D


@pytest.fixture(params=["path", "zarr.Array", "dask", "csr"])
def kept(request: pytest.FixtureRequest, stored: Callable[..., str]) -> Iterator[Callable[[str, np.ndarray], Any]]:
    """Return a function that stores an array in one of the ways that dsketch reads; y and weights too, but for sparse rows."""

    def keep(name: str, array: np.ndarray) -> Any:
        if request.param == "csr":
            return scipy.sparse.csr_array(array) if array.ndim == 2 and array.shape[1] == D else array
        if request.param == "dask":
            return da.from_array(array, chunks=(70, *array.shape[1:]))
        path = stored(name, array, 64)
        return path if request.param == "path" else zarr.open_array(path, mode="r")

    return keep
