"""The squares of columns: those of the sums where entries share a place, or it is said that they may not be."""

import numpy as np
import pytest
import scipy.sparse as sp

from dsketch.engine import SerialEngine
from dsketch.events import ignore
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Squares
from dsketch.passes.squares import ColumnSums
from tests.matrix.csr import N, doubled, full_columns, sparse

EPS = float(np.finfo(float).eps)


def sums(A: object, b: np.ndarray, *, is_exact: bool = False) -> ColumnSums:
    """Return what the pass finds in this process."""
    pass_ = Squares(is_exact)
    return pass_.finish(SerialEngine(1).run(Look(pass_, Rows(open_matrix(A), open_matrix(b))), ignore))


@pytest.mark.parametrize("sides", [1, 3])
@pytest.mark.parametrize("make", [full_columns, sparse, doubled])
def test_sums_are_those_of_dense_rows(make: object, sides: int) -> None:
    """Exact ones whatever the order of entries and however often a place is stored; products with b in any case."""
    X, b = make(), np.random.default_rng(0).standard_normal((N, sides))  # type: ignore[operator]
    dense = X.toarray()

    found = sums(X, b, is_exact=True)

    assert np.allclose(found.squares, np.sum(dense**2, axis=0), rtol=N * EPS, atol=0)
    assert np.allclose(found.products, dense.T @ b, rtol=0, atol=N * EPS * np.abs(dense).max() * np.abs(b).sum())
    assert found.unsorted == 0


def test_entries_out_of_order_are_told() -> None:
    """What may share places is squared entry by entry, and the count of slices says so; what is in order is not counted."""
    X, b = doubled(), np.ones((N, 1))
    ordered = sp.csr_array(full_columns())
    ordered.sum_duplicates()

    assert sums(X, b).unsorted > 0
    assert np.allclose(sums(X, b).squares, np.sum(X.toarray() ** 2, axis=0) / 2)
    assert sums(ordered, b).unsorted == 0
