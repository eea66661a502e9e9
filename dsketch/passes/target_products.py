"""Products of new rows with the answers of very many targets: made, and written, where the rows are read.

x has more numbers than a worker should hold, and so have the predictions of a block: both are taken box by box of targets, for a few rows
at a time.  A target without an answer is NaN in x and in what is predicted, so it is A that shows what is not finite.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats, State
from dsketch.matrix.base import Matrix
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.writing import Box, write_box


class TargetAnswers(NamedTuple):
    """The answers by which rows are multiplied.

    Attributes
    ----------
    x : ndarray or zarr.Array, shape (d, targets…)
    intercept : bool
        Whether its last row belongs to a column of ones.
    chunk : tuple of int
        Rows and targets of a piece of the predictions: these are made by one product.
    """

    x: Any
    intercept: bool
    chunk: tuple[int, ...]

    def boxes(self) -> Iterator[Box]:
        """Yield the boxes of targets, in C order."""
        shape, steps = self.x.shape[1:], self.chunk[1:]
        for place in np.ndindex(*(-(-size // step) for size, step in zip(shape, steps, strict=True))):
            yield tuple(slice(at * step, min((at + 1) * step, size)) for at, step, size in zip(place, steps, shape, strict=True))

    def pieces(self, block: Block) -> Iterator[tuple[slice, Box, Floats, Floats]]:
        """Yield the pieces of a block that begins where a piece does: which rows, which targets, the rows of A, and A x of these."""
        for start, X, _ in block.slices(self.chunk[0]):
            for box in self.boxes():
                values = np.asarray(self.x[(slice(None), *box)])
                flat = values.reshape(len(values), -1)
                y = X @ flat[: X.shape[1]] + (flat[-1] if self.intercept else 0.0)
                yield slice(start, start + len(X)), box, X, y.reshape(len(X), *values.shape[1:])


@dataclass(frozen=True)
class TargetProducts(Pass[Floats]):
    """Finish to A x, shape (m, targets…).

    Parameters
    ----------
    answers : TargetAnswers

    Notes
    -----
    One read of A; 2 m d flops a target.  x is read once for each ``chunk[0]`` rows.  A part holds the numbers as integers of the same
    bits, as NaN is no fault here.
    """

    answers: TargetAnswers

    kind: ClassVar[str] = "predict targets"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows, and the largest magnitude of each column of A."""
        found = np.empty((block.stop - block.start, *self.answers.x.shape[1:]))
        largest = np.zeros(int(block.A.shape[1]))
        for rows, box, X, y in self.answers.pieces(block):
            found[(slice(rows.start - block.start, rows.stop - block.start), *box)] = y
            largest = np.maximum(largest, np.abs(X).max(axis=0))
        own = (found.view(np.int64), largest)
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Put one under the other."""
        return np.concatenate([left[0], right[0]]), np.maximum(left[1], right[1])

    def finish(self, part: Part) -> Floats:
        """Return all rows."""
        rows: Floats = part[0].view(np.float64)
        return rows

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a piece of the predictions, and of x."""
        del sides
        return 8 * prod(self.answers.chunk[1:]) * (self.answers.chunk[0] + columns)


@dataclass(frozen=True)
class WriteTargetProducts(Pass[int]):
    """Write A x into a Zarr array; finish to the number of rows.

    Parameters
    ----------
    answers : TargetAnswers
    target : zarr.Array, shape (m, targets…)
        Its chunks are those of ``answers``, and every worker must see the place where it lies.
    """

    answers: TargetAnswers
    target: "zarr.Array[Any]"

    kind: ClassVar[str] = "predict targets"
    writes: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Write the pieces of a block."""
        largest = np.zeros(int(block.A.shape[1]))
        for rows, box, X, y in self.answers.pieces(block):
            write_box(self.target, (rows, *box), y)
            largest = np.maximum(largest, np.abs(X).max(axis=0))
        own = (np.array([float(block.stop - block.start)]), largest)
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Add the rows; keep the larger magnitudes."""
        return left[0] + right[0], np.maximum(left[1], right[1])

    def finish(self, part: Part) -> int:
        """Return how many rows were written."""
        return int(part[0][0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a piece of the predictions, and of x."""
        del sides
        return 8 * prod(self.answers.chunk[1:]) * (self.answers.chunk[0] + columns)

    def state(self) -> Iterator[State]:
        """Yield what is multiplied, and where it is written."""
        yield repr((self.kind, self.answers.x, self.answers.intercept, self.answers.chunk, self.target))

    def names(self) -> str:
        """Return the kind, and that it writes."""
        return f"{self.kind} → Zarr"


def align_to_pieces(A: Matrix, height: int) -> tuple[Matrix, int]:
    """Return A in blocks of whole pieces, and the rows of a piece: ``height`` at the most.

    Blocks of one height keep their cuts where a number of rows near ``height`` divides them, or some of them are one piece.

    >>> from dsketch.matrix.array import ArrayMatrix
    >>> whole = ArrayMatrix(np.ones((250, 1)))
    >>> [align_to_pieces(Recut(whole, [*range(0, 250, step), 250]), 40)[1] for step in (100, 12, 97)]
    [25, 36, 40]
    """
    heights, rows = np.diff(A.cuts), int(A.shape[0])
    height = max(min(height, rows), 1)
    if (heights[:-1] == heights[0]).all() and heights[-1] <= heights[0]:
        tall = int(heights[0])
        if tall <= height:
            height = height // tall * tall
        else:
            divisor = next(one for one in range(height, 0, -1) if tall % one == 0)
            if 2 * divisor >= height:
                return A, divisor
    moved = np.minimum((A.cuts[:-1] + height // 2) // height * height, rows)
    return Recut(A, np.unique(np.append(moved, rows))), height
