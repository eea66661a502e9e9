"""Statistics do not depend on units, to the ends of float64; where squares would leave it, the operand is refused by name."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import dsketch as ds
from dsketch.engine import SerialEngine
from dsketch.problems.linear.methods import METHODS

ROBUST = [None, "HC0", "HC1", "HC2", "HC3"]
rng = np.random.default_rng(10)
X = rng.standard_normal((100, 2))
Y = X @ [1.0, 0.2] + rng.standard_normal(100) + 0.3
W = rng.uniform(0.5, 2, 100)
# Multiplying by a power of ten rounds each entry: a few u, times kappa of 2 and log p of 40.
CLOSE = 1e-12
REFUSED = r"[Rr]escale A and b"


def summary(a: Any, b: float, w: float | None, robust: str | None, **more: Any) -> ds.Summary:
    """Return the statistics with columns, b and weights in some units."""
    weights = None if w is None else W * w
    return ds.lstsq(X * a, Y * b, weights=weights, intercept=True, **more).summary(robust=robust)


def assert_same(found: ds.Summary, plain: ds.Summary) -> None:
    """Compare all that has no unit."""
    for name in ("t_values", "p_values", "r_squared", "adjusted_r_squared", "f_statistic", "f_p_value"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=CLOSE, err_msg=name)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("robust", [None, "HC1", "HC3"])
@pytest.mark.parametrize(
    ("a", "b"),
    [(1e-160, 1), (1e-200, 1), (1e150, 1), (1, 1e-135), (1, 1e150), (1e150, 1e150), (1e-160, 1e120), ([1e-160, 1e150], 1)],
)
def test_p_values_in_any_units(method: str, robust: str | None, a: Any, b: float) -> None:
    """Entries of A to 1e±150 and beyond, b from 1e-140 to 1e150: the same t, p, R² and F by every method."""
    assert_same(summary(a, b, None, robust, method=method), summary(1, 1, None, robust))


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize(("a", "b"), [(1e-300, 1), (1e-307, 1), (1e160, 1), (1e300, 1), (1, 1e160), (1, 1e300), (1e-200, 1e-120)])
def test_at_the_ends_right_or_refused(method: str, a: float, b: float) -> None:
    """Where products leave float64 an answer is refused with the remedy, or it is the right one; there is nothing in between."""
    said, found = "", None
    try:
        found = summary(a, b, None, "HC3", method=method)
    except ds.DataError as error:
        said = str(error)
    if found is None:
        assert "escale A and b" in said
    else:
        assert_same(found, summary(1, 1, None, "HC3"))


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize(("a", "b"), [(1, 1e-165), (1e-160, 1e-160), (1, 1e-200), (1, 5e-324), (1, 1e-145)])
def test_b_whose_squares_are_lost_is_refused(method: str, a: float, b: float) -> None:
    """Neither solved with a residual of 0, nor with p values from it; check knows no right or wrong x for it."""
    with pytest.raises(ds.DataError, match=REFUSED):
        summary(a, b, None, None, method=method)
    with pytest.raises(ds.DataError, match=REFUSED):
        ds.check(ds.LeastSquares(X * a, Y * b), np.zeros(2))


def test_one_side_of_many_is_refused_by_number() -> None:
    """A side whose squares are lost is named; a side of zeros is no such side."""
    with pytest.raises(ds.DataError, match="right-hand side 2 is of size"):
        ds.lstsq(X, np.column_stack([Y, 0 * Y, 1e-170 * Y]))


@pytest.mark.parametrize("robust", [None, "HC3"])
@pytest.mark.parametrize("w", [1e-200, 1e-30, 1e200])
def test_weights_in_any_units(robust: str | None, w: float) -> None:
    """A factor of all weights changes nothing but the residual variance."""
    assert_same(summary(1, 1, w, robust), summary(1, 1, 1.0, robust))


@settings(max_examples=60, deadline=None)
@given(
    a=st.tuples(st.integers(-130, 130), st.integers(-130, 130)),
    b=st.integers(-120, 120),
    w=st.one_of(st.none(), st.integers(-20, 20)),
    robust=st.sampled_from(ROBUST),
    is_sparse=st.booleans(),
    threads=st.integers(1, 2),
)
def test_powers_of_ten(a: tuple[int, int], b: int, w: int | None, robust: str | None, is_sparse: bool, threads: int) -> None:
    """Each column, b and the weights in units of their own: the same p, R² and F, of dense and sparse rows."""
    units, weight = 10.0 ** np.array(a, dtype=float), None if w is None else 10.0**w
    rows: Any = scipy.sparse.csr_array(X * units) if is_sparse else X * units

    found = ds.lstsq(
        rows, Y * 10.0**b, weights=None if w is None else W * weight, intercept=True, cluster=SerialEngine(threads)
    ).summary(robust=robust)

    assert_same(found, summary(1, 1, None if w is None else 1.0, robust))


def test_covariance_at_the_ends() -> None:
    """Errors of 1e300 are numbers; their squares are infinite, not NaN."""
    found = summary([1e-150, 1], 1e150, None, "HC3")
    assert np.isfinite(found.standard_errors).all()
    assert np.isinf(found.covariance()[0, 0])
    assert np.isfinite(found.covariance()[2, 2])
