"""What a column of a table can be, and a table as a source of record batches."""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from dsketch.events import Note
from dsketch.ingest import remedy


class ColumnKind(enum.Enum):
    """How a column becomes floats."""

    NUMBER = "number"
    """Integers, floats, decimals, booleans: one column each."""

    CATEGORY = "category"
    """Strings and dictionaries: one column for each level."""

    CELL = "cell"
    """Text of a CSV file: what it is shows only after reading all of it."""

    UNFIT = "unfit"
    """Dates, lists, binary, …: nothing that a linear model could use as it is."""


@dataclass(frozen=True)
class SourceColumn:
    """A column of a table.

    Parameters
    ----------
    name : str
        Its name.
    kind : ColumnKind
        How it becomes floats.
    type : pyarrow.DataType
        Type of its values; of a dictionary, of what it holds.
    dtypes : tuple of str
        NumPy types that must be represented exactly, as far as float64 can; none for booleans and categories.
    is_declared : bool
        Whether the file itself says that the values are categories, whatever they look like.
    """

    name: str
    kind: ColumnKind
    type: pa.DataType
    dtypes: tuple[str, ...] = ()
    is_declared: bool = False

    def check(self) -> None:
        """Raise a DataError if no number can be made of it."""
        if self.kind is ColumnKind.UNFIT:
            raise unfit_error(self.name, str(self.type))


@dataclass(frozen=True)
class Table:
    """A file or several, as record batches.

    Parameters
    ----------
    columns : dict of SourceColumn
        All columns, by name, in the order of the file.
    size_bytes : int
        Size on disk.
    rows : int, optional
        Number of rows if that is known without reading all.
    batches : function
        ``batches(names)`` starts a pass over some columns; gives (record batch, bytes read so far).  A category comes
        as values of its column's ``type``, never as a dictionary.
    notes : tuple of Note
        What the files show that whoever asked should know.
    """

    columns: dict[str, SourceColumn]
    size_bytes: int
    rows: int | None
    batches: Callable[[Sequence[str]], Iterator[tuple[pa.RecordBatch, int]]]
    notes: tuple[Note, ...] = ()


def classify_column(name: str, arrow_type: pa.DataType) -> SourceColumn:
    """Return the SourceColumn for a column of this Arrow type.

    >>> classify_column("x", pa.int16()).dtypes, classify_column("s", pa.dictionary(pa.int8(), pa.string())).kind
    (('i2',), <ColumnKind.CATEGORY: 'category'>)
    """
    types = pa.types
    if types.is_dictionary(arrow_type):
        inner = classify_column(name, arrow_type.value_type)
        kind = inner.kind if inner.kind is ColumnKind.UNFIT or types.is_null(inner.type) else ColumnKind.CATEGORY
        return SourceColumn(name, kind, inner.type, is_declared=True)
    if types.is_string(arrow_type) or types.is_large_string(arrow_type) or str(arrow_type) == "string_view":
        return SourceColumn(name, ColumnKind.CATEGORY, pa.string())
    if types.is_integer(arrow_type):
        return SourceColumn(name, ColumnKind.NUMBER, arrow_type, (f"i{arrow_type.bit_width // 8}",))
    if types.is_floating(arrow_type):
        return SourceColumn(name, ColumnKind.NUMBER, arrow_type, (f"f{arrow_type.bit_width // 8}",))
    if types.is_decimal(arrow_type):
        return SourceColumn(name, ColumnKind.NUMBER, arrow_type, ("f8",))
    if types.is_boolean(arrow_type) or types.is_null(arrow_type):
        return SourceColumn(name, ColumnKind.NUMBER, arrow_type)
    return SourceColumn(name, ColumnKind.UNFIT, arrow_type)


def unfit_error(name: str, what: str, *, may_be_levels: bool = False) -> remedy.SourceError:
    """Return the error for a column of dates, prices and the like; text may also be meant as categories."""
    return remedy.SourceError(
        f"numbers, booleans or text were expected; column {name!r} holds {what}",
        remedy.drop_column(name),
        remedy.at_source("make numbers of it first (days since a date, plain digits with a decimal point, …)"),
        *([remedy.categories(name)] if may_be_levels else []),
    )
