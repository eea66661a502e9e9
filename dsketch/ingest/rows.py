"""A source whose columns are settled: how many rows, and their values as blocks of float64."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike

from dsketch._linalg.arrays import Floats
from dsketch.ingest.tally import Tally

# A block of decoded rows; big enough for NumPy to be at full speed, small beside a chunk of the output.
BLOCK_BYTES = 16_000_000


@dataclass(frozen=True)
class RowSource:
    """What the writer has to know, and the blocks to write.

    Parameters
    ----------
    names : tuple of str
        Columns of A, one name each.
    dtype : numpy dtype
        float32 or float64, for A.
    tally : Tally
        How many rows will come out of ``blocks``, and which were dropped.
    targets : tuple of str
        Columns of b, which follow those of A in each block.
    has_weights : bool
        Whether the last column of each block is the weights.
    is_vector : bool
        Whether the source was 1-D, so that the output is too.
    blocks : function
        Start the pass; gives matrices of shape (some rows, len(names) + len(targets) + has_weights), all finite.
    levels, base : dict
        By source column, all levels of a one-hot column, and the one that was left out.
    """

    names: tuple[str, ...]
    dtype: np.dtype[np.floating]
    tally: Tally
    targets: tuple[str, ...]
    has_weights: bool
    is_vector: bool
    blocks: Callable[[], Iterator[Floats]]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    base: Mapping[str, str] = field(default_factory=dict)


def narrowest_dtype(kinds: list[DTypeLike]) -> "np.dtype[np.floating]":
    """Return float32 if that holds all of the values of the columns, else float64.

    float32 needs at least one floating column, none above 32 bit, and no integer above 16 bit (float32 is exact up to
    2²⁴).  Columns of zeros and ones are not counted.

    >>> narrowest_dtype(["f4", "i2"]), narrowest_dtype(["f4", "i4"]), narrowest_dtype(["i2"])
    (dtype('float32'), dtype('float64'), dtype('float64'))
    """
    dtypes = [np.dtype(kind) for kind in kinds]
    floats = [dtype for dtype in dtypes if dtype.kind == "f"]
    is_narrow = all(dtype.itemsize <= (4 if dtype.kind == "f" else 2) for dtype in dtypes)
    return np.dtype(np.float32 if floats and is_narrow else np.float64)


def rows_per_block(width: int) -> int:
    """Return how many rows of ``width`` float64 make a block."""
    return max(1, BLOCK_BYTES // (8 * width))
