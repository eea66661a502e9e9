"""A wide store read the other way round: the columns of a matrix are the rows of a run, m × n, a block a run of whole chunks of columns.

For problems that treat each column by itself: panels, tasks, same bits, progress and resuming then come from the columns.  A block is
never turned in memory: what is read as n × columns comes as a view of its transpose, and whoever works on it takes tiles of samples.
"""

import hashlib
import json
import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError, DsketchError, MissingDataError
from dsketch.matrix.absent import is_filled
from dsketch.matrix.alleles import MISSING_CALL, dosages
from dsketch.matrix.base import AnyArray, Cuts, Matrix, block_rows_for, check_numeric, even_cuts
from dsketch.matrix.blosc_check import check_frames
from dsketch.matrix.bounded import bound_decoding, check_codecs
from dsketch.matrix.chunks import chunks_of
from dsketch.matrix.compat import wait_for
from dsketch.matrix.conventions import Conventions
from dsketch.matrix.grid import Box
from dsketch.matrix.stored import address_of

_BLOCK_BYTES = 64_000_000  # products of some hundred columns at once spend less on packing; with fewer than so many blocks, 32 MB
_MANY_BLOCKS = 6
_LARGEST_BLOCK = 128_000_000  # chunks of columns that decode to more are cut, and decoded again for each part
_MOST_COLUMNS = 4096  # of short columns a block has no more than this and a chunk: several workers have something to do
_SAMPLE_COLUMNS = 4


class Transposed(Matrix):
    """The columns of an array as rows, shape (m, n).

    Parameters
    ----------
    array : ndarray or zarr.Array
        Of two dimensions; or of three, calls of alleles (variants, samples, ploidy), or floats (variants, samples, 1).
    axis : {0, 1}
        Along which its columns lie, that is, the axis that becomes the rows: 1 for n × m, 0 for m × n.
    meaning : Conventions, optional
        What stored numbers stand for, where it is not themselves.
    what : str
        The name that errors use.
    first_row : int
        Number of the first column that ``array`` holds; other than 0 for a :meth:`window` that travels with a task.
    rows : int, optional
        Number of columns of the whole matrix, where ``array`` is only a window of it.

    Attributes
    ----------
    marks : tuple of int
        Of the integers that are read, those that stand for a missing value; in floats that is NaN.
    """

    is_kept = False

    def __init__(
        self,
        array: "AnyArray | zarr.Array[Any]",
        axis: int = 1,
        meaning: Conventions | None = None,
        what: str = "G",
        *,
        first_row: int = 0,
        rows: int | None = None,
    ) -> None:
        check_numeric(np.dtype(array.dtype), what)
        self._array, self._axis, self._meaning, self._what, self._first_row = array, axis, meaning, what, first_row
        self.shape = (int(array.shape[axis]) if rows is None else rows, int(array.shape[1 - axis]))
        self._stored = np.dtype(array.dtype).newbyteorder("=")
        self._is_calls = len(array.shape) == 3 and self._stored.kind == "i"  # of floats the last dimension is 1
        is_plain = meaning is None or (not meaning.is_packed and meaning.bounds is None and meaning.stored == self._stored)
        self._is_plain = self._is_calls or (is_plain and (meaning is None or self._stored.kind in "iu"))
        self.dtype = np.dtype(np.int8) if self._is_calls else self._stored if self._is_plain else np.dtype(np.float64)
        self.marks = self._marks()
        self.meaning = "" if meaning is None else meaning.describe()
        self.is_local = isinstance(array, np.ndarray)
        self.source = None if isinstance(array, np.ndarray) else address_of(array)
        if isinstance(array, zarr.Array):
            check_codecs(array, what)
            self._decoding = bound_decoding(check_frames(array, what, self.source or f"{array.store}/{array.path}"))
            root = getattr(array.store, "root", None)
            self._chunks = chunks_of(array, root) if isinstance(root, Path) else chunks_of(self._decoding, None)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        words = {"array": self._array, "axis": self._axis, "meaning": self._meaning, "what": self._what}
        return {**words, "first_row": self._first_row, "rows": self.shape[0]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open again in another process."""
        self.__init__(**state)  # type: ignore[misc]

    def _marks(self) -> tuple[int, ...]:
        if self._is_calls:
            return (MISSING_CALL,)
        return tuple(int(mark) for _, mark in self._meaning.marks) if self._meaning is not None and self._is_plain else ()

    @property
    def chunk(self) -> int:
        """Columns of what is stored as one object."""
        if isinstance(self._array, np.ndarray):
            return 1
        return int((self._array.shards or self._array.chunks)[self._axis])

    @property
    def _column_bytes(self) -> int:
        """Bytes that one column takes as it is decoded."""
        return int(self._stored.itemsize * math.prod(self._array.shape) // max(self.shape[0], 1))

    @cached_property
    def cuts(self) -> Cuts:
        """Blocks of whole chunks of columns near 32 MB, 64 where these are some, or 4,096 columns; parts of a chunk beyond 128 MB."""
        size = max(self._column_bytes, self.dtype.itemsize * self.shape[1], 1)
        columns = block_rows_for(self.chunk, size, divisible=False)
        if self.shape[0] * size > _MANY_BLOCKS * _BLOCK_BYTES:
            columns = max(columns, _BLOCK_BYTES // (size * self.chunk) * self.chunk)
        columns = min(columns, max(_MOST_COLUMNS // self.chunk, 1) * self.chunk)
        if columns * size > _LARGEST_BLOCK:
            columns = -(-columns // -(-columns * size // _LARGEST_BLOCK))
        return even_cuts(self.shape[0], columns)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return columns ``start:stop`` as rows, a view of what was read where they lie along the second axis.

        Raises
        ------
        MissingDataError
            If a chunk is absent.
        DataError
            If one does not decode.
        """
        start, stop = start - self._first_row, stop - self._first_row
        place = tuple(slice(start, stop) if axis == self._axis else slice(0, size) for axis, size in enumerate(self._array.shape))
        block = self._array[place] if isinstance(self._array, np.ndarray) else self._decode(place, out)
        if self._is_calls:
            calls: Any = block
            memory: Any = None if out is None else out[: stop - start]
            return dosages(calls, memory)
        if block.ndim == 3:
            block = block[..., 0]
        if not self._is_plain:
            block = self._fill_gaps(block)
        return block if self._axis == 0 else block.T

    def window(self, start: int, stop: int) -> "Transposed":
        """Return columns ``start:stop`` of an array in memory alone, for they travel with the task."""
        if not isinstance(self._array, np.ndarray):
            return self
        held = np.ascontiguousarray(self.read(start, stop))
        return Transposed(held, 0, self._meaning, self._what, first_row=start, rows=self.shape[0])

    def _fill_gaps(self, block: AnyArray) -> AnyArray:
        assert self._meaning is not None  # noqa: S101 - for type checkers: only a meaning makes an array other than plain
        return self._meaning.fill_gaps(block)

    def needs_buffer(self, start: int, stop: int) -> bool:
        """Whether numbers are decoded as they are read."""
        del start, stop
        return self._is_plain and not isinstance(self._array, np.ndarray)

    def _decode(self, place: Box, out: AnyArray | None) -> AnyArray:
        """Return what is stored at a place, in memory of the caller's where it fits, of this thread where other numbers are made of it."""
        shape = tuple(one.stop - one.start for one in place)
        size = math.prod(shape)
        if self._is_calls or not self._is_plain:
            target = scratch("columns as they are stored", (1, size), self._stored)[0].reshape(shape)
        elif out is not None and out.dtype == self._stored and out.size >= size and out.flags.c_contiguous:
            target = out.reshape(-1)[:size].reshape(shape)
        else:
            target = np.empty(shape, self._stored)
        try:
            is_read = self._chunks is not None and self._chunks.read(place, target)
            block = target if is_read else np.asarray(self._decoding[place])
        except DsketchError:
            raise
        except Exception as error:
            raise DataError(
                f"columns {place[self._axis].start}:{place[self._axis].stop} of {self._what} ({self.source}) cannot be decoded: "
                f"{type(error).__name__}: {error}. A chunk is corrupt or unreadable: copy it again from its origin, or check the "
                "permissions."
            ) from error
        self._require_chunks(place[self._axis], block)
        return block

    def _require_chunks(self, columns: slice, block: AnyArray) -> None:
        """Refuse absent chunks; the store is asked only about those of which nothing but the fill value was read."""
        array: Any = self._array
        sizes, fill = array.shards or array.chunks, array.fill_value
        first = int(columns.start) // sizes[self._axis]
        grid = [range(-(-length // size)) for length, size in zip(array.shape, sizes, strict=True)]
        grid[self._axis] = range(first, (int(columns.stop) - 1) // sizes[self._axis] + 1)
        for place in np.ndindex(*(len(numbers) for numbers in grid)):
            key = tuple(numbers[number] for numbers, number in zip(grid, place, strict=True))
            box = tuple(slice(number * size, (number + 1) * size) for number, size in zip(key, sizes, strict=True))
            shifted = slice(max(box[self._axis].start - columns.start, 0), box[self._axis].stop - columns.start)
            box = (*box[: self._axis], shifted, *box[self._axis + 1 :])
            if is_filled(block[box], fill):
                self._require_key(key)

    def _require_key(self, number: tuple[int, ...]) -> None:
        array: Any = self._array
        key = f"{array.path}/{array.metadata.encode_chunk_key(number)}".lstrip("/")
        if not wait_for(array.store.exists(key)):
            raise MissingDataError(
                f"chunk {'.'.join(map(str, number))} of {self._what} is absent ({self.source or array.store}/{key}). If the data was "
                f"lost, copy it again; if the writer left out chunks of the fill value {array.fill_value}, write it with "
                "write_empty_chunks=True."
            )

    def fingerprint(self) -> str:
        """Return a digest of metadata, axis and meaning, and of a few columns; of an array in memory, of all."""
        digest = hashlib.sha256(f"{self.shape}{self.dtype}{self._axis}{self._meaning!r}".encode())
        if isinstance(self._array, np.ndarray):
            digest.update(np.ascontiguousarray(self._array).data)
            return digest.hexdigest()[:16]
        metadata = self._array.metadata.to_dict()
        metadata = {key: metadata[key] for key in metadata if key not in ("attributes", "consolidated_metadata")}
        digest.update(json.dumps(metadata, sort_keys=True, default=str).encode())
        m = self.shape[0]
        for start in sorted({0, m // 2, max(m - _SAMPLE_COLUMNS, 0)}):
            digest.update(np.ascontiguousarray(self.read(start, min(start + _SAMPLE_COLUMNS, m))).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return where it lies, along which axis its columns lie, and what is missing."""
        where = "array in memory" if isinstance(self._array, np.ndarray) else f"{self.source} (decoded by zarr)"
        columns = "counts of alleles" if self._is_calls else "columns"
        gaps = f", {' and '.join(map(str, self.marks))} missing" if self.marks else ""
        again = f", each chunk decoded for {self._parts} blocks" if self._parts > 1 else ""
        return f"{where}, {columns} along axis {self._axis}{gaps}{again}"

    @property
    def _parts(self) -> int:
        """Into how many blocks a chunk is cut."""
        return -(-min(self.chunk, self.shape[0]) // max(int(self.cuts[1]), 1)) if len(self.cuts) > 1 else 1
