"""The fast Walsh–Hadamard transform, in place."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch


def hadamard(X: Floats) -> Floats:
    """Return H X for the ±1 Hadamard matrix (Sylvester order); X, shape (2^p, c) in C order, is overwritten.

    Two levels at a time go to a reused buffer and back: fresh temporaries cost five times the additions where the allocator gives
    memory back at once.

    Examples
    --------
    >>> hadamard(np.array([[1.0], [2.0]])).tolist()
    [[3.0], [-1.0]]
    """
    rows, columns = X.shape
    other, half = scratch("hadamard", (rows, columns)), 1
    if (rows.bit_length() - 1) % 2:
        _level(X, other, half)
        X[:] = other
        half = 2
    while half < rows:
        _level(X, other, half)
        _level(other, X, 2 * half)
        half *= 4
    return X


def _level(source: Floats, target: Floats, half: int) -> None:
    """Write sums and differences of rows that are ``half`` apart."""
    shape = (source.shape[0] // (2 * half), 2, half, source.shape[1])
    pairs, results = source.reshape(shape), target.reshape(shape)
    np.add(pairs[:, 0], pairs[:, 1], out=results[:, 0])
    np.subtract(pairs[:, 0], pairs[:, 1], out=results[:, 1])
