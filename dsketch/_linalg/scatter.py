"""Add sparse things to dense arrays in place, in time proportional to what is stored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats

# Adding a whole dense array costs 0.5 ns a number; placing one entry 8 ns: with fewer than 1/16 of all numbers it pays.
_SPARSE_SHARE = 1 / 16


def add_sparse(target: Floats, P: Any) -> None:
    """Add a ``scipy.sparse`` array to a C-order array, in place.

    Parameters
    ----------
    target : ndarray, shape (r, c)
    P : sparse array, shape (r, c)
        Without entries of the same place, as products of SciPy are.
    """
    if P.nnz > _SPARSE_SHARE * target.size:
        target += P.toarray()
        return
    entries = P.tocoo()
    _flat(target)[entries.row.astype(np.int64) * target.shape[1] + entries.col] += entries.data


def add_entries(target: Floats, rows: NDArray[np.int64], signs: Floats, X: Any) -> None:
    """Add row i of a CSR array, times ``signs[i]``, to row ``rows[i]`` of a C-order array, in place.

    Parameters
    ----------
    target : ndarray, shape (m, d)
    rows, signs : ndarray, shape (r,)
    X : csr_array, shape (r, d)

    Notes
    -----
    Entries are added in their stored order: the same input gives the same bits.
    """
    counts = np.diff(X.indptr)
    places = np.repeat(rows * target.shape[1], counts)
    places += X.indices
    np.add.at(_flat(target), places, np.repeat(signs, counts) * X.data)


def _flat(target: Floats) -> Floats:
    """Return the numbers of a C-order array as a vector that shares its memory.

    Raises
    ------
    ValueError
        For another order, whose vector would be a copy.
    """
    if not target.flags.c_contiguous:
        raise ValueError("a C-order array was expected: what is added to a copy would be lost")
    return target.reshape(-1)
