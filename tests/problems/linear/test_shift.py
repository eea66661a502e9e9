"""Columns far from 0 beside an intercept: shifted by a stored value on the way, against exact rational answers."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
from click.testing import CliRunner
from distributed import LocalCluster

import dsketch as ds
from dsketch.cli import main
from dsketch.linalg.exact import exact_product, exact_sum, float_parts
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.centring import centred, uncentred
from dsketch.matrix.csr import csr_in_memory
from dsketch.matrix.head import Head
from dsketch.matrix.offsets import offsets
from dsketch.matrix.rows import Rows
from dsketch.matrix.shift import integer_difference
from dsketch.problems import Heads
from dsketch.sklearn import LinearRegression, Ridge
from dsketch.solution import Status

EPS = float(np.finfo(float).eps)
METHODS = ("cholesky", "conjugate_gradient", "gradient_descent", "gram", "tsqr", "whitened")
NS = 1_700_000_000_000_000_000


def exact(A: np.ndarray, b: np.ndarray, *, weights: Any = None, alpha: float = 0.0) -> list[Fraction]:
    """Return slopes and intercept of the numbers as they are stored, in rational arithmetic."""
    w = np.ones(len(A)) if weights is None else np.asarray(weights)
    rows = [
        ([*map(fraction, row), Fraction(1)], fraction(side), fraction(count)) for row, side, count in zip(A, b, w, strict=True)
    ]
    d = A.shape[1] + 1
    G = [[sum((c * r[i] * r[j] for r, _, c in rows), Fraction(0)) for j in range(d)] for i in range(d)]
    for i in range(d - 1):
        G[i][i] += fraction(alpha)
    return solved(G, [sum((c * r[i] * y for r, y, c in rows), Fraction(0)) for i in range(d)])


def fraction(value: Any) -> Fraction:
    """Return a stored number exactly."""
    return Fraction(value.item() if isinstance(value, np.generic) else value)


def solved(G: list[list[Fraction]], c: list[Fraction]) -> list[Fraction]:
    """Return the solution of a small system by elimination."""
    G, c = [list(row) for row in G], list(c)
    for i in range(len(c)):
        pivot = next(row for row in range(i, len(c)) if G[row][i])
        G[i], G[pivot], c[i], c[pivot] = G[pivot], G[i], c[pivot], c[i]
        for row in range(len(c)):
            if row != i:
                share = G[row][i] / G[i][i]
                G[row] = [mine - share * other for mine, other in zip(G[row], G[i], strict=True)]
                c[row] -= share * c[i]
    return [c[i] / G[i][i] for i in range(len(c))]


def off(x: Any, right: list[Fraction]) -> float:
    """Return the largest relative error of the coefficients, each against its own size."""
    return max(float(abs(fraction(float(mine)) / value - 1)) for mine, value in zip(x, right, strict=True))


class Case(NamedTuple):
    """Data, what the problem is asked, and the condition of its columns once shifted and scaled: what rounding still feels."""

    A: np.ndarray
    b: np.ndarray
    options: dict[str, Any]
    condition: float

    @property
    def alpha(self) -> float:
        """Of ridge; 0 for least squares."""
        return float(self.options.get("alpha", 0.0))

    def problem(self, A: Any = None) -> Any:
        """Return the problem, on A as it is stored elsewhere."""
        return (ds.Ridge if self.alpha else ds.LeastSquares)(self.A if A is None else A, self.b, intercept=True, **self.options)

    def right(self) -> list[Fraction]:
        """Return the exact answer."""
        return exact(self.A, self.b, weights=self.options.get("weights"), alpha=self.alpha)

    @property
    def bound(self) -> float:
        """Forward error of a backward stable method on the shifted columns (Higham 2002, Theorem 20.1, small residual times kappa²)."""
        return 64 * EPS * self.condition**2


def _case(A: Any, condition: float = 2.0, noise: float = 0.1, **options: Any) -> Case:
    A = np.asarray(A)
    A = A[:, None] if A.ndim == 1 else A
    rng = np.random.default_rng(5)
    middle = [np.sort(column)[len(column) // 2] for column in A.T]
    near = np.array(
        [[float(fraction(value) - fraction(s)) for value, s in zip(row, middle, strict=True)] for row in A],
    )
    b = near @ (1 / np.abs(near).max(axis=0)) + noise * rng.standard_normal(len(A)) + 1.0
    return Case(A, b, options, condition)


def _cases() -> dict[str, Case]:
    rng = np.random.default_rng(17)
    z, years = rng.standard_normal(60), np.arange(1950.0, 2010.0)
    weights = rng.uniform(0.5, 2, 60)
    weights[[0, 30, 59]] = 0.0
    hidden = 1.7e9 + 20 * z
    hidden[[0, 30, 59]] = 0.0
    utm = np.column_stack([5.4e6 + 300 * z, 5e5 + 200 * rng.standard_normal(60)])
    ticks = np.sort(rng.choice(2**20, 60, replace=False)).astype(np.uint64)
    return {
        "UNIX seconds over a minute": _case(1.7e9 + 20 * z),
        "UNIX seconds over a millisecond": _case(1.7e9 + 3e-4 * z),
        "a first row of zero": _case(np.append(0.0, 1.7e9 + 20 * z)),
        "int64 nanoseconds": _case(NS + 100 * np.arange(60)),
        "big-endian int64": _case((NS + 100 * np.arange(60)).astype(">i8")),
        "uint64 near its end": _case(np.uint64(2**64 - 2**20) + ticks),
        "int64 of both signs": _case(np.append([-(2**62), 2**62], NS + np.arange(60)), noise=1.0),
        "all of int64": _case(np.array([-(2**63), 2**63 - 1] * 3 + [2**63 - 1 - k for k in range(57)]), noise=1.0),
        "Julian days over an hour": _case(2460000.5 + rng.uniform(0, 1 / 24, 60)),
        "northings and eastings": _case(utm),
        "float32": _case((1e5 + z).astype(np.float32)),
        "int32": _case(2_000_000_000 + np.arange(60, dtype=np.int32)),
        "year, squared and cubed": _case(np.column_stack([years, years**2, years**3]), 3e5, 1e-3),
        "ridge at 1e8": _case(np.column_stack([1e8 + z, rng.standard_normal(60)]), alpha=2.5),
        "weights": _case(1.7e9 + 20 * z, weights=rng.uniform(0.5, 2, 60)),
        "rows of weight 0 hold zeros": _case(hidden, weights=weights),
    }


CASES = _cases()


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
    far = centred(ds.solve(problem, progress=False).x[:, None], shift)
    far[0] *= 1 + 1e-9

    wrong = uncentred(far, shift)

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


# ---- wherever the rows lie -------------------------------------------------------------------------------------------

STORAGES: dict[str, Callable[[np.ndarray, Any], Any]] = {
    "dask": lambda A, _: da.from_array(A, chunks=(17, 1)),
    "raw": lambda A, stored: stored("raw", A, 16, compressors=None),
    "zstd": lambda A, stored: stored("zstd", A, 16),
    "zarr 2": lambda A, stored: stored("old", A, 16, zarr_format=2),
    "columns apart": lambda A, stored: stored("apart", A, chunks=(16, 1)),
    "one chunk": lambda A, stored: stored("one", A),
    "csr": lambda A, _: sp.csr_array(A),
    "head": lambda A, _: Head(np.concatenate([A, A], axis=1), columns=(0, A.shape[1])),
    "F order": lambda A, _: np.asfortranarray(A),
}


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint64", "float32"])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_is_shifted(storage: str, dtype: str, stored: Any) -> None:
    """Raw, decoded, cut along columns, lazy or sparse: by a stored value, in its own type; the slopes are exact."""
    rng = np.random.default_rng(3)
    offset = [1_700_000_000, 40_000] if dtype[0] == "f" else [NS, 5]
    A = (np.array(offset, dtype=dtype) + rng.integers(0, 1000, (60, 2)).astype(dtype)).astype(dtype)
    A[:, 1] -= A[:, 1] // np.array(2, dtype) if dtype[0] != "f" else 0
    b = A[:, 0].astype(float) - float(offset[0]) + rng.standard_normal(60)

    there = STORAGES[storage](A, stored)
    problem = ds.LeastSquares(there, b, intercept=True)
    x = ds.solve(problem, cluster="serial", progress=False).x

    shift = problem.shifted.rows.shift
    assert shift is not None
    assert shift[0] in A[:, 0]
    assert shift.dtype == ("float64" if dtype[0] == "f" else dtype)
    assert off(x, exact(A, b)) <= 1e-12


def test_same_bits_wherever_it_runs(cluster: LocalCluster, stored: Any, tmp_path: Path) -> None:
    """Serial, two workers, and a run that is resumed: the same x; the journal knows the shift."""
    rng = np.random.default_rng(2)
    A = NS + rng.integers(0, 10_000, (3000, 2))
    path, b = stored("A", A, 100), stored("b", rng.standard_normal(3000), 128)

    serial = ds.lstsq(path, b, intercept=True, cluster="serial", progress=False, journal=tmp_path / "run")
    spread = ds.lstsq(path, b, intercept=True, cluster=cluster, progress=False, method=serial.method)
    again = ds.resume(tmp_path / "run", cluster=cluster, progress=False)

    assert np.array_equal(serial.x, spread.x)
    assert np.array_equal(serial.x, again.x)
    assert all(record.replayed for record in again.passes)


@pytest.mark.parametrize("blocks", [1, 2, 5, 40])
def test_the_sample_is_no_pass(blocks: int) -> None:
    """Rows that decode by whole blocks are read from few of them, weights beside them."""
    read: list[int] = []

    def chunk(x: np.ndarray, block_info: Any = None) -> np.ndarray:
        read.append(block_info[0]["chunk-location"][0])
        return x + 1e9

    lazy = da.from_array(np.random.default_rng(0).standard_normal((4000, 2)), chunks=(4000 // blocks, 2)).map_blocks(
        chunk, dtype=float
    )
    shift = offsets(ds.open_matrix(lazy), ds.open_matrix(np.ones(4000)))

    assert shift is not None
    assert shift.all()
    assert sorted(read) == {1: [0], 2: [1], 5: [2], 40: [0, 20, 39]}[blocks]


# ---- which columns, by which value -------------------------------------------------------------------------------------


def test_ordinary_columns_are_left_alone() -> None:
    """What varies as much as it is large is not shifted, and its rows keep their bits: nothing to choose, nothing to subtract."""
    rng = np.random.default_rng(0)
    A = np.column_stack([rng.standard_normal(200), rng.uniform(0, 1, 200), rng.uniform(18, 90, 200), rng.integers(0, 2, 200)])

    assert offsets(ArrayMatrix(A)) is None
    assert offsets(ArrayMatrix(A > 0)) is None
    assert ds.LeastSquares(A + 1e9, A[:, 0]).shifted.rows.shift is None


def test_shift_is_a_stored_value() -> None:
    """NaN, infinities, an outlier and rows of weight 0 do not choose it."""
    A = 1e9 + np.arange(100.0)[:, None]
    A[[0, 1, 99], 0] = np.nan, np.inf, 0.0
    (shift,) = offsets(ArrayMatrix(A))
    assert shift in A
    assert 1e9 <= shift <= 1e9 + 99

    A[:8], A[-8:] = 0.0, -5e9
    weights = (np.abs(A) > 0) & (A > 0)
    assert offsets(ArrayMatrix(A), ArrayMatrix(np.ones((100, 1)))) is None
    (shift,) = offsets(ArrayMatrix(A), ArrayMatrix(weights.astype(float)))
    assert shift in A[8:-8]


def test_a_missing_value_is_still_named() -> None:
    """A NaN in the sample is left to the pass, which names row and column."""
    A = np.column_stack([1e9 + np.arange(50.0), np.arange(50.0)])
    A[0, 0] = np.nan

    with pytest.raises(ds.DataError, match="row 0, column 0 is nan"):
        ds.lstsq(A, np.ones(50), intercept=True, progress=False)


def test_sparse_columns_are_shifted_where_they_are_full() -> None:
    """A sparse column keeps its zeros unstored."""
    A = np.column_stack([1e9 + np.arange(50.0), np.where(np.arange(50) % 3 == 1, 1e9, 0.0)])

    shift = offsets(csr_in_memory(sp.csr_array(A)))

    assert shift is not None
    assert shift[0] in A[:, 0]
    assert shift[1] == 0.0


# ---- the rows themselves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_integer_differences_are_rounded_once(kind: type) -> None:
    """Every pair of 64-bit integers, extremes included, gives the float64 nearest to the true difference."""
    info = np.iinfo(kind)
    values = [
        info.min,
        info.min + 1,
        info.max,
        info.max - 1,
        info.max // 2,
        info.max // 2 + 1,
        info.max // 4 * 3,
        0,
        1,
        2**53 + 1,
    ]

    for s in values:
        found = integer_difference(np.array(values, dtype=kind)[:, None], np.array([s], dtype=kind))[:, 0]
        assert found.tolist() == [float(value - s) for value in values]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("far", [1, 4, 20])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint32", "int64", "uint64", ">f8", ">i8"])
def test_slices_are_the_differences(dtype: str, far: int, weighted: bool) -> None:
    """One column of many or all of them, dense or CSR with entries that are missing or stored twice: X = √w [A − s, 1]."""
    rng = np.random.default_rng(far)
    A = rng.integers(1, 100, (300, 20)).astype(dtype)
    s = np.zeros(20, np.dtype(dtype).newbyteorder("=") if dtype[-2:] in ("64", "i8") and "f" not in dtype else "f8")
    s[rng.choice(20, far, replace=False)] = 7
    w = rng.uniform(0.5, 2, (300, 1))
    expected = np.sqrt(w if weighted else np.ones_like(w)) * np.column_stack([A.astype(float) - s.astype(float), np.ones(300)])

    def slices(matrix: Any, **options: Any) -> np.ndarray:
        rows = Rows(matrix, weights=ArrayMatrix(w) if weighted else None, intercept=True, shift=s)
        found = [X.toarray() if sp.issparse(X) else X.copy() for _, X, _ in rows.block(0, 300).slices(**options)]
        return np.concatenate(found)

    assert np.array_equal(slices(ArrayMatrix(A)), expected)
    assert np.array_equal(slices(ArrayMatrix(A), rows=77), expected)
    if dtype in ("float32", "float64", "int64", "uint64"):
        halves = A // 2
        entries = np.stack([halves, A - halves], axis=2).ravel(), np.tile(np.repeat(np.arange(20), 2), 300), np.arange(301) * 40
        twice = sp.csr_array(entries)
        for found in (slices(csr_in_memory(twice)), slices(csr_in_memory(twice), sparse=True)):
            np.testing.assert_allclose(found, expected, rtol=4 * EPS, atol=0)  # √w times each part of a number
        holes = np.where(rng.uniform(size=A.shape) < 0.3, 0, A).astype(dtype)
        bare = np.sqrt(w if weighted else np.ones_like(w)) * np.column_stack(
            [holes.astype(float) - s.astype(float), np.ones(300)]
        )
        assert np.array_equal(slices(csr_in_memory(sp.csr_array(holes)), sparse=True), bare)


def test_exact_sums() -> None:
    """Products and sums are those of rational arithmetic, rounded once."""
    rng = np.random.default_rng(0)
    left, right = (np.ldexp(rng.standard_normal((50, 3)), rng.integers(-300, 300, (50, 3))) for _ in range(2))
    terms = exact_product(left, right).reshape(-1, 3)

    for side in range(3):
        truth = sum((fraction(a) * fraction(b) for a, b in zip(left[:, side], right[:, side], strict=True)), Fraction(0))
        assert exact_sum(terms)[side] == float(truth)
    assert float_parts(np.array([2**64 - 1], np.uint64)).sum(axis=0) == 2.0**64
    assert np.isnan(exact_sum(np.array([[np.inf], [-np.inf]]))[0])


# ---- what is said of new rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["UNIX seconds over a millisecond", "int64 nanoseconds", "uint64 near its end", "northings and eastings"]
)
def test_predictions_keep_the_digits(name: str, tmp_path: Path, stored: Any) -> None:
    """By a Solution, and by what ``--out`` wrote: to rounding of the prediction, though x alone has lost them to its intercept."""
    case = CASES[name]
    right = case.right()
    truth = np.array([float(sum(fraction(v) * c for v, c in zip(row, right, strict=False)) + right[-1]) for row in case.A])
    A, b, x = stored("A", case.A, 16), stored("b", case.b), tmp_path / "x.zarr"

    assert (
        CliRunner().invoke(main, ["solve", "lstsq", A, b, "--intercept", "--out", str(x)], standalone_mode=False).exception
        is None
    )
    for found in (ds.solve(case.problem(), progress=False).predict(case.A), ds.predict(str(x), A)):
        assert np.abs(found - truth).max() <= 1e-14 * np.abs(truth).max()


def test_predictions_for_rows_of_another_type() -> None:
    """The shift becomes one that the new rows can hold, and the intercept goes with it."""
    t = NS + 4096 * np.arange(40)
    solution = ds.lstsq(t[:, None], np.arange(40.0), intercept=True, progress=False)
    halves = ds.lstsq(1e9 + 0.5 + np.arange(40.0)[:, None], np.arange(40.0), intercept=True, progress=False)

    np.testing.assert_allclose(solution.predict(t[:, None].astype(float)), np.arange(40.0), atol=1e-12)
    np.testing.assert_allclose(solution.predict(t[:, None].astype(np.uint64)), np.arange(40.0), atol=1e-12)
    np.testing.assert_allclose(solution.predict(sp.csr_array(t[:, None])), np.arange(40.0), atol=1e-12)
    np.testing.assert_allclose(halves.predict(np.array([[10**9], [10**9 + 1]])), [-0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(halves.predict(np.array([[False], [True]])), [-1e9 - 0.5, -1e9 + 0.5], rtol=1e-15)
    np.testing.assert_allclose(halves.predict(sp.csr_array((2, 1))), [-1e9 - 0.5] * 2, rtol=1e-15)


# ---- rank-deficient ----------------------------------------------------------------------------------------------------


def test_shortest_is_meant_for_the_columns_as_stored() -> None:
    """A column of fives and twins beside an intercept: x is the shortest of the minimizers for A itself."""
    z = np.random.default_rng(0).standard_normal(60)
    A, b = np.column_stack([1e6 + z, 1e6 + z, np.full(60, 5.0)]), z + 0.1 * np.random.default_rng(1).standard_normal(60) + 3
    slope, constant = exact(A[:, :1], b)
    right = [slope / 2, slope / 2, constant * 5 / 26, constant / 26]  # the shortest (w, c) with 5 w + c as it must be

    solution = ds.lstsq(A, b, intercept=True, progress=False)

    assert solution.status is Status.MINIMUM_NORM
    assert solution.certificate.rank == 2
    assert off(solution.x, right) <= 1e-13
    assert ds.check(ds.LeastSquares(A, b, intercept=True), solution.x, progress=False).backward_error[0] <= 16 * EPS
    missed = [abs(float(fraction(float(mine)) - value)) for mine, value in zip(solution.x, right, strict=True)]
    assert (np.array(missed) <= 3 * solution.coefficient_errors).all()
    assert not solution.summary().is_estimable.any()


def test_dummies_beside_an_offset() -> None:
    """What is determined is right to its last digits, and known to be, beside dummies that add up to the intercept."""
    rng = np.random.default_rng(4)
    groups, t = rng.integers(0, 3, 90), 1.7e9 + 20 * rng.standard_normal(90)
    A, b = np.column_stack([t, np.eye(3)[groups]]), (t - 1.7e9) / 20 + groups + 0.1 * rng.standard_normal(90)
    full = exact(A[:, :3], b)  # the last group in the intercept
    level = [full[1] + full[3], full[2] + full[3], full[3]]
    c = sum(level, Fraction(0)) / 4  # minimizes Σ (level − c)² + c²

    solution = ds.lstsq(A, b, intercept=True, progress=False)

    assert off(solution.x[:1], full[:1]) <= 1e-13
    assert off(solution.x[1:], [*(value - c for value in level), c]) <= 1e-13
    assert solution.summary().is_estimable.tolist() == [True, False, False, False, False]


# ---- statistics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("robust", [None, "HC0", "HC3"])
@pytest.mark.parametrize("method", ["tsqr", "gram", "conjugate_gradient", "sketch_and_solve"])
def test_errors_are_those_of_the_stored_columns(robust: str | None, method: str) -> None:
    """Slopes have the errors of shifted columns; the intercept's is mapped: var c = var c′ + sᵀ V s − 2 s·cov(w, c′)."""
    rng = np.random.default_rng(8)
    near = rng.standard_normal((200, 2)) * [20, 1]
    s = np.array([2.0**31, 2.0**20])
    near = np.round(near * 2**20) / 2**20  # so that A holds them exactly
    b = near @ [0.05, 1.0] + rng.standard_normal(200)

    far = ds.lstsq(near + s, b, intercept=True, method=method, progress=False).summary(robust=robust)
    close = ds.lstsq(near, b, intercept=True, method=method, progress=False).summary(robust=robust)

    T = np.eye(3)
    T[2, :2] = -s
    np.testing.assert_allclose(far.standard_errors[:2], close.standard_errors[:2], rtol=1e-10)
    np.testing.assert_allclose(far.covariance(), T @ close.covariance() @ T.T, rtol=1e-9)
    np.testing.assert_allclose(far.standard_errors[2], np.sqrt(far.covariance()[2, 2]), rtol=1e-12)
    np.testing.assert_allclose(far.t_values[:2], close.t_values[:2], rtol=1e-9)
    np.testing.assert_allclose([far.r_squared, far.f_statistic], [close.r_squared, close.f_statistic], rtol=1e-9)
    np.testing.assert_allclose(far.coefficients[2], close.coefficients[2] - s @ close.coefficients[:2], rtol=1e-9)


# ---- other faces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["UNIX seconds over a millisecond", "int64 nanoseconds", "uint64 near its end", "ridge at 1e8", "weights"]
)
def test_estimators_have_the_digits(name: str) -> None:
    """Coefficients, intercept and predictions of rows in memory and stored; integers are not made floats on the way."""
    case = CASES[name]
    model: Any = Ridge(case.alpha) if case.alpha else LinearRegression()
    weights = case.options.get("weights")

    model.fit(case.A, case.b, sample_weight=weights)

    right = case.right()
    truth = np.array([float(sum(fraction(v) * c for v, c in zip(row, right, strict=False)) + right[-1]) for row in case.A])
    assert off([*model.coef_, model.intercept_], right) <= 1e-13
    share = 1 - float(np.sum((case.b - truth) ** 2) / np.sum((case.b - case.b.mean()) ** 2))
    for X in (case.A, da.from_array(case.A, chunks=(20, -1)), sp.csr_array(case.A)):
        assert np.abs(model.predict(X) - truth).max() <= 1e-13 * np.abs(truth).max()
    assert model.score(da.from_array(case.A, chunks=(20, -1)), case.b) == pytest.approx(share, rel=1e-12)


def test_changed_attributes_are_predicted_by() -> None:
    """Who sets ``coef_`` gets predictions by it."""
    case = CASES["UNIX seconds over a minute"]
    model = LinearRegression().fit(case.A, case.b)

    model.coef_ = np.array([0.0])

    assert np.array_equal(model.predict(case.A[:2]), np.full(2, model.intercept_))


def test_few_rows_of_far_columns() -> None:
    """The shortest slopes of fewer rows than columns are those of shifted columns."""
    rng = np.random.default_rng(6)
    near, y = np.round(rng.standard_normal((5, 8)) * 2**20) / 2**20, rng.standard_normal(5)

    far, close = LinearRegression().fit(near + 2.0**31, y), LinearRegression().fit(near, y)

    np.testing.assert_allclose(far.coef_, close.coef_, rtol=1e-11)
    np.testing.assert_allclose(far.predict(near + 2.0**31), y, atol=1e-12)
    ticks = NS + np.round(near * 2**20).astype(np.int64)
    np.testing.assert_allclose(LinearRegression().fit(ticks, y).predict(ticks), y, atol=1e-12)


def test_heads_of_far_columns() -> None:
    """Heads share a reading, each with a shift of its own."""
    rng = np.random.default_rng(9)
    A = ds.open_matrix(np.column_stack([1.7e9 + rng.standard_normal(60), 5e6 + rng.standard_normal(60), rng.standard_normal(60)]))
    b = rng.standard_normal(60)
    problems = [ds.LeastSquares(Head(A, columns=columns), b, intercept=True) for columns in ((0, 1), (1, 3))]

    solution = ds.solve(Heads(problems), method="tsqr", progress=False)

    for part, columns in zip(Heads(problems).split(solution.x), (slice(0, 1), slice(1, 3)), strict=True):
        assert off(part.ravel(), exact(A.read(0, 60)[:, columns], b)) <= 1e-13


@pytest.mark.parametrize("size", [2**40, 2**60])
def test_integers_of_b_that_are_rounded_are_told(size: int) -> None:
    """b is not shifted: 64-bit integers beyond 2⁵³ lose their last digits, and a note says so; smaller ones are exact."""
    t = np.arange(40)

    found = ds.lstsq(t[:, None].astype(float), size + t, intercept=True, cluster="serial")

    assert any("beyond 2⁵³" in note for note in found.notes) is (size > 2**53)
