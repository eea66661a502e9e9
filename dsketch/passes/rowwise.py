"""Passes that give something for every row: products X w, squared lengths, right-hand sides, chosen rows.

Their results have n rows and live on the driver.  They belong to problems whose work grows with n², where an n-vector is small;
no method for tall least squares asks for them.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass


class RowPass(Pass[Floats]):
    """A pass whose part holds the rows of its blocks, in order."""

    accumulates: ClassVar[bool] = False
    height: ClassVar[int | None] = None  # rows of a slice; None: what stays in the cache

    @abstractmethod
    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the result's rows for a slice of X and b."""

    def ahead(self) -> Pass[Any] | None:
        """Return a pass over all rows that must be answered first, if a row's result depends on the others."""
        return None

    def informed_by(self, found: Any) -> "RowPass":
        """Return the pass that knows what the one ahead has found."""
        del found
        return self

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        own = (np.concatenate([self.of(X, Y) for _, X, Y in block.slices(self.height, sparse=self.takes_sparse)]),)
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Put one under the other."""
        return (np.concatenate([left[0], right[0]]),)

    def finish(self, part: Part) -> Floats:
        """Return all rows."""
        rows: Floats = part[0]
        return rows


class PlacedRowPass(RowPass):
    """A row pass whose rows depend on where they lie among all: a block is taken whole, or by slices of :meth:`slice_height` rows."""

    @abstractmethod
    def rows_at(self, start: int, X: Floats, Y: Floats) -> Floats:
        """Return the result's rows for rows ``start …`` of X and b."""

    def slice_height(self, block: Block) -> int:
        """Return how many rows are taken at once."""
        return block.stop - block.start

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the result's rows for the first rows of all."""
        return self.rows_at(0, X, Y)

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the block's rows."""
        found = [self.rows_at(start, X, Y) for start, X, Y in block.slices(self.slice_height(block))]
        own = (found[0] if len(found) == 1 else np.concatenate(found),)
        return own if part is None else self.merge(part, own)


@dataclass(frozen=True)
class Rowwise(RowPass):
    """Finish to X w, shape (n, k).

    Parameters
    ----------
    w : ndarray, shape (d, k)

    Notes
    -----
    One read, 2 n d k flops; the parts together are n k numbers.
    """

    w: Floats

    kind: ClassVar[str] = "rowwise"
    takes_sparse: ClassVar[bool] = True

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return X w."""
        del Y
        return X @ self.w

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return k numbers a row of the largest block, at least."""
        del columns, sides
        return 8 * int(self.w.shape[1]) * PART_ROWS


@dataclass(frozen=True)
class RowFacts(RowPass):
    """Finish to ‖xᵢ‖², ‖xᵢ − centre‖² and bᵢ, shape (n, 2 + k).

    Parameters
    ----------
    centre : ndarray, shape (d,)
    """

    centre: Floats

    kind: ClassVar[str] = "row facts"

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return both squared lengths and the right-hand sides."""
        C = X - self.centre
        return np.column_stack([np.einsum("ij,ij->i", X, X), np.einsum("ij,ij->i", C, C), Y])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 2 + k numbers a row of the largest block, at least."""
        del columns
        return 8 * (2 + sides) * PART_ROWS


@dataclass(frozen=True)
class RowSquares(RowPass):
    """Finish to ‖wᵀxᵢ‖², shape (n, 1).

    Parameters
    ----------
    w : ndarray, shape (d, r), optional
        None: the squared lengths of the rows themselves.
    """

    w: Floats | None = None

    kind: ClassVar[str] = "row squares"

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the squared lengths."""
        del Y
        Z = X if self.w is None else X @ self.w
        return np.asarray(np.einsum("ij,ij->i", Z, Z)[:, None])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number a row of the largest block, at least."""
        del columns, sides
        return 8 * PART_ROWS


@dataclass(frozen=True)
class Picked(Pass[Floats]):
    """Finish to the rows of X with the given numbers, shape (r, d).

    Parameters
    ----------
    numbers : ndarray of int64, shape (r,)
        Global row numbers, in any order.

    Notes
    -----
    One read; r d numbers a part, of which each is filled by one block alone, so that the sum is exact.
    """

    numbers: np.ndarray

    kind: ClassVar[str] = "picked rows"

    def map(self, block: Block, part: Part | None) -> Part:
        """Fill in the rows that this block has."""
        (rows,) = part or (np.zeros((len(self.numbers), block.columns)),)
        for start, X, _ in block.slices():
            mine = np.flatnonzero((self.numbers >= start) & (self.numbers < start + len(X)))
            rows[mine] = X[self.numbers[mine] - start]
        return (rows,)

    def finish(self, part: Part) -> Floats:
        """Return the rows."""
        rows: Floats = part[0]
        return rows

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return r d numbers."""
        del sides
        return 8 * len(self.numbers) * columns


PART_ROWS = 65_536  # a pass knows no n; parts of this many rows are merged where they lie rather than by the driver
