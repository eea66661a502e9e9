"""Decoding stops at the declared size, in every codec and every chain of them; good data are what they were."""

import bz2
import gzip
import json
import lzma
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zarr.core.buffer import cpu

import dsketch
from dsketch import open_matrix
from dsketch.errors import DataError

DECLARED = 1_600  # bytes of a chunk of 100 × 2 float64
CAME = 20_000_000  # bytes that its content decodes to
MOST_BYTES = 400_000_000  # of memory beyond what was held before, for what would be 1.2 GB

ZEROS = bytes(CAME)


def zstd_without_size(count: int) -> bytes:
    """Return a Zstandard frame that states no size: blocks of 128 kB of zeros, four bytes each."""
    blocks = [((131_072 << 3) | 2 | (place == count - 1)).to_bytes(3, "little") + b"\0" for place in range(count)]
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(blocks)


STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "lzma": lzma.compress,
    "zstd": lambda data: bytes(numcodecs.Zstd().encode(data)),
    "lz4": lambda data: bytes(numcodecs.LZ4().encode(data)),
    "blosc": lambda data: bytes(numcodecs.Blosc().encode(data)),
}


def v2(folder: Path, chunk: bytes, **more: Any) -> str:
    """Write an array of one chunk in format 2 and return its path."""
    folder.mkdir(parents=True)
    about = {
        "zarr_format": 2,
        "shape": [100, 2],
        "chunks": [100, 2],
        "dtype": "<f8",
        "compressor": None,
        "filters": None,
        "order": "C",
        "fill_value": 0,
        **more,
    }
    (folder / ".zarray").write_text(json.dumps(about))
    (folder / "0.0").write_bytes(chunk)
    return str(folder)


def v3(folder: Path, chunk: bytes, codecs: list[dict[str, Any]]) -> str:
    """The same in format 3."""
    (folder / "c" / "0").mkdir(parents=True)
    about = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [100, 2],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [100, 2]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, *codecs],
        "attributes": {},
    }
    (folder / "zarr.json").write_text(json.dumps(about))
    (folder / "c" / "0" / "0").write_bytes(chunk)
    return str(folder)


def refused(path: str) -> str:
    """Return what reading says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, of numcodecs in format 3
        with pytest.raises(DataError) as caught:
            open_matrix(path).read(0, 100)
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_bomb_of_format_2_stops(name: str, tmp_path: Path) -> None:
    """What goes on behind the declared size is not decoded; the message names chunk, declared size and remedy."""
    said = refused(v2(tmp_path / "A", STREAMS[name](ZEROS), compressor={"id": name}))

    assert said.startswith(f"chunk 0 of A ({tmp_path}/A/0.0) must decode to the 1.60 kB that its shape declares; ")
    assert {"zstd": "header says 20.00 MB", "lz4": "its file alone has", "blosc": "its file alone has"}.get(
        name, "of it go on to decode behind them"
    ) in said
    assert "copy it again" in said


@pytest.mark.parametrize("name", ["zlib", "gzip", "bz2", "lzma", "zstd", "blosc", "lz4"])
def test_a_bomb_of_format_3_stops(name: str, tmp_path: Path) -> None:
    """The same, by the codecs of zarr itself and by those of numcodecs."""
    kind = {"gzip": {"level": 5}, "zstd": {"level": 0, "checksum": False}}.get(name)
    codec = {"name": f"numcodecs.{name}", "configuration": {}} if kind is None else {"name": name, "configuration": kind}

    assert "must decode to the 1.60 kB" in refused(v3(tmp_path / "A", STREAMS[name](ZEROS), [codec]))


def test_a_zstandard_frame_without_a_size_stops(tmp_path: Path) -> None:
    """A head that states no size is no way around, nor is one with a size before it."""
    one = zstd_without_size(200)
    two = bytes(numcodecs.Zstd().encode(bytes(DECLARED))) + one

    for place, chunk in enumerate((one, two)):
        assert "must decode to" in refused(v2(tmp_path / f"A{place}", chunk, compressor={"id": "zstd"}))


@pytest.mark.parametrize("name", ["lz4", "blosc"])
def test_a_head_that_lies_is_refused_before_memory_is_taken(name: str, tmp_path: Path) -> None:
    """A small frame that promises two gigabytes."""
    chunk = bytearray(STREAMS[name](bytes(DECLARED)))
    chunk[slice(0, 4) if name == "lz4" else slice(4, 8)] = struct.pack("<I", 2**31 - 10_000)

    assert "header says 2.15 GB" in refused(v2(tmp_path / "A", bytes(chunk), compressor={"id": name}))


def test_members_behind_each_other_count_together(tmp_path: Path) -> None:
    """Each gzip member fits, all together do not."""
    member = gzip.compress(bytes(DECLARED))

    assert "must decode to" in refused(v2(tmp_path / "A", member * 3, compressor={"id": "gzip"}))


@pytest.mark.parametrize("outer", ["zlib", "zstd", "bz2"])
def test_nested_bombs_stop_in_the_middle(outer: str, tmp_path: Path) -> None:
    """A codec in the middle of a chain has its bound too."""
    inner = zlib.compress(bytes(100_000_000), 9)
    chain = {"compressor": {"id": outer}, "filters": [{"id": "zlib", "level": 1}]}

    assert "must decode to" in refused(v2(tmp_path / "A", STREAMS[outer](inner), **chain))


def test_a_bomb_inside_a_shard_stops(tmp_path: Path) -> None:
    """Inner chunks of a shard have the bound of an inner chunk."""
    chunk = zlib.compressobj(9, zlib.DEFLATED, 31)
    inner = chunk.compress(ZEROS) + chunk.flush()
    index = struct.pack("<QQ", 0, len(inner))
    check = bytes(Crc32cCodec().to_dict() and numcodecs.checksum32.CRC32C(location="end").encode(index))
    sharding = ShardingCodec(chunk_shape=(100, 2), codecs=[BytesCodec(), GzipCodec()])
    path = v3(tmp_path / "A", inner + check, [])
    about = json.loads((tmp_path / "A" / "zarr.json").read_text())
    (tmp_path / "A" / "zarr.json").write_text(json.dumps({**about, "codecs": [_plain(sharding.to_dict())]}))

    assert "must decode to" in refused(path)


def _plain(document: Any) -> Any:
    return json.loads(json.dumps(document, default=lambda value: getattr(value, "value", str(value))))


@pytest.mark.parametrize("compressor", [None, {"id": "zlib"}, {"id": "blosc"}], ids=["raw", "zlib", "blosc"])
def test_a_file_longer_than_its_numbers_is_not_read(compressor: Any, tmp_path: Path) -> None:
    """A sparse file of a terabyte costs a look at its length."""
    path = v2(tmp_path / "A", b"", compressor=compressor, order="F")
    with (tmp_path / "A" / "0.0").open("r+b") as file:
        file.truncate(2**40)

    assert "must" in refused(path)


def test_memory_stays_small(tmp_path: Path) -> None:
    """1.2 MB that are 1.2 GB, and 1.2 kB that are the same nested, within 400 MB: a solve says what is wrong, in seconds."""
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(ZEROS) for _ in range(60)) + packer.flush()
    plain = v2(tmp_path / "A", bomb, compressor={"id": "zlib", "level": 1})
    nested = v2(tmp_path / "B", zlib.compress(bomb), compressor={"id": "zlib"}, filters=[{"id": "zlib"}])
    code = f"""
import resource, numpy, dsketch, psutil
from dsketch import open_matrix
held = psutil.Process().memory_info().data
resource.setrlimit(resource.RLIMIT_DATA, (held + {MOST_BYTES},) * 2)
for path in ({plain!r}, {nested!r}):
    try:
        dsketch.lstsq(path, numpy.ones(100), cluster="serial")
    except dsketch.DataError as error:
        print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert said.stdout.count("must decode to the 1.60 kB that its shape declares") == 2, said.stderr


CHAINS: dict[str, dict[str, Any]] = {
    "zlib in zlib": {"filters": [numcodecs.Zlib()], "compressors": numcodecs.Zlib(), "zarr_format": 2},
    "delta, bz2": {"filters": [numcodecs.Delta(dtype="<f8")], "compressors": numcodecs.BZ2(), "zarr_format": 2},
    "scaled to i4, lzma": {
        "filters": [numcodecs.FixedScaleOffset(offset=0, scale=4, dtype="<f8", astype="<i4")],
        "compressors": numcodecs.LZMA(),
        "zarr_format": 2,
    },
    "as longer numbers, zstd": {
        "filters": [numcodecs.AsType(encode_dtype="<f8", decode_dtype="<f4")],
        "compressors": numcodecs.Zstd(),
        "zarr_format": 2,
        "dtype": "<f4",
    },
    "lz4": {"filters": None, "compressors": numcodecs.LZ4(), "zarr_format": 2},
    "lzma of raw format": {
        "filters": None,
        "compressors": numcodecs.LZMA(format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}]),
        "zarr_format": 2,
    },
    "shuffle, gzip": {"filters": [numcodecs.Shuffle(8)], "compressors": numcodecs.GZip(), "zarr_format": 2},
    "zstd, zstd, crc": {"compressors": [ZstdCodec(), ZstdCodec(), Crc32cCodec()]},
    "transposed, gzip": {"filters": [TransposeCodec(order=(1, 0))], "compressors": [GzipCodec()]},
    "shards, columns": {"shards": (40, 7), "chunks": (10, 7), "compressors": [GzipCodec(), ZstdCodec()]},
}


@pytest.mark.parametrize("name", sorted(CHAINS))
def test_good_data_are_what_they_were(name: str, tmp_path: Path) -> None:
    """Chains that are right, also those whose middle is longer than the numbers, decode as before."""
    options = {"chunks": (20, 7), "dtype": "<f8", **CHAINS[name]}
    values = np.random.default_rng(0).integers(-40, 40, (103, 7)).astype(options.pop("dtype")) / 4
    made = zarr.create_array(str(tmp_path / "A"), shape=values.shape, dtype=values.dtype, **options)
    made[:] = values

    np.testing.assert_array_equal(open_matrix(str(tmp_path / "A")).read(0, 103), values)


def test_several_members_of_one_chunk_are_read(tmp_path: Path) -> None:
    """Streams that were written piece by piece are one chunk."""
    values = np.arange(200.0).reshape(100, 2)
    for name in ("gzip", "bz2", "lzma", "zstd"):
        pack = STREAMS[name]
        path = v2(tmp_path / name, pack(values[:50].tobytes()) + pack(values[50:].tobytes()), compressor={"id": name})
        np.testing.assert_array_equal(open_matrix(path).read(0, 100), values)


@pytest.mark.parametrize("codec", ["pickle", "json2"])
@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_codecs_are_refused_that_only_consolidated_metadata_name(part: str, codec: str) -> None:
    """Judged is the array that was opened, wherever it lies: here in memory, as it could be behind a URL."""
    common = {"zarr_format": 2, "compressor": None, "filters": None, "order": "C", "fill_value": 0}
    arrays = {
        name: {**common, "shape": [n], "chunks": [n], "dtype": kind}
        for name, n, kind in (("data", 100, "<f8"), ("indices", 100, "<i8"), ("indptr", 101, "<i8"))
    }
    said = {
        ".zgroup": {"zarr_format": 2},
        ".zattrs": {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [100, 2]},
    }
    held = {**said, **{f"{name}/.zarray": about for name, about in arrays.items()}}
    named = {**held, f"{part}/.zarray": {**arrays[part], "filters": [{"id": codec}]}}
    documents = {**held, ".zmetadata": {"zarr_consolidated_format": 1, "metadata": named}}
    store = zarr.storage.MemoryStore({key: cpu.Buffer.from_bytes(json.dumps(text).encode()) for key, text in documents.items()})

    with pytest.raises(DataError, match=rf"A.* at .* cannot be opened: .*{codec}"):
        open_matrix(store)


@pytest.mark.parametrize("name", ["pickle", "json2", "msgpack2", "vlen-utf8"])
@pytest.mark.parametrize("where", ["filters", "compressor"])
def test_codecs_of_objects_are_refused(name: str, where: str, tmp_path: Path) -> None:
    """Numbers need none of them: they make as many objects as their bytes say, or run code."""
    codec: dict[str, Any] = {"id": name}
    path = v2(tmp_path / "A", b"", **{where: [codec] if where == "filters" else codec})

    with pytest.raises(dsketch.DataError, match=name[:4]):
        open_matrix(path)
