"""Σ C ⊗ xxᵀ for curvatures C of several outputs: products of all pairs of outputs with all pairs of columns, a BLAS-3 call an output.

Of m outputs and d columns m(m + 1)/2 × d(d + 1)/2 different numbers are needed: a quarter of all.  Block by block they would be m²/2 small
products, whose calls cost more than their flops where d is small.
"""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch

_PAIR_BYTES = 4_000_000  # of the products of columns at once: they are read m times
_LEAST_ROWS = 64
_OUTPUTS, _COLUMNS, _RATIO = 3, 64, 4  # where it is ahead of block by block: outputs, columns, columns for each output (measured)


def is_paired(columns: int, outputs: int) -> bool:
    """Whether pairs are ahead of blocks."""
    return outputs >= _OUTPUTS and columns <= min(_COLUMNS, _RATIO * outputs)


def add_class_gram(gram: Floats, X: Floats, curvature: Floats) -> None:
    """Add Σ C ⊗ xxᵀ, in place: symmetric to the last bit if ``gram`` is.

    Parameters
    ----------
    gram : ndarray, shape (d · outputs, d · outputs)
    X : ndarray, shape (rows, d)
    curvature : ndarray, shape (rows, outputs, outputs)
        Symmetric.
    """
    d, m = X.shape[1], curvature.shape[1]
    left, right = np.triu_indices(d)
    place = np.empty((d, d), dtype=np.intp)
    place[left, right] = place[right, left] = np.arange(len(left))
    by_pair = np.zeros((m, m, len(left)))
    C = np.ascontiguousarray(curvature.transpose(1, 2, 0))
    step = max(_PAIR_BYTES // (8 * len(left)), _LEAST_ROWS)
    for low in range(0, len(X), step):
        XT = np.ascontiguousarray(X[low : low + step].T)
        pairs = scratch("pairs", (len(left), XT.shape[1]))
        for column in range(d):
            first = column * d - column * (column - 1) // 2
            np.multiply(XT[column], XT[column:], out=pairs[first : first + d - column])
        for k in range(m):
            by_pair[k, k:] += C[k, k:, low : low + step] @ pairs.T
    blocks = gram.reshape(m, d, m, d)
    for k in range(m):
        full = by_pair[k, k:][:, place]
        blocks[k, :, k:] += full.transpose(1, 0, 2)
        blocks[k + 1 :, :, k] += full[1:]
