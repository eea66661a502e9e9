"""Where a residual or the spread of b is rounding, statistics would be rounding over rounding: they are NaN, and a note says why."""

import json

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import dsketch as ds
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.statistics import Summary

ROBUST = [None, "HC0", "HC1", "HC2", "HC3"]
A = np.random.default_rng(17).standard_normal((60, 2))
EXACT = "exact: the residual is rounding"
FLAT = "does not vary"


def no_errors(summary: Summary, side: int | None = None) -> bool:
    """Return whether all that divides by the residual is NaN."""
    of = (lambda array: array) if side is None else (lambda array: np.asarray(array)[..., side])
    by_residual = (summary.standard_errors, summary.t_values, summary.p_values, summary.f_statistic, summary.f_p_value)
    values = [np.ravel(of(array)) for array in (*by_residual, summary.residual_variance)]
    return bool(np.isnan(np.concatenate([*values, summary.covariance(side or 0).ravel()])).all())


@pytest.mark.parametrize("robust", ROBUST)
@pytest.mark.parametrize("value", [5.0, 0.1, -1e-9, 1e120, 0.0])
def test_constant_target(robust: str | None, value: float) -> None:
    """The slopes of a b that does not vary have no t, p or F, and R² no meaning; the coefficients stand."""
    summary = ds.lstsq(A, np.full(60, value), intercept=True).summary(robust=robust)

    assert no_errors(summary)
    assert np.isnan([summary.r_squared, summary.adjusted_r_squared]).all()
    assert any(EXACT in note for note in summary.notes)
    assert any(FLAT in note for note in summary.notes)
    assert summary.coefficients[-1] == pytest.approx(value)
    plain = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert plain["r_squared"] is None
    assert plain["p_values"] == [None] * 3


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array])
def test_exact_fit_by_every_method(method: str, storage: type) -> None:
    """A b that the columns give exactly: R² is 1, and nothing is said of errors."""
    summary = ds.lstsq(storage(A), A @ [3.0, 0.0] + 7, intercept=True, method=method).summary(robust="HC3")

    assert no_errors(summary)
    assert summary.r_squared == pytest.approx(1, abs=1e-12)
    assert any(EXACT in note for note in summary.notes)
    assert not any(FLAT in note for note in summary.notes)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), columns=st.integers(1, 12), unit=st.floats(-12, 12), weighted=st.booleans())
def test_exact_fits_in_any_units(seed: int, columns: int, unit: float, weighted: bool) -> None:
    """Columns of any size, sums that cancel, weights: an exact fit is seen, and no zero coefficient gets a p value."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((80, columns)) * 10.0 ** rng.uniform(-abs(unit), abs(unit), columns) + 10.0 ** rng.uniform(
        -2, 3, columns
    )
    x = rng.standard_normal(columns) * (rng.random(columns) > 0.3)

    summary = ds.lstsq(X, X @ x, weights=rng.uniform(0, 2, 80) if weighted else None, intercept=True).summary()

    assert no_errors(summary)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), level=st.floats(-11.5, 0), offset=st.sampled_from([0.0, 1.0, 10.0]))
def test_what_can_be_measured_stays(seed: int, level: float, offset: float) -> None:
    """Noise down to 1e-12 of b is no rounding: errors are right to the digits that it has."""
    rng = np.random.default_rng(seed)
    noise = 10.0**level * rng.standard_normal(60)
    exact = A @ [1.0, -2.0] + offset

    summary = ds.lstsq(A, exact + noise, intercept=True).summary()

    seen = (exact + noise) - exact  # what rounding of b left of it, exactly
    expected = ds.lstsq(A, seen, intercept=True).summary()
    np.testing.assert_allclose(
        summary.standard_errors, expected.standard_errors, rtol=16 * np.finfo(float).eps * 10 / 10.0**level
    )
    assert not any(EXACT in note or FLAT in note for note in summary.notes)


def test_small_spread_beside_a_large_mean() -> None:
    """A b of 1e9 ± 1 varies by what can be measured: R² is a number; of 1e9 ± 1e-6, the last two bits, it is not."""
    noise = np.random.default_rng(3).standard_normal(60)
    far, near = (ds.lstsq(A, 1e9 + size * (A[:, 0] + noise), intercept=True).summary() for size in (1.0, 1e-7))
    own = ds.lstsq(A, (1e9 + (A[:, 0] + noise)) - 1e9, intercept=True).summary()

    assert far.r_squared == pytest.approx(own.r_squared, abs=1e-6)
    np.testing.assert_allclose(far.p_values[:2], own.p_values[:2], rtol=1e-5)
    assert np.isnan(near.r_squared)
    assert no_errors(near)


@pytest.mark.parametrize("robust", ROBUST)
def test_each_side_by_itself(robust: str | None) -> None:
    """Of many right-hand sides the exact and the constant ones are NaN and named; the others are what they are alone."""
    noisy = A @ [1.0, 2.0] + np.random.default_rng(4).standard_normal(60)
    sides = np.column_stack([np.full(60, 0.3), noisy, A @ [1.0, 2.0], 1e-30 * noisy, 0 * noisy])

    summary = ds.lstsq(A, sides, intercept=True).summary(robust=robust)
    alone = ds.lstsq(A, noisy, intercept=True).summary(robust=robust)

    assert [no_errors(summary, side) for side in range(5)] == [True, False, True, False, True]
    assert np.isnan(summary.r_squared).tolist() == [True, False, False, False, True]
    for side in (1, 3):
        np.testing.assert_allclose(summary.p_values[:, side], alone.p_values, rtol=1e-9)
    assert any("right-hand sides 0, 2, 4 is exact" in note for note in summary.notes)
    assert any("right-hand sides 0, 4 does not vary" in note for note in summary.notes)


def test_without_a_constant() -> None:
    """A b that does not vary is explained like any other where R² compares with 0; only b = 0 leaves nothing."""
    summary = ds.lstsq(A, np.full(60, 5.0)).summary()
    assert 0 < summary.r_squared < 1
    assert np.isfinite(summary.p_values).all()
    assert np.isnan(ds.lstsq(A, np.zeros(60)).summary().r_squared)


def test_not_estimable_has_no_p_value() -> None:
    """Of one minimizer of many t and p are NaN, null in JSON; what is estimable beside it has both."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((90, 3))
    summary = ds.lstsq(
        np.column_stack([X, X[:, 0] + X[:, 1]]), X @ np.ones(3) + rng.standard_normal(90), intercept=True
    ).summary()

    assert summary.is_estimable.tolist() == [False, False, True, False, True]
    assert (np.isnan(summary.p_values) == ~summary.is_estimable).all()
    assert (np.isnan(summary.t_values) == ~summary.is_estimable).all()
    assert summary.to_dict()["p_values"][0] is None
    assert str(summary).count(" nan ") >= 6
    assert np.isfinite(summary.f_statistic)


def test_dummies_that_combine_to_the_constant() -> None:
    """Columns from which the constant follows leave no coefficient estimable: no p of 1e-292 for a choice of the method."""
    first = np.zeros(2001)
    first[0] = 1
    b = 1 + np.random.default_rng(7).standard_normal(2001)
    found = ds.lstsq(np.column_stack([1 - first, 1 - 2 * first]), b, intercept=True).summary().to_dict()
    assert found["p_values"] == found["t_values"] == [None] * 3
