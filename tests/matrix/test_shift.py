"""Which columns are shifted, by which value, and the rows that come of it."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import dsketch as ds
from dsketch._linalg.exact import exact_product, exact_sum, float_parts
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.csr import csr_in_memory
from dsketch.matrix.offsets import offsets
from dsketch.matrix.rows import Rows
from dsketch.matrix.shift import integer_difference
from tests.problems.linear.far import EPS, fraction

# ---- which columns, by which value -------------------------------------------------------------------------------------


def test_ordinary_columns_are_left_alone() -> None:
    """What varies as much as it is large is not shifted, and its rows keep their bits: nothing to choose, nothing to subtract."""
    rng = np.random.default_rng(0)
    A = np.column_stack([rng.standard_normal(200), rng.uniform(0, 1, 200), rng.uniform(18, 90, 200), rng.integers(0, 2, 200)])

    assert offsets(ArrayMatrix(A)) is None
    assert offsets(ArrayMatrix(A > 0)) is None
    assert ds.LeastSquares(A + 1e9, A[:, 0]).shifted.rows.shift is None


def test_shift_is_a_stored_value() -> None:
    """NaN, infinities, an outlier and rows of weight 0 do not choose it."""
    A = 1e9 + np.arange(100.0)[:, None]
    A[[0, 1, 99], 0] = np.nan, np.inf, 0.0
    (shift,) = offsets(ArrayMatrix(A))
    assert shift in A
    assert 1e9 <= shift <= 1e9 + 99

    A[:8], A[-8:] = 0.0, -5e9
    weights = (np.abs(A) > 0) & (A > 0)
    assert offsets(ArrayMatrix(A), ArrayMatrix(np.ones((100, 1)))) is None
    (shift,) = offsets(ArrayMatrix(A), ArrayMatrix(weights.astype(float)))
    assert shift in A[8:-8]


def test_a_missing_value_is_still_named() -> None:
    """A NaN in the sample is left to the pass, which names row and column."""
    A = np.column_stack([1e9 + np.arange(50.0), np.arange(50.0)])
    A[0, 0] = np.nan

    with pytest.raises(ds.DataError, match="row 0, column 0 is nan"):
        ds.lstsq(A, np.ones(50), intercept=True, progress=False)


def test_sparse_columns_are_shifted_where_they_are_full() -> None:
    """A sparse column keeps its zeros unstored."""
    A = np.column_stack([1e9 + np.arange(50.0), np.where(np.arange(50) % 3 == 1, 1e9, 0.0)])

    shift = offsets(csr_in_memory(sp.csr_array(A)))

    assert shift is not None
    assert shift[0] in A[:, 0]
    assert shift[1] == 0.0


# ---- the rows themselves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_integer_differences_are_rounded_once(kind: type) -> None:
    """Every pair of 64-bit integers, extremes included, gives the float64 nearest to the true difference."""
    info = np.iinfo(kind)
    values = [
        info.min,
        info.min + 1,
        info.max,
        info.max - 1,
        info.max // 2,
        info.max // 2 + 1,
        info.max // 4 * 3,
        0,
        1,
        2**53 + 1,
    ]

    for s in values:
        found = integer_difference(np.array(values, dtype=kind)[:, None], np.array([s], dtype=kind))[:, 0]
        assert found.tolist() == [float(value - s) for value in values]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("far", [1, 4, 20])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint32", "int64", "uint64", ">f8", ">i8"])
def test_slices_are_the_differences(dtype: str, far: int, weighted: bool) -> None:
    """One column of many or all of them, dense or CSR with entries that are missing or stored twice: X = √w [A − s, 1]."""
    rng = np.random.default_rng(far)
    A = rng.integers(1, 100, (300, 20)).astype(dtype)
    s = np.zeros(20, np.dtype(dtype).newbyteorder("=") if dtype[-2:] in ("64", "i8") and "f" not in dtype else "f8")
    s[rng.choice(20, far, replace=False)] = 7
    w = rng.uniform(0.5, 2, (300, 1))
    expected = np.sqrt(w if weighted else np.ones_like(w)) * np.column_stack([A.astype(float) - s.astype(float), np.ones(300)])

    def slices(matrix: Any, **options: Any) -> np.ndarray:
        rows = Rows(matrix, weights=ArrayMatrix(w) if weighted else None, intercept=True, shift=s)
        found = [X.toarray() if sp.issparse(X) else X.copy() for _, X, _ in rows.block(0, 300).slices(**options)]
        return np.concatenate(found)

    assert np.array_equal(slices(ArrayMatrix(A)), expected)
    assert np.array_equal(slices(ArrayMatrix(A), rows=77), expected)
    if dtype in ("float32", "float64", "int64", "uint64"):
        halves = A // 2
        entries = np.stack([halves, A - halves], axis=2).ravel(), np.tile(np.repeat(np.arange(20), 2), 300), np.arange(301) * 40
        twice = sp.csr_array(entries)
        for found in (slices(csr_in_memory(twice)), slices(csr_in_memory(twice), sparse=True)):
            np.testing.assert_allclose(found, expected, rtol=4 * EPS, atol=0)  # √w times each part of a number
        holes = np.where(rng.uniform(size=A.shape) < 0.3, 0, A).astype(dtype)
        bare = np.sqrt(w if weighted else np.ones_like(w)) * np.column_stack(
            [holes.astype(float) - s.astype(float), np.ones(300)]
        )
        assert np.array_equal(slices(csr_in_memory(sp.csr_array(holes)), sparse=True), bare)


def test_exact_sums() -> None:
    """Products and sums are those of rational arithmetic, rounded once."""
    rng = np.random.default_rng(0)
    left, right = (np.ldexp(rng.standard_normal((50, 3)), rng.integers(-300, 300, (50, 3))) for _ in range(2))
    terms = exact_product(left, right).reshape(-1, 3)

    for side in range(3):
        truth = sum((fraction(a) * fraction(b) for a, b in zip(left[:, side], right[:, side], strict=True)), Fraction(0))
        assert exact_sum(terms)[side] == float(truth)
    assert float_parts(np.array([2**64 - 1], np.uint64)).sum(axis=0) == 2.0**64
    assert np.isnan(exact_sum(np.array([[np.inf], [-np.inf]]))[0])
