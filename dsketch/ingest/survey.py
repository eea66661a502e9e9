"""First pass over a table: is a column a number in every row, which levels has it, how many rows stay.

Only as many values are kept as there may be levels, so memory does not grow with the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dsketch.errors import DataError
from dsketch.events import Note, Tell
from dsketch.ingest import remedy
from dsketch.ingest.choice import ColumnChoice
from dsketch.ingest.columns import ColumnKind, SourceColumn, Table
from dsketch.ingest.encode import Encoder, Flag, Numeric, OneHot, as_text
from dsketch.ingest.levels import judge_levels, sort_levels, with_bases
from dsketch.ingest.screen import keep_finite
from dsketch.ingest.tally import Tally

# Wider one-hot blocks are nearly always identifiers or free text that was not meant to be used.
MAX_LEVELS = 1000


@dataclass(frozen=True)
class Survey:
    """What the first pass found: the encoders in the order of the columns, and the rows before and after dropping."""

    encoders: list[Encoder]
    tally: Tally


def survey(table: Table, used: Sequence[str], choice: ColumnChoice, report: Callable[[int], None], tell: Tell) -> Survey:
    """Read the columns ``used`` once.

    Parameters
    ----------
    table : Table
        Source.
    used : sequence of str
        Columns of A, then the targets and the weights.
    choice : ColumnChoice
        Nulls, targets, levels.
    report : function
        Is called with the bytes read so far.
    tell : Tell
        Hears a Note for each column that is text although some of its values are numbers.

    Raises
    ------
    DataError
        For a null with ``nulls="error"``, too many levels, dates, or a target that is no number.
    """
    found = [_census(table.columns[name], choice) for name in used]
    tally = Tally(used)
    for batch, done_bytes in table.batches(used):
        lacking = missing_mask(batch)
        keep = keep_finite(lacking, choice.nulls, used, tally.read, choice.needed)
        for census, column in zip(found, batch.columns, strict=True):
            census.add(column, keep, tally.read)
        tally.add(lacking, keep)
        report(done_bytes)
    encoders = [census.encoder(tally.count, tell) for census in found]
    return Survey(with_bases(encoders, choice.base), tally)


def missing_mask(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Return where ``batch`` has a null or NaN, of shape (rows, columns)."""
    masks = [pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False) for column in batch.columns]
    return np.column_stack(masks)


class _Census(Protocol):
    """What is known so far about the values of one column."""

    def add(self, values: pa.Array, keep: NDArray[np.bool_], first_row: int) -> None:
        """Take note of some more values; levels only of the rows to ``keep``."""

    def encoder(self, rows: int, tell: Tell) -> Encoder:
        """Return how the column is to be written, now that all of it was seen and ``rows`` stay."""


def _census(column: SourceColumn, choice: ColumnChoice) -> _Census:
    like = choice.like
    if column.name in choice.sides:
        return _OpenCensus(column, must_be="a target" if column.name in choice.targets else "weights")
    if like is None:
        return _OpenCensus(column, drop_first=choice.drop_first, is_category=column.name in choice.categories)
    if column.name in like.levels:
        levels, base = like.levels[column.name], like.base.get(column.name)
        return _LikeCensus(OneHot(column.name, levels, base, choice.unseen == "zero"), like.path)
    return _OpenCensus(column, must_be=f"a column of numbers, as in {like.path},")


class _LikeCensus:
    """A column whose levels are those of a matrix that is there.

    Parameters
    ----------
    wanted : OneHot
        How it is to be written.
    path : str
        Of the matrix, for messages.
    """

    def __init__(self, wanted: OneHot, path: str) -> None:
        self._wanted = wanted
        self._path = path
        self._levels = pa.array(wanted.levels, pa.string())
        self._unseen = 0
        self._example = ""

    def add(self, values: pa.Array, keep: NDArray[np.bool_], first_row: int) -> None:
        """Count the values that are none of the levels."""
        text = as_text(values)
        strange = np.flatnonzero(keep & ~pc.is_in(text, value_set=self._levels).to_numpy(zero_copy_only=False))
        if not strange.size:
            return
        example = text[int(strange[0])].as_py()
        if not self._wanted.takes_others:
            raise remedy.SourceError(
                f"the levels {_list_names(self._wanted.levels)} were expected in column {self._wanted.name!r}, as in {self._path}; "
                f"row {first_row + int(strange[0]) + 1:,} has {example!r}",
                remedy.at_source("correct it"),
                remedy.at_source("remove such rows"),
                remedy.Remedy("let it be none of them with unseen='zero' (--unseen zero)"),
            )
        self._example = self._example or example
        self._unseen += strange.size

    def encoder(self, rows: int, tell: Tell) -> Encoder:
        """Return the encoder, and tell how many rows have none of the levels."""
        if self._unseen:
            tell(
                Note(
                    f"column {self._wanted.name!r}: {self._unseen:,} of {rows:,} rows have none of the levels of {self._path} "
                    f"({self._example!r}, …); they are zero in all of its columns"
                )
            )
        return self._wanted


class _OpenCensus:
    """A column of which nothing is known before.

    Parameters
    ----------
    column : SourceColumn
        The column.
    must_be : str
        What a column of numbers is wanted for; empty if it may be text.
    drop_first : bool
        Leave its first level out if it is text.
    is_category : bool
        Whether each of its values is a level, whatever it looks like.
    """

    def __init__(self, column: SourceColumn, *, must_be: str = "", drop_first: bool = False, is_category: bool = False) -> None:
        self._column = column
        self._must_be = must_be
        self._drop_first = drop_first
        self._is_category = is_category
        self._levels: set[str] = set()
        self._overflow: tuple[int, int] | None = None
        # Row and value of the first cell that is not a number; a category is not asked.
        self._text: tuple[int, str] | None = None

    def add(self, values: pa.Array, keep: NDArray[np.bool_], first_row: int) -> None:
        """Take note of some more values; levels only of the rows to ``keep``."""
        if self._column.kind is ColumnKind.NUMBER and not self._is_category:
            return
        if self._column.kind is ColumnKind.CELL and self._text is None:
            index = _first_text(values)
            self._text = None if index is None else (first_row + index, values[index].as_py())
        if self._overflow is None:
            self._add_levels(values if keep.all() else values.filter(pa.array(keep)), first_row + len(values))
        if self._overflow and self._is_text:
            raise self._too_many()

    def encoder(self, rows: int, tell: Tell) -> Encoder:
        """Return how the column is to be written, now that all of it was seen and ``rows`` stay."""
        name = self._column.name
        if not self._is_text:
            return Numeric(name)
        texts = {level.lower() for level in self._levels}
        if self._column.kind is ColumnKind.CELL and not self._is_category and texts <= {"true", "false"}:
            return Flag(name)
        if self._must_be:
            raise self._no_number()
        levels = sort_levels(list(self._levels))
        if levels and not self._is_category and not self._column.is_declared:
            note = judge_levels(name, self._column.kind, levels, rows, self._witness() if self._text else "")
            if note is not None:
                tell(note)
        return OneHot(name, levels, levels[0] if self._drop_first and levels else None)

    @property
    def _is_text(self) -> bool:
        return self._is_category or self._column.kind is ColumnKind.CATEGORY or self._text is not None

    def _add_levels(self, values: pa.Array, stop_row: int) -> None:
        distinct = pc.unique(values)
        # Most columns of numbers end here, before their values become Python objects.
        if len(distinct) <= MAX_LEVELS:
            self._levels.update(as_text(distinct).drop_null().to_pylist())
        count = max(len(self._levels), len(distinct))
        if count > MAX_LEVELS:
            self._overflow = count, stop_row
            self._levels.clear()

    def _witness(self) -> str:
        row, value = self._text or (0, "")
        return f"row {row + 1:,} holds {value!r}, which is not a number"

    def _too_many(self) -> DataError:
        if self._must_be:
            return self._no_number()
        name = self._column.name
        count, row = self._overflow or (0, 0)
        why = f" ({self._witness()})" if self._text else ""
        return remedy.SourceError(
            f"at most {MAX_LEVELS:,} distinct values were expected in a column of text; {name!r} has {count:,} by row {row:,}{why}",
            remedy.drop_column(name),
            remedy.at_source("encode it as numbers first"),
        )

    def _no_number(self) -> DataError:
        found = self._witness() if self._text else f"it holds {self._column.type}"
        what = f"{self._must_be} of numbers" if "numbers" not in self._must_be else self._must_be
        return DataError(f"{what} was expected; {self._column.name!r} is text: {found}. Correct it or encode it first.")


def _first_text(values: pa.Array) -> int | None:
    """Return the index of the first value that does not parse as a number, or None.

    One cast decides for the whole array; only if it fails, halving finds the place with log₂ n more.

    >>> _first_text(pa.array(["1", None, "-2.5e3", "x", "y"]))
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


def _list_names(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(map(repr, names[:most])) + (f" … ({len(names):,} in all)" if len(names) > most else "")
