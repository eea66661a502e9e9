"""What opens as a matrix, and what is refused by name."""

import json
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client

from dsketch import open_matrix
from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.matrix.array import ArrayMatrix
from tests.matrix.stored import RAW, D, N, values, write


def test_matrix_opens_as_itself() -> None:
    """What is a Matrix already stays the same object."""
    matrix = ArrayMatrix(values())

    assert open_matrix(matrix) is matrix


def test_zarr_array_and_list_open(tmp_path: Path) -> None:
    """A zarr.Array is opened where it lies; a list is a small array."""
    path = write(tmp_path / "A.zarr", values(), chunks=(20, D))

    assert open_matrix(zarr.open_array(path, mode="r")).source == path
    assert open_matrix([[1.0, 2.0], [3.0, 4.0]]).shape == (2, 2)


def test_array_inside_a_group_opens_by_its_path(tmp_path: Path) -> None:
    """The name of an array in a group belongs to its path, and errors of a group name its arrays."""
    group = zarr.open_group(str(tmp_path / "store.zarr"), mode="w")
    group.create_array("inner", data=values(), chunks=(20, D))

    assert np.array_equal(open_matrix(tmp_path / "store.zarr" / "inner").read(0, N), values())
    with pytest.raises(DataError, match=r"is a group with the arrays: inner"):
        open_matrix(tmp_path / "store.zarr")


def test_nothing_at_the_path_is_missing_data(tmp_path: Path) -> None:
    """The error is a DataError and a FileNotFoundError, and names the path."""
    with pytest.raises(MissingDataError, match=r"b was expected at .*nowhere\.zarr; there is nothing"):
        open_matrix(tmp_path / "nowhere.zarr", what="b")


def test_empty_folder_is_missing_data(tmp_path: Path) -> None:
    """A folder without an array is missing data."""
    with pytest.raises(MissingDataError, match="no Zarr array"):
        open_matrix(tmp_path)


def test_file_is_sent_to_ingest(tmp_path: Path) -> None:
    """A file is no Zarr array; the message says how to make one."""
    path = tmp_path / "A.csv"
    np.savetxt(path, values(), delimiter=",")

    with pytest.raises(DataError, match="dsketch ingest"):
        open_matrix(path)


def test_damaged_metadata_is_a_data_error(tmp_path: Path) -> None:
    """Metadata that cannot be read are named with their address."""
    path = Path(write(tmp_path / "A.zarr", values(), chunks=(20, D)))
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "array"}')

    with pytest.raises(DataError, match=r"A\.zarr cannot be opened"):
        open_matrix(path)


@pytest.mark.parametrize("source", [3.0, None, {"A": 1}, object()])
def test_unknown_kind_of_source_is_refused(source: object) -> None:
    """What is no matrix is refused with the kinds that are."""
    with pytest.raises(SpecError, match="must be a path or URL of a Zarr array"):
        open_matrix(source)


def test_unknown_meaning_of_missing_is_refused() -> None:
    """``missing`` is 'error' or 'fill'."""
    with pytest.raises(SpecError, match=r"missing must be .*; got 'zero'"):
        open_matrix(values(), missing="zero")


def test_a_codec_that_runs_code_is_refused(tmp_path: Path) -> None:
    """Numbers need no pickle; what an author wrote into a chunk is not run."""
    path = write(tmp_path / "A.zarr", values(), chunks=(20, D), zarr_format=2, **RAW)

    metadata = tmp_path / "A.zarr" / ".zarray"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "compressor": {"id": "pickle", "protocol": 0}}))

    with pytest.raises(DataError, match=r"A\.zarr cannot be opened: .*pickle"):
        open_matrix(path)


@pytest.mark.parametrize(
    "array",
    [np.ones((3, 2), complex), np.array([["a", "b"]]), np.ones((3, 2), np.longdouble), np.array(["2020-01-01"], "M8[D]")],
    ids=["complex", "text", "longdouble", "dates"],
)
def test_what_is_not_a_real_number_is_refused(array: np.ndarray) -> None:
    """Complex, text, dates and wider floats are refused with their dtype."""
    if array.dtype.itemsize <= 8 and array.dtype.kind == "f":
        pytest.skip("long double is double here")
    with pytest.raises(DataError, match="A must hold real numbers"):
        open_matrix(array)


@pytest.mark.parametrize("shape", [(), (2, 3, 4)])
def test_other_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    """A matrix has one or two dimensions."""
    with pytest.raises(DataError, match="one or two dimensions"):
        open_matrix(np.ones(shape))


def test_dask_array_of_unknown_chunks_is_refused() -> None:
    """Without row numbers there is no chunk law; the message names compute_chunk_sizes."""
    lazy = da.from_array(values(), chunks=(20, D))

    with pytest.raises(DataError, match="compute_chunk_sizes"):
        open_matrix(lazy[lazy[:, 0] > 0])


def test_dask_blocks_of_a_wrong_shape_are_named() -> None:
    """A map_blocks that changes the shape without saying so is caught at its block."""
    lazy = da.from_array(values(), chunks=(20, D)).map_blocks(lambda block: block[:-1], dtype="float64", meta=np.empty((0, 0)))

    with pytest.raises(DataError, match=r"block 1 of A must have shape \(20, 7\)"):
        open_matrix(lazy).read(20, 40)


@pytest.mark.cluster
def test_persisted_dask_array_reads_its_values(client: Client) -> None:
    """Chunks that lie on a cluster are fetched where they are read."""
    lazy = client.persist(da.from_array(values(), chunks=(20, D)))
    matrix = open_matrix(lazy)

    assert np.array_equal(matrix.read(0, N), values())
    assert np.array_equal(matrix.read(33, 57), values()[33:57])
