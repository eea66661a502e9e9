"""Rows of leverage near 1: robust errors to all digits by a reference of 60, and none where a row alone decides a coefficient."""

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.sparse

import dsketch as ds
from dsketch.problems.linear.methods import METHODS

POWER = {"HC0": 0.0, "HC2": 0.5, "HC3": 1.0}
EPS = np.finfo(float).eps


def close(scale: float, nearly: float = 1.0) -> float:
    """Return what rounding leaves: a row that many times as long as the others costs so many digits of them; 64 eps for d roundings."""
    return float(64 * EPS * max(scale / nearly, 1e3))


def exact_errors(A: np.ndarray, b: np.ndarray, w: np.ndarray, power: float) -> tuple[np.ndarray, float]:
    """Return the robust errors of √w A and √w b, and the least 1 − h, from 60 digits."""
    with mpmath.workdps(60):
        root = [mpmath.sqrt(mpmath.mpf(float(value))) for value in w]
        M = mpmath.matrix([[mpmath.mpf(float(value)) * r for value in row] for row, r in zip(A, root, strict=True)])
        z = mpmath.matrix([mpmath.mpf(float(value)) * r for value, r in zip(b, root, strict=True)])
        inverse = (M.T * M) ** -1
        left = z - M * (inverse * (M.T * z))
        meat, least = mpmath.zeros(A.shape[1]), mpmath.mpf(1)
        for row in range(len(A)):
            y = M[row, :]
            room = 1 - (y * inverse * y.T)[0]
            meat += (left[row] / room**power) ** 2 * (y.T * y)
            least = min(least, room)
        covariance = inverse * meat * inverse
        return np.array([float(mpmath.sqrt(covariance[j, j])) for j in range(A.shape[1])]), float(least)


def rows(scale: float, far: list[int], nearly: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A with far rows and, for a small ``nearly``, two columns that the others hardly tell apart; b and weights."""
    rng = np.random.default_rng(9)
    X = rng.standard_normal((20, 3))
    X[:, 2] = X[:, 1] + nearly * X[:, 2]
    X[far] *= scale
    A = np.column_stack([X, np.ones(20)])
    return A, X @ [1.0, 0.0, 2.0] * (nearly == 1.0) / scale + rng.standard_normal(20), rng.uniform(0.5, 2, 20)


@pytest.mark.parametrize("robust", sorted(POWER))
@pytest.mark.parametrize(
    ("scale", "far", "nearly"),
    [(1e2, [3], 1), (1e4, [3], 1), (1e6, [3], 1), (1e6, [0, 7], 1), (1e7, [3], 1), (1e3, [3], 1e-5), (1e9, [3], 1)],
)
def test_errors_to_all_digits(robust: str, scale: float, far: list[int], nearly: float) -> None:
    """Down to 1 − h = 1e-18 nothing cancels: not 1 − h, not the residual, not the row's share in a coefficient."""
    A, b, w = rows(scale, far, nearly)
    expected, room = exact_errors(A, b, w, POWER[robust])

    summary = ds.lstsq(A[:, :3], b, weights=w, intercept=True).summary(robust=robust)

    assert room < 0.1
    np.testing.assert_allclose(summary.standard_errors, expected, rtol=close(scale, nearly))
    np.testing.assert_allclose(np.sqrt(np.diag(summary.covariance())), expected, rtol=close(scale, nearly))
    assert summary.passes == ("sandwich", "rest") if room < 1e-5 else ("sandwich",)
    assert not any("leverage 1" in note for note in summary.notes)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_whatever_solved_it(method: str) -> None:
    """One row of a million decides the slope with 1 − h = 5e-11; the residual is not the solver's."""
    rng = np.random.default_rng(9)
    x = rng.standard_normal(45)
    y = x + rng.standard_normal(45)
    x[0] = 1e6
    expected, _ = exact_errors(np.column_stack([x, np.ones(45)]), y, np.ones(45), 1.0)

    for rows in (x[:, None], scipy.sparse.csr_array(x[:, None])):
        summary = ds.lstsq(rows, y, intercept=True, method=method).summary(robust="HC3")
        np.testing.assert_allclose(summary.standard_errors, expected, rtol=close(1e6))


def dummies(groups: np.ndarray) -> np.ndarray:
    """Return one column for each group but the first."""
    return (groups[:, None] == np.unique(groups)[1:]).astype(float)


GROUPS = np.r_[np.repeat(np.arange(7), 6), 0, 0, 9]


@pytest.mark.parametrize("robust", ["HC2", "HC3"])
@pytest.mark.parametrize("weight", [1.0, 1e-6, 1e6])
def test_a_dummy_of_one_row_has_no_error(robust: str, weight: float) -> None:
    """Its error, t and p are NaN, in the covariance too; the note has its name and the row; all else is the fit without it."""
    rng = np.random.default_rng(2)
    A, b, w = dummies(GROUPS), rng.standard_normal(45), rng.uniform(1, 2, 45)
    w[44] = weight
    names = [*"abcdef", "alone"]

    summary = ds.lstsq(A, b, weights=w, intercept=True).summary(robust=robust, names=names)
    other = ds.lstsq(A[:44, :6], b[:44], weights=w[:44], intercept=True).summary(robust=robust)

    for values in (
        summary.standard_errors,
        summary.t_values,
        summary.p_values,
        summary.confidence()[:, 0],
        summary.covariance()[0],
    ):
        assert np.isnan(values).tolist() == [False] * 6 + [True, False]
    assert summary.to_dict()["p_values"][6] is None
    others = [0, 1, 2, 3, 4, 5, 7]
    np.testing.assert_allclose(summary.standard_errors[others], other.standard_errors, rtol=1e-10)
    note = next(note for note in summary.notes if "leverage 1" in note)
    assert "1 rows" in note
    assert "row 44;" in note
    assert note.endswith("for alone")


@pytest.mark.parametrize("robust", ["HC0", "HC1"])
def test_hc0_takes_such_a_residual_for_zero(robust: str) -> None:
    """By their formula the row has no share; the note says that the error is too small; alone it is nothing."""
    rng = np.random.default_rng(2)
    A, b = dummies(GROUPS), rng.standard_normal(45)

    summary = ds.lstsq(A, b, intercept=True).summary(robust=robust)
    alone = ds.lstsq(np.column_stack([A, GROUPS == 0]), b).summary(robust=robust)

    assert summary.standard_errors[6] == pytest.approx(summary.standard_errors[7])
    assert any("errors of x6 are too small" in note for note in summary.notes)
    assert np.isnan(alone.standard_errors).tolist() == [False] * 6 + [True, False]


def test_rows_that_share_a_coefficient() -> None:
    """Two rows of a group are not alone; one row that decides a combination marks the coefficients of it, and no other."""
    rng = np.random.default_rng(3)
    n = 40
    x = rng.standard_normal((n, 2))
    pair, single = (np.arange(n) < 2) * 1.0, (np.arange(n) == 7) * 1.0
    b = rng.standard_normal(n)

    shared = ds.lstsq(np.column_stack([x, pair]), b, intercept=True).summary(robust="HC3")
    summed = ds.lstsq(np.column_stack([x, pair, pair + single]), b, intercept=True).summary(robust="HC3")

    assert np.isfinite(shared.p_values).all()
    assert np.isnan(summed.p_values).tolist() == [False, False, True, True, False]


def test_many_rows_alone() -> None:
    """A hundred dummies of one row each: the note has the first rows and how many more there are."""
    rng = np.random.default_rng(4)
    A = np.zeros((260, 100))
    A[np.arange(100), np.arange(100)] = 1
    A = np.column_stack([A, rng.standard_normal(260)])

    summary = ds.lstsq(A, rng.standard_normal(260), intercept=True).summary(robust="HC3")

    assert np.isnan(summary.p_values).sum() == 100
    note: Any = next(note for note in summary.notes if "leverage 1" in note)
    assert "100 rows have leverage 1 (row 0, 1, 2, 3, 4, 5, 6, 7 and 92 more" in note


def test_dependent_columns_beside_a_far_row() -> None:
    """Where A lacks rank the pseudoinverse's errors are as exact as those of any independent columns for what is estimable."""
    A, b, w = rows(1e6, [3])
    expected, _ = exact_errors(A, b, w, 1.0)

    summary = ds.lstsq(np.column_stack([A[:, :3], A[:, 2]]), b, weights=w, intercept=True).summary(robust="HC3")

    np.testing.assert_allclose(summary.standard_errors[[0, 1, 4]], expected[[0, 1, 3]], rtol=close(1e6))
    np.testing.assert_allclose(2 * summary.standard_errors[2], expected[2], rtol=close(1e6))


@pytest.mark.parametrize("d", [8, 250])
def test_hardly_more_rows_than_columns(d: int) -> None:
    """Rows that reach a direction only together are judged one by one; where they are many, as rows far from 1 are."""
    rng = np.random.default_rng(5)
    A, b = rng.standard_normal((d + 2, d)), rng.standard_normal(d + 2)
    A[:, 1] = A[:, 0] + 1e-7 * A[:, 1]  # so that more rows count as near 1

    summary = ds.lstsq(A, b).summary(robust="HC3")

    Q = np.linalg.qr(A)[0]
    room = 1 - np.sum(Q**2, axis=1)
    inverse = np.linalg.pinv(A)
    expected = np.sqrt(np.sum((inverse * ((b - A @ (inverse @ b)) / room)) ** 2, axis=1))
    assert np.isfinite(summary.standard_errors).all()
    kappa, least = np.linalg.cond(A), room.min()
    np.testing.assert_allclose(summary.standard_errors, expected, rtol=64 * d * EPS * kappa / least)


@pytest.mark.parametrize("robust", [None, "HC1", "HC3"])
@pytest.mark.parametrize("far", [1.0, 1e5])
def test_beside_a_time_stamp(robust: str | None, far: float) -> None:
    """Errors of UNIX seconds over a minute, one row far away, and of their intercept, which is made of slopes, have all digits too."""
    rng = np.random.default_rng(17)
    t = np.round(20 * rng.standard_normal(40) * np.where(np.arange(40) == 3, far, 1.0), 3) + 1.7e9
    single = (np.arange(40) == 5) * 1.0
    b = (t - 1.7e9) / 20 + rng.standard_normal(40)
    A = np.column_stack([t, np.ones(40)])
    scale = (40 / 38) ** 0.5 if robust == "HC1" else 1.0
    expected = exact_errors(A, b, np.ones(40), 1.0 if robust == "HC3" else 0.0)[0] * scale

    summary = ds.lstsq(t[:, None], b, intercept=True).summary(robust=robust)
    alone = ds.lstsq(np.column_stack([t, single]), b, intercept=True).summary(robust=robust)

    if robust is not None:
        np.testing.assert_allclose(summary.standard_errors, expected, rtol=close(far))
        np.testing.assert_allclose(np.sqrt(np.diag(summary.covariance())), expected, rtol=close(far))
    assert np.isfinite(summary.p_values).all()
    assert not any("exact" in note for note in summary.notes)
    assert np.isnan(alone.p_values).tolist() == [False, robust == "HC3", False]


def test_a_decided_slope_decides_the_intercept() -> None:
    """A row that alone decides the slope of a column far from 0 decides the intercept as well, for that is c′ − s·w."""
    rng = np.random.default_rng(1)
    t = np.full(40, 1.7e9)
    t[7] += 60
    x = rng.standard_normal(40)

    summary = ds.lstsq(np.column_stack([t, x]), rng.standard_normal(40), intercept=True).summary(robust="HC3")

    assert np.isnan(summary.p_values).tolist() == [True, False, True]
    assert any("row 7;" in note and "x0, intercept" in note for note in summary.notes)
