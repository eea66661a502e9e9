"""Tiles of columns: a run of samples of all columns of a block, widened to float64 in memory that stays in the cache.

What is missing of a column is 0 in its tiles, or the column's mean; floats are moved near 0 where a constant is among the covariates
anyway, so that numbers such as 101325 ± 5 keep their digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray

TILE_SAMPLES = 512  # with some hundred columns 1 MB as float64: it stays in the second-level cache beside the sides
_SHIFT_SAMPLES = 1024
_FILLED_SAMPLES = 4096


class Gaps(NamedTuple):
    """What is missing of the columns of a block.

    Attributes
    ----------
    counts : ndarray of int, shape (columns,)
        Of each column, among the rows of the group.
    means : ndarray, shape (columns,)
        Of what is there, less the shift.
    """

    counts: "np.ndarray[Any, Any]"
    means: Floats


@dataclass(frozen=True)
class Columns:
    """The columns of a block over the rows of a group.

    Attributes
    ----------
    block : ndarray, shape (columns, n)
        As it was read.
    rows : ndarray of int, or None
        Of the group; None: all.
    marks : tuple of int
        Integers that stand for a missing value.
    shift : ndarray, shape (columns,), or None
        What is subtracted from each column.
    """

    block: AnyArray
    rows: "np.ndarray[Any, Any] | None"
    marks: tuple[int, ...]
    shift: Floats | None = None

    @property
    def count(self) -> int:
        """Number of columns."""
        return len(self.block)

    @property
    def samples(self) -> int:
        """Number of rows of the group."""
        return int(self.block.shape[1]) if self.rows is None else len(self.rows)

    @property
    def may_lack(self) -> bool:
        """Whether a value can be missing at all."""
        return self.block.dtype.kind == "f" or bool(self.marks)

    def shifted(self) -> "Columns":
        """Return columns of floats moved by the mean of their first values; integers as they are."""
        if self.block.dtype.kind != "f":
            return self
        head = np.asarray(self._take(0, min(_SHIFT_SAMPLES, self.samples)), np.float64)
        there = np.isfinite(head)
        sums = np.where(there, head, 0.0).sum(axis=1)
        return Columns(self.block, self.rows, self.marks, sums / np.maximum(there.sum(axis=1), 1))

    def of(self, numbers: "np.ndarray[Any, Any]") -> "Columns":
        """Return some of the columns."""
        return Columns(self.block[numbers], self.rows, self.marks, None if self.shift is None else self.shift[numbers])

    def tiles(self, fill: Floats | None = None, samples: int = TILE_SAMPLES) -> Iterator[tuple[int, int, Floats]]:
        """Yield (first row, row after the last, tile) with gaps filled by ``fill``, one number a column; None: by 0.

        The tile, shape (columns, rows), is a buffer that the next one overwrites.
        """
        is_turned = self.block.strides[0] < self.block.strides[1]
        for low in range(0, self.samples, samples):
            high = min(low + samples, self.samples)
            shape = (high - low, self.count) if is_turned else (self.count, high - low)
            tile = scratch("tile of columns", shape)
            tile = tile.T if is_turned else tile
            stored = self._take(low, high)
            np.copyto(tile, stored, casting="unsafe")
            if self.shift is not None:
                tile -= self.shift[:, None]
            if self.may_lack and (gaps := self.lacks(stored)).any():
                tile[gaps] = 0.0 if fill is None else np.broadcast_to(fill[:, None], gaps.shape)[gaps]
            yield low, high, tile

    def column(self, number: int) -> tuple[Floats, "np.ndarray[Any, Any]"]:
        """Return a column less its shift, 0 in its gaps, and where these are."""
        stored = self.block[number] if self.rows is None else self.block[number][self.rows]
        lacks = self.lacks(stored)
        values = stored.astype(np.float64)
        if self.shift is not None:
            values -= self.shift[number]
        values[lacks] = 0.0
        return values, lacks

    def length(self, number: int, fill: float | None) -> float:
        """Return the norm of a column less its shift, with ``fill`` in its gaps; None: without them."""
        values, lacks = self.column(number)
        values[lacks] = fill or 0.0
        return float(np.linalg.norm(values))

    def gaps(self) -> Gaps:
        """Count what is missing, and average what is there."""
        counts, sums = np.zeros(self.count, np.int64), np.zeros(self.count)
        if not self.may_lack:
            return Gaps(counts, sums)
        for low in range(0, self.samples, _FILLED_SAMPLES):
            counts += self.lacks(self._take(low, min(low + _FILLED_SAMPLES, self.samples))).sum(axis=1)
        if (some := np.flatnonzero(counts)).size:
            those = self if some.size > self.count // 2 else self.of(some)
            totals = np.zeros(those.count)
            for _, _, tile in those.tiles():
                totals += tile.sum(axis=1)
            sums[some] = totals[some] if those is self else totals
        return Gaps(counts, sums / np.maximum(self.samples - counts, 1))

    def gap_rows(self) -> "list[np.ndarray[Any, Any]]":
        """Return for each column the rows that it lacks, in ascending order."""
        places = []
        for low in range(0, self.samples, _FILLED_SAMPLES):
            lacks = self.lacks(self._take(low, min(low + _FILLED_SAMPLES, self.samples)))
            column, row = np.nonzero(lacks)
            places.append(np.stack([column, row + low]).astype(np.int32))
        column, row = np.concatenate(places, axis=1)
        order = np.argsort(column, kind="stable")
        return np.split(row[order], np.searchsorted(column[order], np.arange(1, self.count)))

    def _take(self, low: int, high: int) -> AnyArray:
        """Return rows of the group as they are stored."""
        if self.rows is None:
            return self.block[:, low:high]
        if self.block.strides[0] < self.block.strides[1]:
            return np.take(self.block.T, self.rows[low:high], axis=0).T
        return np.take(self.block, self.rows[low:high], axis=1)

    def lacks(self, stored: AnyArray) -> Any:
        """Return where stored numbers are missing."""
        if stored.dtype.kind == "f":
            return np.isnan(stored)
        lacks = np.zeros(stored.shape, np.bool_)
        for mark in self.marks:
            lacks |= stored == mark
        return lacks


def require_no_gaps(columns: Columns, first: int, what: str, *, may_lack: bool) -> None:
    """Refuse what is infinite, and what is missing where that is not allowed.

    Parameters
    ----------
    first : int
        Number of the first column.

    Raises
    ------
    DataError
        Naming row and column.
    """
    if not columns.may_lack:
        return
    for low in range(0, columns.samples, _FILLED_SAMPLES):
        stored = columns.block[:, low : low + _FILLED_SAMPLES]
        wrong = np.isinf(stored) if stored.dtype.kind == "f" else np.zeros(stored.shape, np.bool_)
        if not may_lack:
            wrong = wrong | columns.lacks(stored)
        if wrong.any():
            column, row = np.argwhere(wrong)[0].tolist()
            remedy = "Correct it." if may_lack else "Give missing='mean' or missing='drop'."
            raise DataError(
                f"{what} must be {'finite or missing' if may_lack else 'without missing values'}; row {low + row}, column "
                f"{first + column} is {stored[column, row]}. {remedy}"
            )
