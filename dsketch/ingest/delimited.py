"""CSV and TSV, plain or packed, one file or many, as record batches of text.

All cells are read as text.  pyarrow's own inference would fix the type of a column by the first block of the file, and
fail on an integer column that turns to floats, or to text, a million rows later.  Here the first pass looks at every
cell; see :mod:`dsketch.ingest.survey`.

Spaces around a cell are dropped.  An empty cell and the words in ``_NULLS`` are nulls, quoted or not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dsketch.errors import DataError
from dsketch.events import Tell
from dsketch.ingest import remedy
from dsketch.ingest.choice import ColumnChoice
from dsketch.ingest.columns import ColumnKind, SourceColumn, Table
from dsketch.ingest.dialect import Dialect
from dsketch.ingest.heading import odd_names, require_delimiter, require_heading
from dsketch.ingest.partitions import keys_of
from dsketch.ingest.rows import RowSource
from dsketch.ingest.several import common_columns
from dsketch.ingest.stream import decoding, first_lines, open_stream
from dsketch.ingest.table import settle_table

# The defaults of pyarrow, which are those of pandas 1, and NAN.
_NULLS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("N/A", "NA", "NULL", "NaN", "n/a", "nan", "null", "NAN"),
)

# pyarrow holds about 40 of these (172 MB measured for a file of 1.1 GB), and wants each row inside two of them.
_BLOCK_BYTES = 4_000_000


@dataclass(frozen=True)
class _File:
    """A file, its columns as pyarrow calls them and as we do, and the keys in its path."""

    path: Path
    raw: list[str]
    names: list[str]
    keys: dict[str, str | None]
    size_bytes: int

    @property
    def columns(self) -> list[str]:
        return [*self.names, *(key for key in self.keys if key not in self.names)]


def open_rows(files: list[Path], base: Path | None, choice: ColumnChoice, scratch: Path, tell: Tell) -> RowSource:
    """Return the rows of all files together; the first line of each has the names, unless the dialect has none."""
    del scratch
    return settle_table(_table([_file(path, base, choice) for path in files], choice), choice, tell)


def _file(path: Path, base: Path | None, choice: ColumnChoice) -> _File:
    dialect = choice.dialect
    size_bytes = _size(path)
    require_delimiter(path, first_lines(path, dialect), dialect, _sign(path, dialect))
    with decoding(path, dialect), _open_csv(path, dialect, csv.ConvertOptions())[0] as reader:
        raw = reader.schema.names
    names = [f"x{place}" for place in range(len(raw))] if dialect.header is False else [name.strip() for name in raw]
    if dialect.header is not False:
        require_heading(path, names, dialect)
    _require_distinct(names, path, choice)
    return _File(path, raw, names, keys_of(path, base), size_bytes)


def _size(path: Path) -> int:
    size_bytes = path.stat().st_size
    if not size_bytes:
        raise DataError(f"a first line with the names of the columns was expected; {path} is empty. Write it anew.")
    return size_bytes


def _table(files: list[_File], choice: ColumnChoice) -> Table:
    names = common_columns({str(file.path): file.columns for file in files}, choice)
    return Table(
        columns={name: SourceColumn(name, ColumnKind.CELL, pa.string()) for name in names},
        size_bytes=sum(file.size_bytes for file in files),
        rows=None,
        batches=lambda picked: _all_batches(files, picked, choice.dialect),
        notes=tuple(odd_names(files[0].names, choice.dialect)),
    )


def _require_distinct(names: list[str], path: Path, choice: ColumnChoice) -> None:
    for name in names:
        if names.count(name) > 1 and choice.concerns(name):
            raise remedy.SourceError(
                f"different column names were expected; {path} has {name!r} twice",
                remedy.at_source("rename one"),
                remedy.drop_column(name, "both"),
                remedy.without_heading(),
            )


def _sign(path: Path, dialect: Dialect) -> str:
    return dialect.sign or ("\t" if ".tsv" in path.name.lower() else ",")


def _open_csv(path: Path, dialect: Dialect, convert: csv.ConvertOptions) -> tuple[csv.CSVStreamingReader, pa.NativeFile]:
    stream, told = open_stream(path, dialect)
    parse = csv.ParseOptions(delimiter=_sign(path, dialect), newlines_in_values=True)
    # Without threads an error names its row; measured, that costs a fifth of the time.
    read = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False, autogenerate_column_names=dialect.header is False)
    return csv.open_csv(stream, read, parse, convert), told


def _all_batches(files: list[_File], picked: Sequence[str], dialect: Dialect) -> Iterator[tuple[pa.RecordBatch, int]]:
    before = 0
    for file in files:
        for batch, done_bytes in _batches(file, picked, dialect):
            yield batch, before + min(done_bytes, file.size_bytes)
        before += file.size_bytes


def _batches(file: _File, picked: Sequence[str], dialect: Dialect) -> Iterator[tuple[pa.RecordBatch, int]]:
    stored = [name for name in picked if name in file.names]
    # A file of which only the path is asked for is read for its number of rows.
    used = [file.raw[file.names.index(name)] for name in stored] or file.raw[:1]
    convert = csv.ConvertOptions(include_columns=used, column_types=dict.fromkeys(used, pa.string()), strings_can_be_null=False)
    with decoding(file.path, dialect):
        reader, told = _open_csv(file.path, dialect, convert)
        with reader:
            for batch in reader:
                cells = dict(zip(stored, map(_cells, batch.columns), strict=False))
                constants = {key: pa.array([text] * batch.num_rows, pa.string()) for key, text in file.keys.items()}
                yield pa.RecordBatch.from_arrays([(constants | cells)[name] for name in picked], list(picked)), told()


def _cells(column: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(column)
    is_null = pc.is_in(trimmed, value_set=pa.array(_NULLS))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), trimmed)
