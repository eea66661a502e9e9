"""Rows that lie on a local disk as their own bytes, read a slice at a time into memory that stays in the cache.

Reading a 400 kB slice into a reused buffer and computing on it there runs at 12 GB/s on one core; mapping the file costs a page
fault for every 64 kB at the least and came to 5 GB/s on the same machine.  The operating system is told of a block before it is
needed, so a cold disk works while we compute.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.conventions import Conventions

_PACKED_BYTES = 100_000  # packed numbers read at once: as float64 they are four times as many at most, and stay in the cache

# (chunk number) → path and None, or the fill value where the chunk is absent and that is allowed
OpenChunk = Callable[[int], int | None]


def open_file(store: Any, path: str) -> int:
    """Return a file descriptor to read from; a store that watches where its files lie opens them itself."""
    opening = getattr(store, "open_file", None)
    return os.open(path, os.O_RDONLY) if opening is None else int(opening(path))


class UnreadRows(ABC):
    """Rows that are read a slice at a time."""

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]

    @abstractmethod
    def read(self, low: int, high: int, out: AnyArray) -> AnyArray:
        """Fill ``out`` with rows ``low:high``, counted from the first row of the block."""


class PackedRows(UnreadRows):
    """Packed rows in memory, to be unpacked: the numbers that they stand for have two to eight times their bytes.

    Parameters
    ----------
    stored : ndarray, shape (rows, d)
    conventions : Conventions
    what : str
        The name that errors use.
    start : int
        Global number of the first row.
    """

    def __init__(self, stored: AnyArray, conventions: Conventions, what: str, start: int) -> None:
        self.shape, self.dtype = (stored.shape[0], stored.shape[1]), conventions.dtype
        self._stored, self._conventions, self._what, self._start = stored, conventions, what, start

    def read(self, low: int, high: int, out: AnyArray) -> AnyArray:
        """Fill ``out``.

        Raises
        ------
        DataError
            If a cell is marked as missing.
        """
        self._conventions.interpret(self._stored[low:high], out, self._what, self._start + low)
        return out


class RawRows(UnreadRows):
    """Rows ``start:stop`` of raw chunks, not yet in memory.

    Parameters
    ----------
    shape : tuple of int
        (rows, d).
    dtype : dtype
        Of the stored numbers.
    start : int
        Global number of the first row.
    chunk_rows : int
        Rows of a chunk (of a file).
    open_chunk : callable
        Returns a file descriptor for a chunk number after checking its length, or None for an absent chunk.
    fill_value : number
        What an absent chunk holds.
    conventions : Conventions, optional
        What the stored numbers stand for, where it is not themselves.
    what : str
        The name that errors use.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        dtype: np.dtype[np.generic],
        start: int,
        chunk_rows: int,
        open_chunk: OpenChunk,
        fill_value: object,
        conventions: Conventions | None = None,
        what: str = "A",
    ) -> None:
        self.shape = shape
        self.dtype = dtype if conventions is None else conventions.dtype
        self._stored = dtype
        self._conventions, self._what = conventions, what
        self._start = start
        self._chunk_rows = chunk_rows
        self._open_chunk = open_chunk
        self._fill_value = fill_value
        self._chunk = -1
        self._descriptor: int | None = None
        self._ask_for(start, start + shape[0])

    def read(self, low: int, high: int, out: AnyArray) -> AnyArray:
        """Fill ``out`` with rows ``low:high``, counted from the first row of the block.

        Raises
        ------
        DataError
            If a chunk shrinks as it is read, or a cell is marked as missing.
        """
        meaning = self._conventions
        if meaning is None:
            return self._copy(low, high, out)
        if not meaning.is_packed:
            meaning.interpret(self._copy(low, high, out), out, self._what, self._start + low)
            return out
        step = max(_PACKED_BYTES // max(self.shape[1] * self._stored.itemsize, 1), 1)
        for first in range(low, high, step):
            last = min(first + step, high)
            stored = self._copy(first, last, scratch("packed", (last - first, self.shape[1]), meaning.stored))
            meaning.interpret(stored, out[first - low : last - low], self._what, self._start + first)
        return out

    def _copy(self, low: int, high: int, out: AnyArray) -> AnyArray:
        """Fill ``out`` with the bytes of rows ``low:high``."""
        row_bytes = self.shape[1] * self._stored.itemsize
        row, stop, size = self._start + low, self._start + high, self._chunk_rows
        target = memoryview(out.data).cast("B")
        while row < stop:
            last = min(stop, (row // size + 1) * size)
            length = (last - row) * row_bytes
            self._fill(row // size, (row % size) * row_bytes, target[:length])
            target, row = target[length:], last
        return out

    def _fill(self, chunk: int, offset: int, target: memoryview) -> None:
        descriptor = self._select(chunk)
        if descriptor is None:
            np.frombuffer(target, self._stored)[:] = self._fill_value
            return
        while target:
            count = os.preadv(descriptor, [target], offset)
            if count <= 0:
                raise DataError(
                    f"chunk {chunk} ended early, at byte {offset}. It is being changed while it is read: solve again when it is whole."
                )
            target, offset = target[count:], offset + count

    def _select(self, chunk: int) -> int | None:
        """Return the descriptor of a chunk, keeping the last one open."""
        if chunk != self._chunk:
            self.close()
            self._descriptor, self._chunk = self._open_chunk(chunk), chunk
        return self._descriptor

    def _ask_for(self, start: int, stop: int) -> None:
        """Tell the system that these rows come next, if they lie in one file (of many small ones it is not worth the calls)."""
        if start // self._chunk_rows == (stop - 1) // self._chunk_rows:
            descriptor = self._select(start // self._chunk_rows)
            row_bytes = self.shape[1] * self._stored.itemsize
            if descriptor is not None:
                os.posix_fadvise(
                    descriptor, (start % self._chunk_rows) * row_bytes, (stop - start) * row_bytes, os.POSIX_FADV_WILLNEED
                )

    def close(self) -> None:
        """Close the open chunk."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._chunk = None, -1

    def __del__(self) -> None:
        self.close()
