"""``accuracy="full"``: x is the exact minimizer of what is stored, rounded, and no claim of that is better than the truth."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

import dsketch as ds
from dsketch.problems import Problem
from dsketch.sklearn import LinearRegression, Ridge
from dsketch.testing.flows import run_flow
from dsketch.testing.rational import Exact, Row, echelon
from dsketch.testing.strd import REFERENCES, digits

Floats = NDArray[np.float64]
ROWS, COLUMNS = 40, 4


def with_condition(rng: np.random.Generator, condition: float, rows: int = ROWS, columns: int = COLUMNS) -> Floats:
    """Return a matrix of random directions."""
    U, V = np.linalg.qr(rng.standard_normal((rows, columns)))[0], np.linalg.qr(rng.standard_normal((columns, columns)))[0]
    return np.asarray((U * np.logspace(0, -np.log10(condition), columns)) @ V)


def exact_of(problem: Any, A: NDArray[np.generic], b: Floats, weights: Floats | None = None) -> Exact:
    """Return the problem as fractions."""
    return Exact.of(A, b, weights, problem.penalty, intercept=problem.rows.intercept)


def require_right(problem: Any, exact: Exact, side: int = 0, **choices: Any) -> ds.Solution:
    """Solve in full; x is within half a unit in the last place, and each claim is no better than the truth."""
    found = ds.solve(problem, accuracy="full", cluster="serial", **choices)
    shape = (problem.shape[1], -1)
    x, errors = found.x.reshape(shape)[:, side], found.coefficient_errors.reshape(shape)[:, side]
    places = found.certificate.last_places[:, side]
    truth, _ = exact.minimizer()
    for value, true, error, units in zip(x.tolist(), truth, errors.tolist(), places.tolist(), strict=True):
        off = abs(Fraction(value) - true)
        assert off <= Fraction(error)
        assert error <= 0.5001 * np.spacing(abs(value))
        assert off <= Fraction(units) * Fraction(float(np.spacing(abs(value)))) * (1 + Fraction(1, 2**40))
    squares = [exact.gram[j][j] - p for j, p in enumerate(exact.penalty)]  # of the norms of A's columns
    far = sum(size * (Fraction(value) - true) ** 2 for size, value, true in zip(squares, x.tolist(), truth, strict=True))
    length = sum(size * true**2 for size, true in zip(squares, truth, strict=True))
    assert far <= Fraction(float(found.certificate.forward_error[side])) ** 2 * length
    return found


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_sets_have_all_digits(name: str) -> None:
    """On each of NIST's sets coefficients and standard errors have 15 digits of the exact solution of the floats."""
    A, b = REFERENCES[name].floats()
    x, errors = REFERENCES[name].solve_floats()

    found = ds.lstsq(A, b, accuracy="full", cluster="serial")

    assert found.status.is_success
    assert digits(found.x, x) > 15
    assert digits(found.summary().standard_errors, errors) > 15


@pytest.mark.parametrize("name", ["NoInt1", "NoInt2", "Wampler1", "Wampler3", "Wampler4", "Wampler5"])
def test_sets_that_floats_hold_have_the_certified_digits(name: str) -> None:
    """Where the decimals are floats, the certified values are met, by coefficients and standard errors."""
    A, b = REFERENCES[name].floats()
    x, errors = REFERENCES[name].solve_decimals()

    found = ds.lstsq(A, b, accuracy="full", cluster="serial")

    assert digits(found.x, x) > 15
    assert digits(found.summary().standard_errors, errors) > 15


@pytest.mark.parametrize("condition", [1e1, 1e6, 1e12, 1e15])
@pytest.mark.parametrize("residual", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("seed", range(3))
def test_any_condition_and_any_residual(condition: float, residual: float, seed: int) -> None:
    """Neither a condition number of 1e15 nor a residual a million times the fit costs a digit, or makes a claim too good."""
    rng = np.random.default_rng(seed)
    A = with_condition(rng, condition)
    b = A @ rng.standard_normal(COLUMNS) + residual * rng.standard_normal(ROWS)
    problem = ds.LeastSquares(A, b)

    require_right(problem, exact_of(problem, A, b))


CASES: dict[str, Any] = {
    "units": lambda A: A * 10.0 ** np.array([-100, 0, 100, 40]),
    "coherent": lambda A: A * np.where(np.arange(ROWS) < 3, 1e5, 1e-5)[:, None],
    "scattered": lambda A: A * 10.0 ** np.random.default_rng(5).integers(-30, 30, A.shape),
    "float32": lambda A: A.astype(np.float32),
    "int16": lambda A: np.rint(1000 * A / np.abs(A).max()).astype(np.int16),
    "int64": lambda A: np.rint(2.0**61 * A / np.abs(A).max()).astype(np.int64) + np.arange(ROWS)[:, None],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_units_types_weights_and_intercepts(case: str, is_weighted: bool, intercept: bool) -> None:
    """Whatever the units, the types, the weights: what counts are the numbers as they are stored."""
    rng = np.random.default_rng(7)
    A, b = CASES[case](rng.standard_normal((ROWS, COLUMNS))), rng.standard_normal(ROWS)
    weights = rng.random(ROWS) * (np.arange(ROWS) % 5 > 0) if is_weighted else None
    problem = ds.LeastSquares(A, b, weights=weights, intercept=intercept)

    require_right(problem, exact_of(problem, A, b, weights))


def test_columns_far_from_zero() -> None:
    """Beside an intercept, nanoseconds since 1970, which are shifted on the way, and years cubed cost no digit of it."""
    rng = np.random.default_rng(3)
    time = 1_700_000_000_000_000_000 + 86_400_000_000_000 * np.arange(ROWS) + rng.integers(0, 10**9, ROWS)
    A, b = np.stack([time, np.arange(ROWS) ** 3], axis=1), rng.standard_normal(ROWS)
    problem = ds.LeastSquares(A, b, intercept=True)

    found = require_right(problem, exact_of(problem, A, b))

    assert problem.shifted.rows.shift is not None
    assert found.summary().standard_errors.shape == (3,)


@pytest.mark.parametrize("alpha", [1e-300, 1e-8, 1.0, 1e20])
def test_ridge(alpha: float) -> None:
    """A penalty counts as the float that it is."""
    rng = np.random.default_rng(11)
    A, b = with_condition(rng, 1e9), rng.standard_normal(ROWS)
    problem = ds.Ridge(A, b, alpha=alpha)

    require_right(problem, exact_of(problem, A, b))


def test_a_penalty_for_each_target() -> None:
    """With one penalty a target each is the minimizer of its own."""
    rng = np.random.default_rng(12)
    A, b, alphas = rng.standard_normal((ROWS, COLUMNS)), rng.standard_normal((ROWS, 3)), [0.1, 2.0, 0.1]
    problem = ds.Ridge(A, b, alpha=np.array([alphas]))

    for side, alpha in enumerate(alphas):
        require_right(problem, Exact.of(A, b[:, side], None, np.full(COLUMNS, alpha), intercept=False), side)


def test_many_sides_and_sparse_rows() -> None:
    """More right-hand sides than columns, of rows in CSR."""
    rng = np.random.default_rng(13)
    A = scipy.sparse.random_array((ROWS, COLUMNS), density=0.6, rng=rng, format="csr")
    b = rng.standard_normal((ROWS, 9))
    problem = ds.LeastSquares(A, b)

    for side in (0, 8):
        require_right(problem, Exact.of(A.toarray(), b[:, side], None, np.zeros(COLUMNS), intercept=False), side)


@pytest.mark.parametrize("method", ["cholesky", "gram", "whitened", "tsqr", "conjugate_gradient", "gradient_descent"])
def test_every_method_comes_to_the_same_bits(method: str) -> None:
    """The exact minimizer does not know who looked for it; nor do its standard errors."""
    rng = np.random.default_rng(17)
    A, b = with_condition(rng, 1e3, 400), rng.standard_normal(400)
    best = ds.lstsq(A, b, accuracy="full", method="tsqr", cluster="serial")

    found = ds.lstsq(A, b, accuracy="full", method=method, cluster="serial")

    assert np.array_equal(found.x, best.x)
    assert np.allclose(found.summary().standard_errors, best.summary().standard_errors, rtol=1e-15, atol=0)


def test_how_rows_are_cut_changes_no_bit() -> None:
    """Sums that are exact know no order: not even another chunking changes a bit of x."""
    rng = np.random.default_rng(19)
    A, b = rng.standard_normal((600, 5)), rng.standard_normal(600)
    whole = ds.lstsq(A, b, accuracy="full", cluster="serial")

    for rows in (7, 100):
        import dask.array as da

        cut = ds.lstsq(da.from_array(A, chunks=(rows, 5)), b, accuracy="full", cluster="serial")
        assert np.array_equal(cut.x, whole.x)


def test_an_exact_fit_is_known_to_be_one() -> None:
    """Where b = A x exactly the residual is 0, and so are the standard errors."""
    A = np.arange(24.0).reshape(8, 3) ** 2
    b = A @ [1.0, -2.0, 3.0]

    found = ds.lstsq(A, b, accuracy="full", cluster="serial")

    assert found.x.tolist() == [1.0, -2.0, 3.0]
    assert found.certificate.residual_norm.tolist() == [0.0]
    assert (found.certificate.last_places < 1e-9).all()
    assert found.summary().standard_errors.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("seed", range(4))
def test_standard_errors_by_the_exact_inverse(seed: int) -> None:
    """Standard errors are those of fractions, at a condition number of 1e12, weighted."""
    rng = np.random.default_rng(seed)
    A, b, weights = with_condition(rng, 1e12), rng.standard_normal(ROWS), rng.random(ROWS) + 0.1
    problem = ds.LeastSquares(A, b, weights=weights)
    exact = exact_of(problem, A, b, weights)

    errors = ds.solve(problem, accuracy="full", cluster="serial").summary().standard_errors

    assert digits(errors**2, variances(exact)) > 14.5


def variances(exact: Exact) -> Row:
    """Return the squares of the standard errors."""
    d, x = len(exact.penalty), exact.minimizer()[0]
    inverse, _ = echelon([[*row, *(Fraction(i == j) for j in range(d))] for i, row in enumerate(exact.gram)], d)
    left = sum((w * r * r for w, r in zip(exact.weights, exact.residual(x), strict=True)), Fraction(0)) / (len(exact.b) - d)
    return [left * inverse[j][d + j] for j in range(d)]


def test_lost_rank_is_said() -> None:
    """Of a rank-deficient A nothing more is claimed, and the notes say so; of an estimate neither."""
    rng = np.random.default_rng(23)
    A = rng.standard_normal((ROWS, 3))
    b = rng.standard_normal(ROWS)

    lost = ds.lstsq(np.c_[A, A[:, 0]], b, accuracy="full", cluster="serial")
    rough = ds.lstsq(A, b, accuracy="full", method="sketch_and_solve", cluster="serial")

    for found in (lost, rough):
        assert found.certificate.last_places is None
        assert any("'full' was not reached" in note for note in found.notes)


def test_the_plan_says_two_passes_more() -> None:
    """Plan and solution agree on the passes; the certificate tells the digits, and 'standard' none."""
    rng = np.random.default_rng(29)
    problem = ds.LeastSquares(rng.standard_normal((ROWS, 3)), rng.standard_normal(ROWS))
    usual, full = (ds.plan(problem, accuracy=accuracy, cluster="serial") for accuracy in ("standard", "full"))

    found = ds.solve(full)

    assert full.estimate.passes == usual.estimate.passes + 2 == len(found.passes)
    assert full.read_bytes == usual.read_bytes + 2 * problem.rows.nbytes
    assert "accuracy full" in str(full)
    assert "units in its last place" in str(found)
    assert ds.solve(usual).certificate.last_places is None


def test_replay_law() -> None:
    """Fed with the recorded parts, the flow asks for the same passes and returns the same bits."""
    rng = np.random.default_rng(31)
    problem: Problem = ds.LeastSquares(rng.standard_normal((ROWS, 3)), rng.standard_normal(ROWS))
    plan = ds.plan(problem, accuracy="full", cluster="serial")
    first = run_flow(plan.problem.answer(plan))

    again = run_flow(plan.problem.answer(plan), first.parts)

    assert again.digests == first.digests
    assert np.array_equal(again.result.x, first.result.x)


def test_unknown_accuracy_is_refused() -> None:
    """Another word is refused with the choices."""
    with pytest.raises(ds.SpecError, match="accuracy must be one of standard, full; got 'fuller'"):
        ds.lstsq(np.eye(3), np.ones(3), accuracy="fuller", cluster="serial")


def test_a_journal_resumes_and_an_audit_finds_nothing(tmp_path: Path) -> None:
    """Exact sums are recorded like any part: a finished run is replayed without its rows, and its receipt stands an audit."""
    rng = np.random.default_rng(37)
    problem = ds.LeastSquares(rng.standard_normal((ROWS, 3)), rng.standard_normal(ROWS))
    first = ds.solve(problem, accuracy="full", cluster="serial", journal=tmp_path / "run")

    again = ds.resume(tmp_path / "run", problem=problem, cluster="serial")
    found = ds.audit(tmp_path / "run", data=problem)

    assert all(record.replayed for record in again.passes)
    assert np.array_equal(again.x, first.x)
    assert found.is_clean
    assert found.is_replayed


@pytest.mark.cluster
def test_workers_change_no_bit() -> None:
    """On workers x has the bits of this process."""
    rng = np.random.default_rng(41)
    A, b = rng.standard_normal((4_000, 3)), rng.standard_normal(4_000)
    serial = ds.lstsq(A, b, accuracy="full", cluster="serial")

    found = ds.lstsq(A, b, accuracy="full", workers=2, threads=1, progress=False)

    assert np.array_equal(found.x, serial.x)
    assert np.array_equal(found.coefficient_errors, serial.coefficient_errors)


@pytest.mark.parametrize("intercept", [False, True])
def test_estimators_take_it(intercept: bool) -> None:
    """LinearRegression and Ridge hand it on; coefficients and intercept are those of the solution."""
    rng = np.random.default_rng(43)
    X, y = np.stack([1.7e9 + np.arange(ROWS), rng.standard_normal(ROWS)], axis=1), rng.standard_normal(ROWS)

    for model in (LinearRegression(fit_intercept=intercept, accuracy="full"), Ridge(fit_intercept=intercept, accuracy="full")):
        model.fit(X, y)
        found = model.solution_
        assert (found.certificate.last_places <= 0.51).all()
        assert np.array_equal(model.coef_, found.x[:2])
        assert model.intercept_ == (found.x[2] if intercept else 0.0)


@pytest.mark.parametrize("scale", [1e-250, 1e-140, 1e140])
def test_ends_of_the_range(scale: float) -> None:
    """Claims hold where b is near the ends of what is taken, and x where float64 is coarse; b below 1e-140 is refused as ever."""
    rng = np.random.default_rng(47)
    A, b = rng.standard_normal((ROWS, COLUMNS)) * 1e100, scale * rng.standard_normal(ROWS)
    problem = ds.LeastSquares(A, b)

    if scale < 1e-145:
        with pytest.raises(ds.DataError, match="Rescale"):
            ds.solve(problem, accuracy="full", cluster="serial")
    else:
        require_right(problem, exact_of(problem, A, b))
