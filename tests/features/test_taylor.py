"""Taylor is exact to its remainder."""

import math

import numpy as np
import pytest
import scipy.linalg as sl
from hypothesis import given
from hypothesis import strategies as st

from dsketch.errors import SpecError
from dsketch.features import (
    Monomials,
    Taylor,
    degree_for,
    estimate_tail,
    monomials,
)
from dsketch.features.taylor import factorials
from dsketch.testing.features import EPS, gaussian, mean, rows


@given(
    columns=st.integers(1, 5),
    degree=st.integers(0, 7),
    radius=st.sampled_from([0.1, 1.0, 3.0]),
    scale=st.sampled_from([0.3, 1.0]),
)
def test_taylor_is_the_truncated_series(columns: int, degree: int, radius: float, scale: float) -> None:
    """F Fᵀ is the series up to degree q, within the rounding of its sums."""
    X = rows(20, columns, radius=radius)

    F = Taylor(mean(columns), scale, degree).apply(X)

    C = (X - mean(columns)) * np.sqrt(scale)
    largest = math.exp(scale * radius**2) * math.exp(-scale * radius**2)  # Σ |z|^p/p! times both weights
    assert F.shape == (20, math.comb(columns + degree, degree))
    assert np.abs(F @ F.T - gaussian(C, degree)).max() <= 4 * (degree + 2) * (columns + 2) * EPS * largest * (1 + radius**2)


@pytest.mark.parametrize("degree", [1, 3, 6, 10])
def test_taylor_keeps_its_remainder_bound(degree: int) -> None:
    """Entry by entry the error is at most |z|^(q+1)/(q+1)! e^max(z, 0) e^(−lengths/2), and what is missing has no negative eigenvalue."""
    X = rows(60, 4, radius=1.5)
    C = X - mean(4)
    Z, lengths = C @ C.T, np.einsum("ij,ij->i", C, C)

    F = Taylor(mean(4), 1.0, degree).apply(X)

    missing = gaussian(C) - F @ F.T
    bound = (
        np.abs(Z) ** (degree + 1) / math.factorial(degree + 1) * np.exp(np.maximum(Z, 0) - 0.5 * np.add.outer(lengths, lengths))
    )
    rounding = 8 * (degree + 2) * EPS
    assert (np.abs(missing) <= bound + rounding).all()
    assert np.linalg.eigvalsh(missing)[0] >= -60 * rounding


def test_taylor_columns_are_the_monomials() -> None:
    """Three variables, degree 2, by name: 1, x, y, z, x²/√2, xy, y²/√2, xz, yz, z²/√2."""
    x, y, z = 0.5, -0.25, 2.0
    weight = np.exp(-0.5 * (x * x + y * y + z * z))

    F = Taylor(np.zeros(3), 1.0, 2).apply(np.array([[x, y, z]]))

    root = math.sqrt(0.5)
    expected = weight * np.array([1, x, y, z, root * x * x, x * y, root * y * y, x * z, y * z, root * z * z])
    assert np.allclose(F[0], expected, rtol=4 * EPS, atol=0)
    assert factorials(2, 3).tolist() == [1, 1, 1, 2, 1, 2, 6, 2, 2, 6]


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_monomials_are_the_power(degree: int) -> None:
    """The features of one degree multiply to ⟨x, y⟩^p."""
    X = rows(30, 4)

    F = Monomials(degree).apply(X)

    assert F.shape[1] == math.comb(3 + degree, degree)
    assert np.abs(F @ F.T - (X @ X.T) ** degree).max() <= 8 * (degree + 4) * EPS * 2.25**degree


def test_remaining_predicts_the_preconditioned_condition() -> None:
    """Rows in all directions: 1 + estimate_tail/α is within a factor 1.5 of cond((F Fᵀ + α)⁻¹ (K + α)), over four powers of ten."""
    C = rows(500, 6, seed=3) - mean(6)
    K, alpha = np.exp(C @ C.T), 0.03

    for degree in range(5):
        F = Taylor(np.zeros(6), 1.0, degree).apply(C) * np.exp(0.5)
        found = sl.eigh(K + alpha * np.eye(500), F @ F.T + alpha * np.eye(500), eigvals_only=True)
        assert 1 / 1.5 <= found[-1] / found[0] / (1 + estimate_tail(500, 6, 1.0, degree) / alpha) <= 1.5


@given(
    n=st.integers(1, 10**9),
    d=st.integers(1, 300),
    radius2=st.floats(1e-3, 30),
    alpha=st.floats(1e-8, 1e3),
    limit=st.integers(1, 10**5),
)
def test_degree_is_the_least_that_does_or_the_largest_that_fits(n: int, d: int, radius2: float, alpha: float, limit: int) -> None:
    """The columns stay within the limit (but for degree 0), and one degree less, or one more, would be wrong."""
    degree = degree_for(n, d, radius2, alpha, limit)

    assert monomials(d, degree) <= max(limit, 1)
    assert estimate_tail(n, d, radius2, degree) <= alpha or monomials(d, degree + 1) > limit
    assert degree == 0 or estimate_tail(n, d, radius2, degree - 1) > alpha


def test_taylor_refuses_a_negative_degree() -> None:
    """There is no series without its constant."""
    with pytest.raises(SpecError, match="degree"):
        Taylor(np.zeros(2), 1.0, -1)
