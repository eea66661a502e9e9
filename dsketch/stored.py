"""Read an x that was stored, with what it says about itself."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch.errors import DataError, MissingDataError
from dsketch.matrix.opening import open_matrix
from dsketch.matrix.retrying import store_at


class StoredX(NamedTuple):
    """x of shape (d,) or (d, k), and the attributes that :func:`dsketch.output.attributes_of` gave it (none for other arrays)."""

    x: NDArray[np.float64]
    attributes: dict[str, Any]


def read_x(source: "str | os.PathLike[str] | zarr.Array[Any]") -> StoredX:
    """Read x from a Zarr array, open or at a path or URL, or from a ``.npy`` file.

    Raises
    ------
    MissingDataError, DataError
        If there is none, or it is not numbers.
    """
    if not isinstance(source, zarr.Array):
        address = os.fspath(source)
        if "://" not in address and Path(address).suffix == ".npy":
            return StoredX(_numpy_file(address), {})
        open_matrix(address, what="x")  # says what is wrong if it is no array of numbers
        source = zarr.open_array(store_at(address), mode="r")
    matrix = open_matrix(source, what="x")
    x = np.asarray(matrix.read(0, matrix.shape[0]), dtype=np.float64)
    return StoredX(x.reshape(source.shape), source.attrs.asdict())


def _numpy_file(address: str) -> NDArray[np.float64]:
    try:
        return np.asarray(np.load(address, allow_pickle=False), dtype=np.float64)
    except FileNotFoundError as error:
        raise MissingDataError(f"x was expected at {address}; there is nothing. Check the path.") from error
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise DataError(
            f"x must be an array of numbers; {address} cannot be read: {error}. Write it again with numpy.save."
        ) from error
