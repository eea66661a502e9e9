"""Causal attention by a convolution basis: rows in blocks, each against chunks of V by FFT where its range allows, else weight by weight.

No n × n weights and no difference of profiles: every kernel is at least 0, so nothing cancels.  A block adds the tiles that share its
rows as transforms and transforms back once.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix, even_cuts
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Block, Rows
from dsketch.passes.base import Part, Pass
from dsketch.passes.basis import Basis, bound_weights
from dsketch.passes.conv_tiles import Spectrum, Tile, TilePlan, multiply_by_weights
from dsketch.passes.polynomial import with_ones
from dsketch.passes.rowwise import RowPass
from dsketch.passes.spans import Spans

BLOCKS = 16  # of rows, at most so many while one fits: few, since each transforms all of V that it sees
_LEAST_ROWS = 512
_BLOCK_BYTES = 32_000_000  # the largest block of rows, with what is summed for them


def conv_height(rows: int, columns: int) -> int:
    """Return the height of blocks of so many rows, a power of two, which transforms fit: a function of the shape alone.

    Parameters
    ----------
    columns : int
        Numbers of Q, V and the answer in a row.
    """
    wanted = 1 << (-(-rows // BLOCKS) - 1).bit_length() if rows > BLOCKS else 1
    most = 1 << max(_BLOCK_BYTES // (8 * columns), 1).bit_length() - 1
    return max(min(wanted, most), _LEAST_ROWS)


def conv_rows(A: Matrix, beside: Matrix | None, height: int, names: tuple[str, str]) -> Rows:
    """Return rows in blocks of that height."""
    return Rows(Recut(A, even_cuts(A.shape[0], height)), beside, pieces=BLOCKS, names=names)


@dataclass(frozen=True)
class Tiling:
    """How blocks of rows meet chunks of V.

    Attributes
    ----------
    basis : Basis
    height : int
        Rows of a block and of a chunk.
    """

    basis: Basis
    height: int

    def plan(self, head: int, start: int, stop: int) -> TilePlan:
        """Return the tiles of a block for one head."""
        segments = self.basis.segments(head)
        return TilePlan(segments, start, stop, self.height, bound_weights(segments, start, stop))

    def state(self) -> Iterator[object]:
        """Yield what tells tilings apart."""
        yield from self.basis.state()
        yield repr(self.height)


class Carried(NamedTuple):
    """What FFT carries.

    Attributes
    ----------
    refused : int
        Rows, of all heads, of which FFT could not carry a tile: they were cut down to tiles that it carries, or made weight by weight.
    error : float
        Bound on what FFT rounds off of numerators and denominators, relative to the sum of weights times the largest value.
    """

    refused: int
    error: float


@dataclass(frozen=True)
class ConvGuard(Pass[Carried]):
    """Finish to what FFT carries, from the profiles alone: no row is read.

    Parameters
    ----------
    tiling : Tiling

    Notes
    -----
    O(n) exponentials for each profile and block.
    """

    tiling: Tiling

    kind: ClassVar[str] = "range of profiles"

    def map(self, block: Block, part: Part | None) -> Part:
        """Plan the tiles of a block."""
        refused, error = part or (np.zeros(1), np.zeros(1))
        for head in range(len(self.tiling.basis.starts)):
            plan = self.tiling.plan(head, block.start, block.stop)
            for _ in plan.tiles():
                pass
            refused, error = refused + plan.refused.sum(), np.maximum(error, plan.error.max())
        return refused, error

    def merge(self, left: Part, right: Part) -> Part:
        """Add the rows; keep the larger error."""
        return left[0] + right[0], np.maximum(left[1], right[1])

    def finish(self, part: Part) -> Carried:
        """Return both."""
        return Carried(int(part[0][0]), float(part[1][0]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return two numbers."""
        del columns, sides
        return 16


class BlockTiles:
    """The tiles of a block of rows and a head.

    Parameters
    ----------
    tiling : Tiling
    head : int
    start, stop : int
        The rows.
    """

    def __init__(self, tiling: Tiling, head: int, start: int, stop: int) -> None:
        plan = tiling.plan(head, start, stop)
        self.start, self.stop, self.height = start, stop, tiling.height
        self.tiles, self.top = list(plan.tiles()), plan.bounds.top

    @cached_property
    def largest(self) -> float | None:
        """The largest logit of tiles that have all rows, and are multiplied by FFT; None: there are none."""
        return max((float(tile.lags.max()) for tile in self.tiles if self.is_whole(tile)), default=None)

    def split(self, is_taken: Callable[[Tile], bool]) -> tuple[list[Tile], "BlockTiles"]:
        """Return the tiles of which that is true, and a block of the others."""
        taken, rest = [tile for tile in self.tiles if is_taken(tile)], copy(self)
        rest.tiles = [tile for tile in self.tiles if not is_taken(tile)]
        return taken, rest

    def is_whole(self, tile: Tile) -> bool:
        """Whether a tile has all rows, and is multiplied by FFT."""
        return tile.is_fft and (tile.top, tile.bottom) == (self.start, self.stop)


class BlockSums:
    """Sums of exp(z − top) times values over the tiles of a block: those that have all its rows as transforms, the others as they are.

    Parameters
    ----------
    block : BlockTiles
    top : ndarray, shape (rows,)
        No less than each row's largest logit.
    sides : int
        Columns of values.
    """

    def __init__(self, block: BlockTiles, top: Floats, sides: int) -> None:
        self.block, self.top = block, top
        rows = block.stop - block.start
        self._spectrum = None if block.largest is None else Spectrum(rows, block.height, sides)
        self._sums = np.zeros((rows, sides))

    def add(self, left: int, values: Floats) -> None:
        """Add the tiles of the chunk of columns that begins at ``left``."""
        block = self.block
        for tile in block.tiles:
            if left <= tile.left < left + len(values):
                own = values[tile.left - left : tile.right - left]
                if self._spectrum is not None and block.largest is not None and block.is_whole(tile):
                    self._spectrum.add(tile.lags, own, block.largest)
                else:
                    self._add_alone(tile, own)

    def _add_alone(self, tile: Tile, values: Floats) -> None:
        mine = slice(tile.top - self.block.start, tile.bottom - self.block.start)
        if not tile.is_fft:
            multiply_by_weights(tile, values, self.top[mine], self._sums[mine])
            return
        g = tile.lags
        largest, few = float(g.max()), Spectrum(tile.bottom - tile.top, len(values), values.shape[1])
        few.add(g, values, largest)
        self._sums[mine] += few.finish() * np.exp(largest - self.top[mine])[:, None]

    def finish(self) -> Floats:
        """Return the sums, shape (rows, sides)."""
        if self._spectrum is not None and self.block.largest is not None:
            self._sums += self._spectrum.finish() * np.exp(self.block.largest - self.top)[:, None]
        return self._sums


@dataclass(frozen=True)
class ConvRows(RowPass):
    """Finish to the attention of rows by a convolution basis, shape (n, heads · p).

    Parameters
    ----------
    tiling : Tiling
    values : Spans
        V, shape (n, heads · p).
    factors : ndarray, shape (heads · p,)
        Powers of two that bring the columns of V near 1, so that no transform overflows.

    Notes
    -----
    Rows of Q are not read.  A block reads V up to its last row, and transforms it: O(n log h) for each column of V and block of h rows.
    """

    tiling: Tiling
    values: Spans
    factors: Floats

    kind: ClassVar[str] = "rows by convolution"

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        own = (self.attend(block.start, block.stop),)
        return own if part is None else self.merge(part, own)

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the first rows of all."""
        del Y
        return self.attend(0, len(X))

    def attend(self, start: int, stop: int) -> Floats:
        """Return the attention of some rows."""
        return np.concatenate([sums[:, :-1] / sums[:, -1:] for _, sums in self.sum_up(start, stop)], axis=1) / self.factors

    def sum_up(self, start: int, stop: int) -> list[tuple[BlockTiles, Floats]]:
        """Return, for each head, the tiles of some rows and Σ exp(z − top) [v 1], of values times their factors."""
        heads, height = len(self.tiling.basis.starts), self.tiling.height
        sides = self.values.matrices[0].shape[1] // heads + 1
        blocks = [BlockTiles(self.tiling, head, start, stop) for head in range(heads)]
        sums = [BlockSums(block, block.top, sides) for block in blocks]
        for left in range(0, stop, height):
            (V,) = self.values.read(left, min(left + height, stop))
            for each, values in zip(sums, with_ones(V * self.factors, heads), strict=True):
                each.add(left, values)
        return [(block, each.finish()) for block, each in zip(blocks, sums, strict=True)]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the numbers of a row of a block of 4096, at least."""
        del columns, sides
        return 8 * self.values.matrices[0].shape[1] * 4096
