"""Facts about a stored matrix, and advice where its storage costs time."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr

from dsketch._inspect import GOOD_CHUNK_BYTES, Storage, inspect
from dsketch.errors import DataError, MissingDataError

Write = Callable[..., str]


def subjects(found: Storage) -> list[str]:
    """Return what the advice is about."""
    return [advice.subject for advice in found.advice]


@pytest.fixture
def matrix() -> np.ndarray:
    """1,000 × 10 numbers that do not compress."""
    return np.random.default_rng(0).standard_normal((1000, 10))


def test_facts_are_those_of_the_array(stored: Write, matrix: np.ndarray) -> None:
    """Shape, chunks, bytes and pieces of a plain array, and no advice: one chunk is as good as it gets."""
    found = inspect(stored("A", matrix))
    assert (found.shape, found.dtype, found.zarr_format) == ((1000, 10), "float64", 3)
    assert (found.chunks, found.shards, found.codecs) == ((1000, 10), None, ("bytes(endian=little)",))
    assert found.decoded_bytes == found.stored_bytes == matrix.nbytes
    assert (found.stored_objects, found.missing_objects) == (1, 0)
    assert (found.reading, found.blocks, found.panels, found.block_bytes) == ("raw", 1, 1, matrix.nbytes)
    assert found.advice == ()


def test_columns_are_named_if_the_writer_did(stored: Write, matrix: np.ndarray) -> None:
    """Names left by an ingest are shown."""
    names = [f"c{place}" for place in range(10)]
    assert inspect(stored("A", matrix, attributes={"columns": names})).columns == tuple(names)


def test_large_arrays_are_cut_into_blocks_and_panels(tmp_path: Path) -> None:
    """A pass over 80 GB with good chunks: as many blocks as it says, at most 4,096 panels, and only missing data to mend."""
    zarr.create_array(
        store=str(tmp_path / "A"), shape=(100_000_000, 100), chunks=(80_000, 100), dtype="f8", compressors=None
    )  # nothing is written: Zarr leaves out what nobody set
    found = inspect(tmp_path / "A", memory_bytes=10**9)
    assert found.stored_objects == found.missing_objects == 1250
    assert found.blocks >= 1250
    assert found.blocks * found.block_bytes >= found.decoded_bytes
    assert found.panels == 1024
    assert subjects(found) == ["missing chunks"]


def test_small_chunks_are_advised_against(stored: Write, matrix: np.ndarray) -> None:
    """Chunks below 1 MB cost more to open than to read; the remedy names chunks of about 64 MB."""
    found = inspect(stored("A", matrix, 10))
    (advice,) = found.advice
    assert advice.subject == "small chunks"
    assert "100 stored objects of 800 B" in advice.finding
    assert "chunks=(1000, 10)" in advice.remedy  # all rows: the whole is smaller than one good chunk
    assert matrix.nbytes < GOOD_CHUNK_BYTES


def test_blocks_beyond_the_memory_are_advised_against(stored: Write, matrix: np.ndarray) -> None:
    """Two blocks must fit in a thread's share of the memory."""
    path = stored("A", matrix, compressors=zarr.codecs.ZstdCodec())
    assert "large chunks" not in subjects(inspect(path, memory_bytes=3 * matrix.nbytes))
    assert "large chunks" in subjects(inspect(path, memory_bytes=2 * matrix.nbytes))


def test_column_chunks_are_advised_against(stored: Write, matrix: np.ndarray) -> None:
    """Every block of rows touches all column chunks; the remedy is full rows."""
    found = inspect(stored("A", matrix, chunks=(1000, 4)))
    assert found.reading == "decoded"
    advice = next(advice for advice in found.advice if advice.subject == "column chunks")
    assert "touches 3 of them" in advice.finding
    assert "chunks=(1000, 10)" in advice.remedy


@pytest.mark.parametrize(
    "options",
    [
        {"compressors": zarr.codecs.ZstdCodec(level=3)},
        {"compressors": numcodecs.Blosc(cname="lz4"), "zarr_format": 2},
        {"compressors": zarr.codecs.ZstdCodec(), "shards": (1000, 10), "chunks": (500, 10)},
    ],
    ids=["zstd", "blosc, format 2", "shards"],
)
def test_only_worthless_compression_is_advised_against(stored: Write, matrix: np.ndarray, options: dict[str, Any]) -> None:
    """Random mantissas do not shrink and are better stored raw; rounded data shrink, and nothing is said."""
    noisy, rounded = inspect(stored("noisy", matrix, **options)), inspect(stored("rounded", matrix.round(0), **options))
    assert "compression" in subjects(noisy)
    assert "compression" not in subjects(rounded)
    assert noisy.reading == rounded.reading == "decoded"
    assert rounded.stored_bytes < rounded.decoded_bytes


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"shards": (1000, 10), "chunks": (500, 10)}, "sharded"),
        ({"dtype": ">f8", "zarr_format": 2}, "byte order"),
        ({"order": "F", "zarr_format": 2}, "byte order"),
    ],
    ids=["shards", "big-endian", "F order"],
)
def test_why_a_local_array_is_not_read_raw(tmp_path: Path, matrix: np.ndarray, options: dict[str, Any], subject: str) -> None:
    """What keeps uncompressed chunks on a local disk from being read as they are is named."""
    options = {"chunks": matrix.shape, "dtype": "f8", "compressors": None, **options}
    zarr.create_array(store=str(tmp_path / "A"), shape=matrix.shape, **options)[:] = matrix
    found = inspect(tmp_path / "A")
    assert found.reading == "decoded"
    assert subjects(found) == [subject]


@pytest.mark.parametrize(("dtype", "subject"), [("i4", "integers"), ("f4", "precision"), ("f8", None)])
def test_dtypes_are_noted(stored: Write, dtype: str, subject: str | None) -> None:
    """Integers and float32 are fine, and worth a note without a remedy."""
    found = inspect(stored("A", np.ones((20, 3), dtype)))
    assert subjects(found) == ([subject] if subject else [])
    assert all(not advice.remedy for advice in found.advice)


def test_missing_chunks_are_counted(stored: Write, matrix: np.ndarray) -> None:
    """A chunk that is not there is counted without reading any."""
    path = stored("A", matrix, 250)
    next(Path(path).glob("c/2/*")).unlink()
    found = inspect(path)
    assert (found.stored_objects, found.missing_objects) == (4, 1)
    assert subjects(found)[0] == "missing chunks"


@pytest.mark.parametrize(
    ("fill", "attributes", "remedy"),
    [
        (0, {}, r"\(0\), solve with --missing fill"),
        (-9, {"scale_factor": 0.5}, r"\(-9\), solve with --missing fill"),
        (-9, {"_FillValue": -9}, "leave out or impute their rows"),
        (-9, {"missing_value": -9, "scale_factor": 0.5}, "leave out or impute their rows"),
    ],
)
def test_what_to_do_about_missing_chunks_works(tmp_path: Path, fill: int, attributes: dict[str, Any], remedy: str) -> None:
    """Filling is advised where what is filled in is a number, not where it marks what is missing."""
    array = zarr.create_array(
        str(tmp_path / "A"), shape=(40, 2), chunks=(20, 2), dtype="i2", fill_value=fill, attributes=attributes
    )
    array[:20] = np.arange(40).reshape(20, 2)
    advice = next(advice for advice in inspect(tmp_path / "A").advice if advice.subject == "missing chunks")
    assert re.search(remedy, advice.remedy)


def test_wide_matrices_are_noticed(stored: Write) -> None:
    """More columns than rows is no system to solve here."""
    assert subjects(inspect(stored("A", np.ones((3, 20))))) == ["wide"]


def test_what_is_no_matrix_is_an_error(tmp_path: Path, stored: Write) -> None:
    """Nothing, a file and text are refused as everywhere."""
    with pytest.raises(MissingDataError):
        inspect(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError):
        inspect(tmp_path / "file")
    with pytest.raises(DataError, match="real numbers"):
        inspect(stored("complex", np.ones((3, 2), complex)))
