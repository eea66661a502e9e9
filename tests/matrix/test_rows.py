"""Rows of A, b and weights together, and the cache of decoded blocks."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

from dsketch import open_matrix
from dsketch.errors import DataError
from dsketch.matrix.cache import BlockCache
from dsketch.matrix.rows import SLICE_BYTES, Block, Buffers, Rows, find_nonfinite
from dsketch.matrix.zarr import ZarrMatrix
from tests.matrix.stored import D, N, values, write

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


def test_rows_at_odd_addresses_are_moved() -> None:
    """Rows that another process sent may lie anywhere; slices of them have the alignment that BLAS, and so the last bits, depend on."""
    A, room = values(), np.empty(values().nbytes + 1, np.uint8)
    odd = room[1:].view(A.dtype).reshape(A.shape)
    odd[...] = A

    ((_, X, Y),) = Block(0, N, odd, odd, None, False).slices(N)

    assert not odd.flags.aligned
    assert X.flags.aligned
    assert Y.flags.aligned
    assert np.array_equal(X, A)
    assert np.array_equal(Y, A)


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
