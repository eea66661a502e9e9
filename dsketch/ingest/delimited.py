"""CSV and TSV, plain or gzipped, as record batches of text.

All cells are read as text.  pyarrow's own inference would fix the type of a column by the first block of the file, and
fail on an integer column that turns to floats, or to text, a million rows later.  Here the first pass looks at every
cell; see :mod:`dsketch.ingest.survey`.

Spaces around a cell are dropped.  An empty cell and the words in ``NULLS`` are nulls, quoted or not.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dsketch.errors import DataError
from dsketch.events import Tell
from dsketch.ingest.choice import Choice
from dsketch.ingest.columns import Column, Kind, Table
from dsketch.ingest.failure import reading
from dsketch.ingest.rows import Rows
from dsketch.ingest.table import settled

# The defaults of pyarrow, which are those of pandas 1, and NAN.
NULLS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("N/A", "NA", "NULL", "NaN", "n/a", "nan", "null", "NAN"),
)

# pyarrow holds about 40 of these (172 MB measured for a file of 1.1 GB), and wants each row inside two of them.
_BLOCK_BYTES = 4_000_000


def open_rows(files: list[Path], base: Path | None, choice: Choice, scratch: Path, tell: Tell) -> Rows:
    """Return the rows of one file; the first line has the names."""
    del base, scratch
    return settled(_table(files[0]), choice, tell)


def _table(path: Path) -> Table:
    with reading(str(path), pa.ArrowException):
        size_bytes = path.stat().st_size
        if not size_bytes:
            raise DataError(f"a first line with the names of the columns was expected; {path} is empty. Write it anew.")
        with _opened(path, csv.ConvertOptions())[0] as reader:
            raw = reader.schema.names
    names = [name.strip() for name in raw]
    return Table(
        columns={name: Column(name, Kind.CELL, pa.string()) for name in _distinct(names, path)},
        size_bytes=size_bytes,
        rows=None,
        batches=lambda picked: _batches(path, raw, [names.index(name) for name in picked]),
    )


def _distinct(names: list[str], path: Path) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"different column names were expected; {path} has {name!r} twice. Rename one.")
    return names


def _opened(path: Path, convert: csv.ConvertOptions) -> tuple[csv.CSVStreamingReader, pa.NativeFile]:
    name = path.name.lower()
    packed = pa.OSFile(str(path), "rb")
    plain = pa.CompressedInputStream(packed, "gzip") if name.endswith(".gz") else packed
    parse = csv.ParseOptions(delimiter="\t" if ".tsv" in name else ",", newlines_in_values=True)
    # Without threads an error names its row; measured, that costs a fifth of the time.
    read = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    return csv.open_csv(plain, read, parse, convert), packed


def _batches(path: Path, raw: list[str], picked: Sequence[int]) -> Iterator[tuple[pa.RecordBatch, int]]:
    used = [raw[index] for index in picked]
    convert = csv.ConvertOptions(include_columns=used, column_types=dict.fromkeys(used, pa.string()), strings_can_be_null=False)
    with reading(str(path), pa.ArrowException):
        reader, packed = _opened(path, convert)
        with reader:
            for batch in reader:
                cells = [_cells(column) for column in batch.columns]
                yield pa.RecordBatch.from_arrays(cells, [name.strip() for name in used]), packed.tell()


def _cells(column: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(column)
    is_null = pc.is_in(trimmed, value_set=pa.array(NULLS))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), trimmed)
