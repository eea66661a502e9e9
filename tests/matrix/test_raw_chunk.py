"""A raw chunk on a local disk has the bytes that zarr would have written, and takes its place whole."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from dsketch.matrix.raw_chunk import write_raw_chunk


def group_of(path: Path) -> "zarr.Array":
    """Return an empty raw array of 5 × 7 in chunks of 2 × 3."""
    return zarr.create_array(
        str(path),
        shape=(5, 7),
        chunks=(2, 3),
        dtype="float64",
        compressors=None,
        fill_value=np.nan,
        config={"write_empty_chunks": True},
    )


def test_every_chunk_has_the_bytes_of_zarr_also_at_the_ends(tmp_path: Path) -> None:
    """A chunk beyond the end of the array holds its fill value there, as zarr writes it."""
    values = np.arange(35.0).reshape(5, 7)
    ours, theirs = group_of(tmp_path / "a"), group_of(tmp_path / "b")
    theirs[...] = values
    for row in range(0, 5, 2):
        for column in range(0, 7, 3):
            box = (slice(row, min(row + 2, 5)), slice(column, min(column + 3, 7)))
            assert write_raw_chunk(ours, box, values[box]) is True
    found = {path.relative_to(tmp_path / "a"): path.read_bytes() for path in (tmp_path / "a" / "c").rglob("*") if path.is_file()}
    wanted = {path.relative_to(tmp_path / "b"): path.read_bytes() for path in (tmp_path / "b" / "c").rglob("*") if path.is_file()}
    assert found == wanted


@pytest.mark.parametrize("box", [(slice(0, 4), slice(0, 3)), (slice(1, 2), slice(0, 3)), (slice(0, 2), slice(0, 2))])
def test_what_is_no_chunk_is_left_to_zarr(tmp_path: Path, box: tuple[slice, slice]) -> None:
    """Several chunks, or a part of one, are not written."""
    array = group_of(tmp_path / "a")
    assert write_raw_chunk(array, box, np.ones([one.stop - one.start for one in box])) is None
    assert not (tmp_path / "a" / "c").exists()


def test_compressed_arrays_and_other_stores_are_left_to_zarr(tmp_path: Path) -> None:
    """Only raw bytes in a folder are written without zarr."""
    box, values = (slice(0, 2),), np.ones(2)
    assert write_raw_chunk(zarr.create_array(str(tmp_path / "a"), shape=4, chunks=2, dtype="f8"), box, values) is None
    assert write_raw_chunk(zarr.create_array({}, shape=4, chunks=2, dtype="f8", compressors=None), box, values) is None


def test_a_place_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A worker that does not see the folder of the array writes nothing."""
    array = group_of(tmp_path / "a")
    (tmp_path / "a" / "zarr.json").unlink()
    assert write_raw_chunk(array, (slice(0, 2), slice(0, 3)), np.ones((2, 3))) is False
    assert not (tmp_path / "a" / "c").exists()


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where the chunk cannot take its place, the file beside it is removed."""
    array = group_of(tmp_path / "a")
    (tmp_path / "a" / "c" / "0" / "0").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match="directory"):
        write_raw_chunk(array, (slice(0, 2), slice(0, 3)), np.ones((2, 3)))
    assert [path.name for path in (tmp_path / "a" / "c" / "0").iterdir()] == ["0"]
