"""Data that does not fit: told before anything is read, with the shapes found."""

from typing import Any

import numpy as np
import pytest

import dsketch

pytestmark = pytest.mark.timeout(60)

A = np.random.default_rng(0).standard_normal((50, 3))
b = A.sum(axis=1)


@pytest.mark.parametrize(
    ("A", "b", "options", "words"),
    [
        (A, b[:-1], {}, r"b must have one row for each of the 50 rows of A; its shape is \(49, 1\)"),
        (A, np.append(b, 1), {}, r"b must have one row .* \(51, 1\)"),
        (A.reshape(50, 3, 1), b, {}, r"A must have one or two dimensions; its shape is \(50, 3, 1\)"),
        (A, np.float64(1), {}, "b must be a path"),
        (A, b, {"weights": np.ones((50, 2))}, r"weights must be one number a row; their shape is \(50, 2\)"),
        (A, b, {"weights": np.ones(49)}, r"weights must have one row for each of the 50 rows of A"),
        (A[:2], b[:2], {}, r"A must be tall: .* 2 × 3"),
        (A[:3], b[:3], {"intercept": True}, r"A must be tall: .* 3 × 4 with the intercept"),
        (A[:0], b[:0], {}, r"A must have at least one row and one column; its shape is \(0, 3\)"),
        (A[:, :0], b, {}, r"A must have at least one row and one column; its shape is \(50, 0\)"),
        (A + 1j, b, {}, "A must hold real numbers of at most 64 bits; its dtype is complex128"),
        (A, b + 1j, {}, "b must hold real numbers .* complex128"),
        (A.astype(object), b, {}, "A must hold real numbers .* object"),
        (A.astype("longdouble"), b, {}, "A must hold real numbers .* float128"),
        (A.astype(str), b, {}, "A must hold real numbers .* <U"),
        ((1e9 * A).astype("datetime64[s]"), b, {}, r"A must hold real numbers .* datetime64\[s\]"),
        (A, (1e9 * b).astype("timedelta64[s]"), {}, "b must hold real numbers .* timedelta64"),
        (np.zeros(50, [("x", "f8")]), b, {}, "A must hold real numbers"),
    ],
)
def test_refused_at_the_door(A: Any, b: Any, options: dict[str, Any], words: str) -> None:
    """The error says what was expected and what was found."""
    with pytest.raises(dsketch.DsketchError, match=words) as caught:
        dsketch.LeastSquares(A, b, **options)
    assert isinstance(caught.value, ValueError)
    assert caught.value.exit_code == 2


def test_negative_weight_names_its_row() -> None:
    """Weights are values, so they are met in the first pass (or its probe), with the row."""
    weights = np.ones(50)
    weights[17] = -0.5
    with pytest.raises(dsketch.DataError, match=r"weights must be ≥ 0; row 17 has .*-0\.5"):
        dsketch.lstsq(A, b, weights=weights)


@pytest.mark.parametrize("x", [np.ones(2), np.ones((3, 2)), np.ones((1, 3))])
def test_check_wants_an_x_that_fits(x: np.ndarray) -> None:
    """The x to be judged must have d rows and k columns."""
    with pytest.raises(dsketch.DataError, match=r"x must have shape \(3, 1\)"):
        dsketch.check(dsketch.LeastSquares(A, b), x)


@pytest.mark.parametrize("alpha", [-1, np.nan, np.inf, "-1", None, 1j])
def test_alpha_that_is_no_penalty(alpha: Any) -> None:
    """Ridge wants a finite number that is not negative."""
    with pytest.raises(dsketch.SpecError, match="alpha must be a number ≥ 0"):
        dsketch.Ridge(A, b, alpha=alpha)
