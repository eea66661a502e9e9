"""Parquet, one file or many, as record batches.

Files are read one after the other, in the order of their names, a few pages of each column at a time; so memory does
not depend on the size of the row groups.  Directories named ``key=value`` give a column ``key``.

Parquet has dictionaries of strings only: a category of numbers was stored, and comes back, as numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, parquet

from dsketch.errors import DataError
from dsketch.events import Tell
from dsketch.ingest.choice import Choice
from dsketch.ingest.columns import Column, Kind, Table, classified
from dsketch.ingest.failure import reading
from dsketch.ingest.rows import Rows, rows_per_block
from dsketch.ingest.table import settled

# Read-ahead for each column; many columns are read side by side.
_BUFFER_BYTES = 65_536


@dataclass(frozen=True)
class _File:
    path: str
    columns: dict[str, Column]
    constants: dict[str, object]
    rows: int
    size_bytes: int


def open_rows(files: list[Path], base: Path | None, choice: Choice, scratch: Path, tell: Tell) -> Rows:
    """Return the rows of all files together."""
    del scratch
    return settled(_table(_described(files, base)), choice, tell)


def _described(files: list[Path], base: Path | None) -> list[_File]:
    with reading(str(base or files[0]), pa.ArrowException):
        found = dataset.dataset(
            [str(file) for file in files],
            format="parquet",
            partitioning="hive" if base else None,
            partition_base_dir=str(base) if base else None,
        )
        return [_file(fragment, found.schema) for fragment in found.get_fragments()]


def _file(fragment: dataset.ParquetFileFragment, schema: pa.Schema) -> _File:
    with reading(fragment.path, pa.ArrowException):
        constants = dataset.get_partition_keys(fragment.partition_expression)
        fields = [*fragment.physical_schema, *(field for field in schema if field.name in constants)]
        return _File(
            path=fragment.path,
            columns=_by_name(fields, fragment.path),
            constants=constants,
            rows=fragment.metadata.num_rows,
            size_bytes=Path(fragment.path).stat().st_size,
        )


def _by_name(fields: list[pa.Field], path: str) -> dict[str, Column]:
    columns = {field.name: classified(field.name, field.type) for field in fields}
    if len(columns) < len(fields):
        raise DataError(f"different column names were expected; {path} has one twice. Rename one.")
    return columns


def _table(files: list[_File]) -> Table:
    return Table(
        columns={name: reduce(_joined, (_column(file, name) for file in files)) for name in files[0].columns},
        size_bytes=sum(file.size_bytes for file in files),
        rows=sum(file.rows for file in files),
        batches=lambda picked: _batches(files, picked),
    )


def _column(file: _File, name: str) -> Column:
    if name not in file.columns:
        raise DataError(
            f"the same columns in all files were expected; {file.path} has no {name!r}. Leave the file out, or add it."
        )
    return file.columns[name]


def _joined(one: Column, other: Column) -> Column:
    is_same = one.kind is other.kind and (one.kind is Kind.NUMBER or one.type == other.type)
    if not is_same:
        raise DataError(
            f"one type in all files was expected; column {one.name!r} holds {one.type} in one and {other.type} in "
            "another. Convert one of them."
        )
    return Column(one.name, one.kind, one.type, (*one.dtypes, *other.dtypes))


def _batches(files: list[_File], picked: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
    size = min(65_536, rows_per_block(len(picked)))
    before = 0
    for file in files:
        with reading(file.path, pa.ArrowException):
            stored = [name for name in picked if name not in file.constants]
            rows = 0
            with parquet.ParquetFile(file.path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as opened:
                for batch in opened.iter_batches(size, columns=stored):
                    rows += batch.num_rows
                    yield _completed(batch, file, picked), before + file.size_bytes * rows // file.rows
        before += file.size_bytes


def _completed(batch: pa.RecordBatch, file: _File, picked: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([_values(batch, file, name) for name in picked], list(picked))


def _values(batch: pa.RecordBatch, file: _File, name: str) -> pa.Array:
    column = file.columns[name]
    if name in file.constants:
        return pa.array([file.constants[name]] * batch.num_rows, column.type)
    values = batch.column(name)
    # Out of the dictionary, which differs from batch to batch.
    return pc.cast(values, column.type) if column.kind is Kind.CATEGORY else values
