"""The triangular factor: solves, whitening, rank decisions."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg as sl
from hypothesis import given
from hypothesis import strategies as st

from dsketch._linalg.factor import RANK_TOLERANCE, Factor, solve_small
from dsketch.testing.known import badly_scaled, one_hot, tall

EPS = np.finfo(float).eps


def normal(n: int = 300, d: int = 7, seed: int = 0) -> np.ndarray:
    """Return random rows."""
    return np.random.default_rng(seed).standard_normal((n, d))


def duplicated(columns: int = 7) -> np.ndarray:
    """Return a matrix with two equal columns."""
    A = normal(d=columns)
    A[:, 5] = A[:, 2]
    return A


# name → (A, rank)
MATRICES: dict[str, Callable[[], tuple[np.ndarray, int]]] = {
    "regular": lambda: (normal(), 7),
    "condition 1e8": lambda: (tall(300, 7, condition=1e8).A, 7),
    "condition 1e13": lambda: (tall(300, 7, condition=1e13).A, 7),
    "duplicate": lambda: (duplicated(), 6),
    "duplicate, other units": lambda: (duplicated() * np.array([1, 1, 1, 1, 1, 2.0**-30, 1]), 6),
    "three times": lambda: (np.tile(normal(d=3), 3), 3),
    "product": lambda: (normal(d=2) @ normal(2, 7, 3), 2),
    "dummy trap": lambda: (np.concatenate([np.ones((300, 1)), one_hot(300, 5, np.random.default_rng(1))], axis=1), 5),
    "zero columns": lambda: (normal() * np.array([1, 0, 1, 1, 0, 1, 1.0]), 5),
    "zero": lambda: (np.zeros((300, 7)), 0),
    "units 1e±6": lambda: (normal() * np.geomspace(1e-6, 1e6, 7), 7),
    "units 1e±6, duplicate": lambda: (duplicated() * np.geomspace(1e-6, 1e6, 7), 6),
    "huge": lambda: (normal() * 1e120, 7),
    "tiny": lambda: (normal() * 1e-120, 7),
    "one column": lambda: (normal(d=1), 1),
    "one zero": lambda: (np.zeros((5, 1)), 0),
}

matrices = pytest.mark.parametrize("name", sorted(MATRICES))


@matrices
def test_rank_is_the_known_one(name: str) -> None:
    """The rank does not depend on the units of columns; the reason names the numbers that decided."""
    A, rank = MATRICES[name]()

    factor = Factor.of(A)

    assert factor.rank == rank
    assert factor.is_deficient == (rank < A.shape[1])
    assert f"rank {rank}" in factor.rank_reason
    assert factor.null.shape == (A.shape[1], A.shape[1] - rank)
    # The null space has to rounding no image, each column counted in its own units.
    image, length = np.linalg.norm(A @ factor.null, axis=0), np.linalg.norm(factor.null * factor.scale[:, None], axis=0)
    assert (image <= 64 * EPS * np.linalg.norm(A / factor.scale) * length).all()


@matrices
def test_solve_and_its_transpose_are_adjoint(name: str) -> None:
    """⟨solve(y), g⟩ = ⟨y, solve_transposed(g)⟩ within the rounding of both triangular solves."""
    A, rank = MATRICES[name]()
    factor = Factor.of(A)
    rng = np.random.default_rng(2)
    y, g = rng.standard_normal((rank, 3)), rng.standard_normal((A.shape[1], 3))

    left, right = factor.solve(y).T @ g, y.T @ factor.solve_transposed(g)

    T = np.abs(factor.solve(np.eye(rank)))
    size = np.abs(y).T @ T.T @ np.abs(g)
    assert (np.abs(left - right) <= 32 * EPS * factor.scaled_condition * size).all()


@matrices
def test_solved_directions_have_unit_image(name: str) -> None:
    """A T has orthonormal columns to eps · kappa (columns scaled): what whitening and preconditioning rest on."""
    A, rank = MATRICES[name]()
    factor = Factor.of(A)

    for Y in (A @ factor.solve(np.eye(rank)), factor.whitener.apply(A)):
        assert np.abs(Y.T @ Y - np.eye(rank)).max(initial=0.0) <= 300 * EPS * factor.scaled_condition


@matrices
def test_least_squares_is_the_pseudoinverse_s(name: str) -> None:
    """The answer is A⁺b: the gradient vanishes, x has nothing in the null space, and it is LAPACK's where LAPACK sees the same rank."""
    A, rank = MATRICES[name]()
    size = float(np.abs(A).max()) or 1.0
    scale = np.linalg.norm(A / size, axis=0) * size
    scale[scale == 0] = 1.0
    b = size * normal(A.shape[0], 2, seed=8)
    Q, R = np.linalg.qr(A)

    x = Factor(R).least_squares(Q.T @ b)

    # In units in which columns have norm one there is no doubt about the rank, and fits do not depend on units.
    fitted = (A / scale) @ sl.lstsq(A / scale, b, cond=1e-14)[0] if rank else np.zeros_like(b)
    kappa = Factor.of(A).scaled_condition
    assert np.linalg.norm(A @ x - fitted) <= 64 * EPS * kappa * np.linalg.norm(b)
    null = sl.null_space(A / scale, rcond=1e-14) / scale[:, None]
    null /= np.linalg.norm(null, axis=0)
    kept = np.linalg.svd(A / size, compute_uv=False)[: max(rank, 1)]  # the null space is known to eps times this condition number
    assert np.linalg.norm(null.T @ x) <= 64 * EPS * (kept[0] / (kept[-1] or 1.0)) * np.linalg.norm(x)


def test_minimum_norm_is_meant_in_the_users_units() -> None:
    """Of two equal columns in different units the shortest x uses the larger one: x = A⁺b of A as it is."""
    a = normal(d=1)
    A = np.concatenate([a, 1000 * a], axis=1)
    b = a[:, 0]

    factor, x = solve_small(A, b[:, None])

    assert factor.rank == 1
    assert np.allclose(x[:, 0], np.array([1.0, 1000.0]) / (1 + 1e6), rtol=1e-12)
    assert np.allclose(x[:, 0], sl.pinv(A) @ b, rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 12), spare=st.integers(0, 20), decades=st.integers(0, 12))
def test_solve_small_is_lstsq(seed: int, d: int, spare: int, decades: int) -> None:
    """QR of [M z] gives LAPACK's solution in scaled columns, for any units; with fewer rows than columns the shortest one."""
    rng = np.random.default_rng(seed)
    M = rng.standard_normal((d + spare, d))
    z = rng.standard_normal((d + spare, 2))
    units = np.ldexp(1.0, rng.integers(-decades, decades + 1, d))

    factor, x = solve_small(M * units, z)

    kappa = np.linalg.cond(M)
    expected = np.linalg.lstsq(M, z)[0]
    assert factor.rank == d
    assert np.linalg.norm(x * units[:, None] - expected) <= 64 * d * EPS * kappa**2 * max(np.linalg.norm(z), 1)


def test_solve_small_with_few_rows_is_the_shortest() -> None:
    """Three equations for five unknowns: x = M⁺z, and the rank says that something was dropped."""
    M, z = normal(3, 5), normal(3, 2, 1)

    factor, x = solve_small(M, z)

    assert factor.rank == 3
    assert np.allclose(x, np.linalg.pinv(M) @ z, rtol=0, atol=1e-13 * np.linalg.cond(M))


@pytest.mark.parametrize("ratio", [0.25, 4.0])
def test_limit_of_the_rank_is_four_eps(ratio: float) -> None:
    """A singular value (columns scaled) of 1 eps is absent, one of 16 eps is there."""
    d = 6
    small = ratio * RANK_TOLERANCE
    # Two unit columns at a tiny angle: singular values √2 and about angle/√2.
    R = np.eye(d)
    R[:2, 1] = [1.0, small * 2.0]

    assert Factor(R).is_deficient == (ratio < 1)


def test_tolerance_grows_from_four_hundred_columns() -> None:
    """4 eps, and √(d/400) times as much beyond."""
    assert Factor(np.eye(400)).rank_tolerance == RANK_TOLERANCE
    assert Factor(np.eye(1600)).rank_tolerance == 2 * RANK_TOLERANCE


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e9, 1e13])
def test_condition_and_singular_values(condition: float) -> None:
    """Singular values to d eps of the largest; the scaled condition within a factor d where it is an estimate, else to digits."""
    d = 10
    A = tall(200, d, condition=condition).A
    factor = Factor.of(A)
    scaled = np.linalg.cond(A / factor.scale)

    assert np.abs(factor.singular[0] - np.geomspace(1, 1 / condition, d)).max() <= d * EPS
    assert scaled / d <= factor.scaled_condition * (1 + 1e-2)
    assert factor.scaled_condition <= d * scaled * (1 + 1e-2)


def test_scaled_condition_does_not_depend_on_units() -> None:
    """Columns in other units (powers of two) have exactly the same scaled R, hence the same solve up to those units."""
    plain = tall(200, 6, condition=100.0)
    other = badly_scaled(plain, 12)
    one, two = Factor.of(plain.A), Factor.of(other.A)
    y = normal(6, 1)

    assert np.array_equal(one.scaled, two.scaled)
    assert one.scaled_condition == two.scaled_condition
    assert np.array_equal(one.solve(y) * one.scale[:, None], two.solve(y) * two.scale[:, None])


def test_shortest_removes_the_null_space_only() -> None:
    """What is left is x minus its component in the null space: the same image, orthogonal to it."""
    A, _ = MATRICES["duplicate"]()
    factor, x = Factor.of(A), normal(7, 2)

    moved = factor.shortest(x)

    assert np.allclose(A @ moved, A @ x, atol=1e-12)
    assert np.abs(factor.null.T @ moved).max() <= 16 * EPS
    assert np.array_equal(Factor(np.eye(3)).shortest(normal(3, 1)), normal(3, 1))
