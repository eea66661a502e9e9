"""Sweeps of tiles of the exponential kernel, which is never formed.

With centred rows c = √s (a − mean) the kernel exp(s⟨aᵢ, aⱼ⟩) is E G E, where E = diag exp(s‖a‖²/2) and Gᵢⱼ = exp(−‖cᵢ − cⱼ‖²/2) ≤ 1 cannot
overflow.  The exponents of a tile are one product of augmented rows, [c, −h, 1]·[c, 1, −h]ᵀ with h = ‖c‖²/2; its exponential is taken
in place, in the processor's cache, and used for both sides of the diagonal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.matrix.base import Cuts, Matrix
from dsketch.matrix.cache import BlockCache
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Block, Rows
from dsketch.passes.base import Part, Pass
from dsketch.passes.rowwise import RowPass

# A tile of so many rows and columns has 2 MB: the exponential and two products each make one sweep of it at cache speed.
TILE = 512
LONGEST = 700.0  # beyond s ‖a‖²/2 = 709 the exponential of a row is not a number
PIECES = 64  # so many panels of a sweep keep as many threads busy, and merging their n-vectors costs nothing
_BLOCK_ROWS = (256, 4096)  # the fewest and the most augmented rows that are in memory at once, twice
_BLOCK_BYTES = 32_000_000
_COPY_BYTES = 128_000_000  # a pass may keep so much of decoded, centred rows in a process


def sweep_cuts(rows: int, columns: int) -> Cuts:
    """Return the blocks of a sweep: a function of the shape alone; even in number, so that each has the same share.

    Up to ``PIECES`` blocks their number is a power of two (a block a panel), beyond it a multiple of ``PIECES``.
    """
    height = min(max(_BLOCK_BYTES // (8 * (columns + 2)), _BLOCK_ROWS[0]), _BLOCK_ROWS[1])
    count = -(-rows // height)
    if count > PIECES:
        count = PIECES * -(-count // PIECES)
    else:
        count = max(1 << (count - 1).bit_length(), min(1 << ((rows // TILE) | 1).bit_length() - 1, PIECES))
    return np.arange(count + 1, dtype=np.int64) * rows // count


def sweep_rows(A: Matrix) -> Rows:
    """Return A's rows in the blocks of a sweep."""
    return Rows(Recut(A, sweep_cuts(*A.shape)), pieces=PIECES)


@dataclass(frozen=True)
class _Sweep(Pass[Floats]):
    """What both kernel passes share: the rows of the other side, centred and augmented, read in spans."""

    others: Matrix
    mean: Floats
    scale: float
    v: Floats

    @cached_property
    def _copies(self) -> BlockCache:
        """Decoded spans, kept as long as this pass lives in this process; raw rows are as near as a copy would be."""
        return BlockCache(0 if self.others.is_raw else _COPY_BYTES)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the copies behind."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def _cuts(self) -> Cuts:
        return sweep_cuts(*self.others.shape)

    def _right(self, number: int) -> tuple[int, int, Floats]:
        """Return start, stop and [c, 1, −h] of a block of the other side."""
        cuts = self._cuts
        start, stop = int(cuts[number]), int(cuts[number + 1])
        R: Any = self._copies.get("", (start, stop))
        if R is None:
            R = augment(self.others.read(start, stop), self.mean, self.scale, is_left=False)
            if self._copies.limit_bytes:
                self._copies.offer("", (start, stop), R)
        return start, stop, R

    def _left(self, block: Block) -> Floats:
        """Return [c, −h, 1] of a block."""
        L = np.empty((block.stop - block.start, block.columns + 2))
        for start, X, _ in block.slices():
            low = start - block.start
            L[low : low + len(X)] = augment(X, self.mean, self.scale, is_left=True)
        return L


@dataclass(frozen=True)
class KernelProduct(_Sweep):
    """Finish to G v, shape (n, k), over the rows of :func:`sweep_rows` of the same matrix.

    Parameters
    ----------
    others : Matrix, shape (n, d)
        The matrix itself.
    mean : ndarray, shape (d,)
    scale : float
    v : ndarray, shape (n, k)

    Notes
    -----
    n²/2 exponentials, n² (d/2 + 1 + 2k) multiplications and additions; n k numbers a part.  Block i of N takes the blocks i … i + N/2 of a
    circle, so that each pair is met once and each block has the same work; of the pair opposite on the circle each takes half.
    The exponents are not clipped at 0: where rounding lifts one above, G is off by no more than it is anywhere, u h.
    """

    kind: ClassVar[str] = "kernel"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add both products of each tile of the block's share."""
        (out,) = part or (np.zeros(self.v.shape),)
        cuts = self._cuts
        own, count = int(np.searchsorted(cuts, block.start)), len(cuts) - 1
        L, low, high = self._left(block), block.start, block.stop
        _diagonal(L, self._right(own)[2], self.v[low:high], out[low:high])
        for rows, number in _share(own, count, high - low, cuts):
            start, stop, R = self._right(number)
            part_rows, part_columns = rows
            _tiles(
                L[part_rows],
                R[part_columns],
                self.v[low:high][part_rows],
                self.v[start:stop][part_columns],
                out[low:high][part_rows],
                out[start:stop][part_columns],
            )
        return (out,)

    def finish(self, part: Part) -> Floats:
        """Return G v."""
        product: Floats = part[0]
        return product

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return n k numbers."""
        del columns, sides
        return int(self.v.nbytes)


@dataclass(frozen=True)
class KernelRows(_Sweep, RowPass):
    """Finish to exp(s⟨new, others⟩) v for the rows of a new matrix, shape (m, k): predictions.

    Parameters
    ----------
    others : Matrix, shape (n, d)
    mean : ndarray, shape (d,)
        Zeros: lengths are those of the rows themselves, whose exponentials are taken in and out here.
    scale : float
    v : ndarray, shape (n, k)

    Notes
    -----
    m n exponentials; each new row is swept against all others in spans.
    """

    kind: ClassVar[str] = "kernel rows"
    height: ClassVar[int | None] = 4 * TILE

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the products of a slice of new rows.

        Raises
        ------
        DataError
            If exp(s‖a‖²/2) of a new row overflows.
        """
        del Y
        L, out = augment(X, self.mean, self.scale, is_left=True), np.zeros((len(X), self.v.shape[1]))
        half = -L[:, -2:-1]
        if half.max() > LONGEST:
            raise DataError(
                f"s‖a‖²/2 must be at most {LONGEST:.0f} for every new row, or exp overflows; one has {half.max():.4g} at scale="
                f"{self.scale:g}. Scale the rows as those that x belongs to."
            )
        for number in range(len(self._cuts) - 1):
            start, stop, R = self._right(number)
            _tiles(L, R, None, np.exp(-R[:, -1:]) * self.v[start:stop], out, None)
        return np.exp(half) * out

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return k numbers a row of a large block."""
        del columns, sides
        return 8 * int(self.v.shape[1]) * _BLOCK_ROWS[1]


def augment(X: Any, mean: Floats, scale: float, *, is_left: bool) -> Floats:
    """Return rows [c, −h, 1] (left) or [c, 1, −h] (right), c = √scale (x − mean), h = ‖c‖²/2."""
    d = X.shape[1]
    Z = np.empty((X.shape[0], d + 2))
    np.subtract(X if isinstance(X, np.ndarray) else X.toarray(), mean, out=Z[:, :d])
    Z[:, :d] *= np.sqrt(scale)
    Z[:, d if is_left else d + 1] = -0.5 * np.einsum("ij,ij->i", Z[:, :d], Z[:, :d])
    Z[:, d + 1 if is_left else d] = 1.0
    return Z


def _share(own: int, count: int, height: int, cuts: Cuts) -> Iterator[tuple[tuple[slice, slice], int]]:
    """Yield which rows of the block meet which rows of which other block."""
    whole = slice(None)
    for step in range(1, (count + 1) // 2):
        yield (whole, whole), (own + step) % count
    if count > 1 and count % 2 == 0:
        other = (own + count // 2) % count
        if own < other:  # the upper half of its own rows; the other block takes the lower half
            yield (slice(0, height // 2), whole), other
        else:
            middle = int(cuts[other + 1] - cuts[other]) // 2
            yield (whole, slice(middle, None)), other


def _diagonal(L: Floats, R: Floats, v: Floats, out: Floats) -> None:
    """Add the products of a block with itself: tiles above the diagonal for both sides, those on it for one."""
    for low in range(0, len(L), TILE):
        high = min(low + TILE, len(L))
        _tiles(L[low:high], R[low:high], None, v[low:high], out[low:high], None)
        _tiles(L[low:high], R[high:], v[low:high], v[high:], out[low:high], out[high:])


def _tiles(L: Floats, R: Floats, v_left: Floats | None, v_right: Floats, out_left: Floats, out_right: Floats | None) -> None:
    """Add exp(L Rᵀ) v to the left rows and, unless that side is None, the transposed product to the right ones."""
    if v_right.shape[1] == 1:  # vectors: matrix-vector products read a tile at full speed
        v_left, v_right = None if v_left is None else v_left[:, 0], v_right[:, 0]
        out_left, out_right = out_left[:, 0], None if out_right is None else out_right[:, 0]
    for top in range(0, len(L), TILE):
        rows = slice(top, min(top + TILE, len(L)))
        for left in range(0, len(R), TILE):
            columns = slice(left, min(left + TILE, len(R)))
            T = scratch("tile", (rows.stop - top, columns.stop - left))
            np.matmul(L[rows], R[columns].T, out=T)
            np.exp(T, out=T)
            out_left[rows] += T @ v_right[columns]
            if v_left is not None and out_right is not None:
                out_right[columns] += T.T @ v_left[rows]
