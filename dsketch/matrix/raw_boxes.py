"""Boxes of raw chunks on a local disk: little-endian numbers in C order, read by runs that lie together in a file."""

import os
from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr

from dsketch.errors import DataError, DsketchError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.grid import Box, Piece, pieces_of
from dsketch.matrix.raw import open_file
from dsketch.matrix.stored import is_raw

Absent = Callable[[tuple[int, ...]], None]


class RawBoxes:
    """What reads boxes of one array.

    Parameters
    ----------
    array : zarr.Array
    root : Path
        The folder of its chunks.
    what : str
        The name that errors use.
    absent : callable
        Is told the place of a chunk that is not there; raises if that is an error.
    """

    def __init__(self, array: "zarr.Array[Any]", root: Path, what: str, absent: Absent) -> None:
        self._array, self._root, self._what, self._absent = array, root, what, absent
        self._dtype, self._chunks = np.dtype(array.dtype), tuple(int(size) for size in array.chunks)

    def read(self, start: int, stop: int, box: Box, out: AnyArray) -> AnyArray:
        """Fill ``out``, C order, shape (stop − start, box…), with the stored numbers.

        Raises
        ------
        DataError
            If a chunk is missing, has another length, or shrinks as it is read.
        """
        if (run := self._run_of(start, stop, box)) is not None and (descriptor := self._open(run.place)) is not None:
            try:
                self._fill(descriptor, run.place, run.first * self._dtype.itemsize, out)
            finally:
                os.close(descriptor)
            return out
        for place, local, inside in self._pieces_of((slice(start, stop), *box)):
            target = out[inside]
            descriptor = self._open(place)
            if descriptor is None:
                target.view(self._dtype.newbyteorder("="))[...] = self._array.fill_value
                continue
            try:
                self._read_runs(descriptor, place, local, target)
            finally:
                os.close(descriptor)
        return out

    def _run_of(self, start: int, stop: int, box: Box) -> "_Run | None":
        """Return the place of rows of just one chunk, which lie together; None of any other box."""
        height, *widths = self._chunks
        first, place = start // height, [start // height]
        if stop > (first + 1) * height:
            return None
        for one, width in zip(box, widths, strict=True):
            place.append(one.start // width)
            if one.start != place[-1] * width or one.stop != one.start + width:
                return None
        return _Run(tuple(place), (start - first * height) * prod(widths))

    def ask_for(self, box: Box) -> None:
        """Tell the system that all rows of a box come next; of what is not there reading will tell."""
        for place, local, _ in self._pieces_of((slice(0, int(self._array.shape[0])), *box)):
            try:
                descriptor = open_file(self._array.store, self._path(place))
            except OSError:
                continue
            try:
                runs = _runs(local, self._chunks)
                for _, first in runs.starts:
                    os.posix_fadvise(
                        descriptor, first * self._dtype.itemsize, runs.length * self._dtype.itemsize, os.POSIX_FADV_WILLNEED
                    )
            finally:
                os.close(descriptor)

    def _pieces_of(self, whole: Box) -> Iterator[Piece]:
        """Yield what each chunk has of a box."""
        return pieces_of(whole, self._chunks)

    def _read_runs(self, descriptor: int, place: tuple[int, ...], local: Box, target: AnyArray) -> None:
        """Read what lies together in a file by one call each."""
        runs = _runs(local, self._chunks)
        flat = target.reshape(-1, runs.length) if target.flags.c_contiguous else None
        for number, (head, first) in enumerate(runs.starts):
            piece = target[head] if flat is None else flat[number]
            if piece.flags.c_contiguous:
                self._fill(descriptor, place, first * self._dtype.itemsize, piece)
            else:
                buffer = np.empty(piece.shape, piece.dtype)
                self._fill(descriptor, place, first * self._dtype.itemsize, buffer)
                piece[...] = buffer

    def _fill(self, descriptor: int, place: tuple[int, ...], offset: int, target: AnyArray) -> None:
        rest = memoryview(target.data).cast("B")
        while rest:
            count = os.preadv(descriptor, [rest], offset)
            if count <= 0:
                raise DataError(
                    f"chunk {place} of {self._what} ended early, at byte {offset}. It is being changed while it is read: solve again when "
                    "it is whole."
                )
            rest, offset = rest[count:], offset + count

    def _path(self, place: tuple[int, ...]) -> str:
        return f"{self._root}/{self._array.metadata.encode_chunk_key(place)}"

    def _open(self, place: tuple[int, ...]) -> int | None:
        """Return a file descriptor of a chunk whose length is right, or None if absent and that is no error."""
        path = self._path(place)
        try:
            descriptor = open_file(self._array.store, path)
        except FileNotFoundError:
            self._absent(place)
            return None
        except DsketchError:
            raise
        except OSError as error:
            raise DataError(
                f"chunk {place} of {self._what} cannot be read ({path}): {error.strerror}. Check the permissions and the disk."
            ) from error
        wanted, found = prod(self._chunks) * self._dtype.itemsize, os.fstat(descriptor).st_size
        if found != wanted:
            os.close(descriptor)
            raise DataError(
                f"chunk {place} of {self._what} ({path}) must have {wanted} bytes; it has {found}. It is truncated or was being written: "
                "copy it again from its origin."
            )
        return descriptor


class _Run(NamedTuple):
    """A chunk, and the first number of what lies together in its file."""

    place: tuple[int, ...]
    first: int


class _Runs(NamedTuple):
    """What of a chunk lies together: numbers of a run, and for each where it goes and its first number in the file."""

    length: int
    starts: list[tuple[tuple[int, ...], int]]


def _runs(local: Box, chunks: tuple[int, ...]) -> _Runs:
    axis = len(local) - 1
    while axis > 0 and local[axis] == slice(0, chunks[axis]):
        axis -= 1  # what is whole along its last axes lies together along one more
    strides = [prod(chunks[one + 1 :]) for one in range(len(local))]
    first = local[axis].start * strides[axis]
    heads = product(*(range(one.stop - one.start) for one in local[:axis]))
    starts = [
        (head, first + sum((at + one.start) * stride for at, one, stride in zip(head, local, strides, strict=False)))
        for head in heads
    ]
    return _Runs((local[axis].stop - local[axis].start) * strides[axis], starts)


def raw_boxes(array: "zarr.Array[Any]", what: str, absent: Absent) -> RawBoxes | None:
    """Return what reads the array's boxes without zarr, or None where chunks are not their numbers' own bytes on a local disk."""
    root = getattr(array.store, "root", None)
    if not isinstance(root, Path) or array.shards is not None or not is_raw(array):
        return None
    return RawBoxes(array, root / array.path, what, absent)
