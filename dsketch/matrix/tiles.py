"""Boxes of targets as the blocks of a run: the tall thing is the list of targets, a row of the run is a target.

How targets are cut is a function of b alone (shape, chunks, type, whether a part of a chunk has a price of its own), never of machines:
so the bits are the same on any number of workers.  A tile that fits in memory with all its rows is read once, whole; one whose chunks are
wider than that is streamed, some rows at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import NamedTuple

import numpy as np

from dsketch.matrix.base import AnyArray, Cuts, Matrix
from dsketch.matrix.targets import Box, Targets

TILE_BYTES = 64_000_000  # of b, as stored: the files and calls of a tile cost little beside so many numbers
_LEAST_RUN_BYTES = 4096  # a raw chunk is cut along its targets while what lies together in its file is at least a page
SLAB_NUMBERS = 120_000  # as float64 1 MB: they stay in a second-level cache
_LEAST_ROWS, _MOST_ROWS = 32, 512  # of a slab, by which wide chunks are cut and narrow ones taken together
_PIECE_TARGETS = 32_768  # of a streamed tile, answered and written at once: some MB


@dataclass(frozen=True)
class Grid:
    """How the targets of b are cut.

    Attributes
    ----------
    shape : tuple of int
        (n, targets…).
    box : tuple of int
        Targets of a tile, by trailing dimension.
    piece : tuple of int
        Targets of a tile that are answered and written at once, a chunk of the results; tiles are whole pieces.
    rows : int
        Of b in memory at once; n where a tile is read whole.
    slab : Slab or None
        What is read at once where a part of a chunk has a price of its own, by whoever needs not all rows of a target together.
    """

    shape: tuple[int, ...]
    box: tuple[int, ...]
    piece: tuple[int, ...]
    rows: int
    slab: "Slab | None" = None

    @property
    def is_whole(self) -> bool:
        """Whether a tile is in memory with all its rows."""
        return self.rows >= self.shape[0]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of tiles by trailing dimension."""
        return tuple(-(-size // step) for size, step in zip(self.shape[1:], self.box, strict=True))

    @cached_property
    def cuts(self) -> Cuts:
        """Numbers of targets between tiles, in the order of tiles."""
        sizes = np.ones(1, np.int64)
        for size, step, count in zip(self.shape[1:], self.box, self.counts, strict=True):
            along = np.full(count, step, np.int64)
            along[-1] = size - step * (count - 1)
            sizes = np.multiply.outer(sizes, along).ravel()
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    def box_of(self, number: int) -> Box:
        """Return the box of a tile."""
        place = np.unravel_index(number, self.counts) if self.counts else ()
        return tuple(
            slice(int(at) * step, min((int(at) + 1) * step, size))
            for at, step, size in zip(place, self.box, self.shape[1:], strict=True)
        )

    def pieces_of(self, box: Box) -> Iterator[Box]:
        """Yield the pieces of a tile, in order."""
        starts = [range(one.start, one.stop, step) for one, step in zip(box, self.piece, strict=True)]
        for place in np.ndindex(*map(len, starts)):
            corner = [along[at] for along, at in zip(starts, place, strict=True)]
            yield tuple(slice(low, min(low + step, one.stop)) for low, step, one in zip(corner, self.piece, box, strict=True))


class Slab(NamedTuple):
    """Rows, and a step along the first dimension of the targets, that stay in a second-level cache together."""

    rows: int
    step: int


def grid_of(targets: Targets, most_bytes: int = TILE_BYTES) -> Grid:
    """Return how targets are cut.

    Chunks that are small in all their rows are taken several at a time, along the last dimensions first.  A raw chunk that is large is
    cut along its targets; one that must be decoded as a whole is streamed over its rows.
    """
    grid = _cut(targets, most_bytes)
    return (
        grid
        if targets.is_local or not targets.is_divisible or not targets.trailing
        else replace(grid, slab=_slab_of(targets, grid))
    )


def _slab_of(targets: Targets, grid: Grid) -> Slab:
    """Return as many rows of a chunk as stay in a cache; of wide chunks a part, of narrow ones several, for the sake of their calls."""
    beside = prod(min(step, size) for step, size in zip(grid.box[1:], targets.trailing[1:], strict=True))
    chunk = min(targets.chunks[1], grid.box[0])
    several = max(SLAB_NUMBERS // _MOST_ROWS // beside // chunk, 1) * chunk
    step = max(min(several, grid.box[0], SLAB_NUMBERS // _LEAST_ROWS // beside), 1)
    return Slab(max(SLAB_NUMBERS // (step * beside), 1), step)


def _cut(targets: Targets, most_bytes: int) -> Grid:
    n, trailing, item = targets.shape[0], targets.trailing, targets.dtype.itemsize
    chunk = tuple(min(size, whole) for size, whole in zip(targets.chunks[1:], trailing, strict=True))
    room = max(most_bytes // (n * item), 1)  # targets of a tile with all rows
    if prod(chunk) <= room:
        box = _grow(chunk, trailing, room)
        return Grid(targets.shape, box, box, n)
    if targets.is_divisible:
        box = _shrink(chunk, max(room, min(_LEAST_RUN_BYTES // item, prod(chunk))))
        rows = n if prod(box) <= 2 * room else max(most_bytes // (prod(box) * item), 1)
        return Grid(targets.shape, box, box, rows)
    wanted = max(most_bytes // (prod(chunk) * item), 1)
    height = min(targets.chunks[0], n)
    rows = height * (wanted // height) if wanted >= height else height
    piece = _shrink(chunk, _PIECE_TARGETS)
    fitting = [_fit(part, size, is_all=size == all_) for part, size, all_ in zip(piece, chunk, trailing, strict=True)]
    return Grid(targets.shape, tuple(size for _, size in fitting), tuple(part for part, _ in fitting), min(rows, n))


def _grow(chunk: tuple[int, ...], whole: tuple[int, ...], room: int) -> tuple[int, ...]:
    """Return several chunks as a box of at most ``room`` targets, whole along a dimension before the one ahead of it grows."""
    box = list(chunk)
    for axis in range(len(box) - 1, -1, -1):
        others = prod(box) // box[axis]
        box[axis] = min(max(room // others // chunk[axis], 1) * chunk[axis], whole[axis])
        if box[axis] < whole[axis]:
            break
    return tuple(box)


def _shrink(chunk: tuple[int, ...], room: int) -> tuple[int, ...]:
    """Return a part of a chunk of at most ``room`` targets, or one, cut along its first dimensions; parts are even."""
    box = list(chunk)
    for axis in range(len(box)):
        others = prod(box) // box[axis]
        if others < room or axis == len(box) - 1:
            box[axis] = _even(chunk[axis], max(room // others, 1))
            break
        box[axis] = 1
    return tuple(box)


def _even(size: int, most: int) -> int:
    """Return the size of even parts, the last one smaller, of which none has more than ``most``."""
    return -(-size // -(-size // most))


def _fit(part: int, size: int, *, is_all: bool) -> tuple[int, int]:
    """Return a part near the one wanted and a tile of whole parts along an axis: no two tiles may write one chunk of the results.

    Where a chunk has all of an axis its tile may reach beyond the end; elsewhere parts divide the chunk.

    >>> _fit(22, 721, is_all=True), _fit(22, 721, is_all=False)
    ((22, 726), (7, 721))
    """
    if is_all:
        return part, part * -(-size // part)
    return max(divisor for divisor in range(1, part + 1) if size % divisor == 0), size


@dataclass
class Tile:
    """A box of targets, to be read: what stands for the rows of A in a block of the run."""

    targets: Targets
    grid: Grid
    number: int
    box: Box

    @property
    def shape(self) -> tuple[int, int]:
        """(targets, n)."""
        return prod(one.stop - one.start for one in self.box), self.grid.shape[0]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of what is stored."""
        return self.targets.dtype

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the rows that are in memory at once."""
        for low in range(0, self.grid.shape[0], self.grid.rows):
            yield low, min(low + self.grid.rows, self.grid.shape[0])

    def strips(self) -> Iterator[tuple[slice, "Tile"]]:
        """Yield which of its targets each part has, and the part: where chunks are raw, what a chunk has along the first dimension.

        A part that is one chunk is read as it lies, without a copy.
        """
        if self.targets.is_local or not (self.targets.is_divisible and self.box):
            yield slice(0, self.shape[0]), self
            return
        yield from self.steps(self.targets.chunks[1])

    def steps(self, step: int) -> Iterator[tuple[slice, "Tile"]]:
        """Yield which of its targets each part of a step along the first dimension has, and the part; chunks begin a part."""
        (first, *others), chunk = self.box, max(self.targets.chunks[1], step)
        beside = prod(one.stop - one.start for one in others)
        low = first.start
        while low < first.stop:
            begun = low // chunk * chunk
            along = slice(low, min(begun + ((low - begun) // step + 1) * step, begun + chunk, first.stop))
            low = along.stop
            which = slice((along.start - first.start) * beside, (along.stop - first.start) * beside)
            yield which, Tile(self.targets, self.grid, self.number, (along, *others))

    def read(self, start: int, stop: int, buffer: AnyArray | None = None) -> AnyArray:
        """Return rows of the box as stored, shape (rows, box…); ``buffer`` is reused where it fits."""
        shape = (stop - start, *(one.stop - one.start for one in self.box))
        if self.targets.is_local:
            return self.targets.read(start, stop, self.box, np.empty(0, self.dtype))
        size = prod(shape)
        flat = np.empty(size, self.dtype) if buffer is None or buffer.size < size else buffer.reshape(-1)[:size]
        return self.targets.read(start, stop, self.box, flat.reshape(shape))


class TileMatrix(Matrix):
    """The targets of b as rows: what the passes of the run look at, a tile a block.

    Parameters
    ----------
    targets : Targets, shape (n, ...)
    """

    is_raw = True
    is_kept = False

    def __init__(self, targets: Targets, grid: Grid | None = None) -> None:
        self.targets, self.grid = targets, grid or grid_of(targets)
        self.shape = (prod(targets.trailing), targets.shape[0])
        self.dtype, self.source, self.is_local = targets.dtype, targets.source, targets.is_local

    @property
    def cuts(self) -> Cuts:
        """Numbers of targets between tiles."""
        return self.grid.cuts

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return the targets of a tile, as rows."""
        del out
        tile = self.tile(start, stop)
        return np.ascontiguousarray(tile.read(0, self.shape[1]).reshape(self.shape[1], -1).T)

    def open_rows(self, start: int, stop: int, out: AnyArray | None = None) -> Tile:  # type: ignore[override]  # read by its pass
        """Return the tile, unread; the disk is asked for one that will be read whole."""
        del out
        tile = self.tile(start, stop)
        if self.grid.is_whole:
            self.targets.ask_for(tile.box)
        return tile

    def tile(self, start: int, stop: int) -> Tile:
        """Return the tile of targets ``start:stop`` in the order of tiles."""
        number = int(np.searchsorted(self.cuts, start, side="right")) - 1
        if (start, stop) != (self.cuts[number], self.cuts[number + 1]):
            raise AssertionError(f"targets {start}:{stop} are no tile")  # a fault of the engine's
        return Tile(self.targets, self.grid, number, self.grid.box_of(number))

    def window(self, start: int, stop: int) -> "TileMatrix":
        """Return what a worker needs for some tiles."""
        first, last = np.searchsorted(self.cuts, [start, stop])
        boxes = [self.grid.box_of(number) for number in range(int(first), int(last))]
        return TileMatrix(self.targets.window(boxes), self.grid)

    def fingerprint(self) -> str:
        """Return that of the targets."""
        return self.targets.fingerprint()

    def describe(self) -> str:
        """Return where they lie."""
        return self.targets.describe()
