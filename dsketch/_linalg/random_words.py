"""Random words that belong to row numbers: the same whatever the chunking, the order or the worker.

Row ``i`` of a stream owns a fixed stretch of a Philox counter, so any rows can be drawn alone.  This is what makes the
chunk law hold: column i of a sketch depends on (seed, stream, i) and on nothing else.

References
----------
J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.streams import Stream

_WORDS_PER_COUNT = 4  # Philox4x64 gives four 64-bit words for every counter value


def draw(seed: int, stream: Stream, start: int, stop: int, per_row: int) -> NDArray[np.uint64]:
    """Return ``per_row`` random 64-bit words for each of the rows ``start:stop``.

    Parameters
    ----------
    seed : int
    stream : Stream
        One of :mod:`dsketch._linalg.streams`; distinct streams of one seed are independent.
    start, stop : int
        Global row numbers.
    per_row : int
        Words that every row owns.

    Returns
    -------
    ndarray of uint64, shape (stop - start, per_row)

    Examples
    --------
    >>> whole = draw(7, Stream(0), 0, 10, 3)
    >>> bool((draw(7, Stream(0), 4, 6, 3) == whole[4:6]).all())
    True
    """
    first = start * per_row
    skip = first % _WORDS_PER_COUNT
    bits = np.random.Philox(key=[seed & (2**64 - 1), int(stream)])
    bits.advance(first // _WORDS_PER_COUNT)
    return bits.random_raw(skip + (stop - start) * per_row)[skip:].reshape(stop - start, per_row)


def signs(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return ±1.0 from the lowest bit of each word."""
    return 1.0 - 2.0 * (raw & np.uint64(1)).astype(np.float64)


def below(raw: NDArray[np.uint64], bound: int) -> NDArray[np.int64]:
    """Return integers in ``range(bound)`` from bits 32 to 63 of each word (multiply and shift; bias below bound · 2⁻³²)."""
    return (((raw >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)


def uniforms(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers strictly between 0 and 1 from the upper 52 bits of each word (with 53, the largest would round to 1)."""
    return ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
