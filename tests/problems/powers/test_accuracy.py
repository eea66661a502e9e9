"""Powers of the Gram matrix against 60 digits, in any units."""

import mpmath
import numpy as np
import pytest

import dsketch as ds
from dsketch.problems import GramExponential, GramPower, OddGramPower
from dsketch.problems.outcome import Status
from dsketch.problems.powers.methods import METHODS
from dsketch.settings import ACCEPTED
from tests.problems.powers.digits import DIGITS, WANTED, D, Floats, N, error, exact, matrix, reference, side, solve

EPS = float(np.finfo(float).eps)
U = EPS / 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("condition", [1e1, 1e2, 1e4, 1e6, 1e8])
def test_error_grows_like_the_power_and_not_like_its_condition(method: str, condition: float) -> None:
    """‖x − x*‖ ≤ 10 · 2j · kappa · u ‖x*‖ against 60 digits for j = 1 … 16, where kappa^(2j) reaches 1e256."""
    A, b = matrix(condition), side(D)
    for power in (1, 2, 5, 16) if method.startswith("factored") else (1, 3):
        solution = solve(GramPower(A, b, power=power), method=method)

        assert solution.status.is_success
        assert error(solution.x, reference(A, b, power)) <= WANTED * 2 * power * condition * U


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("condition", [1e1, 1e4, 1e8])
def test_odd_powers_have_the_error_of_least_squares_first(method: str, condition: float) -> None:
    """The bound of the even power with one use of A more, and √n for a b of which little lies in the range."""
    A, b = matrix(condition), side(N)
    for power in (1, 2, 8) if method.startswith("factored") else (1, 2):
        solution = solve(OddGramPower(A, b, power=power), method=method)

        assert solution.status.is_success
        assert error(solution.x, reference(A, b, power)) <= WANTED * (2 * power + 1 + np.sqrt(N)) * condition * U


@pytest.mark.parametrize("condition", [1e1, 1e3])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_forward_bound_holds_where_the_right_side_is_special(condition: float, power: int) -> None:
    """For b = (AᵀA)ʲ·x* the data determine x to u·kappa^(2j) only; the certificate's bound covers the error and is not idle."""
    A = matrix(condition)
    with mpmath.workdps(DIGITS):
        G = exact(A).T * exact(A)
        b = np.array([float(value) for value in G**power * exact(np.ones(D))])

    solution = solve(GramPower(A, b, power=power))
    bound = float(solution.certificate.forward_error[0])

    reach = 100 * power * D * U * condition ** (2 * power)
    assert error(solution.x, reference(A, b, power)) <= bound
    assert bound <= 2 * reach if reach < 0.5 else bound > 0.1  # beyond that x* may be anything, and the bound says so


@pytest.mark.parametrize("method", GramExponential.methods)
@pytest.mark.parametrize("terms", [None, 1, 4, 30])
@pytest.mark.parametrize("size", [0.5, 4.0])
def test_exponential_and_series_against_60_digits(method: str, terms: int | None, size: float) -> None:
    """The error is within the certificate's bound, which is rounding times ‖A‖² here."""
    A, b = size * matrix(50.0), side(D)
    with mpmath.workdps(DIGITS):
        G = exact(A).T * exact(A)
        if terms is None:
            truth = mpmath.expm(-G) * exact(b)
        else:
            total = term = mpmath.eye(D)
            for p in range(1, terms + 1):
                term = term * G / p
                total = total + term
            truth = mpmath.lu_solve(total, exact(b))

    solution = solve(GramExponential(A, b, terms=terms), method=method)

    assert solution.status is Status.SOLVED
    assert error(solution.x, truth) <= float(solution.certificate.forward_error[0]) <= 64 * D * EPS * max(size**2, 1.0)
    assert float(ds.check(solution.problem, solution.x).backward_error[0]) <= ACCEPTED


@pytest.mark.parametrize("method", METHODS)
def test_tiny_matrices_claim_no_more_than_they_have(method: str) -> None:
    """Of a few rows a sketch whitens badly now and then; then the error stays as small, or the claim grows with it."""
    rng = np.random.default_rng(3)
    for _ in range(60):
        columns = int(rng.integers(1, 5))
        A = rng.standard_normal((columns + int(rng.integers(0, 4)), columns))
        b, power = rng.standard_normal(columns), int(rng.integers(1, 4))

        solution = solve(GramPower(A, b, power=power), method=method)

        claimed = float(solution.certificate.forward_error[0])
        assert error(solution.x, reference(A, b, power)) <= 2 * claimed  # a first-order bound


def shortest(A: Floats, b: Floats, power: int) -> "mpmath.matrix":
    """Return the shortest minimizer of ‖(AᵀA)ʲx − b‖ in 60 digits, for integers that lack rank."""
    with mpmath.workdps(2 * DIGITS):
        values, vectors = mpmath.eigsy(exact(A).T * exact(A))
        parts = vectors.T * exact(b)
        for place, value in enumerate(values):
            parts[place] = parts[place] / value**power if value > mpmath.mpf(10) ** -DIGITS else 0
        return vectors * parts


@pytest.mark.parametrize("method", ["factored", "alternating"])
def test_where_rank_lacks_the_claim_grows_with_what_no_x_reaches(method: str) -> None:
    """Rounding turns the range, which then takes in a part of a b that lies almost outside: up to a hundred times the rest."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        columns = int(rng.integers(2, 6))
        A = rng.integers(-3, 4, (columns + 6, 1)) @ rng.integers(1, 4, (1, columns)).astype(float)
        b, power = rng.standard_normal(columns), int(rng.integers(1, 4))

        solution = solve(GramPower(A, b, power=power), method=method)

        assert solution.status is Status.LEAST_SQUARES
        assert error(solution.x, shortest(A, b, power)) <= 2 * float(solution.certificate.forward_error[0])
