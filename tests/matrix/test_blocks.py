"""How a matrix is read: raw or decoded, in blocks of which size, under which fingerprint."""

import itertools
import shutil
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr

from dsketch import open_matrix
from dsketch.errors import DataError, MissingDataError
from dsketch.matrix.base import LARGEST_BLOCK_BYTES, block_rows_for, even_cuts
from dsketch.matrix.rows import Rows
from tests.matrix.stored import RAW, STORED, WAYS, D, N, chunk_files, values, write

# ---- how it is read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "is_raw"),
    [
        ("v3 raw", True),
        ("v3 raw float32", True),
        ("v3 raw vector", True),
        ("v2 raw", True),
        ("v3 zstd", False),
        ("v3 big-endian", False),
        ("v2 big-endian", False),
        ("v2 Fortran order", False),
        ("v3 transposed", False),
        ("v3 column chunks", False),
        ("v3 sharded raw", False),
    ],
)
def test_only_plain_rows_are_raw(name: str, is_raw: bool, tmp_path: Path) -> None:
    """A chunk is its rows' bytes only if it is raw, little-endian, in C order and of whole rows."""
    array, options = STORED[name]
    options = dict(options)
    path = write(tmp_path / "A.zarr", array.astype(options.pop("dtype", array.dtype)), **options)

    assert open_matrix(path).is_raw is is_raw


def test_large_raw_chunk_is_cut(tmp_path: Path) -> None:
    """A raw chunk of 72 MB makes several blocks, none above the limit, read by slices with the right rows."""
    array = np.arange(90_000 * 100, dtype=np.float64).reshape(90_000, 100)
    path = write(tmp_path / "A.zarr", array, chunks=(90_000, 100), **RAW)
    rows = Rows(open_matrix(path))

    steps = np.diff(rows.cuts)
    assert len(steps) >= 2
    assert steps.max() * 800 <= LARGEST_BLOCK_BYTES
    for start, stop in itertools.pairwise(rows.cuts.tolist()):
        for first, X, _ in rows.block(start, stop).slices(10_000):
            assert np.array_equal(X, array[first : first + len(X)])


def test_missing_chunk_of_a_raw_block_is_an_error_or_fill(tmp_path: Path) -> None:
    """Read by slices inside a pass, absence is what it is elsewhere."""
    path = write(tmp_path / "A.zarr", values(), fill_value=2.5, **WAYS["raw"])
    chunk_files(path)[2].unlink()

    with pytest.raises(MissingDataError, match="chunk 2 of A is absent"):
        [first for first, _, _ in Rows(open_matrix(path)).block(0, N).slices(7)]
    expected = values()
    expected[40:60] = 2.5
    slices = [X.copy() for _, X, _ in Rows(open_matrix(path, missing="fill")).block(0, N).slices(7)]
    assert np.array_equal(np.concatenate(slices), expected)


@pytest.mark.parametrize("divisible", [True, False])
@pytest.mark.parametrize("chunk_rows", [1, 7, 1000, 10**6, 10**8])
@pytest.mark.parametrize("row_bytes", [1, 800, 10**5, 10**9])
def test_block_sizes(chunk_rows: int, row_bytes: int, divisible: bool) -> None:
    """A block is whole chunks, or a part of a large divisible chunk, and at most 64 MB wherever that is possible."""
    rows = block_rows_for(chunk_rows, row_bytes, divisible=divisible)

    assert rows >= 1
    assert rows % chunk_rows == 0 or (divisible and rows < chunk_rows)
    if divisible or chunk_rows * row_bytes <= LARGEST_BLOCK_BYTES:
        assert rows * row_bytes <= max(LARGEST_BLOCK_BYTES, row_bytes)


def test_a_shape_that_nobody_stored_is_refused() -> None:
    """2⁶² rows are a word in a file of metadata: no list of blocks is made for them."""
    with pytest.raises(
        DataError, match=r"at most 100000000 blocks of rows were expected; 4611686018427387904 rows make 46116860184274\."
    ):
        even_cuts(2**62, 100_000)


def test_even_cuts_end_with_the_rest() -> None:
    """Steps are equal but for the last."""
    assert even_cuts(10, 4).tolist() == [0, 4, 8, 10]
    assert even_cuts(8, 4).tolist() == [0, 4, 8]
    assert even_cuts(3, 10).tolist() == [0, 3]


# ---- fingerprints ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [0, 51, N - 1])
def test_fingerprint_sees_a_changed_value(row: int, tmp_path: Path) -> None:
    """Changed values in the first, middle or last rows change the fingerprint."""
    path = write(tmp_path / "A.zarr", values(), chunks=(20, D))
    before = open_matrix(path).fingerprint()
    zarr.open_array(path, mode="r+")[row, 3] += 1.0

    assert open_matrix(path).fingerprint() != before


def test_fingerprint_sees_changed_metadata(tmp_path: Path) -> None:
    """Other chunks or another dtype change it; another place does not, nor do attributes."""
    one = write(tmp_path / "one.zarr", values(), chunks=(20, D))
    prints = {
        open_matrix(one).fingerprint(),
        open_matrix(write(tmp_path / "two.zarr", values(), chunks=(30, D))).fingerprint(),
        open_matrix(write(tmp_path / "three.zarr", values("float32"), chunks=(20, D))).fingerprint(),
    }
    shutil.copytree(one, tmp_path / "copy.zarr")
    zarr.open_array(tmp_path / "copy.zarr", mode="r+").attrs["note"] = "a copy"

    assert len(prints) == 3
    assert open_matrix(tmp_path / "copy.zarr").fingerprint() in prints


def test_fingerprint_of_an_array_sees_every_value() -> None:
    """Data in memory are hashed whole."""
    before = values(n=70_000)
    after = before.copy()
    after[40_001, 2] += 1.0

    assert open_matrix(before).fingerprint() != open_matrix(after).fingerprint()
    assert open_matrix(before).fingerprint() == open_matrix(before.copy()).fingerprint()


def test_fingerprint_of_a_dask_array_is_its_graph_s() -> None:
    """The same graph has the same fingerprint, another one another."""
    one, same, other = (open_matrix(da.from_array(values() + plus, chunks=(20, D))) for plus in (0.0, 0.0, 1.0))

    assert one.fingerprint() == same.fingerprint()
    assert one.fingerprint() != other.fingerprint()
