"""Which place and sign each column of A gets: the leaves of tensor sketches, drawn by column number."""

from functools import lru_cache

import numpy as np
import scipy.sparse

from dsketch._linalg import random_words
from dsketch._linalg.streams import Stream


@lru_cache(maxsize=128)
def count_sketch(seed: int, stream: Stream, columns: int, size: int, folded: int) -> scipy.sparse.csr_array:
    """Return B (d × folded) with one sign a row, at a random place below ``size`` taken modulo ``folded``.

    Where ``folded`` divides ``size``, the sketch of that length is the longer one folded onto itself, and its Fourier transform every
    (size / folded)-th value of the longer one's: degrees of different sizes share their leaves.
    """
    raw = random_words.draw(seed, stream, 0, columns, 1)[:, 0]
    places = random_words.below(raw, size) % folded
    pointers = np.arange(columns + 1)
    return scipy.sparse.csr_array((random_words.signs(raw), places, pointers), shape=(columns, folded))


@lru_cache(maxsize=128)
def osnap(seed: int, stream: Stream, columns: int, size: int, nonzeros: int) -> scipy.sparse.csr_array:
    """Return B (d × size) with ±1/√z once in each of z stacked ranges: J. Nelson, H. L. Nguyễn, FOCS 2013."""
    raw = random_words.draw(seed, stream, 0, columns, nonzeros)
    edges = (np.arange(nonzeros + 1) * size) // nonzeros
    heights = np.diff(edges).astype(np.uint64)
    places = (((raw >> np.uint64(32)) * heights) >> np.uint64(32)).astype(np.int64) + edges[:-1]
    pointers = np.arange(0, columns * nonzeros + 1, nonzeros)
    values = random_words.signs(raw).ravel() / np.sqrt(nonzeros)
    return scipy.sparse.csr_array((values, places.ravel(), pointers), shape=(columns, size))
