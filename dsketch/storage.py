"""What a stored matrix is like, and what to change so that passes over it are fast."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr

from dsketch.engine.panels import panels_of
from dsketch.matrix.base import Cuts
from dsketch.matrix.opening import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.matrix.zarr import ZarrMatrix
from dsketch.plan import MEMORY_SHARE
from dsketch.units import format_bytes, format_count

# A chunk costs about 0.1 ms to open and map, 100 ms through zarr-python's own machinery or from an object store: below 1 MB
# that is more than reading it, at 64 to 128 MB it no longer shows.
SMALL_CHUNK_BYTES = 1_000_000
GOOD_CHUNK_BYTES = 64_000_000
# Random mantissas shrink by 4 to 13 % at two to three times the processor time; rounded data by 3 to 5 times.
WORTHLESS_RATIO = 1.25


@dataclass(frozen=True)
class Advice:
    """Something about the storage that costs time or may surprise, and the remedy.

    Attributes
    ----------
    subject : str
        One word or two, for programs.
    finding : str
    remedy : str
        Empty where there is nothing to do.
    """

    subject: str
    finding: str
    remedy: str = ""


@dataclass(frozen=True)
class Storage:
    """How a matrix is stored and read.

    Attributes
    ----------
    address : str
    shape : tuple of int
    dtype : str
    zarr_format : int
    chunks : tuple of int
    shards : tuple of int, or None
    codecs : tuple of str
        Filters, serializer and compressors, in the order of writing.
    decoded_bytes : int
        What a pass reads and computes with.
    stored_bytes : int or None
        On the disk or in the object store; None if that cannot be listed.
    stored_objects : int
        Files of a complete array (chunks, or shards).
    missing_objects : int or None
        How many of them are not there; None if not counted (not a local disk).
    reading : str
        ``"raw"`` (the rows' own bytes, a slice at a time) or ``"decoded"`` (through zarr-python, a block at a time).
    blocks, panels : int
        Pieces of a pass: a block is in memory at once, a panel is the least that a task takes.
    block_bytes : int
        Of the largest block.
    columns : tuple of str
        Names of the columns, where the writer left them.
    advice : tuple of Advice
    """

    address: str
    shape: tuple[int, ...]
    dtype: str
    zarr_format: int
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    codecs: tuple[str, ...]
    decoded_bytes: int
    stored_bytes: int | None
    stored_objects: int
    missing_objects: int | None
    reading: str
    blocks: int
    panels: int
    block_bytes: int
    columns: tuple[str, ...]
    advice: tuple[Advice, ...] = ()


def inspect(address: str | os.PathLike[str], *, memory_bytes: int | None = None) -> Storage:
    """Look at the metadata and the sizes of a Zarr array; no chunk is read.

    Parameters
    ----------
    address : path or URL
    memory_bytes : int, optional
        Of one worker thread; None: this machine's, shared among its processors.

    Raises
    ------
    MissingDataError, DataError
        If there is no array of real numbers.
    """
    matrix = open_matrix(os.fspath(address))
    if not isinstance(matrix, ZarrMatrix):  # open_matrix makes nothing else of a path
        raise TypeError(type(matrix).__name__)
    array = zarr.open_array(os.fspath(address), mode="r")
    files, stored_bytes = _listed(array)
    expected = math.prod(-(-size // step) for size, step in zip(array.shape, array.shards or array.chunks, strict=True))
    cuts = matrix.cuts
    block_bytes = _largest(cuts) * matrix.shape[1] * matrix.dtype.itemsize
    facts = Storage(
        address=matrix.source or os.fspath(address),
        shape=tuple(array.shape),
        dtype=str(array.dtype),
        zarr_format=array.metadata.zarr_format,
        chunks=tuple(array.chunks),
        shards=tuple(array.shards) if array.shards else None,
        codecs=tuple(_codecs(array)),
        decoded_bytes=matrix.nbytes,
        stored_bytes=stored_bytes,
        stored_objects=expected,
        missing_objects=None if files is None else max(expected - files, 0),
        reading="raw" if matrix.is_raw else "decoded",
        blocks=len(cuts) - 1,
        panels=len(panels_of(Rows(matrix))) if min(matrix.shape) else 0,
        block_bytes=block_bytes,
        columns=matrix.names or (),
    )
    memory = memory_bytes or psutil.virtual_memory().total // len(os.sched_getaffinity(0))
    return Storage(**{**vars(facts), "advice": tuple(_advice(facts, memory))})


# ---- facts -----------------------------------------------------------------------------------------------------------


def _largest(cuts: Cuts) -> int:
    return int(np.max(np.diff(cuts), initial=0))


def _codecs(array: "zarr.Array[Any]") -> Iterator[str]:
    """Yield the codecs' names with what matters of their settings."""
    for codec in (*array.filters, *([array.serializer] if array.serializer else []), *array.compressors):
        said = codec.to_dict() if hasattr(codec, "to_dict") else codec.get_config()
        settings = said.get("configuration") or {key: said[key] for key in said if key not in ("name", "id")}
        words = ", ".join(
            f"{key}={value}" for key, value in settings.items() if key in ("cname", "level", "clevel", "shuffle", "endian")
        )
        yield str(said.get("name") or said.get("id")) + (f"({words})" if words else "")


def _listed(array: "zarr.Array[Any]") -> tuple[int | None, int | None]:
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


# ---- advice ----------------------------------------------------------------------------------------------------------


def _advice(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    for rule in (_absent, _small, _large, _split, _worthless, _slow, _shape, _dtype):
        yield from rule(facts, memory_bytes)


def _stored_piece(facts: Storage) -> tuple[int, ...]:
    return facts.shards or facts.chunks


def _bytes(facts: Storage, piece: tuple[int, ...]) -> int:
    return math.prod(min(size, step) for size, step in zip(facts.shape, piece, strict=True)) * np.dtype(facts.dtype).itemsize


def _good_chunks(facts: Storage) -> str:
    """Return chunks worth having, as Python writes them."""
    width = math.prod(facts.shape[1:])
    rows = max(GOOD_CHUNK_BYTES // max(width * np.dtype(facts.dtype).itemsize, 1), 1)
    return repr((min(rows, max(facts.shape[0], 1)), *facts.shape[1:]))


def _absent(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    if facts.missing_objects:
        yield Advice(
            "missing chunks",
            f"{format_count(facts.missing_objects)} of {format_count(facts.stored_objects)} stored objects are not there",
            "copy them again if data was lost; if the writer left out chunks equal to the fill value, solve with --missing fill",
        )


def _small(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    size = _bytes(facts, _stored_piece(facts))
    if size < SMALL_CHUNK_BYTES and facts.stored_objects > 1:
        yield Advice(
            "small chunks",
            f"{format_count(facts.stored_objects)} stored objects of {format_bytes(size)}: opening one costs more than reading it",
            f"rewrite with chunks={_good_chunks(facts)}, about {format_bytes(GOOD_CHUNK_BYTES)} each",
        )


def _large(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    # A thread has two blocks in memory, one of them being read.
    room = MEMORY_SHARE * memory_bytes
    if 2 * facts.block_bytes > room:
        yield Advice(
            "large chunks",
            f"two blocks of {format_bytes(facts.block_bytes)} do not fit in the {format_bytes(room)} that a thread may use",
            f"rewrite with chunks={_good_chunks(facts)}, uncompressed on a local disk, or give fewer threads more memory",
        )


def _split(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    if len(facts.shape) == 2 and 0 < _stored_piece(facts)[1] < facts.shape[1]:
        across = -(-facts.shape[1] // _stored_piece(facts)[1])
        yield Advice(
            "column chunks",
            f"chunks hold {facts.chunks[1]} of {facts.shape[1]} columns: every block of rows touches {across} of them and is put together",
            f"rewrite with full rows, chunks={_good_chunks(facts)}",
        )


def _worthless(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    if not _is_compressed(facts) or not facts.stored_bytes or facts.missing_objects:
        return
    ratio = facts.decoded_bytes / facts.stored_bytes
    if ratio < WORTHLESS_RATIO:
        yield Advice(
            "compression",
            f"compressed to {1 / ratio:.0%} of its size: every pass decodes, and reads hardly less",
            "store it without a compressor (compressors=None): on a local disk its bytes are then used as they are",
        )


def _slow(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    """Say why an array on a local disk is not read as it is, where no other advice did."""
    del memory_bytes
    is_full = len(facts.shape) == 1 or _stored_piece(facts)[1] >= facts.shape[1]
    if facts.reading != "decoded" or "://" in facts.address or not is_full:
        return
    if facts.shards and not _is_compressed(facts):
        yield Advice(
            "sharded", "shards go through zarr-python, several times slower than raw chunks", "on a local disk, do without shards"
        )
    elif not _is_compressed(facts):
        yield Advice(
            "byte order", "stored big-endian, in F order or filtered: every pass converts", "rewrite little-endian, in C order"
        )


def _shape(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    if len(facts.shape) == 2 and facts.shape[0] < facts.shape[1]:
        yield Advice(
            "wide", f"{facts.shape[0]} rows and {facts.shape[1]} columns", "transpose it: A must have more rows than columns"
        )


def _dtype(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    dtype = np.dtype(facts.dtype)
    if dtype.kind in "iub":
        yield Advice("integers", "converted to float64 a slice at a time as they are read; exact up to 2⁵³")
    elif dtype.itemsize < 8:
        yield Advice(
            "precision", f"{dtype} is computed with in float64; its values are known to {np.finfo(dtype).eps:.0e} at best"
        )


def _is_compressed(facts: Storage) -> bool:
    return not all(name.split("(")[0] in ("bytes", "transpose", "sharding_indexed") for name in facts.codecs)
