"""The ending of the file name decides who reads it."""

import glob
import importlib
from collections.abc import Callable
from pathlib import Path

from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.events import Tell
from dsketch.ingest.choice import ColumnChoice
from dsketch.ingest.dialect import Dialect
from dsketch.ingest.rows import RowSource

_Opener = Callable[[list[Path], Path | None, ColumnChoice, Path, Tell], RowSource]

_PARQUET = (".parquet", ".pq", ".parq")
_DELIMITED = tuple(f"{text}{packed}" for text in (".csv", ".tsv") for packed in ("", ".gz", ".bz2", ".xz", ".zst"))
_READERS = {
    ".npy": "array",
    ".npz": "array",
    **dict.fromkeys(_DELIMITED, "delimited"),
    **dict.fromkeys(_PARQUET, "parquet"),
}
_SEVERAL = ("delimited", "parquet")


def open_source(source: str, choice: ColumnChoice, scratch: Path, tell: Tell) -> RowSource:
    """Return the rows of ``source``, whatever its format.

    Parameters
    ----------
    source : str
        A file, a directory of CSV or of Parquet files, or a glob of them.
    choice : ColumnChoice
        Columns, target, nulls.
    scratch : Path
        Directory for members of an ``.npz``; whoever calls removes it.
    tell : Tell
        Listener.

    Raises
    ------
    MissingDataError
        If nothing is there.
    SpecError
        If the ending is not known.
    DataError
        If pyarrow is needed and not installed, or the data is not fit.
    """
    files = _find_files(source)
    readers = {_READERS.get(_ending(file), "") for file in files}
    reader = readers.pop() if len(readers) == 1 else ""
    if not reader or (len(files) > 1 and reader not in _SEVERAL):
        raise SpecError(
            f"one {', '.join(_READERS)} file, or several of CSV or of Parquet, was expected; got {source!r}{_two_of(files)}. "
            "Convert it, or correct the name."
        )
    if choice.dialect != Dialect() and reader != "delimited":
        raise SpecError(f"delimiter, encoding and header are about CSV; got {source!r}. Leave them out.")
    base = Path(source) if Path(source).is_dir() else None
    return _reader(reader)(files, base, choice, scratch, tell)


def _find_files(source: str) -> list[Path]:
    if "://" in source:
        raise SpecError(f"a local path was expected; got {source!r}. Copy it to this machine first.")
    path = Path(source)
    named = [path] if path.exists() else map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207 -- Path.glob refuses absolute patterns
    # A set: a recursive pattern finds a directory and what lies in it.
    found = sorted({file for one in named for file in (_tables(one) if one.is_dir() else [one])})
    if not found:
        raise MissingDataError(
            f"a file, or a directory of CSV or Parquet, was expected at {source!r}; found nothing. Check the path."
        )
    return found


def _two_of(files: list[Path]) -> str:
    return f" with {files[0].name} and {files[-1].name}" if len(files) > 1 else ""


def _tables(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if _is_table(file) and _is_data(file, folder)]


def _is_table(file: Path) -> bool:
    return _READERS.get(_ending(file)) in _SEVERAL


def _is_data(file: Path, base: Path) -> bool:
    # Spark and others keep _SUCCESS, _metadata, .crc beside the data.
    return file.is_file() and not any(part.startswith(("_", ".")) for part in file.relative_to(base).parts)


def _ending(file: Path) -> str:
    name = file.name.lower()
    return next((ending for ending in _READERS if name.endswith(ending)), "")


def _reader(name: str) -> _Opener:
    try:
        opener: _Opener = importlib.import_module(f"dsketch.ingest.{name}").open_rows
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("pyarrow"):
            raise
        raise DataError(
            "pyarrow was expected for CSV and Parquet; it is not installed. Run: pip install 'dsketch[ingest]'"
        ) from error
    return opener
