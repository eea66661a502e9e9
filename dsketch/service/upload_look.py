"""What an uploaded file is, by a look at its head alone, in a process of its own: nothing is unpacked, nothing runs.

Sizes that a file declares are compared with the limit before anything is decoded; a file that declares less than it has is cut there
by whoever decodes it.
"""

import csv
import multiprocessing
import threading
import zipfile
import zlib
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dsketch._units import format_bytes
from dsketch.errors import DataError, DsketchError
from dsketch.service.errors import SizeError
from dsketch.service.job_limits import end_with_parent, limit_memory

_LOOK_SECONDS = 20.0
_MEMORY_BYTES = 1_000_000_000
_HEAD_BYTES = 1_000_000  # of a table of text: names of columns that are longer are no names
_MOST_MEMBERS = 20
MOST_COLUMNS = 10_000  # that are told by name
_CONTEXT = multiprocessing.get_context("forkserver")


def look_apart(path: Path, most_bytes: int) -> dict[str, Any]:
    """Return what :func:`look` finds, from a process that is ended when it takes long.

    Raises
    ------
    DataError, SizeError
    """
    ours, theirs = _CONTEXT.Pipe()
    with ours:
        with theirs:
            process = _CONTEXT.Process(target=_tell, args=(theirs, path, most_bytes), daemon=True)
            process.start()
        try:
            found: dict[str, Any] | None = ours.recv() if ours.poll(_LOOK_SECONDS) else None
        except EOFError:
            found = None
        finally:
            process.kill()
            process.join()
            process.close()
    if found is None:
        raise DataError(f"a file that can be read was expected; a look at {path.name} did not end well. Write it anew.")
    if "refused" in found:
        raise (SizeError if found["kind"] == "SizeError" else DataError)(found["refused"])
    return found


def _tell(pipe: Connection, path: Path, most_bytes: int) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    limit_memory(_MEMORY_BYTES)
    try:
        pipe.send(look(path, most_bytes))
    except DsketchError as error:
        pipe.send({"kind": type(error).__name__, "refused": str(error)})
    except Exception as error:  # noqa: BLE001 - whatever a file does to its reader, it is no file for us
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        pipe.send(
            {"kind": "DataError", "refused": f"a whole file was expected; {path.name} cannot be read: {said}. Write it anew."}
        )


def look(path: Path, most_bytes: int) -> dict[str, Any]:
    """Return the columns of a file by name, how many they are, and its rows where it declares them.

    Parameters
    ----------
    path : Path
        Its ending says what it must be.
    most_bytes : int
        That it may have when it is unpacked.

    Raises
    ------
    DataError
        If it is something else, or holds what would run when it is read.
    SizeError
        If it declares more than that.
    """
    ending = path.suffix.lower()
    columns, count, rows = _LOOKS[ending](path, most_bytes)
    return {"columns": columns[:MOST_COLUMNS], "column_count": count, "rows": rows}


_Seen = tuple[list[str], int, int | None]


def _look_at_text(path: Path, most_bytes: int) -> _Seen:
    del most_bytes  # a number takes two bytes of text at least; what is made of it is bounded when it is written
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if b"\0" in head or head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"PAR1", b"\x28\xb5\x2f\xfd")):
        raise DataError(f"text with columns was expected; {path.name} holds something else. Unpack or convert it.")
    text = head.decode("utf-8-sig", errors="replace")
    lines = text.splitlines(keepends=True)
    if len(head) == _HEAD_BYTES and len(lines) < 2:
        raise DataError(
            f"a first line of at most {format_bytes(_HEAD_BYTES)} was expected; {path.name} has a longer one. Give it lines."
        )
    if not text.strip():
        raise DataError(f"a first line with the names of the columns was expected; {path.name} is empty. Write it anew.")
    names = next(csv.reader((line for line in lines if line.strip()), delimiter="\t" if path.suffix == ".tsv" else ","))
    return [name.strip() for name in names], len(names), None


def _look_at_npy(path: Path, most_bytes: int) -> _Seen:
    with path.open("rb") as file:
        shape, dtype = _header_of(file, path.name)
        body = path.stat().st_size - file.tell()
    size = _size_of(shape, dtype)
    _require_size(path, size, most_bytes)
    if size != body:
        raise DataError(f"an array of {size} bytes was expected in {path.name}, as it declares; it has {body}. Write it anew.")
    return _columns_of(shape)


def _look_at_npz(path: Path, most_bytes: int) -> _Seen:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if not members or len(members) > _MOST_MEMBERS or any(not member.filename.endswith(".npy") for member in members):
            raise DataError(
                f"an archive of one array, or of A and b, was expected; {path.name} has {len(members)} others. Use numpy.savez."
            )
        _require_size(path, sum(member.file_size for member in members), most_bytes)
        shapes = {}
        for member in members:
            with archive.open(member) as file:
                shape, dtype = _header_of(file, path.name)
                head = file.tell()
            if head + _size_of(shape, dtype) != member.file_size:
                raise DataError(
                    f"whole arrays were expected; {member.filename} of {path.name} declares another size. Write it anew."
                )
            shapes[member.filename.removesuffix(".npy")] = shape
    if "indptr" in shapes:  # of scipy.sparse, taken as it is
        return [], 0, None
    matrix = next((shapes[name] for name in ("A", "X") if name in shapes), next(iter(shapes.values())))
    names, count, rows = _columns_of(matrix)
    target = next((name for name in ("b", "y") if name in shapes and len(shapes) > 1), None)
    return (names, count, rows) if target is None else ([target, *names], count + 1, rows)


def _look_at_parquet(path: Path, most_bytes: int) -> _Seen:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError("pyarrow was expected for Parquet; it is not installed. Run: pip install 'dsketch[ingest]'.") from error
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(-min(8, path.stat().st_size), 2)
        tail = file.read()
    footer = int.from_bytes(tail[:4], "little") if len(tail) == 8 else 0
    if head != b"PAR1" or tail[4:] != b"PAR1" or footer > min(path.stat().st_size, 16 * _HEAD_BYTES):
        raise DataError(f"a Parquet file was expected; {path.name} is something else, or was cut off. Write it anew.")
    with parquet.ParquetFile(path, memory_map=False) as opened:
        about, names = opened.metadata, opened.schema_arrow.names
        groups = [about.row_group(place) for place in range(about.num_row_groups)]
        unpacked = sum(group.total_byte_size for group in groups)
        # A run of equal values takes a few bytes however long it is: what becomes of the columns counts as well.
        _require_size(path, max(unpacked, 8 * about.num_rows * len(names)), most_bytes)
        return list(names), len(names), int(about.num_rows)


def _header_of(file: BinaryIO | Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype of an array, from its head alone.

    Raises
    ------
    DataError
        If it is no array of numbers; one of objects is a pickle, which would run code.
    """
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(
            f"an array of NumPy was expected in {name}; its head cannot be read. Write it with numpy.save."
        ) from error
    if dtype.hasobject:
        raise DataError(
            f"an array of numbers was expected in {name}; it holds pickled objects, which would run code. Save numbers."
        )
    return shape, dtype


def _size_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    size = dtype.itemsize
    for length in shape:
        size *= int(length)  # Python's own integers: no overflow
    return size


def _require_size(path: Path, size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise SizeError(
            f"at most {format_bytes(most_bytes)} unpacked were expected; {path.name} declares {format_bytes(size)}. Upload less, or write "
            "Zarr below a data root."
        )


def _columns_of(shape: tuple[int, ...]) -> _Seen:
    """Return the names that columns of an array get."""
    if len(shape) not in (1, 2):
        raise DataError(f"an array of one or two dimensions was expected; got {len(shape)}. Reshape it.")
    count = 1 if len(shape) == 1 else int(shape[1])
    return [f"x{place}" for place in range(min(count, MOST_COLUMNS))], count, int(shape[0])


_LOOKS: dict[str, Callable[[Path, int], _Seen]] = {
    ".csv": _look_at_text,
    ".tsv": _look_at_text,
    ".npy": _look_at_npy,
    ".npz": _look_at_npz,
    ".parquet": _look_at_parquet,
}
