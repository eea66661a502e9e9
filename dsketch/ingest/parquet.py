"""Parquet, one file or many, as record batches.

Files are read one after the other, in the order of their names, a few pages of each column at a time; so memory does
not depend on the size of the row groups.  Directories named ``key=value`` give a column ``key``.

Parquet has dictionaries of strings only: a category of numbers was stored, and comes back, as numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from dsketch.events import Tell
from dsketch.ingest import remedy
from dsketch.ingest.choice import ColumnChoice
from dsketch.ingest.columns import ColumnKind, SourceColumn, Table, classify_column
from dsketch.ingest.failure import reading
from dsketch.ingest.heading import is_index
from dsketch.ingest.partitions import key_types, keys_of, value_of
from dsketch.ingest.rows import RowSource, rows_per_block
from dsketch.ingest.several import common_columns
from dsketch.ingest.table import settle_table

# Read-ahead for each column; many columns are read side by side.
_BUFFER_BYTES = 65_536


@dataclass(frozen=True)
class _File:
    path: str
    columns: dict[str, SourceColumn]
    constants: dict[str, object]
    rows: int
    size_bytes: int
    index: tuple[str, ...] = ()


def open_rows(files: list[Path], base: Path | None, choice: ColumnChoice, scratch: Path, tell: Tell) -> RowSource:
    """Return the rows of all files together."""
    del scratch
    keys = [keys_of(file, base) for file in files]
    types = key_types(keys)
    return settle_table(
        _table([_file(file, own, types, choice) for file, own in zip(files, keys, strict=True)], choice), choice, tell
    )


def _file(path: Path, keys: Mapping[str, str | None], types: Mapping[str, pa.DataType], choice: ColumnChoice) -> _File:
    with reading(str(path), pa.ArrowException):
        with parquet.ParquetFile(path) as opened:
            schema, rows = opened.schema_arrow, opened.metadata.num_rows
        # What the file holds itself goes before what its path says.
        own = {key: text for key, text in keys.items() if key not in schema.names}
        return _File(
            path=str(path),
            columns=_columns_by_name([*schema, *(pa.field(key, types[key]) for key in own)], str(path), choice),
            constants={key: value_of(text, types[key]) for key, text in own.items()},
            rows=rows,
            size_bytes=path.stat().st_size,
            index=_index_of(schema),
        )


def _index_of(schema: pa.Schema) -> tuple[str, ...]:
    said: dict[str, Any] = schema.pandas_metadata or {}
    return tuple(name for name in said.get("index_columns", ()) if isinstance(name, str) and not is_index(name))


def _columns_by_name(fields: list[pa.Field], path: str, choice: ColumnChoice) -> dict[str, SourceColumn]:
    columns = {field.name: classify_column(field.name, field.type) for field in fields}
    if len(columns) < len(fields):
        names = [field.name for field in fields]
        twice = next((name for name in names if names.count(name) > 1 and choice.concerns(name)), None)
        if twice is not None:
            raise remedy.SourceError(
                f"different column names were expected; {path} has {twice!r} twice",
                remedy.at_source("rename one"),
                remedy.drop_column(twice, "both"),
            )
    return columns


def _table(files: list[_File], choice: ColumnChoice) -> Table:
    names = common_columns({file.path: list(file.columns) for file in files}, choice)
    joined = {name: reduce(_join_columns, (file.columns[name] for file in files if name in file.columns)) for name in names}
    index = dict.fromkeys(name for file in files for name in file.index if choice.concerns(name))
    return Table(
        columns=joined,
        size_bytes=sum(file.size_bytes for file in files),
        rows=sum(file.rows for file in files),
        batches=lambda picked: _batches(files, picked, joined),
        notes=tuple(
            remedy.note_on(f"column {name!r} is the index of a pandas table", remedy.drop_column(name)) for name in index
        ),
    )


def _join_columns(one: SourceColumn, other: SourceColumn) -> SourceColumn:
    """Return what two columns of one name are together; a column of nulls fits any."""
    if pa.types.is_null(one.type):
        return other
    if pa.types.is_null(other.type):
        return one
    is_same = one.kind is other.kind and (one.kind is ColumnKind.NUMBER or one.type == other.type)
    if not is_same:
        raise remedy.SourceError(
            f"one type in all files was expected; column {one.name!r} holds {one.type} in one and {other.type} in another",
            remedy.at_source("convert one of them"),
            remedy.drop_column(one.name),
        )
    return replace(one, dtypes=(*one.dtypes, *other.dtypes), is_declared=one.is_declared and other.is_declared)


def _batches(
    files: list[_File], picked: Sequence[str], joined: Mapping[str, SourceColumn]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    size = min(65_536, rows_per_block(len(picked)))
    before = 0
    for file in files:
        with reading(file.path, pa.ArrowException):
            stored = [name for name in picked if name not in file.constants]
            rows = 0
            with parquet.ParquetFile(file.path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as opened:
                for batch in opened.iter_batches(size, columns=stored):
                    rows += batch.num_rows
                    arrays = [_values(batch, file, joined[name]) for name in picked]
                    yield pa.RecordBatch.from_arrays(arrays, list(picked)), before + file.size_bytes * rows // file.rows
        before += file.size_bytes


def _values(batch: pa.RecordBatch, file: _File, column: SourceColumn) -> pa.Array:
    if column.name in file.constants:
        return pa.array([file.constants[column.name]] * batch.num_rows, column.type)
    values = batch.column(column.name)
    if pa.types.is_null(values.type):
        return pa.nulls(batch.num_rows, column.type)
    # Out of the dictionary, which differs from batch to batch.
    is_packed = column.kind is ColumnKind.CATEGORY or pa.types.is_dictionary(values.type)
    return pc.cast(values, column.type) if is_packed else values
