"""Problems: least squares and ridge, weighted, with an intercept; against dense LAPACK."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg as sl
from hypothesis import given
from hypothesis import strategies as st

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.problems import PROBLEMS, LeastSquares, Ridge
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.problem import LinearProblem
from dsketch.testing.examples import example_of
from dsketch.testing.judge import estimated_backward_error
from dsketch.testing.known import tall
from dsketch.testing.problems import ProblemTests

EPS = np.finfo(float).eps
N, D = 300, 6
CERTIFIED = sorted(set(METHODS) - {"sketch_and_solve"})


def numbers(k: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, b and integer weights of which some are zero."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)) + 1, rng.standard_normal((N, k) if k else N), rng.integers(0, 4, N).astype(float)


def dense(A: np.ndarray, b: np.ndarray, *, alpha: float = 0.0, weights: Any = None, intercept: bool = False) -> tuple[Any, Any]:
    """Return the dense system of a problem."""
    full = np.concatenate([A, np.ones((len(A), 1))], axis=1) if intercept else A
    b = b.reshape(len(b), -1)
    root = np.ones((len(A), 1)) if weights is None else np.sqrt(weights)[:, None]
    penalty = np.full(full.shape[1], alpha)
    if intercept:
        penalty[-1] = 0.0
    return (
        np.concatenate([root * full, np.diag(np.sqrt(penalty))]),
        np.concatenate([root * b, np.zeros((full.shape[1], b.shape[1]))]),
    )


CASES: dict[str, tuple[type[LinearProblem], int, dict[str, Any]]] = {
    "lstsq": (LeastSquares, 0, {}),
    "lstsq, sides": (LeastSquares, 3, {}),
    "lstsq, intercept": (LeastSquares, 0, {"intercept": True}),
    "lstsq, weights": (LeastSquares, 2, {"weights": numbers()[2]}),
    "ridge": (Ridge, 0, {"alpha": 2.5}),
    "ridge, zero": (Ridge, 0, {"alpha": 0.0}),
    "ridge, all": (Ridge, 3, {"alpha": 1e3, "weights": numbers()[2], "intercept": True}),
}


class TestTable(ProblemTests):
    """Least squares and ridge."""

    @pytest.fixture(params=sorted(CASES))
    def case(self, request: pytest.FixtureRequest) -> tuple[LinearProblem, np.ndarray, np.ndarray]:
        """Return a problem and its dense system."""
        kind, k, options = CASES[request.param]
        A, b, _ = numbers(k)
        return (kind(A, b, **options), *dense(A, b, **options))


def test_table_names_are_the_problems_own() -> None:
    """A name in the table is what the problem calls itself."""
    for name, kind in PROBLEMS.items():
        assert example_of(name).parameters["problem"] == kind.name == name


# ---- ridge -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 1e-8, 1.0, 1e12])
@pytest.mark.parametrize("condition", [10.0, 1e8])
@pytest.mark.parametrize("method", CERTIFIED)
def test_ridge_is_the_augmented_system(method: str, condition: float, alpha: float) -> None:
    """Backward stable on [A; √alpha] x ≈ [b; 0], and equal to LAPACK's answer within its own forward bound."""
    known = tall(400, 6, condition=condition)
    M, z = dense(known.A, known.b, alpha=alpha)

    found = ds.ridge(known.A, known.b, alpha=alpha, method=method, cluster="serial")

    expected, kappa = sl.lstsq(M, z)[0][:, 0], np.linalg.cond(M)
    left = np.linalg.norm(z[:, 0] - M @ expected)
    grown = kappa * (1 + kappa * left / (np.linalg.norm(M, 2) * np.linalg.norm(expected)))
    assert found.status is ds.Status.SOLVED
    assert estimated_backward_error(M, z, found.x[:, None])[0] <= 16 * EPS
    assert np.linalg.norm(found.x - expected) <= 64 * EPS * grown * np.linalg.norm(expected)
    assert abs(found.certificate.residual_norm[0] - left) <= 64 * EPS * np.linalg.norm(z)


@pytest.mark.parametrize("method", CERTIFIED)
def test_ridge_makes_a_deficient_A_regular(method: str) -> None:
    """Two equal columns share the coefficient; the status is SOLVED, not minimum norm."""
    A, b, _ = numbers()
    A[:, 1] = A[:, 4]
    M, z = dense(A, b, alpha=1.0)

    found = ds.ridge(A, b, alpha=1.0, method=method, cluster="serial")

    assert found.status is ds.Status.SOLVED
    assert np.allclose(found.x, sl.lstsq(M, z)[0][:, 0], rtol=1e-11)
    assert np.isclose(found.x[1], found.x[4], rtol=1e-11)


@pytest.mark.parametrize("method", CERTIFIED)
@pytest.mark.parametrize("weighted", [False, True])
def test_intercept_is_not_penalized(method: str, weighted: bool) -> None:
    """Ridge with intercept is ridge on (weighted) centred data, the intercept being what is left of the means."""
    A, b, w = numbers()
    w = w + 1 if weighted else np.ones(N)
    means = np.average(A, axis=0, weights=w), np.average(b, weights=w)
    root = np.sqrt(w)
    centred = root[:, None] * (A - means[0])
    expected = np.linalg.solve(centred.T @ centred + 7.0 * np.eye(D), centred.T @ (root * (b - means[1])))

    found = ds.ridge(A, b, alpha=7.0, intercept=True, weights=w if weighted else None, method=method, cluster="serial")

    assert np.allclose(found.x[:-1], expected, rtol=1e-11, atol=1e-13)
    assert np.isclose(found.x[-1], means[1] - means[0] @ expected, rtol=1e-11)


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf, None, 1j])
def test_bad_alpha_is_refused(alpha: Any) -> None:
    """It is a number ≥ 0; the message has what it was."""
    with pytest.raises(SpecError, match=r"alpha must be a number ≥ 0; got"):
        Ridge(*numbers()[:2], alpha=alpha)


def test_ridge_of_alpha_zero_is_least_squares() -> None:
    """The same bits."""
    A, b, _ = numbers()

    assert np.array_equal(ds.ridge(A, b, alpha=0.0, method="tsqr").x, ds.lstsq(A, b, method="tsqr").x)


# ---- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", CERTIFIED)
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_weights_are_repeated_rows(method: str, alpha: float) -> None:
    """Row i with weight w counts like w copies of it; weight 0 like none."""
    A, b, w = numbers(k=2)
    times = w.astype(int)

    weighted = ds.ridge(A, b, alpha=alpha, weights=w, intercept=True, method=method, cluster="serial")
    repeated = ds.ridge(
        np.repeat(A, times, 0), np.repeat(b, times, 0), alpha=alpha, intercept=True, method=method, cluster="serial"
    )

    assert np.allclose(weighted.x, repeated.x, rtol=1e-11, atol=1e-13)
    assert np.allclose(weighted.certificate.residual_norm, repeated.certificate.residual_norm, rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-20, 20))
def test_scaling_all_weights_changes_nothing(seed: int, power: int) -> None:
    """Weights are relative for least squares: a factor of four to any power changes no bit of x."""
    A, b, w = numbers(seed=seed)

    one = ds.lstsq(A, b, weights=w, method="tsqr", cluster="serial")
    two = ds.lstsq(A, b, weights=w * 4.0**power, method="tsqr", cluster="serial")

    assert np.array_equal(one.x, two.x)


def test_all_weights_zero_is_no_problem() -> None:
    """Nothing counts: there is nothing to solve."""
    A, b, _ = numbers()

    with pytest.raises(DataError, match="all of them are 0"):
        ds.lstsq(A, b, weights=np.zeros(N), method="tsqr")


# ---- doors -----------------------------------------------------------------------------------------------------------


def test_wide_matrices_are_refused() -> None:
    """Fewer rows than columns, the intercept counted, is not what this is for."""
    with pytest.raises(DataError, match="A must be tall"):
        LeastSquares(np.ones((3, 4)), np.ones(3))
    with pytest.raises(DataError, match=r"3 × 4 with the intercept"):
        LeastSquares(np.ones((3, 3)), np.ones(3), intercept=True)


@pytest.mark.parametrize("dtype", ["float32", "int16", "bool"])
@pytest.mark.parametrize("method", CERTIFIED)
def test_other_dtypes_are_solved_in_float64(method: str, dtype: str) -> None:
    """The answer is that of the float64 values of A and b."""
    A, b, _ = numbers()
    A = (A > 1) if dtype == "bool" else (10 * A).astype(dtype)
    b = b.astype("float32")

    found = ds.lstsq(A, b, method=method, cluster="serial")

    assert np.allclose(found.x, np.linalg.lstsq(A.astype(float), b.astype(float))[0], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("where", ["A", "b", "weights"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_nonfinite_data_are_named(method: str, value: float, where: str) -> None:
    """A NaN or infinity anywhere is an error with its row, column and value, whatever the method."""
    parts = dict(zip(("A", "b", "weights"), numbers(), strict=True))
    parts[where][(137, 2) if where == "A" else 137] = value

    with pytest.raises(DataError, match=rf"{where} must be (finite|≥ 0); row 137.* {value}"):
        ds.lstsq(parts["A"], parts["b"], weights=parts["weights"], method=method, cluster="serial")


@pytest.mark.parametrize(
    "problem",
    [
        ds.LeastSquares(np.array([[3.0]]), np.array([1.0])),
        ds.Ridge(np.array([[3.0]]), np.array([1.0]), alpha=1.0),
        ds.GramPower(np.array([[3.0]]), np.array([1.0])),
        ds.ExpKernel(np.array([[1.0]]), np.array([1.0]), alpha=0.5),
        ds.RestrictedKernel(np.array([[1.0]]), np.array([1.0]), alpha=0.5),
    ],
    ids=lambda problem: problem.name,
)
def test_an_answer_that_had_to_be_rounded_is_not_called_exact(problem: ds.Problem) -> None:
    """x = 1/3 is no number of this machine, though the residual that the machine finds is 0; a quarter of u is what it must own."""
    certificate = ds.solve(problem, cluster="serial").certificate

    assert certificate.backward_error[0] >= np.finfo(float).eps / 8
    assert certificate.forward_error[0] > 0
