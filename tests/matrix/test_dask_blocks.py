"""Blocks of a dask array are what it declares, or an error that names the block."""

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import dsketch as ds
from dsketch.errors import DataError

N, D = 40, 4
X = np.random.default_rng(0).integers(-9, 10, (N, D)) + 0.25
Y = X @ np.arange(1.0, D + 1)

Make = Callable[[np.ndarray], Any]


def array_of(make: Make, dtype: Any = float, columns: int = D, values: np.ndarray = X) -> Any:
    """Return a dask array of blocks of 10 rows that ``make`` makes of the right ones, with what it declares."""
    width = values.shape[1] if values.ndim == 2 else 0
    parts = range(0, width, columns) if width else (None,)

    def block(i: int, j: int | None) -> Any:
        piece = values[i : i + 10] if j is None else values[i : i + 10, j : j + columns]
        return da.from_delayed(dask.delayed(make)(piece), piece.shape, dtype)

    return da.concatenate(
        [da.concatenate([block(i, j) for j in parts], axis=1) if width else block(i, None) for i in range(0, N, 10)]
    )


def at(first: float, change: Make) -> Make:
    """Return what changes the one block that begins with this number."""
    return lambda block: change(block) if block.flat[0] == first else block


WRONG: dict[str, tuple[Make, Any, str]] = {
    "floats declared int64": (lambda B: B, np.int64, "dtype int64; it has float64"),
    "floats declared uint8": (lambda B: B, np.uint8, "dtype uint8; it has float64"),
    "floats declared bool": (lambda B: B, bool, "dtype bool; it has float64"),
    "NaN declared int64": (lambda B: B * np.nan, np.int64, "dtype int64; it has float64"),
    "complex": (lambda B: B + 1j, float, "dtype float64; it has complex128"),
    "dates": (lambda B: B.astype("M8[s]"), float, r"dtype float64; it has datetime64\[s\]"),
    "text": (lambda B: B.astype(str), float, "dtype float64; it has <U32"),
    "integers declared uint16": (lambda B: B.astype(int), np.uint16, "dtype uint16; it has int64"),
    "large integers": (lambda B: (B * 100).astype(int), np.int8, "dtype int8; it has int64"),
    "floats beyond float32": (lambda B: B * 1e300, np.float32, "dtype float32; it has float64"),
    "objects that are no numbers": (lambda B: np.full(B.shape, None), float, "dtype float64; it has object"),
    "objects with fractions": (lambda B: B.astype(object), int, "dtype int64; it has object"),
    "transposed": (lambda B: B.T.copy(), float, r"shape \(10, 4\); it has \(4, 10\)"),
    "flat": (lambda B: B.ravel(), float, r"shape \(10, 4\); it has \(40,\)"),
    "a column fewer": (lambda B: B[:, :3], float, r"shape \(10, 4\); it has \(10, 3\)"),
    "a row more": (lambda B: np.r_[B, B[:1]], float, r"shape \(10, 4\); it has \(11, 4\)"),
    "three dimensions": (lambda B: B[:, :, None], float, r"shape \(10, 4\); it has \(10, 4, 1\)"),
    "a number": (lambda _: 3.0, float, r"shape \(10, 4\); it has \(\)"),
    "sparse": (sp.csr_array, float, r"an array; it is a sparse csr_array of shape \(10, 4\)"),
    "sparse matrix": (sp.coo_matrix, float, r"an array; it is a sparse coo_matrix of shape \(10, 4\)"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_blocks_that_are_not_what_was_declared_are_named(name: str) -> None:
    """Nothing is bent to fit: the block is named with what was declared and what there is."""
    make, dtype, said = WRONG[name]
    array = array_of(lambda B: B.astype(dtype), dtype)
    wrong = array_of(make, dtype)
    mixed = da.concatenate([array.blocks[:2], wrong.blocks[2], array.blocks[3]])

    with pytest.raises(DataError, match=f"^block 2 of A must (have|be) {said}"):
        ds.open_matrix(mixed).read(0, N)
    with pytest.raises(DataError, match=r"^block 0 of A must"):
        ds.lstsq(wrong, Y)


SPLIT: dict[str, tuple[Make, str]] = {
    "complex": (lambda B: B + 1j, "dtype float64; it has complex128"),
    "one row": (lambda B: B[:1], r"shape \(10, 2\); it has \(1, 2\)"),
    "a column fewer": (lambda B: B[:, :1], r"shape \(10, 2\); it has \(10, 1\)"),
    "sparse": (sp.csr_array, "an array; it is a sparse csr_array"),
}


@pytest.mark.parametrize("name", sorted(SPLIT))
def test_chunks_along_columns_are_held_to_it_before_they_are_joined(name: str) -> None:
    """Dask joins chunks into the dtype of the first, and repeats one that is too short: each is looked at alone."""
    make, said = SPLIT[name]
    array = array_of(at(X[10, 2], make), columns=2)

    with pytest.raises(DataError, match=f"^column chunk 1 of block 1 of A must (have|be) {said}"):
        ds.lstsq(array, Y)


def test_integers_beside_floats_do_not_make_integers_of_them() -> None:
    """The first chunk of a row may hold integers: the declared dtype is what counts."""
    array = array_of(at(X[0, 0], lambda B: np.floor(B).astype(int)), columns=2)
    right = X.copy()
    right[:10, :2] = np.floor(right[:10, :2])

    assert np.array_equal(ds.open_matrix(array).read(0, N), right)


FINE: dict[str, tuple[Make, Any]] = {
    "float64 declared float32": (lambda B: B, np.float32),
    "float32 declared float64": (lambda B: B.astype("f4"), float),
    "integers declared float64": (lambda B: np.floor(B).astype("i4"), float),
    "booleans declared int64": (lambda B: B > 0, np.int64),
    "int64 declared int8 that fit": (lambda B: np.floor(B).astype(int), np.int8),
    "Fortran order": (np.asfortranarray, float),
    "DataFrame": (pd.DataFrame, float),
    "DataFrame of objects": (lambda B: pd.DataFrame(B, dtype=object), float),
    "matrix": (lambda B: B.view(np.matrix), float),
    "big-endian": (lambda B: B.astype(">f8"), float),
}


@pytest.mark.parametrize("columns", [D, 3])
@pytest.mark.parametrize("name", sorted(FINE))
def test_blocks_of_the_declared_kind_are_taken(name: str, columns: int) -> None:
    """Numbers of the declared kind, however they lie in memory, are the declared numbers."""
    make, dtype = FINE[name]
    found = ds.open_matrix(array_of(make, dtype, columns)).read(0, N)

    assert found.dtype == dtype
    assert np.array_equal(found, np.asarray(make(X)).astype(dtype))


@pytest.mark.parametrize("make", [lambda B: B, lambda B: B[:, None], lambda B: pd.Series(B)])
def test_a_vector_may_come_as_one_column(make: Make) -> None:
    """(10,) and (10, 1) are the same rows; (1, 10) is one row."""
    assert np.array_equal(ds.lstsq(X, array_of(make, values=Y)).x, ds.lstsq(X, Y).x)
    with pytest.raises(DataError, match=r"block 0 of b must have shape \(10, 1\); it has \(1, 10\)"):
        ds.lstsq(X, array_of(lambda B: B[None], values=Y))


def test_weights_and_rows_to_predict_are_held_to_it() -> None:
    """Every operand, not A alone."""
    weights = array_of(lambda B: B + 1j, values=np.ones(N))
    with pytest.raises(DataError, match="block 0 of weights must have dtype float64; it has complex128"):
        ds.lstsq(X, Y, weights=weights)
    with pytest.raises(DataError, match="block 0 of A must have shape"):
        ds.predict(np.ones(D), array_of(np.transpose))
