"""Look at a stored matrix: metadata and sizes."""

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import zarr

from dsketch._inspect.advice import advice_on
from dsketch._inspect.facts import Storage
from dsketch.engine.panels import panels_of
from dsketch.errors import DataError
from dsketch.matrix.conventions import conventions_of, is_missing, stored_time
from dsketch.matrix.csr import PARTS
from dsketch.matrix.files import opener_of, split_member
from dsketch.matrix.open import open_matrix
from dsketch.matrix.retrying import store_at
from dsketch.matrix.rows import Rows
from dsketch.matrix.zarr import ZarrMatrix


def inspect(address: str | os.PathLike[str], *, memory_bytes: int | None = None) -> Storage:
    """Look at the metadata and the sizes of a Zarr array or CSR group; no chunk is read, but for the row pointers of CSR.

    Parameters
    ----------
    address : path or URL
    memory_bytes : int, optional
        Of one worker thread; None: this machine's, shared among its processors.

    Raises
    ------
    MissingDataError, DataError
        If there is no matrix of real numbers.
    """
    matrix = open_matrix(os.fspath(address))
    if opener_of(split_member(os.fspath(address))[0]) is not None:
        raise DataError(
            f"a Zarr array was expected, to say how it is stored; {matrix.source or address} is a file, {matrix.shape[0]} × "
            f"{matrix.shape[1]} {matrix.dtype}. It is solved as it is; dsketch ingest makes Zarr of .npy, .npz and Parquet."
        )
    found = zarr.open(store_at(os.fspath(address)), mode="r")
    arrays = [found] if isinstance(found, zarr.Array) else [found[name] for name in PARTS]
    counted = [_measure_store(array) for array in arrays]
    files, stored_bytes = _sum_known([files for files, _ in counted]), _sum_known([size for _, size in counted])
    expected = sum(_expected_objects(array) for array in arrays)
    entries = arrays[0]
    meaning = conventions_of(entries, "A")
    facts = Storage(
        address=matrix.source or os.fspath(address),
        shape=tuple(entries.shape) if matrix.nonzeros is None else matrix.shape,
        dtype=str(entries.dtype),
        zarr_format=entries.metadata.zarr_format,
        chunks=tuple(entries.chunks),
        shards=tuple(entries.shards) if entries.shards else None,
        codecs=tuple(_codecs(entries)),
        decoded_bytes=matrix.nbytes,
        stored_bytes=stored_bytes,
        stored_objects=expected,
        missing_objects=None if files is None else max(expected - files, 0),
        reading="raw" if all(ZarrMatrix(array).is_raw for array in arrays) else "decoded",
        blocks=len(matrix.cuts) - 1,
        panels=len(panels_of(Rows(matrix))) if min(matrix.shape) else 0,
        block_bytes=matrix.block_bytes,
        columns=matrix.names or (),
        nonzeros=matrix.nonzeros,
        density=matrix.density,
        fill="null" if entries.fill_value is None else str(entries.fill_value),
        is_fill_missing=entries.fill_value is not None and is_missing(entries.fill_value, meaning),
        packing="" if meaning is None else meaning.describe(),
        time=stored_time(entries),
        requests=None if (traffic := matrix.traffic()) is None else traffic[0],
    )
    memory = memory_bytes or psutil.virtual_memory().total // len(os.sched_getaffinity(0))
    return replace(facts, advice=tuple(advice_on(facts, memory)))


def _expected_objects(array: "zarr.Array[Any]") -> int:
    return math.prod(-(-size // step) for size, step in zip(array.shape, array.shards or array.chunks, strict=True))


def _sum_known(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _codecs(array: "zarr.Array[Any]") -> Iterator[str]:
    """Yield the codecs' names with what matters of their settings."""
    for codec in (*array.filters, *([array.serializer] if array.serializer else []), *array.compressors):
        said = codec.to_dict() if hasattr(codec, "to_dict") else codec.get_config()
        settings = said.get("configuration") or {key: said[key] for key in said if key not in ("name", "id")}
        settings = ", ".join(
            f"{key}={value}" for key, value in settings.items() if key in ("cname", "level", "clevel", "shuffle", "endian")
        )
        yield str(said.get("name") or said.get("id")) + (f"({settings})" if settings else "")


def _measure_store(array: "zarr.Array[Any]") -> tuple[int | None, int | None]:
    """Return the number of stored objects and their bytes; None where it cannot be known cheaply."""
    root = getattr(array.store, "root", None)
    if not isinstance(root, Path):
        try:
            return None, int(array.nbytes_stored())
        except Exception:  # noqa: BLE001 - a store without listing is no reason to say nothing about the rest
            return None, None
    sizes = [file.stat().st_size for file in _files(root / array.path) if not file.name.startswith((".z", "zarr.json"))]
    return len(sizes), sum(sizes)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files(Path(entry.path))
            elif not entry.name.endswith(".partial"):  # what a writer that died left behind
                yield entry
