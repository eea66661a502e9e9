"""Conjugate gradients on the kernel's system against LAPACK."""

import numpy as np
import pytest
import scipy.linalg as sl

from dsketch.problems.kernel import refinement
from dsketch.problems.kernel.candidates import FEATURES, candidate_named
from dsketch.problems.kernel.iteration import ConjugateGradients, Norm
from dsketch.problems.kernel.preconditioners import taylor
from dsketch.problems.kernel.refinement import Goal
from tests.problems.kernel.dense import Floats, answered, data, dense, kernel, matrix_of, system

EPS = float(np.finfo(float).eps)


def test_ritz_values_are_the_preconditioned_spectrum() -> None:
    """After n steps in exact arithmetic, and well before in practice, the Ritz values have the ends of the spectrum."""
    A, b = data("gaussian", 120)
    given = system(A, b, 1e-1)
    P = answered(taylor(given, 2))
    steps = ConjugateGradients(given, P, Norm(given), given.beta, np.zeros(2), np.zeros_like(given.beta))

    answered(steps.advance(60))

    values = np.sort(np.real(sl.eigvals(matrix_of(P, 120) @ dense(given))))
    assert np.allclose(steps.ritz(), values[[0, -1]], rtol=1e-3)


def test_norm_is_met_from_below() -> None:
    """The vector that rides along finds ‖K + λ I‖ to a percent on Gaussian rows, and never above it."""
    A, b = data("gaussian", 300)
    given = system(A, b, 1e-2)
    exact = np.linalg.norm(kernel(A) + given.alpha * np.eye(300), 2)
    norm = Norm(given)

    for _ in range(3):
        answered(norm.product(given.beta))

    assert 0.99 * exact <= norm.value <= exact * (1 + 300 * EPS)


@pytest.mark.parametrize(
    ("family", "features"),
    [
        *((family, features) for family in ("sphere", "gaussian") for features in ("auto", *FEATURES)),
        *((family, features) for family in ("clusters", "wide") for features in ("auto", "none", "pivoted_cholesky", "taylor")),
    ],
)
def test_solution_is_cholesky_s(family: str, features: str) -> None:
    """Every preconditioner reaches the wanted residual of (K + λ I) x = b, and x is as near to LAPACK's as that allows."""
    A, b = data(family, 300)
    given = system(A, b, 1e-2)
    K = kernel(A) + given.alpha * np.eye(300)
    expected = sl.cho_solve(sl.cho_factor(K), b)
    goal = Goal(tol=1e-11, columns=220)

    first = None if features == "auto" else candidate_named(given, features, 100, goal.columns, 300)
    found = answered(refinement.refine(given, first, goal))

    x = found.y / given.growth
    residual = np.linalg.norm(b - K @ x, axis=0) / np.linalg.norm(b, axis=0)
    assert (residual <= 1.1e-11).all()
    error = np.linalg.norm(x - expected, axis=0) / np.linalg.norm(expected, axis=0)
    assert (error <= 2 * np.linalg.cond(K) * 1.1e-11).all()


def test_tiny_ridge_is_solved_to_the_backward_error_of_cholesky() -> None:
    """At λ = 1e-12 of the diagonal the refined answer is backward stable: within 8 times LAPACK's error, or 4 eps."""
    A, b = data("sphere", 400)
    given = system(A, b, 1e-12)
    K = kernel(A) + given.alpha * np.eye(400)
    expected = sl.cho_solve(sl.cho_factor(K), b)

    def backward(x: Floats) -> float:
        size = np.linalg.norm(K, 2) * np.linalg.norm(x, axis=0) + np.linalg.norm(b, axis=0)
        return float(np.max(np.linalg.norm(b - K @ x, axis=0) / size))

    found = answered(refinement.refine(given, None, Goal(tol=1e-13, columns=400)))

    assert backward(found.y / given.growth) <= max(8 * backward(expected), 4 * EPS)


def test_answers_agree_whatever_the_sides_beside_them() -> None:
    """A side solved alone and beside another is the same up to the tolerance: each has its own steps."""
    A, b = data("gaussian", 250)
    both, alone = (answered(refinement.refine(system(A, b[:, :k], 1e-2), None, Goal(columns=150))).y for k in (2, 1))

    assert np.linalg.norm(both[:, 0] - alone[:, 0]) <= 1e-6 * np.linalg.norm(alone)


def test_a_zero_side_is_zero() -> None:
    """b = 0 needs no step and gives x = 0 beside other sides."""
    A, b = data("gaussian", 100)
    found = answered(refinement.refine(system(A, b * [1.0, 0.0], 1e-1), None, Goal(columns=50)))

    assert np.any(found.y[:, 0])
    assert not np.any(found.y[:, 1])
