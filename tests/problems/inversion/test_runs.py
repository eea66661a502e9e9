"""Runs of both problems: other chunks, other engines, sparse rows, journals, data that is refused, and the smallest problems."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import zarr

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch.problems import Problem
from dsketch.problems.inversion.distribution_methods import METHODS as SCORES
from dsketch.problems.inversion.methods import METHODS
from dsketch.service.specs import spec_of
from tests.problems.inversion.known import Known, known, solve

KINDS = ("gradient", "scores", "penalized")
RUNS = [
    *(("gradient", method) for method in METHODS),
    *(("scores", method) for method in SCORES),
    *(("penalized", method) for method in METHODS if method != "quasi_newton"),
]


def asked(case: Known, kind: str, A: Any = None, b: Any = None, **options: Any) -> Problem:
    """Return one of the problems of a case."""
    if kind == "scores":
        return case.scores(None, A, b, **options)
    return case.gradient(None, A, b, **options, **({"w": 0.1} if kind == "penalized" else {}))


def written(case: Known, kind: str, stored: Any, rows: int, **options: Any) -> Problem:
    """Return the problem of a case whose data lie in Zarr arrays of so many rows a chunk."""
    A, b = (stored(f"{name}{rows}", array, chunk_rows=rows) for name, array in (("A", case.A), ("b", case.b)))
    if kind == "scores":
        sigma = stored(f"sigma{rows}", case.sigma(case.x).astype(np.float64), chunk_rows=rows)
        return case.scores(sigma, A, b, **options)
    return asked(case, kind, A, b, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_change_last_bits_only(kind: str, stored: Any) -> None:
    """However rows are stored, x is the same to rounding."""
    case = known(1000)

    found = [solve(written(case, kind, stored, rows)) for rows in (1000, 137, 61)]

    for other in found[1:]:
        assert np.linalg.norm(other.x - found[0].x) <= 1e-12 * np.linalg.norm(found[0].x)
        assert other.status is found[0].status


@pytest.mark.cluster
@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_has_the_same_bits(kind: str, client: Any, stored: Any) -> None:
    """Serial, two processes, or three: x and certificate are equal bit for bit."""
    case = known(2000)
    problem = written(case, kind, stored, 100)

    here = solve(problem)
    others: list[dict[str, Any]] = [{"cluster": client}, {"workers": 3, "cluster": "local"}]
    for where in others[: 2 if kind == "gradient" else 1]:
        there = ds.solve(problem, progress=False, **where)

        assert np.array_equal(here.x, there.x)
        assert np.array_equal(here.certificate.backward_error, there.certificate.backward_error)
        assert here.notes == there.notes


@pytest.mark.parametrize(("kind", "method"), RUNS)
def test_a_run_that_was_cut_short_goes_on_with_the_same_bits(kind: str, method: str, tmp_path: Path, stored: Any) -> None:
    """Whatever number of records is left, resume gives the x of the whole run, and reads only what is missing."""
    case = known(300)
    problem = written(case, kind, stored, 50, start=0.8 * case.x)
    whole = solve(problem, method=method, journal=tmp_path / "whole", tol=0.3 if method == "gradient_descent" else 1e-6)
    total = len(whole.passes)

    for kept in sorted({1, total // 2, total}):
        cut = tmp_path / f"cut{kept}"
        shutil.copytree(tmp_path / "whole", cut)
        for number in range(kept + 1, total + 1):
            (cut / f"pass-{number:04d}.npz").unlink()

        found = ds.resume(cut, cluster="serial", progress=False)

        assert np.array_equal(found.x, whole.x)
        assert found.status is whole.status
        assert [record.replayed for record in found.passes] == [number < kept for number in range(total)]


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_rows(kind: str) -> None:
    """CSR rows give what the same rows give when dense; rows without an entry have no leverage."""
    case = known(500)
    thin = np.where(np.random.default_rng(5).random(case.A.shape) < 0.5, case.A, 0.0)
    case = Known(thin, case.b, case.x)

    dense, sparse = (solve(asked(case, kind, A)) for A in (thin, sp.csr_array(thin)))

    assert np.linalg.norm(sparse.x - dense.x) <= 1e-12 * np.linalg.norm(dense.x)
    assert sparse.status is dense.status
    assert (np.abs(thin).sum(axis=1) == 0).any()


@pytest.mark.parametrize("kind", KINDS[:2])
def test_columns_in_other_units(kind: str) -> None:
    """Units of 1e-4 to 1e4 change x by their factors, and nothing else."""
    units = np.logspace(-4, 4, 4)
    plain, scaled = known(), known(units=units)

    mine, other = (solve(asked(case, kind)) for case in (plain, scaled))

    assert mine.status is other.status is ds.Status.SOLVED
    assert np.abs(other.x * units / plain.x - 1).max() <= 1e-12
    assert abs(len(other.passes) - len(mine.passes)) <= 2


# ---- the smallest ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_one_column(kind: str) -> None:
    """d = 1."""
    case = known(40, 1)

    found = solve(asked(case, kind))

    assert found.x.shape == (1,)
    if kind != "penalized":
        assert found.status is ds.Status.SOLVED
        assert case.error(found.x) <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(kind: str, n: int) -> None:
    """Fewer rows than columns end with a status and finite numbers, never solved: leverages are 1 whatever x."""
    case = known(40, 4)
    A, b = case.A[:n], case.b[:n]

    problem = ds.LeverageDistribution(A, b, np.ones(n)) if kind == "scores" else asked(case, kind, A, b)
    found = solve(problem)

    assert np.isfinite(found.x).all()
    assert found.status is not ds.Status.SOLVED
    assert str(found)


# ---- data that is refused ----------------------------------------------------------------------------------------------------


def spoil(A: Floats, value: float) -> Floats:
    """Return the array with a value at row 217, column 0."""
    bad = A.copy()
    bad[(217, 0) if bad.ndim == 2 else 217] = value
    return bad


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_bad_numbers_are_named(kind: str, value: float) -> None:
    """A NaN or an infinity is refused by matrix and row, wherever it is."""
    case = known()

    with pytest.raises(ds.DataError, match=rf"A must be finite; row 217, column 0 is {value}"):
        solve(asked(case, kind, spoil(case.A, value)))
    with pytest.raises(ds.DataError, match=rf"b must be finite; row 217\D.*is {value}"):
        solve(asked(case, kind, b=spoil(case.b, value)))
    if kind == "scores":
        with pytest.raises(ds.DataError, match=rf"sigma must be finite; row 217 is {value}"):
            solve(case.scores(spoil(case.sigma(case.x).astype(np.float64), value)))


@pytest.mark.parametrize("kind", KINDS)
def test_masked_rows_are_refused(kind: str) -> None:
    """A masked entry is no number."""
    case = known()
    masked = np.ma.array(case.A, mask=np.zeros(case.A.shape, bool))
    masked[217, 0] = np.ma.masked

    with pytest.raises(ds.DataError, match="217"):
        asked(case, kind, masked)


@pytest.mark.parametrize("kind", KINDS)
def test_a_slack_of_zero_at_the_start_is_named(kind: str) -> None:
    """With its row and what to do; a start inside the cell is taken; an x with such a slack cannot be judged."""
    case = known()
    b = spoil(case.b, 0.0)
    within = Known(case.A, b, case.x)

    with pytest.raises(ds.SpecError, match=r"slack aᵀx − b of row 217 is -?0, which is 0 to rounding. Give start="):
        solve(asked(within, kind))
    found = solve(asked(within, kind, start=0.9 * case.x))
    assert found.status is (ds.Status.LOCAL if kind == "penalized" else ds.Status.SOLVED)
    with pytest.raises(ds.DataError, match=r"row 217 .*Look where x comes from"):
        ds.check(asked(within, kind), np.zeros(4), cluster="serial", progress=False)


def test_shapes_that_do_not_fit() -> None:
    """Each is refused with both numbers and what to do."""
    case = known()
    ones = np.ones(400)

    with pytest.raises(ds.DataError, match=r"b must have one number for each row; its shape is \(400, 2\)"):
        ds.LeverageGradient(case.A, case.A[:, :2], np.ones(4))
    with pytest.raises(ds.DataError, match="b must have one row for each of the 400 rows of A"):
        ds.LeverageGradient(case.A, np.ones(399), np.ones(4))
    with pytest.raises(ds.SpecError, match=r"c must be one number, or of shape \(4,\); it has shape \(3,\)"):
        ds.LeverageGradient(case.A, ones, np.ones(3))
    with pytest.raises(ds.SpecError, match="c must be finite; got nan"):
        ds.LeverageGradient(case.A, ones, np.full(4, np.nan))
    with pytest.raises(ds.SpecError, match="w must be a number ≥ 0; got -1"):
        ds.LeverageGradient(case.A, ones, np.ones(4), w=-1.0)
    with pytest.raises(ds.SpecError, match="start must be one number, or of shape"):
        ds.LeverageGradient(case.A, ones, np.ones(4), start=np.ones(3))
    with pytest.raises(ds.DataError, match="sigma must have one row for each of the 400 rows of b"):
        ds.LeverageDistribution(case.A, ones, np.ones(399))
    with pytest.raises(ds.DataError, match="sigma must be one number a row"):
        ds.LeverageDistribution(case.A, ones, np.ones((400, 2)))
    with pytest.raises(ds.DataError, match="b must be dense"):
        ds.LeverageDistribution(case.A, sp.csr_array(np.ones((400, 1))), ones)
    with pytest.raises(ds.SpecError, match="alpha must be a number ≥ 0"):
        ds.LeverageDistribution(case.A, ones, ones, alpha=-1.0)
    with pytest.raises(ds.SpecError, match="predicts rows was expected"):
        solve(case.gradient()).predict(case.A, cluster="serial", progress=False)


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_overflow_are_said_to(kind: str) -> None:
    """Entries of 1e200 have squares that float64 does not hold; of g(x) = c alone no squares are made."""
    case = known()
    large = Known(case.A * 1e200, case.b, case.x / 1e200)
    c = case.g(case.x).astype(np.float64) * 1e200

    if kind == "gradient":
        found = solve(large.gradient(c))
        assert found.status is ds.Status.SOLVED
        assert np.allclose(found.x * 1e200, case.x, rtol=1e-12)
        return
    with pytest.raises(ds.DataError, match=r"overflow|finite"):
        solve(large.gradient(c, w=0.1) if kind == "penalized" else large.scores(np.full(400, 0.01)))


# ---- other faces -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_and_a_stored_answer(kind: str, stored: Any, tmp_path: Path) -> None:
    """A spec of HTTP makes the problem of the constructor; an x that was stored is checked, and begins another run."""
    case = known()
    problem = written(case, kind, stored, 61, start=0.9 * case.x)
    sources = {name: matrix.source for name, matrix in problem.data().items() if matrix is not None}

    opened = spec_of({**problem.parameters, **sources}).opened()
    solution = solve(opened)
    zarr.create_array(store=str(tmp_path / "x.zarr"), data=solution.x)

    assert opened.parameters == problem.parameters
    assert np.array_equal(solution.x, solve(problem).x)
    found = ds.check(problem, tmp_path / "x.zarr", cluster="serial", progress=False)
    assert (found.backward_error <= problem.accepted(None)).all()
    again = solve(written(case, kind, stored, 47, start=str(tmp_path / "x.zarr")))
    assert len(again.passes) <= (16 if kind == "penalized" else 12)
    assert np.linalg.norm(again.x - solution.x) <= 1e-12 * np.linalg.norm(solution.x)
