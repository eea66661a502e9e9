"""Bounded least squares are SciPy's, with KKT conditions to rounding, in two passes."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import lsq_linear, nnls

import dsketch as ds
from dsketch.errors import DataError, SpecError
from tests.problems.penalized.cases import EPS, data, solve, spread

METHODS = ("gram", "triangle")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("units", [0, 4])
def test_non_negative_least_squares(method: str, units: float) -> None:
    """The answer of Lawson and Hanson's algorithm on A, whatever the units, with the same exact zeros."""
    A, b = data(units=units)

    found = solve(ds.Bounded(A, b), method=method)

    expected = nnls(A, b)[0]
    assert found.status is ds.Status.SOLVED
    assert len(found.passes) == 2
    assert np.abs(spread(A, found.x - expected)).max() <= 1e-12
    assert ((found.x == 0) == (expected == 0)).all()
    assert found.certificate.kkt.max() <= 64 * EPS
    assert found.certificate.gap.max() <= 1e-24


@pytest.mark.parametrize("method", METHODS)
def test_boxes(method: str) -> None:
    """Bounds by column, none where None or infinite, some that pin a coefficient; the intercept is free; weighted."""
    A, b = data(d=6)
    lower, upper = [-0.1, None, 0.2, -np.inf, 0.3, 0.0], [0.1, 0.05, 0.2, np.inf, 5.0, 0.5]
    w = np.random.default_rng(5).uniform(0.5, 2, len(A))

    found = solve(ds.Bounded(A, b, lower=lower, upper=upper, intercept=True, weights=w), method=method)

    low = np.array([-np.inf if bound is None else bound for bound in lower] + [-np.inf])
    root = np.sqrt(w)
    expected = lsq_linear(
        np.column_stack([A, np.ones(len(A))]) * root[:, None], b * root,
        (low - 1e-300 * (low == 0.2), [*np.array(upper[:-4]), 0.2 + 1e-12, np.inf, 5.0, 0.5, np.inf]), method="bvls", tol=1e-14,
    )  # fmt: skip
    assert np.abs(found.x - expected.x).max() <= 1e-10
    assert found.x[2] == 0.2
    assert (found.x >= low).all()
    assert (found.x[:-1] <= upper).all()
    assert found.certificate.kkt.max() <= 64 * EPS


@pytest.mark.parametrize("method", METHODS)
def test_signs_of_the_pull(method: str) -> None:
    """KKT, computed from A and b: the pull of a free column is rounding, at a lower bound not above it, at an upper not below."""
    A, b = data()
    low, high = np.quantile(np.linalg.lstsq(A, b)[0], [0.3, 0.6])
    x = solve(ds.Bounded(A, b, lower=low, upper=high), method=method).x
    pull = A.T @ (b - A @ x) / (np.linalg.norm(A, axis=0) * np.linalg.norm(b))

    rounding = 64 * EPS
    assert (x == low).any()
    assert (x == high).any()
    assert (np.abs(pull[(x > low) & (x < high)]) <= rounding).all()
    assert (pull[x == low] <= rounding).all()
    assert (pull[x == high] >= -rounding).all()


def test_without_bounds_it_is_least_squares() -> None:
    """None for both; of dependent columns the shortest answer."""
    A, b = data()
    lacking = np.column_stack([A, A[:, 1] + A[:, 2]])

    found = solve(ds.Bounded(lacking, b, lower=None))

    assert found.status is ds.Status.MINIMUM_NORM
    assert np.abs(found.x - np.linalg.lstsq(lacking, b)[0]).max() <= 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_dependent_columns_are_told(method: str) -> None:
    """Where free columns are dependent a note says that x is one of many; the residual is the least."""
    A = data()[0]
    b = A @ np.arange(-2.0, 6.0) + np.random.default_rng(0).standard_normal(len(A))
    twice = np.column_stack([A, A])

    found = solve(ds.Bounded(twice, b), method=method)

    assert found.status is ds.Status.SOLVED
    assert any("one of many" in note for note in found.notes)
    assert found.certificate.residual_norm[0] == pytest.approx(nnls(A, b)[1], rel=1e-13)


def test_several_sides_sparse_and_wide() -> None:
    """Many right-hand sides, CSR rows, fewer rows than columns."""
    A = sp.random_array((300, 10), density=0.3, rng=np.random.default_rng(0), format="csr")
    sides = np.random.default_rng(1).standard_normal((300, 3))
    found = solve(ds.Bounded(A, sides))
    for side in range(3):
        assert np.abs(found.x[:, side] - nnls(A.toarray(), sides[:, side])[0]).max() <= 1e-12

    wide, b = data(15, 40)
    found = solve(ds.Bounded(wide, b))
    assert found.certificate.residual_norm[0] <= nnls(wide, b)[1] + 1e-11
    assert (found.x >= 0).all()


def test_tiny_data() -> None:
    """One column, at and off its bound."""
    assert solve(ds.Bounded([[1.0], [1.0]], [-1.0, -2.0])).x[0] == 0
    assert solve(ds.Bounded([[1.0], [1.0]], [1.0, 2.0])).x[0] == pytest.approx(1.5)
    assert solve(ds.Bounded([[1.0], [1.0]], [1.0, 2.0], upper=0.25)).x[0] == 0.25


def test_ill_conditioned_columns() -> None:
    """Condition 1e10: by the triangle, to the accuracy that the columns allow."""
    rng = np.random.default_rng(7)
    A = np.linalg.qr(rng.standard_normal((400, 6)))[0] * np.geomspace(1, 1e-10, 6) @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    b = A @ np.abs(rng.standard_normal(6))

    found = solve(ds.Bounded(A, b))

    assert found.status is ds.Status.SOLVED
    assert (found.x >= 0).all()
    assert found.certificate.residual_norm[0] <= 1e-14 * np.linalg.norm(b)


def test_crossed_and_impossible_bounds() -> None:
    """Named by column; NaN, an unreachable infinity and wrong lengths are refused."""
    A, b = data()
    with pytest.raises(SpecError, match="column 3 has 2 and 1"):
        ds.Bounded(A, b, lower=[0, 0, 0, 2, 0, 0, 0, 0], upper=1.0)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"lower": np.nan}, "lower must be numbers that leave x room"),
        ({"lower": np.inf}, "lower must be numbers that leave x room"),
        ({"upper": [1.0, 2.0]}, "one number or 8"),
        ({"upper": "much"}, "upper must be numbers"),
    ]
    for options, words in wrong:
        with pytest.raises(SpecError, match=words):
            ds.Bounded(A, b, **options)


def test_parameters_make_it_again() -> None:
    """JSON has no infinity: None stands for it, one number for all."""
    A, b = data()

    first = ds.Bounded(A, b, lower=[None, -np.inf, 0, 0, 0, 0, 0, 1])
    again = ds.Bounded(A, b, **{name: value for name, value in first.parameters.items() if name != "problem"})

    assert first.parameters["lower"] == [None, None, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert first.parameters["upper"] is None
    assert np.array_equal(again.lower, first.lower)
    assert ds.Bounded(A, b, lower="-inf").parameters["lower"] is None


def test_bad_numbers_are_named_by_row() -> None:
    """As everywhere."""
    A, b = data()
    A[12, 0] = np.inf
    with pytest.raises(DataError, match="row 12, column 0"):
        solve(ds.Bounded(A, b))
