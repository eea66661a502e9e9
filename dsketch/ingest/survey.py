"""First pass over a table: is a column a number in every row, which levels has it, how many rows stay.

Only as many values are kept as there may be levels, so memory does not grow with the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dsketch.errors import DataError
from dsketch.events import Note, Tell
from dsketch.ingest.choice import Choice
from dsketch.ingest.columns import Column, Kind, Table, unfit
from dsketch.ingest.encode import Encoder, Flag, Number, OneHot
from dsketch.ingest.screen import kept

# Wider one-hot blocks are nearly always identifiers or free text that was not meant to be used.
MAX_LEVELS = 1000


@dataclass(frozen=True)
class Survey:
    """What the first pass found: the encoders in the order of the columns, and the rows before and after dropping."""

    encoders: list[Encoder]
    read: int
    count: int


def survey(table: Table, used: Sequence[str], choice: Choice, told: Callable[[int], None], tell: Tell) -> Survey:
    """Read the columns ``used`` once.

    Parameters
    ----------
    table : Table
        Source.
    used : sequence of str
        Columns of A, and the target last if there is one.
    choice : Choice
        Nulls, target, drop_first.
    told : function
        Is called with the bytes read so far.
    tell : Tell
        Hears a Note for each column that is text although some of its values are numbers.

    Raises
    ------
    DataError
        For a null with ``nulls="error"``, too many levels, dates, or a target that is no number.
    """
    found = [Census(table.columns[name], is_target=name == choice.target) for name in used]
    read = count = 0
    for batch, done_bytes in table.batches(used):
        keep = kept(missing(batch), choice.nulls, used, read)
        for census, column in zip(found, batch.columns, strict=True):
            census.add(column, keep, read)
        read += batch.num_rows
        count += int(keep.sum())
        told(done_bytes)
    return Survey([census.encoder(choice.drop_first, tell) for census in found], read, count)


def missing(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Return where ``batch`` has a null or NaN, of shape (rows, columns)."""
    masks = [pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False) for column in batch.columns]
    return np.column_stack(masks)


class Census:
    """What is known so far about the values of one column.

    Parameters
    ----------
    column : Column
        The column.
    is_target : bool
        Whether it must be a number.
    """

    def __init__(self, column: Column, *, is_target: bool) -> None:
        self._column = column
        self._is_target = is_target
        self._levels: set[object] = set()
        self._overflow: tuple[int, int] | None = None
        # Row and value of the first cell that is not a number; a category is not asked.
        self._text: tuple[int, str] | None = None

    def add(self, values: pa.Array, keep: NDArray[np.bool_], first_row: int) -> None:
        """Take note of some more values; levels only of the rows to ``keep``."""
        if self._column.kind is Kind.NUMBER:
            return
        if self._column.kind is Kind.CELL and self._text is None:
            index = first_text(values)
            self._text = None if index is None else (first_row + index, values[index].as_py())
        if self._overflow is None:
            self._add_levels(values if keep.all() else values.filter(pa.array(keep)), first_row + len(values))
        if self._overflow and self._is_text:
            raise self._too_many()

    def encoder(self, drop_first: bool, tell: Tell) -> Encoder:
        """Return how the column is to be written, now that all of it was seen."""
        name = self._column.name
        if not self._is_text:
            return Number(name)
        words = {str(level).lower() for level in self._levels}
        if self._column.kind is Kind.CELL and words <= {"true", "false"}:
            return Flag(name)
        if self._is_target:
            raise self._no_number()
        levels = pa.array(sorted(self._levels), self._column.type)  # type: ignore[type-var]
        if self._text is not None:
            self._judge_text(levels, tell)
        return OneHot(name, levels, drop_first)

    @property
    def _is_text(self) -> bool:
        return self._column.kind is Kind.CATEGORY or self._text is not None

    def _add_levels(self, values: pa.Array, stop_row: int) -> None:
        distinct = pc.unique(values)
        # Most columns of numbers end here, before their values become Python objects.
        if len(distinct) <= MAX_LEVELS:
            self._levels.update(distinct.to_pylist())
        count = max(len(self._levels), len(distinct))
        if count > MAX_LEVELS:
            self._overflow = count, stop_row
            self._levels.clear()

    def _judge_text(self, levels: pa.Array, tell: Tell) -> None:
        if _are_dates(levels):
            raise unfit(self._column.name, f"dates ({levels[0]}, …)")
        if any(first_text(levels.slice(i, 1)) is None for i in range(len(levels))):
            tell(Note(f"column {self._column.name!r} is one-hot with {len(levels):,} levels: {self._witness()}"))

    def _witness(self) -> str:
        row, value = self._text or (0, "")
        return f"row {row + 1:,} holds {value!r}, which is not a number"

    def _too_many(self) -> DataError:
        if self._is_target:
            return self._no_number()
        name = self._column.name
        count, row = self._overflow or (0, 0)
        why = f" ({self._witness()})" if self._text else ""
        return DataError(
            f"at most {MAX_LEVELS:,} distinct values were expected in a column of text; "
            f"{name!r} has {count:,} by row {row:,}{why}. "
            f"Leave it out with drop=({name!r},) (--drop {name}), or encode it as numbers first."
        )

    def _no_number(self) -> DataError:
        found = self._witness() if self._text else f"it holds {self._column.type}"
        return DataError(
            f"a target of numbers was expected; {self._column.name!r} is text: {found}. Correct it or encode it first."
        )


def first_text(values: pa.Array) -> int | None:
    """Return the index of the first value that does not parse as a number, or None.

    One cast decides for the whole array; only if it fails, halving finds the place with log₂ n more.

    >>> first_text(pa.array(["1", None, "-2.5e3", "x", "y"]))
    3
    """
    if _parses(values):
        return None
    start, length = 0, len(values)
    while length > 1:
        half = length // 2
        if _parses(values.slice(start, half)):
            start, length = start + half, length - half
        else:
            length = half
    return start


def _parses(values: pa.Array) -> bool:
    try:
        pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _are_dates(levels: pa.Array) -> bool:
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            pc.cast(levels, kind)
        except pa.ArrowInvalid:
            continue
        return True
    return False
