"""A chunk of raw numbers written to a local disk as its own bytes: what zarr writes there, without its loop of events.

A million targets have some hundred chunks of answers; by way of zarr each takes a millisecond of two threads that wait for each other,
as long as the arithmetic of all of its targets.
"""

import contextlib
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from dsketch.matrix.stored import is_raw


def write_raw_chunk(array: "zarr.Array[Any]", box: tuple[slice, ...], values: NDArray[Any]) -> bool | None:
    """Write the numbers of a box, if it is just one chunk of raw bytes on a local disk.

    A chunk takes its place in one rename; beyond the end of the array it has the fill value, as zarr writes it.

    Returns
    -------
    bool or None
        Whether the array's place is there for this process; None: the box is no such chunk, and nothing was tried.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    place = _place_of(array, box) if type(array.store) is LocalStore and box else None
    if place is None or array.shards is not None or not is_raw(array):
        return None
    folder = Path(array.store.root) / array.path
    if not (folder / "zarr.json").is_file():
        return False
    path = folder / array.metadata.encode_chunk_key(place)
    whole = np.asarray(values, np.dtype(array.dtype).newbyteorder("<"), order="C")
    if whole.shape != array.chunks:
        padded = np.full(array.chunks, array.fill_value, whole.dtype)
        padded[tuple(slice(0, size) for size in whole.shape)] = whole
        whole = padded
    _put(path, whole.reshape(-1).view(np.uint8).data)
    return True


def _place_of(array: "zarr.Array[Any]", box: tuple[slice, ...]) -> tuple[int, ...] | None:
    """Return the numbers of the chunk that a box is; None where it is none, or only a part."""
    place = []
    for one, size, chunk in zip(box, array.shape, array.chunks, strict=True):
        number = one.start // chunk if chunk else 0
        if (one.start, one.stop) != (number * chunk, min((number + 1) * chunk, size)):
            return None
        place.append(number)
    return tuple(place)


def _put(path: Path, data: memoryview) -> None:
    """Write a file beside its place, which it takes in one rename; the folder is made where it lacks."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")  # as zarr names them
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(part, flags, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, flags, 0o666)
    try:
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            part.unlink()
        raise
