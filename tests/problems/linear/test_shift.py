"""Columns far from 0 beside an intercept: shifted by a stored value on the way, against exact rational answers."""

import numpy as np
import pytest

import dsketch as ds
from dsketch.matrix.centring import centre_answer, uncentre_answer
from dsketch.problems.outcome import Status
from tests.problems.linear.far import CASES, EPS, NS, exact, fraction, off

METHODS = ("cholesky", "conjugate_gradient", "gradient_descent", "gram", "tsqr", "whitened")


@pytest.mark.parametrize("name", CASES)
def test_slopes_and_intercept_are_exact(name: str) -> None:
    """Slopes are those of x − x[0], to rounding; the intercept is right to the last digits of its own size."""
    case = CASES[name]

    solution = ds.solve(case.problem(), cluster="serial", progress=False)

    assert solution.status is Status.SOLVED
    assert off(solution.x, case.right()) <= case.bound


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["UNIX seconds over a millisecond", "int64 nanoseconds", "ridge at 1e8", "weights"])
def test_every_method_has_the_digits(name: str, method: str) -> None:
    """The shift lies below the methods: all have the slope of the shifted column (iterative ones to what they stop at)."""
    case = CASES[name]

    solution = ds.solve(case.problem(), method=method, cluster="serial", progress=False)

    assert solution.status is Status.SOLVED
    assert off(solution.x, case.right()) <= 1e-13
    assert any("shifted by a stored value" in note for note in solution.notes)


def test_sketch_and_solve_estimates_the_shifted_columns() -> None:
    """Its error bar is about the columns as they vary: the estimate is within 20 % at a residual of a tenth."""
    case = CASES["UNIX seconds over a millisecond"]

    solution = ds.solve(case.problem(), method="sketch_and_solve", cluster="serial", progress=False)

    assert off(solution.x, case.right()) <= 0.2


@pytest.mark.parametrize("name", CASES)
def test_check_knows_its_own_answer(name: str) -> None:
    """x as it is returned, its intercept rounded, is called right; so is the exact answer rounded."""
    case = CASES[name]
    problem = case.problem()
    x = ds.solve(problem, cluster="serial", progress=False).x
    right = np.array([float(value) for value in case.right()])
    errors = [ds.check(problem, given, cluster="serial", progress=False).backward_error[0] for given in (x, right)]

    assert errors[0] <= problem.accepted(None)
    assert errors[1] <= problem.accepted(None)


@pytest.mark.parametrize("name", [name for name in CASES if "cubed" not in name])  # there 1e-9 of one slope is within rounding
def test_check_knows_a_wrong_slope(name: str) -> None:
    """A slope off by 1e-9, its intercept put right with it, is not called right."""
    problem = CASES[name].problem()
    shift = problem.shifted.rows.shift
    far = centre_answer(ds.solve(problem, progress=False).x[:, None], shift)
    far[0] *= 1 + 1e-9

    wrong = uncentre_answer(far, shift)

    assert ds.check(problem, wrong, progress=False).backward_error[0] > problem.accepted(None)


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-9, 1.01])
@pytest.mark.parametrize("name", CASES)
def test_claims_hold_for_x_as_it_is_stored(name: str, factor: float) -> None:
    """Of the answer and of an x that is off: no coefficient, and no norm with columns in their own units, is farther than claimed."""
    case = CASES[name]
    right = case.right()
    x = ds.solve(case.problem(), cluster="serial", progress=False).x * [factor, *[1.0] * case.A.shape[1]]

    claim = ds.check(case.problem(), x, cluster="serial", progress=False)

    missed = np.array([abs(float(fraction(mine) - value)) for mine, value in zip(x.tolist(), right, strict=True)])
    weights = np.sqrt(case.options.get("weights", np.ones(len(case.A))))
    units = np.linalg.norm(np.column_stack([case.A.astype(float), np.ones(len(case.A))]) * weights[:, None], axis=0)
    assert claim.coefficient_errors is not None
    assert (missed <= 3 * claim.coefficient_errors[:, 0]).all()
    assert np.linalg.norm(units * missed) <= 3 * claim.forward_error[0] * np.linalg.norm(units * np.array(right, dtype=float))


def test_check_allows_the_intercept_its_rounding_only() -> None:
    """An intercept off by more than rounding x may make it is judged as it is."""
    case = CASES["UNIX seconds over a minute"]
    x = ds.solve(case.problem(), progress=False).x

    wrong = x + np.array([0.0, 64 * EPS * abs(x[1])])

    assert ds.check(case.problem(), wrong, progress=False).backward_error[0] > case.problem().accepted(None)


def test_rank_is_that_of_shifted_columns() -> None:
    """Nanoseconds are not dependent on the intercept; certificate, plan and notes say what was shifted."""
    solution = ds.solve(CASES["int64 nanoseconds"].problem(), progress=False)

    assert solution.certificate.rank == 2
    assert solution.certificate.rank_reason == "full column rank 2; 1 column shifted"
    assert solution.certificate.scaled_condition < 10
    assert "1 column is shifted by a stored value" in str(solution.plan)


def test_many_sides() -> None:
    """Each side has its own intercept, put right by itself."""
    A = np.column_stack([1.7e9 + np.arange(60.0), NS + np.arange(60.0)])[:, :1]
    B = np.random.default_rng(1).standard_normal((60, 3)) + A - 1.7e9

    x = ds.lstsq(A, B, intercept=True, progress=False).x

    assert x.shape == (2, 3)
    for side in range(3):
        assert off(x[:, side], exact(A, B[:, side])) <= 1e-13


@pytest.mark.parametrize("size", [2**40, 2**60])
def test_integers_of_b_that_are_rounded_are_told(size: int) -> None:
    """b is not shifted: 64-bit integers beyond 2⁵³ lose their last digits, and a note says so; smaller ones are exact."""
    t = np.arange(40)

    found = ds.lstsq(t[:, None].astype(float), size + t, intercept=True, cluster="serial")

    assert any("beyond 2⁵³" in note for note in found.notes) is (size > 2**53)
