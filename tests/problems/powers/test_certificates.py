"""Certificates of powers come from the data, and see errors that were put in."""

from typing import Any

import mpmath
import numpy as np
import pytest

import dsketch as ds
from dsketch.problems import GramExponential, GramPower, OddGramPower
from dsketch.problems.outcome import Status
from dsketch.problems.powers.methods import METHODS
from dsketch.settings import ACCEPTED
from tests.problems.powers.digits import D, N, matrix, reference, side, solve

EPS = float(np.finfo(float).eps)


# ---- certificates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [GramPower, OddGramPower])
@pytest.mark.parametrize("power", [1, 3])
def test_a_check_sees_an_error_that_was_put_in(kind: Any, power: int) -> None:
    """An x off by δ along the largest singular vector has backward error δ, up to a factor 4."""
    A = matrix(10.0)
    problem = kind(A, side(D if kind is GramPower else N), power=power)
    x = solve(problem).x
    leading = np.linalg.svd(A)[2][0]

    for delta in (1e-3, 1e-8):
        wrong = x + delta * np.linalg.norm(x) * leading
        found = float(ds.check(problem, wrong).backward_error[0])

        assert delta / 4 <= found <= 4 * delta


@pytest.mark.parametrize("method", METHODS)
def test_certificate_agrees_with_an_independent_check(method: str) -> None:
    """Residual and backward error of the solve are those of j real products, up to their own rounding."""
    for kind, rows in ((GramPower, D), (OddGramPower, N)):
        solution = solve(kind(matrix(30.0), side(rows), power=3), method=method, tol=1e-6)
        checked = ds.check(solution.problem, solution.x)

        rounding = ACCEPTED * np.linalg.norm(solution.x)  # ‖A‖ is 1
        assert float(checked.residual_norm[0]) == pytest.approx(
            float(solution.certificate.residual_norm[0]), rel=1e-2, abs=rounding
        )
        assert float(checked.backward_error[0]) <= 3 * float(solution.certificate.backward_error[0]) + ACCEPTED


def test_an_unattainable_residual_is_said() -> None:
    """u·kappa^(2j) = 1e16: the residual exceeds b, the backward error is rounding, the status and a note say so."""
    solution = solve(GramPower(matrix(1e4), side(D), power=4))

    assert solution.status is Status.ROUNDED
    assert float(solution.certificate.relative_residual[0]) > 1
    assert any("u·kappa^(2j) is 1e+16" in note for note in solution.notes)
    assert solve(GramPower(matrix(3.0), side(D), power=2)).status is Status.SOLVED


def test_a_long_series_is_judged_by_the_factor_and_says_so() -> None:
    """exp at ‖A‖² = 400 would take a pass a term, about 600: the certificate names the factor; a short one the data."""
    A, b = matrix(1.5), side(D)

    assert "by the factor" in ds.check(GramExponential(20 * A, b), np.zeros(D)).measured
    assert "terms of the series in the data" in ds.check(GramExponential(A, b), np.zeros(D)).measured


# ---- columns in different units, and x that no method made -------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("units", [(1e4, 1.0, 1e-4), (1e8, 1.0, 1e-8)])
def test_columns_in_small_units_are_solved_like_any_other(method: str, units: tuple[float, ...]) -> None:
    """With columns scaled the condition number is 2: every coefficient has all its digits, by every method that calls x solved."""
    A = np.random.default_rng(3).standard_normal((300, 3)) * units
    b = np.random.default_rng(4).standard_normal(3) * units
    right = np.array([float(v) for v in reference(A, b, 1)])

    found = ds.solve(GramPower(A, b, power=1), method=method, cluster="serial")

    assert found.status is Status.SOLVED
    assert np.abs(found.x / right - 1).max() <= 1e3 * EPS


def test_check_sees_an_error_in_a_column_of_small_units() -> None:
    """An x whose smallest column is a tenth off is not right, though ‖A‖²‖x‖ hides it."""
    units = np.array([1e8, 1.0, 1e-8])
    A = np.random.default_rng(3).standard_normal((300, 3)) * units
    b = A.T @ (A @ (1 / units))
    problem = GramPower(A, b, power=1)
    x = ds.solve(problem, cluster="serial").x

    good, wrong = (ds.check(problem, vector, cluster="serial") for vector in (x, x * [1.0, 1.0, 1.1]))

    assert good.backward_error[0] <= ACCEPTED
    assert wrong.backward_error[0] >= 1e-3


@pytest.mark.parametrize("error", [1e-9, 1e-3, 1.0])
@pytest.mark.parametrize("kind", ["even", "odd", "exponential"])
def test_the_forward_error_is_that_of_the_x_that_was_handed_in(kind: str, error: float) -> None:
    """An x that is off by a part of its length has a bound of at least that part, and not of much more."""
    A, b = matrix(10.0), side(N if kind == "odd" else D)
    problem = {
        "even": lambda: GramPower(A, b, power=2),
        "odd": lambda: OddGramPower(A, b, power=1),
        "exponential": lambda: GramExponential(A, b),
    }[kind]()
    x = ds.solve(problem, cluster="serial").x

    claimed = ds.check(problem, x * (1 + error), cluster="serial").forward_error[0]

    assert error <= (1 + 1e-6) * claimed
    assert claimed <= 1.01 * error + 1e-10


@pytest.mark.parametrize("size", [0.01, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("seed", range(12))
def test_the_error_of_an_exponential_is_no_more_than_claimed(seed: int, size: float) -> None:
    """Of a vector A, x = exp(−‖a‖²) b to 60 digits: exponents to 400 are rounded in AᵀA, its root, and as powers of two are split off."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((int(rng.integers(1, 40)), 1))
    A, b = A * (size / np.linalg.norm(A)), rng.standard_normal(1)

    found = ds.solve(ds.GramExponential(A, b), cluster="serial", progress=False)

    with mpmath.workdps(60):
        right = mpmath.exp(-mpmath.fsum(mpmath.mpf(v) ** 2 for v in A.ravel().tolist())) * mpmath.mpf(float(b[0]))
        off = float(abs(mpmath.mpf(float(found.x[0])) / right - 1))
    assert off <= found.certificate.forward_error[0]
