"""Slopes of logits in tiles of a convolution basis, weight by weight: E = S ∘ (P − D), with P = dY Vᵀ.

By FFT a gradient at Q or K transforms d (p + 1) columns, where d + p multiplications of each entry are enough if P is made: a tile takes
rows · columns · (d + p) of these, and neither products of Q and K nor exponentials, which its profile has.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.passes.conv_tiles import PLAIN, Tile, fft_length

_SIDE = 256  # rows and columns that are multiplied at once: three tiles of them stay in a core's own cache
_OWN = 12  # what an entry takes besides d + p multiplications, in these
_FFT = 16.0  # what a number of a transform takes for each halving, in these: 0.9 ns, where a multiplication takes 0.053


class Felt(NamedTuple):
    """Of rows of Q: rows of dY above them, D and the logarithms of their sums of weights, shapes (rows, p), (rows,), (rows,)."""

    above: Floats
    D: Floats
    log_sums: Floats


def pays_by_weights(tile: Tile, width: int, depth: int) -> bool:
    """Return whether the slopes of a tile cost less weight by weight than by FFT: a function of shapes alone.

    Parameters
    ----------
    width, depth : int
        Columns of K and of V of a head, d and p.
    """
    rows, columns = tile.bottom - tile.top, tile.right - tile.left
    return not tile.is_fft or pays_by_shape(rows, columns, width, depth)


def pays_by_shape(rows: int, columns: int, width: int, depth: int) -> bool:
    """Return the same for a tile that FFT carries."""
    length = fft_length(max(rows, columns), max(rows, columns))
    transforms = _FFT * width * (depth + 1) * length * np.log2(max(length, 2))
    return bool(rows * columns * (width + depth + _OWN) <= transforms)


def slopes(tile: Tile, felt: Felt, V: Floats) -> Iterator[tuple[slice, slice, Floats]]:
    """Yield rows and columns of a tile, by their places in it, and E of these, which the next ones overwrite.

    Parameters
    ----------
    felt : Felt
        Of the tile's rows.
    V : ndarray, shape (columns, p)
        Of the tile's columns.
    """
    g, (rows, columns) = tile.lags, (len(felt.above), len(V))
    largest = float(g.max())
    rise = largest - felt.log_sums
    is_plain = float(rise.max()) <= PLAIN
    windows = sliding_window_view(np.exp(g - largest) if is_plain else g, columns)[:, ::-1]
    factors = np.exp(rise) if is_plain else np.ones(rows)
    dY, D = felt.above * factors[:, None], (felt.D * factors)[:, None]
    for low in range(0, rows, _SIDE):
        mine = slice(low, min(low + _SIDE, rows))
        for left in range(0, columns, _SIDE):
            others = slice(left, min(left + _SIDE, columns))
            E = scratch("slopes", (mine.stop - low, others.stop - left))
            np.matmul(dY[mine], V[others].T, out=E)
            E -= D[mine]
            E *= windows[mine, others] if is_plain else np.exp(windows[mine, others] - felt.log_sums[mine, None])
            yield mine, others, E
