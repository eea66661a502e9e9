"""Data that a pass reads besides its rows, in a form that travels with it."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import Rowwise

_COPIED_BYTES = 1_000_000_000  # the largest copy of an array persisted on a cluster, which a pass cannot carry as futures


def copy_persisted(A: Matrix) -> Flow[Matrix]:
    """Return a matrix that a pass can carry: itself, or a copy of what is persisted on a cluster.

    Raises
    ------
    DataError
        If that copy is too large.
    """
    if not A.futures():
        return A
    size = 8 * A.shape[0] * A.shape[1]
    if size > _COPIED_BYTES:
        raise DataError(
            f"an array persisted on a cluster is copied for a sweep and must have at most {_COPIED_BYTES:,} bytes; it has {size:,}. "
            "Store it to Zarr and pass the path."
        )
    copy: Floats = yield Look(Rowwise(np.eye(A.shape[1])), Rows(A))
    return ArrayMatrix(copy)
