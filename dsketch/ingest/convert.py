"""Convert a file of NumPy, CSV or Parquet into Zarr arrays; the one public function."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dsketch._units import parse_bytes
from dsketch.errors import DataError, SpecError
from dsketch.events import Event, Note, Tell, ignore
from dsketch.ingest.choice import ColumnChoice, base_texts
from dsketch.ingest.csr import is_sparse_npz, load_npz, write_csr
from dsketch.ingest.dialect import Dialect
from dsketch.ingest.failure import writing
from dsketch.ingest.formats import open_source
from dsketch.ingest.like import INTERCEPT, Like
from dsketch.ingest.remedy import ChoiceError, Remedy, SourceError, at_source
from dsketch.ingest.rows import RowSource
from dsketch.ingest.staged import staging
from dsketch.ingest.writer import create_array, rows_per_chunk, write_rows
from dsketch.matrix.csr_slices import require_finite_entries


@dataclass(frozen=True)
class Ingested:
    """What was written.

    Parameters
    ----------
    matrix, target, weights : str
        Paths of A, b and the weights; None where there is no b, or are no weights.
    shape, dtype
        Of A; b and the weights have its rows, and are float64.
    columns : tuple of str
        Name of each column of A.
    rows_read, rows_dropped : int
        Rows of the source, and how many of them were left out because of nulls.
    rows_dropped_by : dict
        By column, how many of the rows left out have no value there, the most first; a row may count for several.
    notes : tuple of str
        What one should know of the source: columns that look like row labels, text that has numbers, ….
    levels, base : dict
        By source column, all levels of a one-hot column, and its reference level, which has no column.
    bytes_written : int
        Size of all files of A, b and the weights.
    seconds : float
        Time from call to return.
    """

    matrix: str
    target: str | None
    shape: tuple[int, ...]
    dtype: str
    columns: tuple[str, ...]
    rows_read: int
    rows_dropped: int
    bytes_written: int
    seconds: float
    weights: str | None = None
    rows_dropped_by: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)


def ingest(
    source: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    target_to: str | os.PathLike[str] | None = None,
    weights: str | None = None,
    weights_to: str | os.PathLike[str] | None = None,
    add_intercept: bool = False,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    nulls: str = "error",
    drop_first: bool = False,
    base: Mapping[str, str] | Sequence[str] = (),
    categories: Sequence[str] = (),
    like: str | os.PathLike[str] | Like | None = None,
    unseen: str = "error",
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    chunk_bytes: int | str = 64_000_000,
    overwrite: bool = False,
    tell: Tell = ignore,
) -> Ingested:
    r"""Convert ``source``, of any size, into a Zarr array A, and possibly more for b and for weights.

    Numbers and booleans become one column each; text becomes one-hot, a column ``name=level`` for each level in sorted
    order.  The outputs appear under their names only when they are complete.

    Parameters
    ----------
    source : path
        - ``.npy``, 2-D or 1-D; the columns are called x0, x1, …; a 1-D source gives a 1-D output;
        - ``.npz`` with one array, or with one named A or X and one named b or y, which is then the target; or what
          ``scipy.sparse.save_npz`` wrote, which becomes a CSR group and is held in memory meanwhile;
        - ``.csv`` or ``.tsv`` with the names of the columns in the first line, also packed as ``.gz``, ``.bz2``,
          ``.xz`` or ``.zst``;
        - Parquet;
        - a directory of CSV or of Parquet files, or a glob of them, read in the order of their names.  Columns are
          matched by name; directories named ``key=value`` give a column ``key``.
    to : path
        Directory to write A to, on a local disk.
    target : str or sequence of str, optional
        Column that becomes b, or several; they are then not in A.
    target_to : path, optional
        Directory to write b to, of shape (n,), or (n, k) for k > 1 targets; needed with a target.
    weights : str, optional
        Column that becomes the weights; it is then not in A.
    weights_to : path, optional
        Directory to write the weights to, of shape (n,); needed with weights.
    add_intercept : bool
        Append a column of ones named "intercept".
    columns : sequence of str, optional
        Columns of A, in this order; the default is all of them.
    drop : sequence of str
        Columns to leave out.
    nulls : {"error", "drop"}
        Whether a null or NaN in a used column is an error (default), or its row is left out.
    drop_first : bool
        Leave out the first level of each one-hot column (default: keep all).  Together with an intercept that keeps A
        of full rank.
    base : dict or sequence of str
        Levels to leave out instead of the first, by column; or texts ``column=level``, or ``level`` where only one
        column has it.  Other columns keep all levels unless ``drop_first``.
    categories : sequence of str
        Columns whose values are levels, whatever they look like: numbers, dates, row labels.
    like : path or Like, optional
        A that is there, or an x that was stored, or what either says of its columns (:meth:`Like.of`): the new A gets
        its columns in its order, with its levels, whatever the order in the source; other columns are left out, and
        told.  For rows to predict.
    unseen : {"error", "zero"}
        Whether a level that ``like`` does not have is an error (default), or is none of the levels.
    delimiter : str, optional
        What stands between the columns of a CSV file: one sign, "tab", or "space" for any number of blanks.  The default
        is a comma, and a tab for ``.tsv``.
    encoding : str, optional
        Of a CSV file, such as "latin-1"; the default is UTF-8.
    header : bool, optional
        Whether the first line of a CSV file has the names of the columns; without it they are x0, x1, ….  The default is
        yes, and a first line of numbers is an error.
    chunk_bytes : int or str
        Size of a chunk, which is a number of full rows; default 64 MB.
    overwrite : bool
        Replace a Zarr array that is at ``to``, ``target_to`` or ``weights_to``.
    tell : Tell
        Hears a :class:`~dsketch.events.Progress` after each block, and a :class:`~dsketch.events.Note` for each of the
        result's ``notes``.

    Raises
    ------
    SpecError
        For an unknown column, ending, level or option.
    MissingDataError
        If ``source`` is not there.
    DataError
        For a null, an infinity, a column of dates or lists, a text with more than 1,000 levels or one for nearly each
        row, numbers written as text (1,500 or $1.50), a target of text; for a column or level that ``like`` does not
        fit; for a file of another encoding, delimiter or other columns; for an output that exists or cannot be written;
        or if pyarrow is needed and missing.  Rows are counted from 1, over all files, without the header.

    Notes
    -----
    Passes over the source: one for ``.npy``, ``.npz`` and for Parquet of numbers only; two for CSV, for text, and with
    ``nulls="drop"``.  Memory: about four chunks and 250 MB (CSV) or less, whatever the size of the
    source.

    A is float32 if it has columns of float32, no wider floats, and no integers above 16 bit; else float64.  Integers
    beyond 2⁵³ and decimals are rounded to the nearest float64.

    A CSV column is a number only if every cell that is not null parses as one, a flag if all are true or false, and
    text otherwise.  The attributes of A have its ``columns``, the ``levels`` of each one-hot column, the ``base`` level
    that was left out, and a ``rows_digest`` of the rows that stayed, which b and the weights have too.

    Zarr format 3, not compressed, every chunk on the disk, also those of zeros.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> csv = Path(folder.name) / "flights.csv"
    >>> _ = csv.write_text("delay,distance,carrier\n2,1400,UA\n4.5,1416,AA\n")
    >>> done = ingest(csv, csv.with_name("A.zarr"), target="delay", target_to=csv.with_name("b.zarr"))
    >>> done.shape, done.columns
    ((2, 3), ('distance', 'carrier=AA', 'carrier=UA'))
    >>> folder.cleanup()
    """
    begun = time.perf_counter()
    choice = ColumnChoice(
        targets=_target_names(target),
        weights=weights,
        wants_target=target_to is not None,
        wants_weights=weights_to is not None,
        columns=_parse_names(columns, "columns"),
        drop=_parse_names(drop, "drop") or (),
        nulls=nulls,
        drop_first=drop_first,
        base=base_texts(base),
        categories=_parse_names(categories, "categories") or (),
        like=like if like is None or isinstance(like, Like) else Like.read(_path_text(like, "like")),
        unseen=unseen,
        dialect=Dialect(delimiter, encoding, header),
    )
    limit_bytes = parse_bytes(chunk_bytes)
    finals = [_local_path(path) for path in (to, target_to, weights_to) if path is not None]
    address = _path_text(source, "source")
    if is_sparse_npz(Path(address)):
        _require_plain(choice, add_intercept=add_intercept)
        return _convert_csr(Path(address), finals[0], limit_bytes, overwrite, begun)
    if choice.like is not None and add_intercept:
        raise SpecError("with like the columns are those of that matrix; add_intercept was given too. Leave one of them out.")
    has_intercept = add_intercept or (choice.like is not None and choice.like.has_intercept)
    heard = _NoteKeeper(tell)
    with staging(finals, overwrite=overwrite) as parts, _scratch_folder(parts[0]) as scratch:
        rows = open_source(address, choice, scratch, heard)
        names = _label_columns(rows, has_intercept)
        outputs = _create_outputs(
            parts, rows, names, limit_bytes, _attributes_of(rows, names, address, has_intercept=has_intercept)
        )
        write_rows(rows, outputs, has_intercept=has_intercept)
        bytes_written = sum(file.stat().st_size for part in parts for file in part.rglob("*") if file.is_file())
    others = [None if path is None else os.fspath(path) for path in (target_to, weights_to)]
    return _describe(rows, names, outputs[0][1].shape, os.fspath(to), others, heard.notes, bytes_written, begun)


def _describe(
    rows: RowSource,
    names: tuple[str, ...],
    shape: tuple[int, ...],
    to: str,
    others: list[str | None],
    notes: list[str],
    bytes_written: int,
    begun: float,
) -> Ingested:
    return Ingested(
        matrix=to,
        target=others[0],
        weights=others[1],
        shape=shape,
        dtype=str(rows.dtype),
        columns=names,
        rows_read=rows.tally.read,
        rows_dropped=rows.tally.read - rows.tally.count,
        rows_dropped_by=rows.tally.cost,
        notes=tuple(notes),
        levels=dict(rows.levels),
        base=dict(rows.base),
        bytes_written=bytes_written,
        seconds=time.perf_counter() - begun,
    )


class _NoteKeeper:
    """A listener that keeps the notes."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.notes: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.text)
        self._tell(event)


def _require_plain(choice: ColumnChoice, *, add_intercept: bool) -> None:
    if choice != ColumnChoice() or add_intercept:
        raise ChoiceError(
            "a sparse matrix, which is taken as it is, was expected without a choice of columns; one was made",
            Remedy(
                "leave out all but to, chunk_bytes and overwrite", "name the file without a column, and give the target alone"
            ),
        )


def _convert_csr(source: Path, final: Path, chunk_bytes: int, overwrite: bool, begun: float) -> Ingested:
    X = load_npz(source)
    require_finite_entries(str(source), X, 0)
    said = {"source": str(source), "created_by": "dsketch ingest"}
    size = max(chunk_bytes // X.data.itemsize, 1)
    written = Path(write_csr(final, X, chunk_nonzeros=size, overwrite=overwrite, attributes=said))
    rows, columns = (int(number) for number in X.shape)
    return Ingested(
        matrix=str(written),
        target=None,
        shape=(rows, columns),
        dtype=str(X.dtype),
        columns=tuple(f"x{place}" for place in range(columns)),
        rows_read=rows,
        rows_dropped=0,
        bytes_written=sum(file.stat().st_size for file in written.rglob("*") if file.is_file()),
        seconds=time.perf_counter() - begun,
    )


def _target_names(target: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if target is None else (target,) if isinstance(target, str) else _parse_names(target, "target") or ()


def _parse_names(names: Sequence[str] | None, what: str) -> tuple[str, ...] | None:
    if isinstance(names, str):
        raise SpecError(f"{what}: a list of names was expected; got the text {names!r}. Write [{names!r}].")
    if names is not None and (not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names)):
        raise SpecError(f"{what}: names of columns were expected; got {names!r}. Write them as texts.")
    return None if names is None else tuple(names)


def _path_text(path: object, what: str) -> str:
    if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
        raise SpecError(f"{what}: a path was expected; got {path!r}. Write it as text or pathlib.Path.")
    return text


def _local_path(path: str | os.PathLike[str]) -> Path:
    if "://" in _path_text(path, "to"):
        raise SpecError(f"a path on a local disk was expected; got {path!r}. Write here, and copy it when complete.")
    return Path(path).resolve()


@contextmanager
def _scratch_folder(part: Path) -> Iterator[Path]:
    with writing(part):
        place = tempfile.mkdtemp(prefix=f"{part.name}-", dir=part.parent)
    try:
        yield Path(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _label_columns(rows: RowSource, has_intercept: bool) -> tuple[str, ...]:
    if not rows.tally.count:
        worst = next(iter(rows.tally.cost.items()), None)
        where = f" (column {worst[0]!r} has no value in {worst[1]:,})" if worst else ""
        raise SourceError(
            f"at least one complete row was expected; found none among {rows.tally.read:,}{where}",
            at_source("look at the file"),
            Remedy("leave out with drop the columns that are mostly null", "remove the columns that are mostly null"),
        )
    names = (*rows.names, *([INTERCEPT] if has_intercept else []))
    if not names:
        finding = "at least one column of A was expected; only reference levels are left"
        raise SourceError(finding, Remedy("name more columns", "give the file more columns"))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"different columns of A were expected; {twice!r} would be there twice. Rename it in the source.")
    return names


def _attributes_of(rows: RowSource, names: tuple[str, ...], source: str, *, has_intercept: bool) -> list[dict[str, Any]]:
    """Return the attributes of each output."""
    origin = {"source": source, "created_by": "dsketch ingest", "rows_digest": rows.tally.digest}
    names_of_levels = {
        "levels": {name: list(levels) for name, levels in rows.levels.items()},
        "base": dict(rows.base),
    }
    said: list[dict[str, Any]] = [
        {"columns": list(names)} | {word: found for word, found in names_of_levels.items() if found} | origin
    ]
    if names[-1] == INTERCEPT:
        said[0]["intercept"] = has_intercept
    if rows.targets:
        said.append(({"columns": list(rows.targets)} if len(rows.targets) > 1 else {}) | origin)
    return [*said, origin] if rows.has_weights else said


def _create_outputs(
    parts: list[Path], rows: RowSource, names: tuple[str, ...], chunk_bytes: int, said: list[dict[str, Any]]
) -> list[tuple[Path, Any]]:
    count = rows.tally.count
    # b is cut where A is cut, so that a block of rows needs one chunk of each.
    height = rows_per_chunk(count, len(names), rows.dtype.itemsize, chunk_bytes)
    matrix = (count,) if rows.is_vector and len(names) == 1 else (count, len(names))
    sides = [(count,) if len(rows.targets) == 1 else (count, len(rows.targets))] if rows.targets else []
    shapes = [matrix, *sides, *([(count,)] if rows.has_weights else [])]
    dtypes = [rows.dtype, *(np.dtype(np.float64) for _ in shapes[1:])]
    outputs = []
    for part, shape, dtype, attributes in zip(parts, shapes, dtypes, said, strict=True):
        with writing(part):
            outputs.append((part, create_array(part, shape, height, dtype, attributes)))
    return outputs
