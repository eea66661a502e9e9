"""A stored array of an answer as a NumPy file that is sent piece by piece: from any byte on, in bounded memory.

The numbers of a piece are read when it is sent.  Raw chunks, as answers have them, are read by the runs that lie together in their
files, so that no byte is read twice whatever the chunks are.
"""

import hashlib
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch.errors import DataError
from dsketch.matrix.raw_boxes import raw_boxes
from dsketch.service.rooted import RootedStore

PIECE_BYTES = 4_000_000
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class NpyStream:
    """One array as the bytes of an ``.npy`` file.

    Parameters
    ----------
    array : zarr.Array
        Of at least one dimension.
    what : str
        The name that errors use.
    """

    def __init__(self, array: "zarr.Array[Any]", what: str) -> None:
        self._array, self._what = array, what
        self._shape, self._dtype = tuple(int(size) for size in array.shape), np.dtype(array.dtype).newbyteorder("=")
        self._boxes = raw_boxes(array, what, self._refuse_absent)
        self._header = _header_of(self._shape, self._dtype)
        self._axis, self._step = self._slabs()

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return len(self._header) + int(math.prod(self._shape) * self._dtype.itemsize)

    def digest(self) -> str:
        """Return the SHA-256 of the numbers in C order."""
        state = hashlib.sha256()
        for piece in self._numbers(0):
            state.update(piece)
        return state.hexdigest()

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of the file from ``start`` to ``stop``.

        Raises
        ------
        DataError, PlaceError
            If a chunk is not there any more, has another length, or lies elsewhere.
        """
        rest, head = (self.nbytes if stop is None else stop) - start, len(self._header)
        if rest > 0 and start < head:
            yield self._header[start : start + rest]
            rest -= min(rest, head - start)
        for piece in self._numbers(max(start - head, 0)):
            if rest <= 0:
                return
            yield piece[:rest]
            rest -= len(piece)

    def _slabs(self) -> tuple[int, int]:
        """Return along which axis the array is cut, and how many of it a piece has: whole chunks if these fit."""
        axis, inner = 0, math.prod(self._shape[1:]) * self._dtype.itemsize
        while axis < len(self._shape) - 1 and inner > PIECE_BYTES:
            axis, inner = axis + 1, inner // max(self._shape[axis + 1], 1)
        most, chunk = max(PIECE_BYTES // max(inner, 1), 1), int(self._array.chunks[axis])
        return axis, most // chunk * chunk or most

    def _numbers(self, start: int) -> Iterator[bytes]:
        """Yield the numbers' bytes in C order, from a byte of them on."""
        if not math.prod(self._shape):
            return
        length, outer = self._shape[self._axis], self._shape[: self._axis]
        inner = math.prod(self._shape[self._axis + 1 :]) * self._dtype.itemsize
        first, within = divmod(start, length * inner)
        low = within // (self._step * inner) * self._step
        skipped = within - low * inner
        for head in range(first, math.prod(outer)):
            place = tuple(int(at) for at in np.unravel_index(head, outer)) if outer else ()
            for begin in range(low, length, self._step):
                yield self._read(place, begin, min(begin + self._step, length)).tobytes()[skipped:]
                skipped = 0
            low = 0

    def _read(self, place: tuple[int, ...], begin: int, end: int) -> NDArray[Any]:
        box = (
            *(slice(at, at + 1) for at in place),
            slice(begin, end),
            *(slice(0, size) for size in self._shape[self._axis + 1 :]),
        )
        if self._boxes is None:
            return np.ascontiguousarray(self._array[box], self._dtype)
        out = np.empty([cut.stop - cut.start for cut in box], self._dtype)
        return self._boxes.read(box[0].start, box[0].stop, box[1:], out)

    def _refuse_absent(self, place: tuple[int, ...]) -> None:
        raise DataError(f"all chunks of {self._what} were expected; {place} is not there. Submit the job again.")


def open_stored(path: Path, name: str | None, folders: tuple[Path, ...], what: str) -> "tuple[zarr.Array[Any], dict[str, Any]]":
    """Return an array below a folder, itself or by its name in a group, read only where it lies; and what array or group say of themselves.

    Raises
    ------
    PlaceError
        If it lies, or leads, out of ``folders``.
    OSError, KeyError, ValueError
        If there is none.
    """
    found = zarr.open(RootedStore(path, folders, what), mode="r")
    stored = found[name] if isinstance(found, zarr.Group) and name is not None else found
    if not isinstance(stored, zarr.Array):
        raise KeyError(name)
    return stored, found.attrs.asdict()


def span_of(header: str | None, size: int) -> tuple[int, int] | None:
    """Return which bytes a Range header asks for; all of them where there is none or it is of another kind; None beyond the end.

    >>> span_of("bytes=10-19", 100), span_of("bytes=-5", 100), span_of(None, 100), span_of("bytes=100-", 100)
    ((10, 20), (95, 100), (0, 100), None)
    """
    found = None if header is None else _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or not any(found.groups()):
        return 0, size
    first, last = found.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    return (start, stop) if start < stop else None


def _header_of(shape: tuple[int, ...], dtype: "np.dtype[Any]") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()
