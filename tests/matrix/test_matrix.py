"""Matrices: every storage keeps the contract; what is broken is named."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec

from dsketch import open_matrix
from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import LARGEST_BLOCK_BYTES, AnyArray, Matrix, block_rows_for, even_cuts
from dsketch.matrix.cache import BlockCache
from dsketch.matrix.rows import SLICE_BYTES, Block, Buffers, Rows, find_nonfinite
from dsketch.matrix.zarr import ZarrMatrix
from dsketch.testing.matrices import MatrixTests
from dsketch.testing.recut import Recut

N, D = 103, 7


def values(dtype: str = "float64", n: int = N, d: int = D) -> np.ndarray:
    """Return numbers that every dtype can hold."""
    numbers = np.random.default_rng(0).integers(0 if dtype[0] in "ub" else -100, 100, (n, d))
    return (numbers + (0.25 if dtype[0] == "f" else 0)).astype(dtype)


def write(path: Path, array: np.ndarray, **options: Any) -> str:
    """Write an array to Zarr and return its path."""
    made = zarr.create_array(
        store=str(path), shape=array.shape, dtype=array.dtype, **{"config": {"write_empty_chunks": True}, **options}
    )
    made[:] = array
    return str(path)


RAW: dict[str, Any] = {"compressors": None, "filters": None}

# name → (values, options of zarr.create_array)
STORED: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "v3 raw": (values(), {"chunks": (20, D), **RAW}),
    "v3 raw, one chunk": (values(), {"chunks": (N, D), **RAW}),
    "v3 raw, chunk beyond the end": (values(), {"chunks": (1000, D), **RAW}),
    "v3 raw, one row a chunk": (values(), {"chunks": (1, D), **RAW}),
    "v3 raw float32": (values("float32"), {"chunks": (20, D), **RAW}),
    "v3 raw int16": (values("int16"), {"chunks": (20, D), **RAW}),
    "v3 raw uint8": (values("uint8"), {"chunks": (20, D), **RAW}),
    "v3 raw bool": (values("bool"), {"chunks": (20, D), **RAW}),
    "v3 raw vector": (values()[:, 0], {"chunks": (20,), **RAW}),
    "v3 big-endian": (values(), {"chunks": (20, D), "serializer": BytesCodec(endian="big"), **RAW}),
    "v3 transposed": (values(), {"chunks": (20, D), "filters": [TransposeCodec(order=(1, 0))], "compressors": None}),
    "v3 zstd": (values(), {"chunks": (20, D), "compressors": ZstdCodec()}),
    "v3 zstd vector": (values()[:, 0], {"chunks": (20,), "compressors": ZstdCodec()}),
    "v3 blosc": (values(), {"chunks": (20, D), "compressors": BloscCodec()}),
    "v3 gzip float32": (values("float32"), {"chunks": (20, D), "compressors": GzipCodec()}),
    "v3 sharded": (values(), {"chunks": (10, D), "shards": (40, D), "compressors": ZstdCodec()}),
    "v3 sharded raw": (values(), {"chunks": (10, D), "shards": (40, D), **RAW}),
    "v3 column chunks": (values(), {"chunks": (20, 3), **RAW}),
    "v3 column chunks zstd": (values(), {"chunks": (20, 3), "compressors": ZstdCodec()}),
    "v3 sharded columns": (values(), {"chunks": (10, 2), "shards": (20, 4), "compressors": ZstdCodec()}),
    "v2 raw": (values(), {"chunks": (20, D), "zarr_format": 2, **RAW}),
    "v2 raw vector": (values()[:, 0], {"chunks": (20,), "zarr_format": 2, **RAW}),
    "v2 compressed": (values(), {"chunks": (20, D), "zarr_format": 2}),
    "v2 big-endian": (values(), {"chunks": (20, D), "zarr_format": 2, "dtype": ">f8", **RAW}),
    "v2 big-endian int16": (values("int16"), {"chunks": (20, D), "zarr_format": 2, "dtype": ">i2", **RAW}),
    "v2 Fortran order": (values(), {"chunks": (20, D), "zarr_format": 2, "order": "F", **RAW}),
}


class TestStored(MatrixTests):
    """Zarr arrays on disk, in all the ways they are written."""

    @pytest.fixture(params=sorted(STORED))
    def pair(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Matrix, AnyArray]:
        """Return an opened matrix and its values."""
        array, options = STORED[request.param]
        options = dict(options)
        dtype = np.dtype(options.pop("dtype", array.dtype))
        path = write(tmp_path / "A.zarr", array.astype(dtype), **options)
        return open_matrix(path), array.reshape(array.shape[0], -1)


IN_MEMORY: dict[str, Callable[[], AnyArray]] = {
    "C order": values,
    "Fortran order": lambda: np.asfortranarray(values()),
    "strided": lambda: values(n=2 * N, d=2 * D)[::2, ::2],
    "float32": lambda: values("float32"),
    "int": lambda: values("int64"),
    "bool": lambda: values("bool"),
    "vector": lambda: values()[:, 0],
}


class TestInMemory(MatrixTests):
    """NumPy arrays."""

    @pytest.fixture(params=sorted(IN_MEMORY))
    def pair(self, request: pytest.FixtureRequest) -> tuple[Matrix, AnyArray]:
        """Return a matrix of an array, and the array."""
        array = IN_MEMORY[request.param]()
        return open_matrix(array), array.reshape(array.shape[0], -1)


class TestRecut(MatrixTests):
    """The contract's own matrix with a chosen grid."""

    @pytest.fixture
    def pair(self) -> tuple[Matrix, AnyArray]:
        """Return an array with uneven blocks."""
        return Recut(ArrayMatrix(values()), np.array([0, 1, 30, 31, 90, N])), values()


LAZY: dict[str, Callable[[], Any]] = {
    "from_array": lambda: da.from_array(values(), chunks=(20, D)),
    "one chunk": lambda: da.from_array(values(), chunks=(N, D)),
    "unequal chunks": lambda: da.from_array(values(), chunks=((1, 50, 2, 50), (D,))),
    "empty chunks": lambda: da.from_array(values(), chunks=((0, 50, 0, 53, 0), (D,))),
    "column chunks": lambda: da.from_array(values(), chunks=(20, 3)),
    "float32": lambda: da.from_array(values("float32"), chunks=(20, D)),
    "map_blocks": lambda: da.from_array(values() - 1, chunks=(20, D)).map_blocks(_plus_one),
    "computed": lambda: (da.from_array(2 * values(), chunks=(20, 3)).T / 2).T,
    "vector": lambda: da.from_array(values()[:, 0], chunks=20),
}


def _plus_one(block: np.ndarray) -> np.ndarray:
    return block + 1


class TestLazy(MatrixTests):
    """Dask arrays that are computed where they are read."""

    @pytest.fixture(params=sorted(LAZY))
    def pair(self, request: pytest.FixtureRequest) -> tuple[Matrix, AnyArray]:
        """Return a matrix of a dask array and the values."""
        lazy = LAZY[request.param]()
        return open_matrix(lazy), values(str(lazy.dtype)).reshape(N, -1)[:, : 1 if lazy.ndim == 1 else D]


# ---- opening ---------------------------------------------------------------------------------------------------------


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
    path = tmp_path / "A.npy"
    np.save(path, values())

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


# ---- broken chunks ---------------------------------------------------------------------------------------------------


def chunk_files(path: str) -> list[Path]:
    """Return the files that hold values, in order of their chunk's number."""
    files = [file for file in Path(path).rglob("*") if file.is_file() and file.name not in ("zarr.json", ".zarray", ".zattrs")]
    return sorted(
        files,
        key=lambda file: [int(part) for part in file.relative_to(path).as_posix().replace(".", "/").split("/") if part.isdigit()],
    )


WAYS = {
    "raw": {"chunks": (20, D), **RAW},
    "raw, mapped": {"chunks": (N, D), **RAW},
    "v2 raw": {"chunks": (20, D), "zarr_format": 2, **RAW},
    "zstd": {"chunks": (20, D), "compressors": ZstdCodec()},
    "v2 compressed": {"chunks": (20, D), "zarr_format": 2},
    "sharded": {"chunks": (10, D), "shards": (20, D), "compressors": ZstdCodec()},
    "column chunks": {"chunks": (20, 4), **RAW},
}


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


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_rows_must_fit() -> None:
    """All have A's rows; weights are one number a row; A is not empty."""
    A = open_matrix(values())
    with pytest.raises(DataError, match="b must have one row for each of the 103 rows of A"):
        Rows(A, open_matrix(np.ones(N - 1)))
    with pytest.raises(DataError, match="weights must have one row"):
        Rows(A, None, open_matrix(np.ones(N + 1)))
    with pytest.raises(DataError, match="weights must be one number a row"):
        Rows(A, None, open_matrix(np.ones((N, 2))))
    for shape in ((0, 3), (3, 0)):
        with pytest.raises(DataError, match="at least one row and one column"):
            Rows(open_matrix(np.ones(shape)))


@pytest.mark.parametrize("weight", [-1.0, np.nan, -np.inf])
def test_bad_weights_are_named_by_row(weight: float) -> None:
    """A weight that is negative or no number is named by its global row."""
    weights = np.ones(N)
    weights[70] = weight

    with pytest.raises(DataError, match="weights must be ≥ 0; row 70 has"):
        Rows(open_matrix(values()), None, open_matrix(weights)).block(50, 80)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("step", [1, 13, 1000, None])
def test_slices_are_the_weighted_float64_rows(dtype: str, intercept: bool, weighted: bool, step: int | None) -> None:
    """Slices are float64, C order, scaled by √w, with a column of √w for the intercept, and cover the block once."""
    A, b, w = values(dtype), values("float32", d=2), np.abs(values()[:, 0]) * weighted + (not weighted)
    rows = Rows(open_matrix(A), open_matrix(b), open_matrix(w) if weighted else None, intercept)

    pieces = [(start, X.copy(), Y.copy()) for start, X, Y in rows.block(20, 90).slices(step)]

    full = np.concatenate([A.astype(float), np.ones((N, 1))], axis=1) if intercept else A.astype(float)
    root = np.sqrt(w)[:, None]
    assert pieces[0][0] == 20
    assert np.array_equal(np.concatenate([X for _, X, _ in pieces]), (root * full)[20:90])
    assert np.array_equal(np.concatenate([Y for _, _, Y in pieces]), (root * b)[20:90])
    assert all(X.dtype == Y.dtype == np.float64 for _, X, Y in pieces)
    assert all(len(X) <= (step or SLICE_BYTES) for _, X, _ in pieces)


def test_window_of_rows_reads_by_global_numbers() -> None:
    """A task's window knows its rows under their global numbers: A, b and weights."""
    rows = Rows(open_matrix(values()), open_matrix(values()[:, 1]), open_matrix(np.arange(float(N))))
    block = rows.window(40, 60).block(45, 50)

    assert np.array_equal(block.A, values()[45:50])
    assert np.array_equal(block.b[:, 0], values()[45:50, 1])
    assert block.weights[:, 0].tolist() == [45, 46, 47, 48, 49]


@pytest.mark.parametrize("what", ["A", "b", "weights"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nonfinite_values_are_named(what: str, value: float) -> None:
    """The error has the matrix, the global row, the column and the value."""
    parts = {"A": values(), "b": values(d=2), "weights": np.ones((N, 1))}
    parts[what][63, 0] = value
    block = Block(40, N, parts["A"][40:], parts["b"][40:], parts["weights"][40:], False)

    with pytest.raises(DataError, match=rf"{what} must be finite; row 63, column 0 is {value}"):
        find_nonfinite(block)


def test_integers_are_finite() -> None:
    """Blocks without floats need no look, and a finite block raises nothing."""
    find_nonfinite(Block(0, N, values("int64"), None, None, False))
    find_nonfinite(Block(0, N, values(), values(), None, True))


def test_buffers_are_reused(tmp_path: Path) -> None:
    """Two blocks of a decoded matrix land in the same memory."""
    matrix = open_matrix(write(tmp_path / "A.zarr", values(), chunks=(20, D), compressors=ZstdCodec()))
    buffers = Buffers()

    first = Rows(matrix).block(0, 20, buffers).A
    second = Rows(matrix).block(20, 40, buffers).A

    assert np.shares_memory(first, second)
    assert np.array_equal(second, values()[20:40])


# ---- the cache of decoded blocks -------------------------------------------------------------------------------------


def test_cache_keeps_first_and_stays_bounded() -> None:
    """Blocks are copied in until the limit is reached; later ones of the same run are not kept."""
    cache, block = BlockCache(limit_bytes=2 * 800), np.ones(100)
    for start in range(4):
        cache.offer("run", (start, start + 1), block)
    block[:] = 0.0

    kept = [cache.get("run", (start, start + 1)) for start in range(4)]
    assert [found is not None for found in kept] == [True, True, False, False]
    assert kept[0].sum() == 100
    assert cache.used_bytes == 1600
    assert cache.hits == 2


def test_cache_is_of_one_run() -> None:
    """A run never sees another's blocks, and a newer run takes the room of an older one."""
    cache, block = BlockCache(limit_bytes=2 * 800), np.ones(100)
    cache.offer("old", (0, 1), block)
    cache.offer("old", (1, 2), block)

    assert cache.get("new", (0, 1)) is None
    cache.offer("new", (0, 1), 2 * block)
    assert cache.get("new", (0, 1))[0] == 2.0
    assert cache.get("old", (0, 1)) is None
    assert cache.used_bytes <= 1600
    cache.clear()
    assert cache.get("new", (0, 1)) is None
    assert cache.used_bytes == 0


def test_zarr_in_memory_has_no_address() -> None:
    """A matrix in a memory store can be read but not opened again elsewhere."""
    array = zarr.create_array(store=zarr.storage.MemoryStore(), shape=(N, D), dtype="f8", chunks=(20, D))
    array[:] = values()
    matrix = open_matrix(array)

    assert isinstance(matrix, ZarrMatrix)
    assert matrix.source is None
    assert np.array_equal(matrix.read(5, 99), values()[5:99])
