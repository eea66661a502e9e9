"""Dependent columns, right-hand sides outside the range, degenerate shapes."""

import mpmath
import numpy as np
import pytest

from dsketch.problems import GramPower, OddGramPower
from dsketch.problems.outcome import Status
from dsketch.problems.powers.methods import METHODS
from tests.problems.powers.digits import DIGITS, WANTED, D, Floats, N, error, exact, matrix, reference, side, solve

EPS = float(np.finfo(float).eps)
U = EPS / 2


def deficient(units: Floats | None = None) -> Floats:
    """Return a matrix with two dependent columns, in units if given."""
    A = matrix(10.0, 80)
    A = np.column_stack([A, A[:, 1] + A[:, 2], A[:, 0]])
    return A if units is None else A * units


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("power", [1, 4])
def test_a_dependent_column_gives_the_pseudoinverse(method: str, power: int) -> None:
    """x = ((AᵀA)⁺)ʲb; what lies outside the range is named with its share, and measured."""
    A, b = deficient(), side(D + 2)
    s, Vt = np.linalg.svd(A, full_matrices=False)[1:]
    V, s = Vt[:D].T, s[:D]
    truth = V @ ((V.T @ b) / s ** (2 * power))

    solution = solve(GramPower(A, b, power=power), method=method)
    outside = np.linalg.norm(b - V @ (V.T @ b)) / np.linalg.norm(b)

    assert solution.status is Status.LEAST_SQUARES
    assert solution.certificate.rank == D
    assert np.linalg.norm(solution.x - truth) <= 100 * 2 * power * D * EPS * (s[0] / s[-1]) * np.linalg.norm(truth)
    assert float(solution.certificate.outside[0]) == pytest.approx(outside, rel=1e-12)
    assert any(f"{outside:.2%} of b lies outside the range" in note for note in solution.notes)


def test_a_right_side_within_the_range_is_minimum_norm() -> None:
    """b = AᵀA·v lies within: the status says minimum norm, and nothing is called outside."""
    A = deficient()
    b = A.T @ (A @ side(D + 2))

    solution = solve(GramPower(A, b, power=2))

    assert solution.status is Status.MINIMUM_NORM
    assert np.linalg.norm(np.linalg.svd(A)[2][D:] @ solution.x) <= 100 * EPS * np.linalg.norm(solution.x)


def test_columns_in_any_units_keep_their_accuracy() -> None:
    """Columns 2¹⁰⁰ apart: with D their units, D·x is the plain answer to D⁻¹b, at the accuracy of the plain problem."""
    A, b, units = matrix(1e4), side(D), np.ldexp(1.0, np.array([50, -50, 0, 20, -37, 13]))

    for power, method in ((1, "factored"), (1, "factored_whitened")):
        found = solve(GramPower(A * units, units * b, power=power), method=method).x

        assert error(units * found, reference(A, b, power)) <= WANTED * 2 * 1e4 * U


def test_a_copy_in_small_units_is_dropped_and_nothing_else() -> None:
    """Columns 2²⁰ apart, two of them copies: the pseudoinverse of 240 digits; null vectors are known to eps times the ratio of units."""
    units = np.ldexp(1.0, np.array([0, -7, 4, -4, 8, -12, -7, 0]))
    A = deficient(units)
    A[:, 6] = A[:, 1]  # an exact copy in the same small units; column 7 is one of column 0
    b = units * side(D + 2)
    with mpmath.workdps(4 * DIGITS):
        values, V = mpmath.eigsy(exact(A).T * exact(A))
        truth = mpmath.matrix(D + 2, 1)
        for place in sorted(range(D + 2), key=lambda place: -abs(values[place]))[:D]:
            truth += V[:, place] * ((V[:, place].T * exact(b))[0] / values[place])
        truth = mpmath.diag([mpmath.mpf(unit) for unit in units.tolist()]) * truth

    solution = solve(GramPower(A, b))

    ratio = units.max() / units.min()
    assert solution.certificate.rank == D
    assert error(units * solution.x, truth) <= WANTED * 2 * ratio * solution.certificate.scaled_condition**2 * EPS


def test_odd_power_of_a_deficient_matrix_is_minimum_norm() -> None:
    """The shortest minimizer of ‖A(AᵀA)ʲx − b‖, as NumPy's pseudoinverses give it."""
    A, b = deficient(), side(80)
    truth = np.linalg.pinv(A.T @ A, rcond=1e-10) @ np.linalg.lstsq(A, b, rcond=1e-10)[0]

    for method in METHODS:
        solution = solve(OddGramPower(A, b, power=1), method=method)

        assert solution.status is Status.MINIMUM_NORM
        assert np.linalg.norm(solution.x - truth) <= 1e4 * EPS * np.linalg.norm(truth)


@pytest.mark.parametrize("method", METHODS)
def test_degenerate_shapes_have_answers(method: str) -> None:
    """b = 0; one column; n = d; a zero column; the zero matrix: x is what it must be."""
    square = matrix(5.0, D, D)
    empty = matrix(5.0)
    empty[:, 2] = 0.0

    assert not solve(GramPower(matrix(5.0), np.zeros(D), power=3), method=method).x.any()
    assert not solve(OddGramPower(matrix(5.0), np.zeros(N), power=2), method=method).x.any()
    assert solve(GramPower(np.full((4, 1), 2.0), [32.0]), method=method).x == pytest.approx([2.0], rel=8 * EPS)
    assert error(solve(GramPower(square, side(D), power=3), method=method).x, reference(square, side(D), 3)) <= 1e3 * EPS
    x = solve(GramPower(empty, side(D), power=2), method=method).x
    assert abs(x[2]) <= 100 * EPS * np.linalg.norm(x)
    assert not solve(GramPower(np.zeros((9, 3)), [1.0, 2.0, 3.0], power=2), method=method).x.any()


def test_sides_are_answered_together_as_alone() -> None:
    """Each column of b has the answer that it has alone, to rounding, and a zero column among them stays zero."""
    A, b = matrix(1e3), side(D, 4)
    b[:, 2] = 0.0
    for method in METHODS:
        together = solve(GramPower(A, b, power=3), method=method).x

        for place in range(4):
            alone = solve(GramPower(A, b[:, place], power=3), method=method).x
            assert np.linalg.norm(together[:, place] - alone) <= WANTED * 2 * 3 * 1e3 * U * np.linalg.norm(alone)
