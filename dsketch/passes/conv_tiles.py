"""Which tiles of a Toeplitz block FFT can carry, and both ways to multiply one.

Rounding of an FFT is relative to the largest number of its tile.  A tile of h rows and w columns needs the h + w − 1 lags g of its profile,
relative to their largest M.  With kernel κ = exp(g − M), values |v| ≤ 1 and length N, one transform is off by η of its 2-norm,
η = 8 u log₂N, and

* the two transforms of κ and v, and their product, put at most 2.1 η ‖κ‖₂ ‖v‖₂ on any number of the result (Cauchy–Schwarz over
  frequencies),
* the inverse at most η ‖κ∗v‖₂ ≤ η ‖κ‖₁ ‖v‖₂,

so a row with largest logit ``top`` and sum of weights W exp(top) gets at most E exp(M − top)/W of its largest value, with
E = η √w (2.1 ‖κ‖₂ + ‖κ‖₁).  A tile that has a row beyond ``LIMIT`` is cut in half along its longer side, and each half has an M of its own;
small ones are multiplied weight by weight, whose rounding is relative to what is summed.

References
----------
N. J. Higham, "Accuracy and stability of numerical algorithms", SIAM 2002, Theorem 24.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from dsketch._linalg.arrays import Floats
from dsketch.passes.basis import Bounds, Segment, lags
from dsketch.settings import EPS

LIMIT = 1e-10  # of a row's largest value: what one tile may round off
SMALL = 256  # rows and columns of a tile that is multiplied weight by weight, whatever its range
SKIPPED = 2.0**-70  # of a row's weights: a tile with less for every row adds nothing
PLAIN = 300.0  # up to such exponents weights are products of two exponentials
_STRIP = 1 << 18  # weights in memory at once
_FLOPS = 8.0  # a multiplication weight by weight is so much cheaper than one of an FFT


class Tile(NamedTuple):
    """Rows ``top:bottom`` and columns ``left:right`` of a segment; by FFT or weight by weight."""

    segment: Segment
    top: int
    bottom: int
    left: int
    right: int
    is_fft: bool

    @property
    def lags(self) -> Floats:
        """The profile from the least lag on, −∞ where it is hidden."""
        return lags(self.segment, self.top - self.right + 1, self.bottom - self.left)


def transform_error(length: int) -> float:
    """Return η of a transform of that length, a power of two."""
    return 4 * EPS * max(float(np.log2(length)), 1.0)


def fft_length(rows: int, columns: int) -> int:
    """Return the power of two in which the lags of a tile fit."""
    return 1 << (rows + columns - 2).bit_length()


@dataclass
class TilePlan:
    """The tiles of some rows of one head, and what FFT may round off of each row.

    Attributes
    ----------
    segments : list of Segment
    start, stop : int
        The rows.
    height : int
        Columns of a tile, at most.
    bounds : Bounds
        Of these rows.
    error : ndarray, shape (stop − start,)
        Filled by :meth:`tiles`: of numerators and denominators, relative to the sum of weights times the largest value.
    refused : ndarray of bool, shape (stop − start,)
        Likewise: rows of which FFT could not carry a tile.
    """

    segments: list[Segment]
    start: int
    stop: int
    height: int
    bounds: Bounds
    error: Floats = field(init=False)
    refused: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no errors."""
        self.error = np.zeros(self.stop - self.start)
        self.refused = np.zeros(self.stop - self.start, dtype=np.bool_)

    def tiles(self, first: int = 0) -> Iterator[Tile]:
        """Yield all tiles of columns from ``first`` on, where a chunk begins, by columns."""
        for left in range(first, self.stop, self.height):
            right = min(left + self.height, self.stop)
            for segment in self.segments:
                low, high = max(left, segment.first), min(right, segment.stop)
                if low < high:
                    yield from self._cut(Tile(segment, self.start, self.stop, low, high, is_fft=False))

    def _cut(self, tile: Tile) -> Iterator[Tile]:
        tile = tile._replace(top=max(tile.top, tile.left), right=min(tile.right, tile.bottom))
        rows, columns = tile.bottom - tile.top, tile.right - tile.left
        if rows <= 0 or columns <= 0:
            return
        is_seen = tile.right - 1 <= tile.top
        if is_seen and self._is_small(rows, columns):
            yield tile
        elif is_seen and (verdict := self._judge(tile)) is not None:
            if verdict:
                yield tile._replace(is_fft=True)
        elif max(rows, columns) <= SMALL:
            yield tile
        else:
            for half in _halves(tile, rows, columns):
                yield from self._cut(half)

    @staticmethod
    def _is_small(rows: int, columns: int) -> bool:
        """Return whether weights one by one cost less than FFT."""
        length = fft_length(rows, columns)
        return bool(rows * columns <= _FLOPS * length * max(np.log2(length), 1.0))

    def _judge(self, tile: Tile) -> bool | None:
        """Return whether FFT carries a tile, False where it adds nothing; None: it does not."""
        g = tile.lags
        largest = float(g.max())
        kernel = np.exp(g - largest)
        columns, mine = tile.right - tile.left, slice(tile.top - self.start, tile.bottom - self.start)
        rise = np.exp(np.minimum(largest - self.bounds.top[mine], 2 * PLAIN)) / self.bounds.weight[mine]
        if columns * rise.max() <= SKIPPED:
            self.error[mine] += columns * rise
            return False
        eta = transform_error(fft_length(self.stop - self.start, self.height))
        error = eta * np.sqrt(columns) * (2.1 * np.sqrt(np.dot(kernel, kernel)) + kernel.sum()) * rise
        if error.max() > LIMIT:
            self.refused[mine] |= error > LIMIT
            return None
        self.error[mine] += error
        return True


def _halves(tile: Tile, rows: int, columns: int) -> Iterator[Tile]:
    if rows >= columns:
        middle = tile.top + rows // 2
        yield tile._replace(bottom=middle)
        yield tile._replace(top=middle)
    else:
        middle = tile.left + columns // 2
        yield tile._replace(right=middle)
        yield tile._replace(left=middle)


def turn_by_weights(tile: Tile, values: Floats, top: Floats, sums: Floats) -> None:
    """Add exp(z − top) times the values of the tile's rows to sums of its columns: by the transposed tile.

    Parameters
    ----------
    values : ndarray, shape (rows, k)
    top : ndarray, shape (rows,)
    sums : ndarray, shape (columns, k)
    """
    windows, columns = sliding_window_view(tile.lags, tile.right - tile.left), tile.right - tile.left
    step = max(_STRIP // columns, 1)
    for low in range(0, len(top), step):
        mine = slice(low, min(low + step, len(top)))
        sums += (np.exp(windows[mine] - top[mine, None]).T @ values[mine])[::-1]


def multiply_by_weights(tile: Tile, values: Floats, top: Floats, sums: Floats) -> None:
    """Add exp(z − top) times the values of the tile's columns to sums of its rows.

    Parameters
    ----------
    values : ndarray, shape (columns, k)
    top : ndarray, shape (rows,)
    sums : ndarray, shape (rows, k)
    """
    g, columns = tile.lags, tile.right - tile.left
    largest, turned = float(g.max()), values[::-1]
    is_plain = float((largest - top).max()) <= PLAIN
    kernel = np.exp(g - largest) if is_plain else g
    windows = sliding_window_view(kernel, columns)
    step = max(_STRIP // columns, 1)
    for low in range(0, len(top), step):
        mine = slice(low, min(low + step, len(top)))
        if is_plain:
            sums[mine] += (np.ascontiguousarray(windows[mine]) @ turned) * np.exp(largest - top[mine])[:, None]
        else:
            sums[mine] += np.exp(windows[mine] - top[mine, None]) @ turned


class Spectrum:
    """Sums of tiles that share their rows, kept as transforms until all have been added: one inverse for all of them.

    Parameters
    ----------
    rows, columns : int
        Of the largest tile.
    sides : int
        Columns of values.
    """

    def __init__(self, rows: int, columns: int, sides: int) -> None:
        self.rows, self.length = rows, fft_length(rows, columns)
        self._sum = np.zeros((sides, self.length // 2 + 1), dtype=np.complex128)
        self._padded = np.zeros((sides, self.length))

    def add(self, logits: Floats, values: Floats, largest: float) -> None:
        """Add a tile by its lags, with weights relative to exp(``largest``), no less than its own largest."""
        columns = len(values)
        # Lags end where the last row meets the first column: the result begins at place columns − 1, moved to 0
        kernel = np.zeros(self.length)
        g = np.exp(logits - largest)
        kernel[: len(g) - columns + 1] = g[columns - 1 :]
        if columns > 1:
            kernel[-(columns - 1) :] = g[: columns - 1]
        self._padded[:, :columns] = values.T
        self._padded[:, columns:] = 0.0
        found = fft.rfft(self._padded, axis=1)
        found *= fft.rfft(kernel)
        self._sum += found

    def finish(self) -> Floats:
        """Return the sums, shape (rows, sides)."""
        return np.asarray(fft.irfft(self._sum, self.length, axis=1)[:, : self.rows].T)
