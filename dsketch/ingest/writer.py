"""Rows in, full Zarr chunks out."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.ingest.failure import writing
from dsketch.ingest.rows import RowSource


def rows_per_chunk(count: int, width: int, itemsize: int, chunk_bytes: int) -> int:
    """Return the number of full rows in a chunk of about ``chunk_bytes``; at least one, at most all.

    >>> rows_per_chunk(count=1_000_000, width=100, itemsize=8, chunk_bytes=64_000_000)
    80000
    """
    return max(1, min(count, chunk_bytes // (width * itemsize)))


def create_array(path: Path, shape: tuple[int, ...], rows: int, dtype: object, attributes: dict[str, Any]) -> Any:
    """Create an uncompressed Zarr 3 array at ``path`` whose chunks are ``rows`` full rows."""
    return zarr.create_array(
        store=str(path),
        shape=shape,
        chunks=(rows, *shape[1:]),
        dtype=dtype,
        compressors=None,
        fill_value=0,
        zarr_format=3,
        attributes=attributes,
        # A missing chunk must mean damage, never zeros.
        config={"write_empty_chunks": True},
    )


class _ChunkWriter:
    """Collects rows of any number and writes them as whole chunks.

    Guarantees: each chunk is written once and complete, in order.  At most one chunk is on its way to the disk while
    the next one fills, so memory is about four chunks (two buffers, and Zarr's copies of one).

    Parameters
    ----------
    array : zarr.Array
        Output, 1-D or 2-D.
    path : Path
        What to name when the disk fails.
    has_intercept : bool
        Whether the last column is ones and not among the rows that are put.
    """

    def __init__(self, array: Any, path: Path, pool: ThreadPoolExecutor, *, has_intercept: bool = False) -> None:
        self._array = array
        self._path = path
        self._pool = pool
        self._fed = slice(None, -1 if has_intercept else None)
        # Both start as ones, and the intercept's column is never touched again.
        self._buffer, self._spare = (np.ones(array.chunks, dtype=array.dtype) for _ in range(2))
        self._filled = 0
        self._start = 0
        self._pending: Future[None] | None = None

    def put(self, block: Any) -> None:
        """Append the rows of ``block``."""
        done = 0
        while done < len(block):
            taken = min(len(block) - done, len(self._buffer) - self._filled)
            self._target(taken)[...] = block[done : done + taken]
            self._filled += taken
            done += taken
            if self._filled == len(self._buffer):
                self._flush()

    def finish(self) -> None:
        """Write what is left, and wait for the disk."""
        if self._filled:
            self._flush()
        self._wait()

    def _target(self, taken: int) -> Any:
        rows = self._buffer[self._filled : self._filled + taken]
        return rows[:, self._fed] if rows.ndim == 2 else rows

    def _flush(self) -> None:
        self._wait()
        stop = self._start + self._filled
        self._pending = self._pool.submit(self._array.__setitem__, slice(self._start, stop), self._buffer[: self._filled])
        self._buffer, self._spare = self._spare, self._buffer
        self._start, self._filled = stop, 0

    def _wait(self) -> None:
        if self._pending is not None:
            with writing(self._path):
                self._pending.result()
            self._pending = None


def write_rows(rows: RowSource, outputs: list[tuple[Path, Any]], *, has_intercept: bool) -> None:
    """Write all blocks of ``rows`` to A and, where there are more outputs, their other columns to b and the weights.

    Raises
    ------
    DataError
        If the disk fails, or the source gives another number of rows than it had before.
    """
    expected = rows.tally.count
    with _writers(outputs, has_intercept) as writers:
        written = 0
        for block in rows.blocks():
            for writer, part in zip(writers, _split(block, rows), strict=True):
                writer.put(part)
            written += len(block)
    if written != expected:
        raise DataError(
            f"{expected:,} rows were expected; the source gave {written:,} when read again. "
            "Let nobody change it meanwhile, and start anew."
        )


@contextmanager
def _writers(outputs: list[tuple[Path, Any]], has_intercept: bool) -> Iterator[list[_ChunkWriter]]:
    # Leaving the pool waits for the chunk on its way, so that nothing writes into a directory that is being removed,
    # even after Ctrl-C.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ingest-write") as pool:
        writers = [
            _ChunkWriter(array, path, pool, has_intercept=has_intercept and number == 0)
            for number, (path, array) in enumerate(outputs)
        ]
        yield writers
        for writer in writers:
            writer.finish()


def _split(block: Floats, rows: RowSource) -> list[Floats]:
    width, sides = len(rows.names), len(rows.targets)
    parts = [block[:, 0] if rows.is_vector else block[:, :width]]
    if sides:
        parts.append(block[:, width] if sides == 1 else block[:, width : width + sides])
    return [*parts, block[:, -1]] if rows.has_weights else parts
