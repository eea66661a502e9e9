"""Columns far from 0 wherever their rows lie, and what is said of new rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
from click.testing import CliRunner
from distributed import LocalCluster

import dsketch as ds
from dsketch._cli import main
from dsketch.matrix.head import Head
from dsketch.matrix.offsets import offsets
from tests.problems.linear.far import CASES, NS, exact, fraction, off

# ---- wherever the rows lie -------------------------------------------------------------------------------------------

STORAGES: dict[str, Callable[[np.ndarray, Any], Any]] = {
    "dask": lambda A, _: da.from_array(A, chunks=(17, 1)),
    "raw": lambda A, stored: stored("raw", A, 16, compressors=None),
    "zstd": lambda A, stored: stored("zstd", A, 16),
    "zarr 2": lambda A, stored: stored("old", A, 16, zarr_format=2),
    "columns apart": lambda A, stored: stored("apart", A, chunks=(16, 1)),
    "one chunk": lambda A, stored: stored("one", A),
    "csr": lambda A, _: sp.csr_array(A),
    "head": lambda A, _: Head(np.concatenate([A, A], axis=1), columns=(0, A.shape[1])),
    "F order": lambda A, _: np.asfortranarray(A),
}


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint64", "float32"])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_is_shifted(storage: str, dtype: str, stored: Any) -> None:
    """Raw, decoded, cut along columns, lazy or sparse: by a stored value, in its own type; the slopes are exact."""
    rng = np.random.default_rng(3)
    offset = [1_700_000_000, 40_000] if dtype[0] == "f" else [NS, 5]
    A = (np.array(offset, dtype=dtype) + rng.integers(0, 1000, (60, 2)).astype(dtype)).astype(dtype)
    A[:, 1] -= A[:, 1] // np.array(2, dtype) if dtype[0] != "f" else 0
    b = A[:, 0].astype(float) - float(offset[0]) + rng.standard_normal(60)

    there = STORAGES[storage](A, stored)
    problem = ds.LeastSquares(there, b, intercept=True)
    x = ds.solve(problem, cluster="serial", progress=False).x

    shift = problem.shifted.rows.shift
    assert shift is not None
    assert shift[0] in A[:, 0]
    assert shift.dtype == ("float64" if dtype[0] == "f" else dtype)
    assert off(x, exact(A, b)) <= 1e-12


def test_same_bits_wherever_it_runs(cluster: LocalCluster, stored: Any, tmp_path: Path) -> None:
    """Serial, two workers, and a run that is resumed: the same x; the journal knows the shift."""
    rng = np.random.default_rng(2)
    A = NS + rng.integers(0, 10_000, (3000, 2))
    path, b = stored("A", A, 100), stored("b", rng.standard_normal(3000), 128)

    serial = ds.lstsq(path, b, intercept=True, cluster="serial", progress=False, journal=tmp_path / "run")
    spread = ds.lstsq(path, b, intercept=True, cluster=cluster, progress=False, method=serial.method)
    again = ds.resume(tmp_path / "run", cluster=cluster, progress=False)

    assert np.array_equal(serial.x, spread.x)
    assert np.array_equal(serial.x, again.x)
    assert all(record.replayed for record in again.passes)


@pytest.mark.parametrize("blocks", [1, 2, 5, 40])
def test_the_sample_is_no_pass(blocks: int) -> None:
    """Rows that decode by whole blocks are read from few of them, weights beside them."""
    read: list[int] = []

    def chunk(x: np.ndarray, block_info: Any = None) -> np.ndarray:
        read.append(block_info[0]["chunk-location"][0])
        return x + 1e9

    lazy = da.from_array(np.random.default_rng(0).standard_normal((4000, 2)), chunks=(4000 // blocks, 2)).map_blocks(
        chunk, dtype=float
    )
    shift = offsets(ds.open_matrix(lazy), ds.open_matrix(np.ones(4000)))

    assert shift is not None
    assert shift.all()
    assert sorted(read) == {1: [0], 2: [1], 5: [2], 40: [0, 20, 39]}[blocks]


# ---- what is said of new rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["UNIX seconds over a millisecond", "int64 nanoseconds", "uint64 near its end", "northings and eastings"]
)
def test_predictions_keep_the_digits(name: str, tmp_path: Path, stored: Any) -> None:
    """By a Solution, and by what ``--out`` wrote: to rounding of the prediction, though x alone has lost them to its intercept."""
    case = CASES[name]
    right = case.right()
    truth = np.array([float(sum(fraction(v) * c for v, c in zip(row, right, strict=False)) + right[-1]) for row in case.A])
    A, b, x = stored("A", case.A, 16), stored("b", case.b), tmp_path / "x.zarr"

    assert (
        CliRunner().invoke(main, ["solve", "lstsq", A, b, "--intercept", "--out", str(x)], standalone_mode=False).exception
        is None
    )
    for found in (ds.solve(case.problem(), progress=False).predict(case.A), ds.predict(str(x), A)):
        assert np.abs(found - truth).max() <= 1e-14 * np.abs(truth).max()


def test_predictions_for_rows_of_another_type() -> None:
    """The shift becomes one that the new rows can hold, and the intercept goes with it."""
    t = NS + 4096 * np.arange(40)
    solution = ds.lstsq(t[:, None], np.arange(40.0), intercept=True, progress=False)
    halves = ds.lstsq(1e9 + 0.5 + np.arange(40.0)[:, None], np.arange(40.0), intercept=True, progress=False)

    np.testing.assert_allclose(solution.predict(t[:, None].astype(float)), np.arange(40.0), atol=1e-12)
    np.testing.assert_allclose(solution.predict(t[:, None].astype(np.uint64)), np.arange(40.0), atol=1e-12)
    np.testing.assert_allclose(solution.predict(sp.csr_array(t[:, None])), np.arange(40.0), atol=1e-12)
    np.testing.assert_allclose(halves.predict(np.array([[10**9], [10**9 + 1]])), [-0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(halves.predict(np.array([[False], [True]])), [-1e9 - 0.5, -1e9 + 0.5], rtol=1e-15)
    np.testing.assert_allclose(halves.predict(sp.csr_array((2, 1))), [-1e9 - 0.5] * 2, rtol=1e-15)
