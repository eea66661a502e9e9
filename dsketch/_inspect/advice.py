"""Where the storage of a matrix costs time or may surprise, and the remedy: one rule a function."""

import math
from collections.abc import Iterator

import numpy as np

from dsketch._inspect.facts import Advice, Storage
from dsketch._units import format_bytes, format_count
from dsketch.planning.choice import MEMORY_SHARE

# A chunk costs about 0.1 ms to open and map, 100 ms through zarr-python's own machinery or from an object store: below 1 MB
# that is more than reading it, at 64 to 128 MB it no longer shows.
_SMALL_CHUNK_BYTES = 1_000_000
GOOD_CHUNK_BYTES = 64_000_000
# Random mantissas shrink by 4 to 13 % at two to three times the processor time; rounded data by 3 to 5 times.
_WORTHLESS_RATIO = 1.25


def advice_on(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    """Yield what to say about a stored matrix, the gravest first."""
    for rule in (_absent, _small, _large, _split, _worthless, _slow, _shape, _packing, _time, _dtype):
        yield from rule(facts, memory_bytes)


def _stored_piece(facts: Storage) -> tuple[int, ...]:
    return facts.shards or facts.chunks


def _bytes(facts: Storage, piece: tuple[int, ...]) -> int:
    return math.prod(min(size, step) for size, step in zip(facts.extent, piece, strict=True)) * np.dtype(facts.dtype).itemsize


def _good_chunks(facts: Storage) -> str:
    """Return chunks worth having, as Python writes them."""
    width = math.prod(facts.extent[1:])
    rows = max(GOOD_CHUNK_BYTES // max(width * np.dtype(facts.dtype).itemsize, 1), 1)
    return repr((min(rows, max(facts.extent[0], 1)), *facts.extent[1:]))


def _absent(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    if facts.missing_objects:
        yield Advice(
            "missing chunks",
            f"{format_count(facts.missing_objects)} of {format_count(facts.stored_objects)} stored objects are not there",
            f"copy them again if data was lost; {_advice_without_loss(facts)}",
        )


def _advice_without_loss(facts: Storage) -> str:
    """Return what to do where no data was lost."""
    fill = facts.fill
    if fill == "null":
        return "their fill value is null: nothing can stand for them"
    if facts.is_fill_missing:
        return f"if the writer left out chunks of missing values (the fill value is {fill}), leave out or impute their rows"
    return f"if the writer left out chunks equal to the fill value ({fill}), solve with --missing fill"


def _small(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    piece = _stored_piece(facts)
    size, is_cut = _bytes(facts, piece), any(step < whole for step, whole in zip(piece, facts.extent, strict=True))
    if size < _SMALL_CHUNK_BYTES and is_cut:
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
    if len(facts.extent) == 2 and 0 < _stored_piece(facts)[1] < facts.shape[1]:
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
    if facts.packing:  # what is read has 8 bytes a number, what is stored fewer
        ratio *= np.dtype(facts.dtype).itemsize / 8
    if ratio < _WORTHLESS_RATIO:
        yield Advice(
            "compression",
            f"compressed to {1 / ratio:.0%} of its size: every pass decodes, and reads hardly less",
            "store it without a compressor (compressors=None): on a local disk its bytes are then used as they are",
        )


def _slow(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    """Say why an array on a local disk is not read as it is, where no other advice did."""
    del memory_bytes
    is_full = len(facts.extent) == 1 or _stored_piece(facts)[1] >= facts.shape[1]
    if facts.reading != "decoded" or "://" in facts.address or not is_full:
        return
    if facts.shards and not _is_compressed(facts):
        yield Advice(
            "sharded",
            "the chunks of a shard are decoded one by one; raw chunks are used as they are",
            "on a local disk, do without shards",
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


def _packing(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    if facts.packing:
        yield Advice("packed", f"stored as {facts.dtype}; the float64 numbers that are read are {facts.packing}")


def _time(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    if facts.time:
        yield Advice("time", f"the numbers count time ({facts.time}) and are used as they are")


def _dtype(facts: Storage, memory_bytes: int) -> Iterator[Advice]:
    del memory_bytes
    dtype = np.dtype(facts.dtype)
    if facts.packing:
        return
    if dtype.kind in "iub":
        yield Advice("integers", "converted to float64 a slice at a time as they are read; exact up to 2⁵³")
    elif dtype.itemsize < 8:
        yield Advice(
            "precision", f"{dtype} is computed with in float64; its values are known to {np.finfo(dtype).eps:.0e} at best"
        )


def _is_compressed(facts: Storage) -> bool:
    return not all(name.split("(")[0] in ("bytes", "transpose", "sharding_indexed") for name in facts.codecs)
