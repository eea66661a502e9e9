"""Boxes of raw chunks on a local disk: little-endian numbers in C order, read by runs that lie together in a file."""

import os
from collections.abc import Callable
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch.errors import DataError, DsketchError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.raw import open_file
from dsketch.matrix.zarr import is_raw

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

    def read(self, start: int, stop: int, box: tuple[slice, ...], out: AnyArray) -> AnyArray:
        """Fill ``out``, C order, shape (stop − start, box…), with the stored numbers.

        Raises
        ------
        DataError
            If a chunk is missing, has another length, or shrinks as it is read.
        """
        whole = (slice(start, stop), *box)
        numbers = [range(one.start // size, -(-one.stop // size)) for one, size in zip(whole, self._chunks, strict=True)]
        for place in product(*numbers):
            inside = tuple(
                slice(max(one.start, number * size), min(one.stop, (number + 1) * size))
                for number, size, one in zip(place, self._chunks, whole, strict=True)
            )
            target = out[
                tuple(slice(one.start - all_.start, one.stop - all_.start) for one, all_ in zip(inside, whole, strict=True))
            ]
            local = tuple(
                slice(one.start - number * size, one.stop - number * size)
                for one, number, size in zip(inside, place, self._chunks, strict=True)
            )
            self._read_chunk(place, local, target)
        return out

    def _read_chunk(self, place: tuple[int, ...], local: tuple[slice, ...], target: AnyArray) -> None:
        descriptor = self._open(place)
        if descriptor is None:
            target.view(self._dtype.newbyteorder("="))[...] = self._array.fill_value
            return
        try:
            self._read_runs(descriptor, place, local, target)
        finally:
            os.close(descriptor)

    def _read_runs(self, descriptor: int, place: tuple[int, ...], local: tuple[slice, ...], target: AnyArray) -> None:
        """Read runs of whole trailing dimensions, one call each, or many of one stride through a buffer."""
        last = len(local)
        while last > 1 and local[last - 1] == slice(0, self._chunks[last - 1]):
            last -= 1
        run_axis = last - 1  # from this axis on a run is contiguous in the file
        strides = [prod(self._chunks[axis + 1 :]) for axis in range(len(local))]
        run = (local[run_axis].stop - local[run_axis].start) * strides[run_axis]
        heads = [range(local[axis].start, local[axis].stop) for axis in range(run_axis)]
        flat = target.reshape(-1, run) if target.flags.c_contiguous else None
        for number, head in enumerate(product(*heads)):
            offset = sum(index * strides[axis] for axis, index in enumerate(head)) + local[run_axis].start * strides[run_axis]
            if flat is not None:
                self._fill(descriptor, place, offset * self._dtype.itemsize, flat[number])
                continue
            piece = target[tuple(index - one.start for index, one in zip(head, local, strict=False))]
            if piece.flags.c_contiguous:
                self._fill(descriptor, place, offset * self._dtype.itemsize, piece)
            else:
                buffer = np.empty(piece.shape, piece.dtype)
                self._fill(descriptor, place, offset * self._dtype.itemsize, buffer)
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

    def _open(self, place: tuple[int, ...]) -> int | None:
        """Return a file descriptor of a chunk whose length is right, or None if absent and that is no error."""
        path = f"{self._root}/{self._array.metadata.encode_chunk_key(place)}"
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


def raw_boxes(array: "zarr.Array[Any]", what: str, absent: Absent) -> RawBoxes | None:
    """Return what reads the array's boxes without zarr, or None where chunks are not their numbers' own bytes on a local disk."""
    root = getattr(array.store, "root", None)
    if not isinstance(root, Path) or array.shards is not None or not is_raw(array):
        return None
    return RawBoxes(array, root / array.path, what, absent)
