"""Chunks that are missing, truncated, corrupt, unreadable, or vanish during the run: one DataError that names chunk and place."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from distributed import Client
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

import dsketch
from dsketch.events import Event, PassFinished, PassStarted
from dsketch.matrix.open import open_matrix
from tests.failures.data import columns
from tests.failures.processes import ENVIRONMENT

pytestmark = pytest.mark.timeout(60)

N, D, CHUNK = 20_000, 6, 1_250
HURT = 5  # of 16 chunks: none that a probe or a fingerprint reads
Engine = Callable[[str], Any]

LAYOUTS: dict[str, dict[str, Any]] = {
    "raw": {"chunks": (CHUNK, D), "compressors": None},
    "raw, format 2": {"chunks": (CHUNK, D), "compressors": None, "zarr_format": 2},
    "zstd with checksum": {"chunks": (CHUNK, D), "compressors": ZstdCodec(level=1, checksum=True)},
    "blosc": {"chunks": (CHUNK, D), "compressors": BloscCodec(cname="lz4")},
    "sharded": {"chunks": (CHUNK // 5, D), "shards": (CHUNK, D), "compressors": ZstdCodec(level=1, checksum=True)},
    "by columns": {"chunks": (CHUNK, D // 2), "compressors": None},
}

FRAMES: dict[str, dict[str, Any]] = {
    "blosc lz4": {"compressors": BloscCodec(cname="lz4")},
    "blosc lz4, not shuffled": {"compressors": BloscCodec(cname="lz4", shuffle="noshuffle")},
    "blosc blosclz": {"compressors": BloscCodec(cname="blosclz")},
    "blosc zstd": {"compressors": BloscCodec(cname="zstd")},
    "blosc, format 2": {"compressors": numcodecs.Blosc("lz4"), "zarr_format": 2},
    "blosc, stored plainly": {"compressors": numcodecs.Blosc("lz4", clevel=0), "zarr_format": 2},
}
OTHERS: dict[str, dict[str, Any]] = {
    "zstd": {"compressors": ZstdCodec(level=1)},
    "gzip": {"compressors": GzipCodec(level=1)},
    "zstd, format 2": {"compressors": numcodecs.Zstd(1), "zarr_format": 2},
    "lz4": {"compressors": numcodecs.LZ4(), "zarr_format": 2},
    "zlib": {"compressors": numcodecs.Zlib(1), "zarr_format": 2},
    "bz2": {"compressors": numcodecs.BZ2(1), "zarr_format": 2},
    "lzma": {"compressors": numcodecs.LZMA(), "zarr_format": 2},
}


@pytest.fixture(autouse=True)
def _smaller_blocks(monkeypatch: pytest.MonkeyPatch, _small_blocks: None) -> None:
    """One chunk a block and a panel."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", CHUNK * D * 8)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", CHUNK * D * 8)


def stored(folder: Path, layout: str) -> tuple[str, np.ndarray, Path]:
    """Store A; return its path, b, and the file of the chunk to hurt."""
    A, b = columns(N, D)
    path = folder / "A.zarr"
    config = {"write_empty_chunks": True}
    zarr.create_array(store=str(path), shape=A.shape, dtype=A.dtype, config=config, **LAYOUTS[layout])[:] = A
    chunk = path / f"{HURT}.0" if layout == "raw, format 2" else path / "c" / str(HURT) / "0"
    assert chunk.exists()
    return str(path), b, chunk


@pytest.fixture(params=["serial", pytest.param("cluster", marks=pytest.mark.cluster)])
def engine(request: pytest.FixtureRequest) -> str | Client:
    """Both engines."""
    return "serial" if request.param == "serial" else request.getfixturevalue("client")


def refusal(path: str, b: np.ndarray, engine: str | Client, error: type[Exception] = dsketch.DataError) -> str:
    """Solve, expecting a refusal; return its text."""
    with pytest.raises(error) as caught:
        dsketch.lstsq(path, b, method="tsqr", cluster=engine)
    return str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_missing_chunk(tmp_path: Path, engine: str | Client, layout: str) -> None:
    """A lost chunk is not taken for zeros, whatever the layout; the error shows its number and its path."""
    path, b, chunk = stored(tmp_path, layout)
    chunk.unlink()
    text = refusal(path, b, engine, dsketch.MissingDataError)
    assert f"chunk {HURT} of A is absent" in text
    assert str(chunk) in text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_truncated_chunk(tmp_path: Path, engine: str | Client, layout: str) -> None:
    """Half a chunk does not decode to anything; the error shows which one."""
    path, b, chunk = stored(tmp_path, layout)
    os.truncate(chunk, chunk.stat().st_size // 2)
    text = refusal(path, b, engine)
    assert f"chunk {HURT} of A" in text
    assert str(chunk) in text


def other_lengths(content: bytes) -> list[bytes]:
    """Return what may be left of a chunk, or lie behind it: every cut in the header and in the last block, some between."""
    size = len(content)
    cuts = {*range(18), *range(size - 40, size), *np.linspace(18, size - 40, 12).astype(int).tolist()}
    return [*(content[:cut] for cut in sorted(cuts)), content + b"\0", content + b"garbage" * 100, content + content]


def chunk_codes(folder: Path, options: dict[str, Any]) -> tuple[Path, np.ndarray, Path]:
    """Store two short chunks; return the array's path, the values, and the file of the second chunk."""
    A, _ = columns(2 * CHUNK, D)
    path = folder / "A.zarr"
    zarr.create_array(store=str(path), shape=A.shape, dtype=A.dtype, chunks=(CHUNK, D), **options)[:] = A
    return path, A, path / "1.0" if "zarr_format" in options else path / "c" / "1" / "0"


@pytest.mark.parametrize("codec", FRAMES)
def test_blosc_frame_of_another_length(tmp_path: Path, codec: str) -> None:
    """Blosc decodes a frame that lacks its last bytes to other numbers: the length in its header must be that of the object."""
    path, A, chunk = chunk_codes(tmp_path, FRAMES[codec])
    content, matrix = chunk.read_bytes(), open_matrix(str(path))
    assert np.array_equal(matrix.read(0, 2 * CHUNK), A)
    for hurt in other_lengths(content):
        chunk.write_bytes(hurt)
        with pytest.raises(dsketch.DataError, match="copy it again from its origin") as caught:
            matrix.read(0, 2 * CHUNK)
        wanted = f"{len(content)}" if len(hurt) >= 16 else "at least 16"
        told = f"chunk 1 of A ({chunk}) must have {wanted} bytes by its Blosc header; it has {len(hurt)}."
        assert told in str(caught.value)


@pytest.mark.parametrize("codec", OTHERS)
def test_other_frames_of_another_length(tmp_path: Path, codec: str) -> None:
    """Other codecs know where a frame ends: it is refused, or (with something behind it) gives the numbers that were written."""
    path, A, chunk = chunk_codes(tmp_path, OTHERS[codec])
    content, matrix = chunk.read_bytes(), open_matrix(str(path))
    refused = 0
    for hurt in other_lengths(content):
        chunk.write_bytes(hurt)
        try:
            found = matrix.read(0, 2 * CHUNK)
        except dsketch.DataError as error:
            assert f"chunk 1 of A ({chunk})" in str(error)  # noqa: PT017 - that it may also not be raised is the point
            refused += 1
        else:
            assert np.array_equal(found, A)
            assert len(hurt) > len(content)
    assert refused >= len(other_lengths(content)) - 3


def test_blosc_frame_that_lost_a_byte(tmp_path: Path, engine: str | Client) -> None:
    """A solve on either engine shows the chunk, what was expected and what was found."""
    path, b, chunk = stored(tmp_path, "blosc")
    size = chunk.stat().st_size
    os.truncate(chunk, size - 1)
    told = f"chunk {HURT} of A ({chunk}) must have {size} bytes by its Blosc header; it has {size - 1}."
    assert told in refusal(path, b, engine)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_empty_chunk(tmp_path: Path, layout: str) -> None:
    """A chunk of no bytes, as a full disk leaves it, is refused like a truncated one."""
    path, b, chunk = stored(tmp_path, layout)
    os.truncate(chunk, 0)
    assert f"chunk {HURT} of A" in refusal(path, b, "serial")


@pytest.mark.parametrize("layout", ["zstd with checksum", "blosc", "sharded"])
def test_corrupt_chunk(tmp_path: Path, engine: str | Client, layout: str) -> None:
    """Bytes that were overwritten on the disk fail to decode, and the chunk is named."""
    path, b, chunk = stored(tmp_path, layout)
    content = bytearray(chunk.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    chunk.write_bytes(content)
    text = refusal(path, b, engine)
    assert f"chunk {HURT} of A" in text
    assert str(chunk) in text


@pytest.mark.parametrize("layout", ["raw", "blosc"])
def test_folder_in_place_of_a_chunk(tmp_path: Path, layout: str) -> None:
    """Something that is not a file at all is refused with its name."""
    path, b, chunk = stored(tmp_path, layout)
    chunk.unlink()
    chunk.mkdir()
    text = refusal(path, b, "serial")
    assert f"chunk {HURT} of A" in text
    assert str(chunk) in text


@pytest.mark.parametrize("layout", ["raw", "blosc"])
def test_chunk_vanishes_between_passes(tmp_path: Path, engine: str | Client, layout: str) -> None:
    """Data that disappears while the run goes on is told by the pass that misses it; blocks kept in memory may still serve."""
    path, b, chunk = stored(tmp_path, layout)
    seen: list[int] = []

    def remove(event: Event) -> None:
        if isinstance(event, PassStarted):
            seen.append(event.number)
        if isinstance(event, PassFinished) and event.number == 1:
            chunk.unlink()

    if layout == "blosc" and engine != "serial":  # a worker has kept the block, and its bits are those of the first pass
        kept = dsketch.lstsq(path, b, method="tsqr", cluster=engine, progress=remove)
        assert kept.status is dsketch.Status.SOLVED
        return
    with pytest.raises(dsketch.MissingDataError, match=f"chunk {HURT} of A is absent"):
        dsketch.lstsq(path, b, method="tsqr", cluster=engine, progress=remove)
    assert seen == [1, 2]


def test_chunk_is_truncated_between_passes(tmp_path: Path, engine: str | Client) -> None:
    """A writer that cuts a raw file under our feet gets an error, not a bus error that takes the process down."""
    path, b, chunk = stored(tmp_path, "raw")

    def cut(event: Event) -> None:
        if isinstance(event, PassFinished) and event.number == 1:
            os.truncate(chunk, 1_000)

    with pytest.raises(dsketch.DataError, match=f"chunk {HURT} of A"):
        dsketch.lstsq(path, b, method="tsqr", cluster=engine, progress=cut)


@pytest.mark.parametrize("what", ["b", "weights"])
def test_right_side_and_weights_are_data_too(tmp_path: Path, engine: str | Client, what: str) -> None:
    """A chunk of b or of the weights that is missing is told with that name."""
    path, b, _ = stored(tmp_path, "raw")
    side = tmp_path / f"{what}.zarr"
    options = {"chunks": (CHUNK,), "compressors": None, "config": {"write_empty_chunks": True}}
    zarr.create_array(store=str(side), shape=(N,), dtype=float, **options)[:] = 1.0
    (side / "c" / str(HURT)).unlink()
    given = {"b": b, what: str(side)}
    with pytest.raises(dsketch.MissingDataError, match=f"chunk {HURT} of {what} is absent"):
        dsketch.lstsq(path, given["b"], weights=given.get("weights"), method="tsqr", cluster=engine)


_AS_NOBODY = """
import os, sys
import dsketch
b, *places = sys.argv[1:]
pairs = list(zip(places[::2], places[1::2]))
for A, hidden in pairs:
    dsketch.lstsq(A, b, method="sketch_and_solve", cluster="serial")  # whatever is imported late is here now
    os.chmod(hidden, 0)
os.setgid(65534), os.setuid(65534)
for A, hidden in pairs:
    try:
        dsketch.lstsq(A, b, method="tsqr", cluster="serial")
    except dsketch.DataError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, and nobody else needs to: see the test below")
def test_chunk_that_may_not_be_read_by_another_user(tmp_path: Path) -> None:
    """A user without the right to read a chunk gets the chunk and the reason, raw or coded; it is not taken for absent."""
    home, hidden = Path("/var/tmp") / f"dsketch-{os.getpid()}", []  # noqa: S108  # pytest's own folders admit their owner only
    try:
        home.mkdir(mode=0o755)
        home.chmod(0o755)
        for layout in ("raw", "blosc"):
            (home / layout).mkdir()
            _, b, chunk = stored(home / layout, layout)
            hidden.append(chunk)
        zarr.create_array(store=str(home / "b.zarr"), shape=b.shape, dtype=b.dtype, chunks=b.shape)[:] = b
        places = [str(place) for chunk in hidden for place in (chunk.parents[2], chunk)]
        words = [sys.executable, "-c", _AS_NOBODY, str(home / "b.zarr"), *places]
        said = run(words, env={**os.environ, **ENVIRONMENT, "HOME": str(home)}, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    raw, coded = said.stdout.splitlines()
    for line, chunk in ((raw, hidden[0]), (coded, hidden[1])):
        assert line.startswith("DataError"), said
        assert str(chunk) in line
        assert f"chunk {HURT} of A" in line
        assert "ermission" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="permission bits do not bind root: see the test above")
@pytest.mark.parametrize("layout", ["raw", "blosc"])
def test_chunk_that_may_not_be_read(tmp_path: Path, layout: str) -> None:
    """The same for the user who runs the tests."""
    path, b, chunk = stored(tmp_path, layout)
    chunk.chmod(0)
    text = refusal(path, b, "serial")
    assert f"chunk {HURT} of A" in text
    assert "ermission" in text


def test_nothing_at_the_path(tmp_path: Path) -> None:
    """A path where nothing lies, a file, a group and a folder that is no Zarr are told apart."""
    (tmp_path / "file.zarr").touch()
    (tmp_path / "folder").mkdir()
    group = zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    group.create_array("inner", shape=(4, 2), dtype=float)
    for name, error, words in [
        ("absent.zarr", dsketch.MissingDataError, "there is nothing"),
        ("folder", dsketch.MissingDataError, "there is no Zarr array"),
        ("file.zarr", dsketch.DataError, "is a file"),
        ("group.zarr", dsketch.DataError, "a group with the arrays: inner"),
    ]:
        with pytest.raises(error, match=words) as caught:
            dsketch.lstsq(str(tmp_path / name), np.ones(4))
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b'{"zarr_format": 3, "node_type": "array"}', b"\x00" * 10])
def test_broken_metadata(tmp_path: Path, content: bytes) -> None:
    """Metadata that cannot be read is the data's fault, with the path."""
    path, b, _ = stored(tmp_path, "raw")
    (Path(path) / "zarr.json").write_bytes(content)
    assert path in refusal(path, b, "serial")
