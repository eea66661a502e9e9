"""Convert a file of NumPy, CSV or Parquet into Zarr arrays; the one public function."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsketch.errors import DataError, SpecError
from dsketch.events import Tell, ignore
from dsketch.ingest.choice import Choice
from dsketch.ingest.csr import is_sparse_npz, load_npz, write_csr
from dsketch.ingest.failure import writing
from dsketch.ingest.formats import open_source
from dsketch.ingest.rows import Rows
from dsketch.ingest.staged import staged
from dsketch.ingest.writer import chunk_rows, create, write
from dsketch.matrix.entries import require_finite_entries
from dsketch.units import parse_bytes

INTERCEPT = "intercept"


@dataclass(frozen=True)
class Ingested:
    """What was written.

    Parameters
    ----------
    matrix, target : str
        Paths of A and b; target is None if there is no b.
    shape, dtype
        Of A; b has its rows, and is float64.
    columns : tuple of str
        Name of each column of A.
    rows_read, rows_dropped : int
        Rows of the source, and how many of them were left out because of nulls.
    bytes_written : int
        Size of all files of A and b.
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


def ingest(
    source: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    target: str | None = None,
    target_to: str | os.PathLike[str] | None = None,
    add_intercept: bool = False,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    nulls: str = "error",
    drop_first: bool = False,
    chunk_bytes: int | str = 64_000_000,
    overwrite: bool = False,
    tell: Tell = ignore,
) -> Ingested:
    r"""Convert ``source``, of any size, into a Zarr array A, and possibly one more for b.

    Numbers and booleans become one column each; text becomes one-hot, a column ``name=level`` for each level in sorted
    order.  The outputs appear under their names only when they are complete.

    Parameters
    ----------
    source : path
        - ``.npy``, 2-D or 1-D; the columns are called x0, x1, …; a 1-D source gives a 1-D output;
        - ``.npz`` with one array, or with one named A or X and one named b or y, which is then the target; or what
          ``scipy.sparse.save_npz`` wrote, which becomes a CSR group and is held in memory meanwhile;
        - ``.csv``, ``.tsv``, ``.csv.gz``, ``.tsv.gz`` with the names of the columns in the first line;
        - Parquet: a file, a directory (read in the order of the names), or a glob.
    to : path
        Directory to write A to, on a local disk.
    target : str, optional
        Column that becomes b; it is then not in A.
    target_to : path, optional
        Directory to write b to, of shape (n,); needed with a target.
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
    chunk_bytes : int or str
        Size of a chunk, which is a number of full rows; default 64 MB.
    overwrite : bool
        Replace a Zarr array that is at ``to`` or ``target_to``.
    tell : Tell
        Hears a :class:`~dsketch.events.Progress` after each block, and a :class:`~dsketch.events.Note` on a column that
        is text because some, not all, of its cells are no numbers.

    Raises
    ------
    SpecError
        For an unknown column, ending or option.
    MissingDataError
        If ``source`` is not there.
    DataError
        For a null, an infinity, a column of dates or lists, a text with more than 1,000 levels, a target of text; for
        an output that exists or cannot be written; or if pyarrow is needed and missing.  Rows are counted from 1, over
        all files, without the header.

    Notes
    -----
    Passes over the source: one for ``.npy``, ``.npz`` and for Parquet of numbers only; two for CSV, for text, and with
    ``nulls="drop"``.  Memory: about four chunks and 250 MB (CSV) or less, whatever the size of the
    source.

    A is float32 if it has columns of float32, no wider floats, and no integers above 16 bit; else float64.  Integers
    beyond 2⁵³ and decimals are rounded to the nearest float64.

    A CSV column is a number only if every cell that is not null parses as one, a flag if all are true or false, and
    text otherwise.  Zarr format 3, not compressed, every chunk on the disk, also those of zeros.

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
    choice = Choice(target, target_to is not None, _names(columns, "columns"), _names(drop, "drop") or (), nulls, drop_first)
    limit_bytes = parse_bytes(chunk_bytes)
    finals = [_local(path) for path in (to, target_to) if path is not None]
    address = _text(source, "source")
    if is_sparse_npz(Path(address)):
        if choice != Choice(None, False, None, (), "error", False) or add_intercept:
            raise SpecError(
                "a sparse matrix is taken as it is: --to, --chunk-bytes and --overwrite alone were expected. Leave out the rest."
            )
        return _csr(Path(address), finals[0], limit_bytes, overwrite, begun)
    with staged(finals, overwrite=overwrite) as parts, _scratch(parts[0]) as scratch:
        rows = open_source(address, choice, scratch, tell)
        names = _labelled(rows, add_intercept)
        outputs = _outputs(parts, rows, names, limit_bytes, address)
        write(rows, outputs, has_intercept=add_intercept)
        bytes_written = sum(file.stat().st_size for part in parts for file in part.rglob("*") if file.is_file())
    return Ingested(
        matrix=os.fspath(to),
        target=None if target_to is None else os.fspath(target_to),
        shape=outputs[0][1].shape,
        dtype=str(rows.dtype),
        columns=names,
        rows_read=rows.read,
        rows_dropped=rows.read - rows.count,
        bytes_written=bytes_written,
        seconds=time.perf_counter() - begun,
    )


def _csr(source: Path, final: Path, chunk_bytes: int, overwrite: bool, begun: float) -> Ingested:
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


def _names(names: Sequence[str] | None, what: str) -> tuple[str, ...] | None:
    if isinstance(names, str):
        raise SpecError(f"{what}: a list of names was expected; got the text {names!r}. Write [{names!r}].")
    return None if names is None else tuple(names)


def _text(path: object, what: str) -> str:
    if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
        raise SpecError(f"{what}: a path was expected; got {path!r}. Write it as text or pathlib.Path.")
    return text


def _local(path: str | os.PathLike[str]) -> Path:
    if "://" in _text(path, "to"):
        raise SpecError(f"a path on a local disk was expected; got {path!r}. Write here, and copy it when complete.")
    return Path(path).resolve()


@contextmanager
def _scratch(part: Path) -> Iterator[Path]:
    with writing(part):
        place = tempfile.mkdtemp(prefix=f"{part.name}-", dir=part.parent)
    try:
        yield Path(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _labelled(rows: Rows, add_intercept: bool) -> tuple[str, ...]:
    if not rows.count:
        raise DataError(
            f"at least one complete row was expected; found none among {rows.read:,}. "
            "Look at the file, or leave out with drop the columns that are mostly null."
        )
    names = (*rows.names, *([INTERCEPT] if add_intercept else []))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"different columns of A were expected; {twice!r} would be there twice. Rename it in the source.")
    return names


def _outputs(parts: list[Path], rows: Rows, names: tuple[str, ...], chunk_bytes: int, source: str) -> list[tuple[Path, Any]]:
    said = {"source": source, "created_by": "dsketch ingest"}
    is_vector = rows.is_vector and len(names) == 1
    shape = (rows.count,) if is_vector else (rows.count, len(names))
    # b is cut where A is cut, so that a block of rows needs one chunk of each.
    height = chunk_rows(rows.count, len(names), rows.dtype.itemsize, chunk_bytes)
    with writing(parts[0]):
        outputs = [(parts[0], create(parts[0], shape, height, rows.dtype, {"columns": list(names), **said}))]
    if rows.has_target:
        with writing(parts[1]):
            outputs.append((parts[1], create(parts[1], shape[:1], height, np.dtype(np.float64), said)))
    return outputs
