"""Chunks that are decoded straight into memory are what zarr-python reads, or are left to it."""

import lzma
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zarr.storage import MemoryStore

from dsketch.matrix.bounded import bound_decoding
from dsketch.matrix.chunks import Chunks, chunks_of
from dsketch.matrix.hands import Hands
from tests.matrix.stored import STORED, chunk_files, values

N, D = 103, 7

BLOSC = {
    f"blosc {name} {shuffle}": {"compressors": BloscCodec(cname=name, shuffle=shuffle)}
    for name in ("lz4", "lz4hc", "blosclz", "zstd", "zlib")
    for shuffle in ("noshuffle", "shuffle", "bitshuffle")
}
FORMAT_2 = {
    "zlib": numcodecs.Zlib(),
    "gzip": numcodecs.GZip(),
    "bz2": numcodecs.BZ2(),
    "lz4": numcodecs.LZ4(),
    "zstd": numcodecs.Zstd(),
    "lzma": numcodecs.LZMA(),
    "lzma raw": numcodecs.LZMA(format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}]),
    "blosc": numcodecs.Blosc(),
}
FILTERS: dict[str, Any] = {
    "shuffle": numcodecs.Shuffle(8),
    "delta": numcodecs.Delta(dtype="<f8"),
    "scaled": numcodecs.FixedScaleOffset(offset=0, scale=4, dtype="<f8", astype="<i4"),
    "as other numbers": numcodecs.AsType(encode_dtype="<f4", decode_dtype="<f8"),
}
# name → (values, options of zarr.create_array)
WAYS: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    **{name: way for name, way in STORED.items() if not name.startswith(("v3 raw", "v2 raw"))},
    **{name: (values(), {"chunks": (20, D), **way}) for name, way in BLOSC.items()},
    **{f"v2 {name}": (values(), {"zarr_format": 2, "chunks": (20, 3), "compressors": codec}) for name, codec in FORMAT_2.items()},
    **{
        f"v2 {name}, zlib": (values(), {"zarr_format": 2, "chunks": (20, D), "filters": [one], "compressors": numcodecs.Zlib()})
        for name, one in FILTERS.items()
    },
    "v2 delta alone": (values(), {"zarr_format": 2, "chunks": (20, D), "filters": [FILTERS["delta"]], "compressors": None}),
    "v2 Fortran, zstd": (values(), {"zarr_format": 2, "chunks": (20, 3), "order": "F", "compressors": numcodecs.Zstd()}),
    "v2 big-endian, lz4": (values(), {"zarr_format": 2, "chunks": (20, D), "dtype": ">f8", "compressors": numcodecs.LZ4()}),
    "zstd with a checksum": (values(), {"chunks": (20, D), "compressors": ZstdCodec(checksum=True)}),
    "zstd, zstd, crc": (values(), {"chunks": (20, D), "compressors": [ZstdCodec(), ZstdCodec(), Crc32cCodec()]}),
    "crc alone": (values(), {"chunks": (20, D), "compressors": [Crc32cCodec()]}),
    "gzip, big-endian": (values(), {"chunks": (33, 4), "serializer": BytesCodec(endian="big"), "compressors": GzipCodec()}),
    "transposed twice": (
        np.arange(103 * 12.0).reshape(103, 3, 4),
        {
            "chunks": (20, 2, 3),
            "filters": [TransposeCodec(order=(1, 2, 0)), TransposeCodec(order=(2, 0, 1))],
            "compressors": ZstdCodec(),
        },
    ),
    "wider than the array": (values(), {"chunks": (200, 10), "compressors": ZstdCodec()}),
    "index first": (
        values(),
        {
            "chunks": (40, D),
            "serializer": ShardingCodec(chunk_shape=(10, D), codecs=[BytesCodec(), GzipCodec()], index_location="start"),
            "compressors": None,
        },
    ),
    "index without a checksum": (
        values(),
        {
            "chunks": (40, 4),
            "serializer": ShardingCodec(chunk_shape=(10, 2), codecs=[BytesCodec()], index_codecs=[BytesCodec()]),
            "compressors": None,
        },
    ),
    **{
        f"{kind} {name}": (values(kind), {"chunks": (20, D), **way})
        for kind in ("float16", "float32", "int8", "uint8", "int16", "bool", "uint64")
        for name, way in (("zstd", {"compressors": ZstdCodec()}), ("lz4", BLOSC["blosc lz4 shuffle"]))
    },
}


def made(store: Any, array: np.ndarray, **options: Any) -> "zarr.Array[Any]":
    """Write an array and return it as matrices read it."""
    stored = zarr.create_array(
        store=store, **{"shape": array.shape, "dtype": array.dtype, "config": {"write_empty_chunks": True}, **options}
    )
    stored[...] = array
    return stored


def opened(array: "zarr.Array[Any]", folder: Path | None) -> Chunks:
    """Return what decodes its chunks."""
    found = chunks_of(array if folder else bound_decoding(array), folder)
    assert found is not None
    return found


def read(chunks: Chunks, array: "zarr.Array[Any]", box: tuple[slice, ...]) -> np.ndarray | None:
    """Return a box, or None where it is left to zarr-python."""
    out = np.full([one.stop - one.start for one in box], 99).astype(np.dtype(array.dtype).newbyteorder("="))
    return out if chunks.read(box, out) else None


@pytest.mark.parametrize("place", ["disk", "memory"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_chunks_are_what_zarr_reads(way: str, place: str, tmp_path: Path) -> None:
    """Every box of every kind: whole chunks, parts of them along rows and columns, a single row."""
    numbers, options = WAYS[way]
    array = made(str(tmp_path / "A") if place == "disk" else MemoryStore(), numbers, **options)
    chunks = opened(array, tmp_path / "A" if place == "disk" else None)
    trailing = tuple(slice(0, size) for size in numbers.shape[1:])
    boxes = [(slice(low, high), *trailing) for low, high in ((0, len(numbers)), (20, 40), (13, 75), (102, 103))]
    boxes += [(slice(5, 50), *(slice(1, size - 1) for size in numbers.shape[1:]))]
    left = array.shards is not None and place == "memory"

    for box in boxes:
        found = read(chunks, array, box)
        assert (found is None) == left
        assert found is None or np.array_equal(found, array[box])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize(
    "way", ["v3 zstd", "zstd with a checksum", "v2 zlib", "v2 gzip", "v2 bz2", "v2 lz4", "blosc lz4 shuffle", "v3 sharded"]
)
def test_a_damaged_chunk_is_left_or_the_same(way: str, data: st.DataObject, tmp_path: Path) -> None:
    """Whatever happened to the bytes of a chunk, no numbers come of it that zarr-python would not read, too."""
    numbers, options = WAYS[way]
    array = made(str(tmp_path / "A"), numbers, **{**options, "overwrite": True})
    file = chunk_files(str(tmp_path / "A"))[0]
    damaged = bytearray(file.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=3)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(
        bytes(damaged[: data.draw(st.integers(0, len(damaged)))]) + data.draw(st.sampled_from([b"", b"\0", b"more"]))
    )
    box = (slice(0, 20), *(slice(0, size) for size in numbers.shape[1:]))

    found = read(opened(array, tmp_path / "A"), array, box)

    if found is not None:
        assert np.array_equal(found, bound_decoding(array)[box])


@pytest.mark.parametrize("way", ["v3 zstd", "v2 zlib", "v3 sharded", "v3 big-endian"])
def test_an_absent_chunk_is_the_fill_value(way: str, tmp_path: Path) -> None:
    """As zarr-python reads it: whether it may be absent is not decided here."""
    numbers, options = WAYS[way]
    array = made(str(tmp_path / "A"), numbers, fill_value=2.5, **options)
    chunk_files(str(tmp_path / "A"))[0].unlink()
    box = (slice(0, N), slice(0, D))

    found = read(opened(array, tmp_path / "A"), array, box)

    assert found is not None
    assert np.array_equal(found, array[box])


@pytest.mark.parametrize(
    "options",
    [
        {"zarr_format": 2, "filters": [numcodecs.PackBits()], "dtype": "bool"},
        {"zarr_format": 2, "filters": [numcodecs.Zlib()], "compressors": None},
    ],
    ids=["packbits", "zlib as a filter"],
)
def test_rare_chains_are_left_to_zarr(options: dict[str, Any], tmp_path: Path) -> None:
    """What is not known is not guessed."""
    array = zarr.create_array(str(tmp_path / "A"), shape=(N, D), chunks=(20, D), **{"dtype": "f8", **options})

    assert chunks_of(array, tmp_path / "A") is None


def test_hands_raise_the_first_error_by_order() -> None:
    """Whoever is done first, the error is that of the first piece, and only when all are done."""
    hands, done = Hands(), list[int]()
    hands.limit(3)

    def work(pieces: Sequence[int]) -> None:
        done.extend(pieces)
        if pieces[0] > 0:
            raise ValueError(pieces[0])

    with pytest.raises(ValueError, match="2"):
        hands.share(work, [0, 1, 2, 3, 4, 5])
    assert sorted(done) == [0, 1, 2, 3, 4, 5]


def test_alone_a_thread_decodes_itself() -> None:
    """Within ``alone`` no other thread takes part; behind it they do again."""
    hands, seen = Hands(), []
    with hands.alone():
        hands.share(lambda _: seen.append(threading.current_thread()), [1, 2])
    hands.share(lambda _: seen.append(threading.current_thread()), [1])

    assert seen[0] is threading.current_thread() is not seen[1]
