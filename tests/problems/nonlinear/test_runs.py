"""Runs of every kind: other chunks, other engines, sparse rows, journals, data that is refused, and the smallest problems."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import zarr

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch.matrix.open import open_matrix
from dsketch.problems.nonlinear.methods import METHODS
from dsketch.service.specs import spec_of
from tests.problems.nonlinear.known import KINDS, ROWWISE, Known, known, solve, value

EPS = float(np.finfo(float).eps)
METHODS_OF = [(kind, method) for kind in KINDS for method in METHODS if (kind, method) != ("relu first", "newton_sampled")]


def written(case: Known, stored: Any, rows: int, **options: Any) -> Any:
    """Return the problem of a case whose data lie in Zarr arrays of so many rows a chunk."""
    A, name = stored(f"A{rows}", case.A, chunk_rows=rows), f"b{rows}"
    if case.kind in ROWWISE:
        return case.problem(A, stored(name, case.b, chunk_rows=rows), **options)
    inner, outer = ("softmax", "relu") if case.kind == "softmax first" else ("relu", "softmax")
    return ds.TwoLayer(A, stored(name, case.A2, chunk_rows=rows), case.b, inner=inner, outer=outer, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_change_last_bits_only(kind: str, stored: Any) -> None:
    """However rows are stored, x is the same to rounding."""
    case = known(kind, n=1000, noise=0.2)

    found = [solve(written(case, stored, rows, start=case.near(0.1))) for rows in (1000, 137, 61)]

    for other in found[1:]:
        assert np.linalg.norm(other.x - found[0].x) <= 1e-12 * np.linalg.norm(found[0].x)
        assert np.isclose(other.certificate.loss, found[0].certificate.loss, rtol=1e-12)


@pytest.mark.cluster
@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_has_the_same_bits(kind: str, client: Any, stored: Any) -> None:
    """Serial, three threads, or two processes: x and certificate are equal bit for bit, also with drawn starts."""
    case = known(kind, n=2000, noise=0.2)
    problem = written(case, stored, 100, start=case.near(0.1), restarts=1)

    here = solve(problem)
    for where in ({"cluster": client}, {"workers": 3, "cluster": "local"})[: 2 if kind == "softmax" else 1]:
        there = ds.solve(problem, progress=False, **where)

        assert np.array_equal(here.x, there.x)
        assert np.array_equal(here.certificate.backward_error, there.certificate.backward_error)
        assert here.notes == there.notes


@pytest.mark.parametrize(("kind", "method"), METHODS_OF)
def test_a_run_that_was_cut_short_goes_on_with_the_same_bits(kind: str, method: str, tmp_path: Path, stored: Any) -> None:
    """Whatever number of records is left, resume gives the x of the whole run, and reads only what is missing."""
    case = known(kind, n=300, noise=0.01)
    problem = written(case, stored, 50, start=case.near(0.01), restarts=int(method == "levenberg"))
    whole = solve(problem, method=method, journal=tmp_path / "whole", tol=1e-2 if method == "gradient_descent" else 1e-6)
    total = len(whole.passes)

    for kept in sorted({1, total // 2, total}):
        cut = tmp_path / f"cut{kept}"
        shutil.copytree(tmp_path / "whole", cut)
        for number in range(kept + 1, total + 1):
            (cut / f"pass-{number:04d}.npz").unlink()

        found = ds.resume(cut, cluster="serial", progress=False)

        assert np.array_equal(found.x, whole.x)
        assert [record.replayed for record in found.passes] == [number < kept for number in range(total)]


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_rows(kind: str) -> None:
    """CSR rows give what the same rows give when dense."""
    case = known(kind, n=500, noise=0.1)
    thin = np.where(np.random.default_rng(5).random(case.A.shape) < 0.5, case.A, 0.0)

    dense, sparse = (solve(case.problem(A, start=case.near(0.1))) for A in (thin, sp.csr_array(thin)))

    assert np.linalg.norm(sparse.x - dense.x) <= 1e-12 * np.linalg.norm(dense.x)
    assert sparse.status is dense.status


@pytest.mark.parametrize("kind", KINDS)
def test_columns_in_other_units(kind: str) -> None:
    """Units of 1e-4 to 1e4 change x by their factors, and nothing else."""
    units = lambda d: np.logspace(-4, 4, d)  # noqa: E731 - a unit for each column
    plain, scaled = known(kind), known(kind, units=units)

    mine, other = (solve(case.problem(start=case.near(0.2))) for case in (plain, scaled))

    assert mine.status is other.status is ds.Status.SOLVED
    assert np.abs(other.x * units(4) / plain.x - 1).max() <= 1e-12
    assert abs(len(other.passes) - len(mine.passes)) <= 2


def test_columns_far_from_zero() -> None:
    """Softmax does not feel a shift of its columns: with offsets of 1e6 the answer keeps the digits that the data have."""
    case = known("softmax")
    offset = np.array([1e6, -1e5, 0.0, 1e3])
    A = case.A + offset  # rounds A by 1e6 u: b is made of what is stored
    x = case.x
    z = (A - offset).astype(np.longdouble) @ x.astype(np.longdouble)
    e = np.exp(z - z.max())

    found = solve(ds.SoftmaxRegression(A, (e / e.sum()).astype(float), start=case.near(0.2)))

    assert found.status is ds.Status.SOLVED
    assert np.abs(found.x - x).max() <= 1e-13


# ---- the smallest ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_one_column(kind: str) -> None:
    """d = 1."""
    case = known(kind, n=40, d=1, m=12)

    found = solve(case.problem(start=case.near(0.2)))

    assert found.status is ds.Status.SOLVED
    assert found.x.shape == (1,)
    assert np.abs(found.x / case.x - 1).max() <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(kind: str, n: int) -> None:
    """Fewer rows than columns end with a status and finite numbers; one row of softmax is 1 whatever x."""
    case = known(kind, n=n, d=4, m=6)

    found = solve(case.problem())

    assert np.isfinite(found.x).all()
    assert found.certificate.rank <= (min(n, 4) if kind != "softmax" else n - 1)
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
    """A NaN or an infinity is refused by matrix, row and column, wherever it is."""
    case = known(kind)
    first, second = ("A", "b") if kind in ROWWISE else ("A1", "A2")

    with pytest.raises(ds.DataError, match=rf"{first} must be finite; row 217, column 0 is {value}"):
        solve(case.problem(spoil(case.A, value)))
    problem = case.problem(b=spoil(case.b, value)) if kind in ROWWISE else ds.TwoLayer(case.A, spoil(case.A2, value), case.b)
    with pytest.raises(ds.DataError, match=rf"{second} must be finite; row 217, column 0 is {value}"):
        solve(problem)


def test_masked_rows_are_refused() -> None:
    """A masked entry is no number."""
    case = known("softmax")
    masked = np.ma.array(case.A, mask=np.zeros(case.A.shape, bool))
    masked[217, 0] = np.ma.masked

    with pytest.raises(ds.DataError, match="217"):
        case.problem(masked)


def test_shapes_that_do_not_fit() -> None:
    """Each is refused with both numbers and what to do."""
    case = known("softmax first")

    with pytest.raises(
        ds.DataError, match=r"A2 must have one row for each of the 400 rows of A1; its shape is \(24, 400\). Transpose it"
    ):
        ds.TwoLayer(case.A, case.A2.T, case.b)
    with pytest.raises(ds.DataError, match=r"A2 must have one row .* \(399, 24\). Check both sources"):
        ds.TwoLayer(case.A, case.A2[:-1], case.b)
    with pytest.raises(
        ds.SpecError, match=r"b must be one number, or of shape \(24,\); it has shape \(23,\). Give one number for each"
    ):
        ds.TwoLayer(case.A, case.A2, case.b[:-1])
    with pytest.raises(ds.SpecError, match="b must be finite; got nan"):
        ds.TwoLayer(case.A, case.A2, np.full(24, np.nan))
    with pytest.raises(ds.DataError, match="A2 must be dense"):
        ds.TwoLayer(case.A, sp.csr_array(case.A2), case.b)
    with pytest.raises(
        ds.SpecError, match="inner and outer must be softmax and relu, one of each; got inner='relu', outer='relu'"
    ):
        ds.TwoLayer(case.A, case.A2, case.b, inner="relu")
    with pytest.raises(ds.DataError, match=r"b must have one number for each row; its shape is \(400, 2\). Solve for one column"):
        ds.SoftmaxRegression(case.A, case.A[:, :2])
    with pytest.raises(ds.DataError, match="b must have one row for each of the 400 rows of A"):
        ds.SoftmaxResNet(case.A, np.ones(399))
    with pytest.raises(ds.SpecError, match="alpha must be a number ≥ 0"):
        ds.SoftmaxResNet(case.A, np.ones(400), alpha=-1.0)


def test_data_that_overflow_are_said_to() -> None:
    """Entries of 1e200 have squares that float64 does not hold."""
    case = known("softmax")

    with pytest.raises(ds.DataError, match=r"overflow|finite"):
        solve(case.problem(case.A * 1e200))


def test_what_makes_a_problem_again() -> None:
    """Parameters are JSON: numbers, texts and lists."""
    case = known("softmax first")

    parameters = case.problem(start=case.near(), restarts=2, alpha=0.5).parameters

    assert parameters == {
        "problem": "two-layer",
        "inner": "softmax",
        "outer": "relu",
        "b": case.b.tolist(),
        "start": case.near().tolist(),
        "restarts": 2,
        "alpha": 0.5,
        "missing": "error",
    }


def test_the_plan() -> None:
    """A plan prices the looks, says what it aims at and why others lost; methods that no problem has are refused."""
    case = known("resnet")

    made = ds.plan(case.problem(restarts=2), cluster="serial")

    assert made.method == "levenberg"
    assert "one look a step" in str(made)
    assert "3 starts share every reading" in str(made)
    assert {"newton", "newton_sampled", "gradient_descent"} == made.rejected.keys()
    with pytest.raises(ds.SpecError, match="method must be one of auto"):
        ds.plan(case.problem(), method="tsqr", cluster="serial")


# ---- predictions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ROWWISE)
def test_predictions_are_shares(kind: str, tmp_path: Path, stored: Any) -> None:
    """f of other rows sums to 1 among them: in memory, or written where the rows are read; columns must be as many."""
    case = known(kind)
    found = solve(written(case, stored, 61, start=case.near(0.1)))
    other = known(kind, n=250, seed=9)
    expected = other.problem().predictor(found.x[:, None], open_matrix(other.A))
    assert expected.rows.shape == (250, 4)

    values = found.predict(other.A, cluster="serial", progress=False)
    there = found.predict(stored("other", other.A, chunk_rows=31), tmp_path / "f.zarr", cluster="serial", progress=False)

    truth = value(kind, other.A, other.A2, found.x).astype(float)
    assert np.abs(values - truth).max() <= 16 * EPS * np.abs(truth).max()
    assert np.abs(there[...] - truth).max() <= 16 * EPS * np.abs(truth).max()
    assert abs(values.sum() - 1) <= 250 * EPS
    with pytest.raises(ds.DataError, match="A must have the 4 columns"):
        found.predict(other.A[:, :3], cluster="serial", progress=False)


def test_predictions_of_units() -> None:
    """f of two layers has no row for each of A1's."""
    case = known("softmax first")

    with pytest.raises(ds.SpecError, match="a problem that predicts rows was expected; two-layer does not"):
        solve(case.problem(start=case.near(0.1))).predict(case.A, cluster="serial", progress=False)


def test_predictions_where_the_sum_vanishes() -> None:
    """Where α of the new rows is 0 to rounding no share exists."""
    found = solve(ds.SoftmaxResNet(np.array([[1.0], [2.0]]), [0.3, 0.7]))
    low, high = -1e6, 0.0
    for _ in range(200):
        middle = (low + high) / 2
        z = middle * found.x[0]
        low, high = (low, middle) if (np.exp(z) + z > 0) == (found.x[0] > 0) else (middle, high)

    with pytest.raises(ds.DataError, match=r"α = ⟨exp\(A x\) \+ A x, 1⟩ must be above 1.5e-08"):
        found.predict(np.array([[low], [-low]])[:1], cluster="serial", progress=False)


# ---- other faces -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_and_a_stored_answer(kind: str, stored: Any, tmp_path: Path) -> None:
    """A spec of HTTP makes the problem of the constructor; an x that was stored is checked, and begins another run."""
    case = known(kind)
    problem = written(case, stored, 61, start=case.near(0.1))
    sources = {name: matrix.source for name, matrix in problem.data().items() if matrix is not None}

    document = {**problem.parameters, **sources}
    opened = spec_of(document).opened()
    solution = solve(opened)
    zarr.create_array(store=str(tmp_path / "x.zarr"), data=solution.x)

    assert opened.parameters == problem.parameters
    assert np.array_equal(solution.x, solve(problem).x)
    assert ds.check(problem, tmp_path / "x.zarr", cluster="serial", progress=False).residual_norm < 1e-14
    again = solve(written(case, stored, 47, start=str(tmp_path / "x.zarr")))
    assert len(again.passes) <= 3
