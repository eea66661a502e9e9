"""Stacked sketches: layout, refusals, wide sparse rows, pinned streams."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from dsketch.errors import SpecError
from dsketch.features import (
    FEATURES,
    TensorSketch,
    TensorSketchPower,
    TensorSRHT,
    TensorSRHTPower,
    monomials,
)
from dsketch.features.hashing import count_sketch, osnap
from dsketch.features.stacking import layout


@given(size=st.integers(10, 5000), columns=st.integers(1, 400), degree=st.integers(1, 9), radius2=st.floats(0.05, 20))
def test_layout_fills_the_size(size: int, columns: int, degree: int, radius2: float) -> None:
    """Within the size, every degree has columns, exact ones come first, and sketched ones divide the largest by powers of two."""
    exact, sizes = layout(size, columns, degree, radius2)

    assert monomials(columns, exact) + sum(sizes.values()) <= size
    assert sorted(sizes) == list(range(exact + 1, degree + 1))
    ratios = [max(sizes.values()) / value for value in sizes.values()]
    assert all(ratio == 2 ** round(math.log2(ratio)) for ratio in ratios)


def test_layout_is_exact_where_it_can_be() -> None:
    """Degree p is exact while its monomials are no more than its share ρ^p/p! of what is left."""
    assert layout(2000, 8, 4, 1.0) == (4, {})
    assert layout(512, 8, 5, 1.0).exact == 3
    assert layout(512, 400, 4, 1.0) == (0, {1: 288, 2: 144, 3: 36, 4: 9})


def test_layout_refuses_too_few_columns() -> None:
    """A degree without a column would be dropped silently."""
    with pytest.raises(SpecError, match="size must be above the degree"):
        layout(4, 50, 8, 1.0)


@pytest.mark.parametrize("kind", [TensorSketch, TensorSRHT])
@pytest.mark.parametrize(("option", "value"), [("degree", 0), ("degree", 61), ("radius2", 0.0), ("radius2", np.inf)])
def test_stacked_maps_refuse_bad_values(kind: Any, option: str, value: float) -> None:
    """Degrees that no series needs and lengths that are none."""
    with pytest.raises(SpecError, match=option):
        kind(**({"mean": np.zeros(3), "scale": 1.0, "size": 100, "degree": 3} | {option: value}))


def test_wide_sparse_rows_are_never_made_dense() -> None:
    """Rows of two million columns with ten numbers each: a thousand of them dense would be 16 GB."""
    rng = np.random.default_rng(0)
    d = 2_000_000
    places = rng.integers(0, d, 200)
    X = scipy.sparse.csr_array((rng.standard_normal(200), places, np.arange(0, 201, 10)), shape=(20, d))
    X.sum_duplicates()
    X *= 0.5 / np.sqrt(X.multiply(X).sum(axis=1).max())

    for kind in (TensorSketch, TensorSRHT):
        F = kind(np.zeros(d), 1.0, 4096, 3, 1).apply(X)
        G = np.exp(-0.5 * _squared_distances(X))
        # The tail is below 0.25⁴/4!; each degree's error is a mean of m_p products, of relative spread below √(3^p/m_p): the weights
        # 0.25^p/p! make that 0.5/√m.  Seven times that for the largest of 210 entries.
        assert np.abs(F @ F.T - G).max() <= 0.25**4 / 24 + 3.5 / np.sqrt(4096)


def _squared_distances(X: Any) -> np.ndarray:
    Z = (X @ X.T).toarray()
    return np.add.outer(np.diag(Z), np.diag(Z)) - 2 * Z


def test_leaves_are_drawn_by_column_number() -> None:
    """The hash of column j does not change when there are more columns; folding takes places modulo the shorter length."""
    few, many = count_sketch(3, 9, 50, 64, 64).toarray(), count_sketch(3, 9, 70, 64, 64).toarray()
    folded = count_sketch(3, 9, 50, 64, 16).toarray()

    assert np.array_equal(many[:50], few)
    assert np.array_equal(folded, few.reshape(50, 4, 16).sum(axis=1))
    assert np.array_equal(osnap(3, 9, 70, 64, 4).toarray()[:50], osnap(3, 9, 50, 64, 4).toarray())


def test_streams_are_pinned() -> None:
    """Seed 3 has these features, for good: a stream that changes silently would make journals and seeds worthless."""
    X = np.array([[1.0, -2.0, 0.5]])

    assert np.allclose(TensorSketchPower(4, 2, 3).apply(X), PINNED["sketch"], rtol=1e-12, atol=1e-12)
    assert np.allclose(TensorSRHTPower(4, 3, 3).apply(X), PINNED["srht"], rtol=1e-12, atol=1e-12)
    for name in ("maclaurin", "positive"):
        assert np.allclose(FEATURES[name](np.zeros(3), 1.0, 4, 3, 3).apply(X), PINNED[name], rtol=1e-10, atol=0)


PINNED: dict[str, list[float]] = {
    "sketch": [0.5, 3.0, 0.5, -0.25],
    "srht": [1.4375, -5.0625, 1.8125, 11.8125],
    "maclaurin": [0.03621987851712573, -0.18109939258562863, 0.05122264342642511, 0.05122264342642511],
    "positive": [0.00032705066357175116, 5.025363774376864e-05, 0.0011923356611261893, 0.001004540700044984],
}
