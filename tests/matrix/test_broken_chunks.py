"""Chunks that are missing, truncated or corrupt are named."""

from pathlib import Path

import numpy as np
import pytest

from dsketch import open_matrix
from dsketch.errors import DataError, MissingDataError
from tests.matrix.stored import WAYS, D, N, chunk_files, values, write


@pytest.mark.parametrize("way", sorted(WAYS))
def test_missing_chunk_is_an_error(way: str, tmp_path: Path) -> None:
    """Rows whose chunk is gone are missing data, named by chunk; the other rows are read all the same."""
    path = write(tmp_path / "A.zarr", values(), **WAYS[way])
    files = chunk_files(path)
    files[1 if len(files) > 1 else 0].unlink()
    matrix = open_matrix(path)

    with pytest.raises(MissingDataError, match=r"chunk \d+ of A is absent .*missing='fill'"):
        matrix.read(0, N)
    if len(files) > 2:
        assert np.array_equal(matrix.read(40, N), values()[40:])


@pytest.mark.parametrize("way", sorted(WAYS))
def test_missing_chunk_may_mean_fill(way: str, tmp_path: Path) -> None:
    """With missing='fill' its rows have the fill value."""
    path = write(tmp_path / "A.zarr", values(), fill_value=2.5, **WAYS[way])
    for file in chunk_files(path):
        file.unlink()

    assert np.array_equal(open_matrix(path, missing="fill").read(0, N), np.full((N, D), 2.5))


@pytest.mark.parametrize("way", sorted(WAYS))
def test_chunks_that_hold_the_fill_value_are_no_loss(way: str, tmp_path: Path) -> None:
    """Zeros that were written are zeros, not missing data."""
    path = write(tmp_path / "A.zarr", np.zeros((N, D)), **WAYS[way])

    assert not open_matrix(path).read(0, N).any()


@pytest.mark.parametrize("way", sorted(WAYS))
def test_truncated_chunk_is_a_data_error(way: str, tmp_path: Path) -> None:
    """A chunk that lost its last bytes is named, never read as if it were whole."""
    path = write(tmp_path / "A.zarr", values(), **WAYS[way])
    file = chunk_files(path)[0]
    file.write_bytes(file.read_bytes()[:-10])

    with pytest.raises(DataError, match=r"(chunk 0|rows 0:\d+) of A .*copy it again"):
        open_matrix(path).read(0, N)


@pytest.mark.parametrize("way", ["zstd", "v2 compressed", "sharded"])
def test_corrupt_chunk_is_a_data_error(way: str, tmp_path: Path) -> None:
    """Bytes that do not decode are named by their chunk."""
    path = write(tmp_path / "A.zarr", values(), **WAYS[way])
    file = chunk_files(path)[0]
    file.write_bytes(b"\x00not a chunk" + file.read_bytes()[12:])

    with pytest.raises(DataError, match=r"chunk 0 of A .*cannot be decoded.*copy it again"):
        open_matrix(path).read(0, 40)


def test_folder_in_place_of_a_chunk_is_a_data_error(tmp_path: Path) -> None:
    """A chunk that cannot be opened is named with the system's reason."""
    path = write(tmp_path / "A.zarr", values(), **WAYS["raw"])
    file = chunk_files(path)[0]
    file.unlink()
    file.mkdir()

    with pytest.raises(DataError):
        open_matrix(path).read(0, 20)
