"""Sweeps and row passes of the exponential kernel against the dense kernel."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

from dsketch.engine import DaskEngine, SerialEngine
from dsketch.errors import DataError
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.kernel_tiles import KernelProduct, KernelRows, sweep_cuts, sweep_rows
from dsketch.passes.moments import Mean
from dsketch.passes.rowwise import Picked, RowFacts, RowSquares, Rowwise
from dsketch.passes.transposed import Transposed
from tests.problems.kernel.dense import data, kernel

EPS = float(np.finfo(float).eps)


def seen(pass_: Any, rows: Rows) -> Any:
    """Return the result of one pass."""
    return pass_.finish(SerialEngine(1).run(Look(pass_, rows), ignore))


# ---- passes ----------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 400), tile=st.integers(16, 90), pieces=st.sampled_from([2, 4, 64]), height=st.integers(3, 200))
def test_each_pair_of_rows_is_met_exactly_once(n: int, tile: int, pieces: int, height: int) -> None:
    """Of equal rows every kernel value is 1, so that G v is the sum of v; with integers exactly, for any blocks, odd or even."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dsketch.passes.kernel_tiles.TILE", tile)
        patch.setattr("dsketch.passes.kernel_tiles.PIECES", pieces)
        patch.setattr("dsketch.passes.kernel_tiles._BLOCK_ROWS", (1, height))
        A = np.full((n, 3), 0.5)
        v = np.random.default_rng(n).integers(-9, 10, (n, 2)).astype(float)

        found = seen(KernelProduct(open_matrix(A), A[0], 1.0, v), sweep_rows(open_matrix(A)))

        assert np.array_equal(found, np.broadcast_to(v.sum(axis=0), (n, 2)))


@pytest.mark.parametrize("n", [1, 511, 1300, 2100])
@pytest.mark.parametrize("sides", [1, 3])
def test_sweep_is_the_dense_product(n: int, sides: int) -> None:
    """G v within n entries' rounding of the dense product: an exponent is off by (d + 4) u times its largest terms."""
    rng = np.random.default_rng(n)
    A, v, scale = rng.standard_normal((n, 4)) + 2, rng.standard_normal((n, sides)), 0.3
    C = A - A.mean(axis=0)
    square = np.sum((C[:, None] - C) ** 2, axis=2)

    found = seen(KernelProduct(open_matrix(A), A.mean(axis=0), scale, v), sweep_rows(open_matrix(A)))

    largest = scale * np.max(np.sum(C * C, axis=1))
    allowed = EPS * (8 * (1 + largest) + np.sqrt(n)) * np.sum(np.abs(v), axis=0)
    assert (np.abs(found - np.exp(-0.5 * scale * square) @ v) <= allowed).all()


def test_sweep_blocks_share_the_work_evenly() -> None:
    """Up to 64 blocks are a power of two, more a multiple of 64: an even number, each with the same share of the circle."""
    for n in (1, 700, 5_000, 60_000, 1_000_000, 7_654_321):
        for d in (3, 128, 20_000):
            cuts = sweep_cuts(n, d)
            count = len(cuts) - 1
            assert count == 1 or count % 2 == 0
            assert count % 64 == 0 if count > 64 else (count & (count - 1)) == 0
            assert np.ptp(np.diff(cuts)) <= 1
            assert np.max(np.diff(cuts)) <= 4096


@pytest.mark.parametrize("chunk", [37, 1000, 5000])
def test_storage_and_its_chunks_do_not_change_a_bit(stored: Callable[..., str], chunk: int) -> None:
    """The same rows from memory, from raw Zarr and from compressed Zarr with chunks that fit no block give the same bits."""
    rng = np.random.default_rng(1)
    A, v = rng.standard_normal((2100, 5)), rng.standard_normal((2100, 2))
    mean = A.mean(axis=0)
    expected = seen(KernelProduct(open_matrix(A), mean, 1.0, v), sweep_rows(open_matrix(A)))

    for options in ({}, {"compressors": zarr.codecs.ZstdCodec()}):
        matrix = open_matrix(stored(f"A{len(options)}", A, min(chunk, 2100), **options))
        assert np.array_equal(seen(KernelProduct(matrix, mean, 1.0, v), sweep_rows(matrix)), expected)


def test_predictions_are_exact_kernel_rows(stored: Callable[..., str]) -> None:
    """K(new, all) v equals the dense product, for long rows too, where exp of half a length enters and leaves."""
    rng = np.random.default_rng(2)
    A, new, v = 3 * rng.standard_normal((700, 4)), rng.standard_normal((130, 4)), rng.standard_normal((700, 2))
    matrix = open_matrix(stored("A", A, 99, compressors=zarr.codecs.ZstdCodec()))

    found = seen(KernelRows(matrix, np.zeros(4), 0.5, v), Rows(Recut(open_matrix(new), [0, 1, 70, 130])))

    K = kernel(new, A, 0.5)
    exponents = 0.25 * (np.max(np.sum(A * A, axis=1)) + np.max(np.sum(new * new, axis=1)))
    assert (np.abs(found - K @ v) <= EPS * (8 * (1 + exponents) + 30) * (K @ np.abs(v))).all()


def test_a_new_row_that_overflows_is_refused() -> None:
    """The message has the limit, what was found and what to do."""
    A = np.ones((5, 2))

    with pytest.raises(DataError, match=r"at most 700 for every new row.* one has 900 .*Scale the rows"):
        seen(KernelRows(open_matrix(A), np.zeros(2), 1.0, np.ones((5, 1))), Rows(open_matrix(np.full((3, 2), 30.0))))


def test_row_passes_are_the_dense_products(stored: Callable[..., str]) -> None:
    """X w, Xᵀu, the mean, lengths, right-hand sides and picked rows, whatever the blocks and the storage."""
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((500, 7)), rng.standard_normal((500, 2))
    w, u, centre, numbers = rng.standard_normal((7, 3)), rng.standard_normal((500, 2)), A.mean(axis=0), np.array([499, 0, 31, 31])
    for matrix in (
        Recut(open_matrix(A), [0, 31, 32, 400, 500]),
        open_matrix(stored("A", A, 77, compressors=zarr.codecs.ZstdCodec())),
    ):
        rows = Rows(matrix, open_matrix(b), pieces=4)
        lengths = np.column_stack([np.sum(A * A, axis=1), np.sum((A - centre) ** 2, axis=1), b])
        assert np.allclose(seen(Rowwise(w), rows), A @ w, rtol=0, atol=50 * EPS)
        assert np.allclose(seen(Transposed(u), rows), A.T @ u, rtol=0, atol=2000 * EPS)
        assert np.allclose(seen(Mean(), rows), centre, rtol=0, atol=50 * EPS)
        assert np.allclose(seen(RowFacts(centre), rows), lengths, rtol=0, atol=100 * EPS)
        assert np.allclose(seen(RowSquares(), rows)[:, 0], lengths[:, 0], rtol=0, atol=100 * EPS)
        assert np.allclose(seen(RowSquares(w), rows)[:, 0], np.sum((A @ w) ** 2, axis=1), rtol=0, atol=2000 * EPS)
        assert np.array_equal(seen(Picked(numbers), rows), A[numbers])


# ---- engines ---------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_bits_of_every_pass_do_not_depend_on_the_workers(client: Client, stored: Callable[..., str]) -> None:
    """One thread, two threads and two worker processes give the same bits of sweeps, row passes and transposed products."""
    A, b = data("gaussian", 2100)
    matrix = open_matrix(stored("A", A, 300, compressors=zarr.codecs.ZstdCodec()))
    mean = A.mean(axis=0)
    rows = sweep_rows(matrix)
    for pass_ in (
        KernelProduct(matrix, mean, 1.0, b),
        KernelRows(matrix, np.zeros(5), 1.0, b),
        Rowwise(mean[:, None]),
        Transposed(b),
    ):
        alone, threads, cluster = (
            pass_.finish(engine.run(Look(pass_, rows), ignore))
            for engine in (SerialEngine(1), SerialEngine(2), DaskEngine(client))
        )
        assert np.array_equal(alone, threads)
        assert np.array_equal(alone, cluster)


def test_matrix_in_memory_needs_no_copy() -> None:
    """The sweep reads the other rows of an array in memory where they lie."""
    A = np.random.default_rng(0).standard_normal((700, 3))
    pass_ = KernelProduct(ArrayMatrix(A), A.mean(axis=0), 1.0, np.ones((700, 1)))

    seen(pass_, sweep_rows(ArrayMatrix(A)))

    assert pass_._copies.used_bytes == 0
