"""An answer with as many rows as data, piece by piece: read, compared, copied, shown, and never a list of millions."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

_PIECE_BYTES = 64_000_000
_MOST_LISTED = 10_000  # rows of an answer that JSON lists; of more it has the first
_FIRST = 10


def pieces_of(x: "NDArray[np.float64] | zarr.Array[Any]") -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the first row and the rows of each piece: whole chunks of a Zarr array, of 64 MB or one chunk."""
    row_bytes = 8 * int(np.prod(x.shape[1:]))
    chunk = x.chunks[0] if isinstance(x, zarr.Array) else 1
    rows = max(_PIECE_BYTES // max(row_bytes * chunk, 1), 1) * chunk
    for start in range(0, x.shape[0], rows):
        yield start, np.ascontiguousarray(x[start : start + rows], dtype=np.float64)


def digest_of(x: "NDArray[np.float64] | zarr.Array[Any]") -> str:
    """Return the SHA-256 of the bytes of x in C order."""
    state = hashlib.sha256()
    for _, piece in pieces_of(x):
        state.update(piece.data)
    return state.hexdigest()


def as_listed(x: "NDArray[np.float64] | zarr.Array[Any]", *, has_rows: bool) -> Any:
    """Return x as JSON is to have it: itself, or where it lies and its first rows if it is stored or has too many.

    Parameters
    ----------
    has_rows : bool
        Whether it has a number for each row of A.

    >>> as_listed(np.zeros(20_000), has_rows=True)["shape"]
    [20000]
    """
    place = str(x.store_path) if isinstance(x, zarr.Array) else None
    if place is None and not (has_rows and x.shape[0] > _MOST_LISTED):
        return x
    return {"zarr": place, "shape": list(x.shape), "first": np.asarray(x[:_FIRST])}
