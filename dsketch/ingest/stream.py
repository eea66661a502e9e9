"""The bytes of a delimited file as UTF-8 with one delimiter: unpacked, decoded and squeezed on the way.

Nothing here holds more than a few blocks of the file.
"""

import io
import lzma
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from dsketch.errors import DataError
from dsketch.ingest import remedy
from dsketch.ingest.dialect import BLANKS, Dialect
from dsketch.ingest.failure import reading

# By the last ending of the name.
PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz"}
_MAGIC = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"\xfd7zXZ": ".xz",
    b"PK\x03\x04": ".zip",
    b"PAR1": ".parquet",
}
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_HEAD_BYTES = 65_536
_FAILURES = (pa.ArrowException, lzma.LZMAError, EOFError)


def open_stream(path: Path, dialect: Dialect) -> tuple[Any, Callable[[], int]]:
    """Return a stream that pyarrow reads, and a function that says how many bytes of the file have gone by.

    Raises
    ------
    DataError
        If the first bytes show that the file is packed, or encoded otherwise than said.
    """
    file = path.open("rb")
    _look(path, file, dialect)
    kind = PACKED.get(path.suffix.lower())
    stream: Any = pa.PythonFile(file, "r")
    if kind == "xz":
        stream = pa.PythonFile(lzma.LZMAFile(file), "r")  # noqa: SIM115 -- closed with the stream
    elif kind is not None:
        stream = pa.CompressedInputStream(stream, kind)
    if dialect.encoding is not None:
        stream = pa.transcoding_input_stream(stream, dialect.encoding, "utf8")
    if dialect.sign == BLANKS:
        stream = io.BufferedReader(_Squeezed(stream))
    return stream, file.tell


def first_lines(path: Path, dialect: Dialect, most: int = 10) -> list[str]:
    """Return the first lines that are not blank, without their ends; none where a line is very long."""
    with decoding(path, dialect):
        stream, _ = open_stream(path, dialect)
        with stream:
            taken = stream.read(_HEAD_BYTES)
    text = taken.decode("utf-8-sig", errors="ignore")
    lines = re.split(r"\r\n|\r|\n", text)
    whole = lines if len(taken) < _HEAD_BYTES else lines[:-1]
    return [line for line in whole if line.strip()][:most]


@contextmanager
def decoding(path: Path, dialect: Dialect) -> Iterator[None]:
    """Raise one sentence for bytes that are not of the encoding, and for a file that cannot be read."""
    try:
        with reading(str(path), *_FAILURES):
            yield
    except UnicodeError as error:
        raise _undecodable(path, dialect, str(error)) from error
    except DataError as error:
        cause = error.__cause__
        if isinstance(cause, pa.ArrowException) and "UTF8" in str(cause):
            raise _undecodable(path, dialect, "invalid UTF8 data") from cause
        raise


def _undecodable(path: Path, dialect: Dialect, why: str) -> DataError:
    if dialect.encoding is not None:
        return DataError(f"text in {dialect.encoding} was expected; {path} has other bytes ({why}). Name its own encoding.")
    return remedy.SourceError(
        f"UTF-8 was expected; {path} is in another encoding ({why})",
        remedy.Remedy("say which, for example encoding='latin-1' (--encoding latin-1)"),
        remedy.at_source("convert the file, for example with iconv -f latin1 -t utf-8"),
    )


def _look(path: Path, file: BinaryIO, dialect: Dialect) -> None:
    first = file.read(8)
    file.seek(0)
    if path.suffix.lower() not in PACKED:
        ending = next((ending for magic, ending in _MAGIC.items() if first.startswith(magic)), None)
        if ending is not None:
            raise DataError(f"text was expected; {path} has the first bytes of a {ending} file. Give it its own ending.")
    mark = next((name for sign, name in _MARKS.items() if first.startswith(sign)), None)
    if mark is None and b"\0" in first[:4]:
        mark = "utf-16-le" if first[1:2] == b"\0" else "utf-16-be"
    if mark is not None and dialect.encoding is None and path.suffix.lower() not in PACKED:
        raise remedy.SourceError(
            f"UTF-8 was expected; {path} begins as {mark} does",
            remedy.Remedy(f"say encoding={mark!r} (--encoding {mark})"),
            remedy.at_source(f"convert the file with iconv -f {mark} -t utf-8"),
        )


class _Squeezed(io.RawIOBase):
    """A stream whose runs of blanks and tabs are one blank, and none at either end of a line."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._rest = b""
        self._ready = b""

    def readable(self) -> bool:
        """Whether one may read: yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` and return how many bytes it got; 0 at the end."""
        while not self._ready:
            taken = self._inner.read(1 << 20)
            if not taken and not self._rest:
                return 0
            # What follows the last line end may go on with blanks.
            whole, end, rest = (self._rest + taken).rpartition(b"\n") if taken else (self._rest, b"", b"")
            self._rest = rest
            self._ready = re.sub(rb"[ \t]+", b" ", re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", whole + end))
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        """Close the inner stream too."""
        if not self.closed:
            self._inner.close()
        super().close()
