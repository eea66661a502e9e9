"""Tiles of columns: a run of samples of all columns of a block, widened to float64 in memory that stays in the cache.

What is missing of a column is 0 in its tiles, or the column's mean; floats are moved near 0 where a constant is among the covariates
anyway, so that numbers such as 101325 ± 5 keep their digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray

TILE_SAMPLES = 1024  # with some hundred columns some MB as float64: products of fewer samples spend more on their packing
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
    is_whole : bool
        Whether nothing is missing, as is known already.
    """

    block: AnyArray
    rows: "np.ndarray[Any, Any] | None"
    marks: tuple[int, ...]
    shift: Floats | None = None
    is_whole: bool = False

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
        return not self.is_whole and (self.block.dtype.kind == "f" or bool(self.marks))

    def shifted(self) -> "Columns":
        """Return columns of floats moved by the mean of their first values; integers as they are."""
        if self.block.dtype.kind != "f":
            return self
        head = np.asarray(self._take(0, min(_SHIFT_SAMPLES, self.samples)), np.float64)
        there = np.isfinite(head)
        sums = np.where(there, head, 0.0).sum(axis=1)
        return replace(self, shift=sums / np.maximum(there.sum(axis=1), 1))

    def of(self, numbers: "np.ndarray[Any, Any]") -> "Columns":
        """Return some of the columns."""
        return replace(self, block=self.block[numbers], shift=None if self.shift is None else self.shift[numbers])

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
            if (gaps := self.find_gaps(stored)) is not None:
                np.copyto(tile, 0.0 if fill is None else fill[:, None], where=gaps)
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
            if (lacks := self.find_gaps(self._take(low, min(low + _FILLED_SAMPLES, self.samples)))) is not None:
                counts += lacks.sum(axis=1)
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
        found = self.find_gaps(stored)
        return np.zeros(stored.shape, np.bool_) if found is None else found

    def find_gaps(self, stored: AnyArray) -> Any:
        """Return where stored numbers are missing, or None where none is."""
        if not self.may_lack or not stored.size:
            return None
        if stored.dtype.kind == "f":
            lacks = np.isnan(stored)
        elif stored.min() > max(self.marks):  # marks are mostly below all numbers
            return None
        else:
            lacks = stored == self.marks[0]
            for mark in self.marks[1:]:
                lacks |= stored == mark
        return lacks if lacks.any() else None


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
    is_float = columns.block.dtype.kind == "f"
    if not columns.may_lack or (may_lack and not is_float):
        return
    for low in range(0, columns.samples, _FILLED_SAMPLES):
        stored = columns.block[:, low : low + _FILLED_SAMPLES]
        wrong = (np.isinf(stored) if may_lack else ~np.isfinite(stored)) if is_float else columns.lacks(stored)
        if wrong.any():
            column, row = np.argwhere(wrong)[0].tolist()
            remedy = "Correct it." if may_lack else "Give missing='mean' or missing='drop'."
            raise DataError(
                f"{what} must be {'finite or missing' if may_lack else 'without missing values'}; row {low + row}, column "
                f"{first + column} is {stored[column, row]}. {remedy}"
            )
