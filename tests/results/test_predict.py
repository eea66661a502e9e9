"""Predictions: the answer's own numbers for new rows, in memory or in Zarr, whole or not at all."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
import zarr
from click.testing import CliRunner
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

import dsketch as ds
from dsketch._cli import main
from dsketch._results.output import Output, attributes_of
from dsketch._results.remote import create_array
from dsketch.engine import SerialEngine
from dsketch.events import PassFinished, ignore
from dsketch.ingest.csr import write_csr
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.affine import affine
from dsketch.passes.rowwise import RowPass
from dsketch.passes.writing import MOST_CHUNKS, Writing, align_to_chunks
from dsketch.problems import ExpKernel, GramPower

U = np.finfo(float).eps / 2
N, D, M = 400, 4, 1030
KINDS = ["numpy", "zarr", "compressed", "dask", "uneven dask", "float32", "scipy.sparse", "stored csr"]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 100 rows, each a panel, so that a thousand rows are several tasks."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 100 * D * 8)
    monkeypatch.setattr("dsketch.matrix.base.LARGEST_BLOCK_BYTES", 200 * D * 8)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 100 * D * 8)


def rows(count: int, seed: int = 0) -> np.ndarray:
    """Return rows with columns of different sizes."""
    return np.random.default_rng(seed).standard_normal((count, D)) * [1.0, 10.0, 0.1, 3.0]


def solved(sides: int | None = None, **options: Any) -> ds.Solution:
    """Solve a small regression with one vector b, or several."""
    A, rng = rows(N), np.random.default_rng(1)
    b = A @ rng.standard_normal((D, sides or 1)) + 2.0 + 0.1 * rng.standard_normal((N, sides or 1))
    return ds.solve(ds.Ridge(A, b if sides else b[:, 0], alpha=0.5, **options))


@pytest.fixture
def opened(stored: Callable[..., str], tmp_path: Path) -> Callable[[np.ndarray, str], Any]:
    """Return a function that gives rows in one of the kinds that a user may have."""

    def give(A: np.ndarray, kind: str) -> Any:
        made = {
            "numpy": lambda: A,
            "zarr": lambda: stored("new", A, 100),
            "compressed": lambda: stored("new", A, 100, compressors="auto"),
            "dask": lambda: da.from_array(A, chunks=(100, D)),
            "uneven dask": lambda: da.from_array(A, chunks=((200, 3, 311, 16, 500), (D,))),
            "float32": lambda: A.astype(np.float32),
            "scipy.sparse": lambda: scipy.sparse.csr_array(A),
            "stored csr": lambda: write_csr(tmp_path / "sparse.zarr", scipy.sparse.csr_array(A)),
        }
        return made[kind]()

    return give


def assert_product(y: np.ndarray, A: np.ndarray, x: np.ndarray, shift: np.ndarray | float) -> None:
    """Two evaluations of a sum of d + 1 products, each within (d + 1) u of the absolute sum, differ by twice that."""
    exact, size = A @ x + shift, np.abs(A) @ np.abs(x) + np.abs(shift)
    assert y.shape == exact.shape
    assert (np.abs(y - exact) <= 2 * (A.shape[1] + 1) * U * size).all()


# ---- the numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", [None, 1, 3])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_the_product(
    opened: Callable[..., Any], tmp_path: Path, kind: str, intercept: bool, sides: int | None
) -> None:
    """A x plus the intercept, with b's shape, from every storage; the same in memory and in Zarr."""
    solution, new = solved(sides, intercept=intercept), rows(M, seed=3)
    x, shift = (solution.x[:-1], solution.x[-1]) if intercept else (solution.x, 0.0)
    new = new.astype(np.float32).astype(np.float64) if kind == "float32" else new
    A = opened(new, kind)

    y = solution.predict(A)
    written = solution.predict(A, tmp_path / "y.zarr")

    assert isinstance(written, zarr.Array)
    for found in (y, written[...]):
        assert_product(found, new, x, shift)
    if kind != "uneven dask":  # whose blocks are cut anew for the output
        np.testing.assert_array_equal(written[...], y)


@pytest.mark.parametrize("count", [1, 2, D - 1])
def test_few_rows_will_do(count: int, tmp_path: Path) -> None:
    """A prediction is no regression: there may be fewer rows than columns."""
    solution, new = solved(), rows(count)

    assert_product(solution.predict(new), new, solution.x, 0.0)
    assert solution.predict(new, tmp_path / "y.zarr").shape == (count,)


def test_bits_do_not_depend_on_the_engine(opened: Callable[..., Any], tmp_path: Path, client: Client) -> None:
    """Serial, threads and two workers; returned and written: the same bits."""
    solution, A = solved(intercept=True), opened(rows(M), "zarr")
    wanted = solution.predict(A, cluster="serial")

    found = [
        ds.predict(solution, A, cluster="serial", threads=3),
        solution.predict(A, cluster=client),
        solution.predict(A, tmp_path / "y.zarr", cluster=client)[...],
        solution.predict(da.from_array(rows(M), chunks=(100, D)).persist(scheduler=client), cluster=client),
    ]

    for y in found:
        np.testing.assert_array_equal(y, wanted)


def test_a_bare_x_has_an_intercept_if_that_is_said() -> None:
    """A vector of d numbers, or of d + 1 with ``intercept=True``."""
    new, x = rows(50), np.arange(1.0, D + 2)

    assert_product(ds.predict(x[:-1], new), new, x[:-1], 0.0)
    assert_product(ds.predict(x.tolist(), new, intercept=True), new, x[:-1], x[-1])
    with pytest.raises(ds.DataError, match=r"the 5 columns that x belongs to; it has 4\..*intercept"):
        ds.predict(x, new)


def test_predictions_are_one_pass_that_is_told() -> None:
    """Listeners hear of one pass."""
    events: list[Any] = []

    solved().predict(rows(M), progress=events.append)

    assert [event.kind for event in events if isinstance(event, PassFinished)] == ["affine"]


# ---- what a stored x knows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [False, True])
def test_a_stored_x_predicts_like_its_solution(opened: Callable[..., Any], tmp_path: Path, intercept: bool) -> None:
    """What ``solve --out`` writes knows whether it has an intercept, as a path and as an open array."""
    solution, A = solved(intercept=intercept), opened(rows(M), "zarr")
    Output.at(tmp_path / "x.zarr").write(solution.x, attributes_of(solution, None))

    for x in (tmp_path / "x.zarr", str(tmp_path / "x.zarr"), zarr.open_array(tmp_path / "x.zarr", mode="r")):
        np.testing.assert_array_equal(ds.predict(x, A), solution.predict(A))
    with pytest.raises(ds.SpecError, match=f"intercept={intercept} is what"):
        ds.predict(tmp_path / "x.zarr", A, intercept=not intercept)


def test_a_stored_x_of_an_unknown_problem_is_refused(stored: Callable[..., str]) -> None:
    """An x that another version wrote is not taken for a linear one."""
    path = stored("x", np.ones(D), attributes={"created_by": "dsketch", "problem": {"problem": "riddle"}})

    with pytest.raises(ds.SpecError, match="it says 'riddle'"):
        ds.predict(path, rows(10))


@pytest.mark.parametrize("suffix", [".zarr", ".npy"])
def test_the_command_line_solves_and_predicts(stored: Callable[..., str], tmp_path: Path, suffix: str) -> None:
    """``solve --out`` and ``predict`` of other rows; a .npy knows no intercept and is told."""
    A, new = rows(N), rows(M, seed=5)
    paths = stored("A", A, 100), stored("b", A @ np.ones(D) + 7.0, 100)
    x, out = tmp_path / f"x{suffix}", tmp_path / "y.zarr"

    def run(*words: object) -> Any:
        ran = CliRunner().invoke(main, [*map(str, words), "--json"])
        assert ran.exit_code == 0, ran.output
        return json.loads(ran.stdout)

    run("solve", "lstsq", *paths, "--intercept", "--out", x)
    told = ["--intercept"] if suffix == ".npy" else []
    found = run("predict", x, stored("new", new, 100), "--out", out, *told)

    coefficients = ds.lstsq(*paths, intercept=True).x
    assert found == {"out": str(out), "shape": [M]}
    assert_product(zarr.open_array(out, mode="r")[...], new, coefficients[:-1], coefficients[-1])
    assert np.array_equal(run("predict", x, tmp_path / "new.zarr", *told)["y"], zarr.open_array(out, mode="r")[...])
    plain = CliRunner().invoke(main, ["predict", str(x), str(tmp_path / "new.zarr"), *told])
    assert plain.exit_code == 0
    assert f"and {M - 20} more" in plain.stdout


def test_a_kernel_s_answer_reads_its_own_rows_again(stored: Callable[..., str], tmp_path: Path) -> None:
    """x of n rows, from the command line: exp(s⟨new, old⟩) x; where the old rows were in memory, only the solution knows them."""
    A, new, scale = rows(N), rows(70, seed=8), 0.01
    b = np.sin(A[:, 0])
    paths = stored("A", A, 100), stored("b", b, 100), stored("new", new, 16)
    words = ["solve", "exp-kernel", *paths[:2], "--alpha", "0.1", "--scale", str(scale), "--out", str(tmp_path / "x.zarr")]
    assert CliRunner().invoke(main, words).exit_code == 0
    ran = CliRunner().invoke(main, ["predict", str(tmp_path / "x.zarr"), paths[2], "--out", str(tmp_path / "y.zarr")])
    assert ran.exit_code == 0, ran.output

    x, y = (zarr.open_array(tmp_path / name, mode="r") for name in ("x.zarr", "y.zarr"))
    cross = np.exp(scale * new @ A.T)
    # A kernel value is known to u (1 + s‖a‖‖new‖), and n of them are added.
    exponent = scale * np.linalg.norm(A, axis=1).max() * np.linalg.norm(new, axis=1).max()
    assert (np.abs(y[...] - cross @ x[...]) <= N * 2 * U * (1 + exponent) * (cross @ np.abs(x[...]))).all()
    assert np.array_equal(ds.predict(tmp_path / "x.zarr", paths[2], cluster="serial"), y[...])

    solution = ds.solve(ExpKernel(A, b, alpha=0.1, scale=scale))
    assert solution.predict(new).shape == (70,)
    Output.at(tmp_path / "lost.zarr").write(solution.x, attributes_of(solution, None))
    with pytest.raises(ds.SpecError, match="A, b again; when x was written they were in memory"):
        ds.predict(tmp_path / "lost.zarr", new)
    with pytest.raises(ds.DataError, match="the 4 columns"):
        solution.predict(new[:, :3])


def test_a_problem_that_predicts_nothing_says_so() -> None:
    """x of a Gram power multiplies no rows."""
    A = rows(N)
    with pytest.raises(ds.SpecError, match="gram-power does not"):
        ds.solve(GramPower(A, np.ones(D), power=2)).predict(A)


# ---- whole or not at all -----------------------------------------------------------------------------------------------


def leftovers(folder: Path) -> list[str]:
    """Return what begins with a dot."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_the_output_says_what_it_is(opened: Callable[..., Any], tmp_path: Path) -> None:
    """Source of the rows, problem and author are attributes; a chunk is a block; no chunk is left out though all are zero."""
    A = opened(rows(M), "zarr")

    y = ds.predict(np.zeros((D, 2)), A, tmp_path / "new" / "y.zarr")

    assert y.attrs["rows_of"] == A
    assert y.attrs["created_by"] == "dsketch"
    assert y.chunks == (100, 2)
    assert y.nchunks_initialized == y.nchunks == 11
    assert leftovers(tmp_path / "new") == []
    assert ds.open_matrix(tmp_path / "new" / "y.zarr").is_raw


def test_what_is_there_is_kept_unless_given_up(tmp_path: Path) -> None:
    """Without overwrite it stays and that is an error; with it, it is replaced; data are never overwritten."""
    solution, out = solved(), tmp_path / "y.zarr"
    first = solution.predict(rows(M), out)[...]

    with pytest.raises(ds.DataError, match="exists"):
        solution.predict(rows(M, seed=2), out)
    np.testing.assert_array_equal(zarr.open_array(out, mode="r")[...], first)
    second = solution.predict(rows(M, seed=2), out, overwrite=True)[...]
    assert not np.array_equal(second, first)
    with pytest.raises(ds.SpecError, match="overlap"):
        ds.predict(np.ones(1), str(out), out, overwrite=True)
    np.testing.assert_array_equal(zarr.open_array(out, mode="r")[...], second)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_named_and_nothing_is_left(tmp_path: Path, value: float) -> None:
    """Row and column of a NaN or infinity of A are told; the output is what it was before."""
    new = rows(M)
    new[617, 2] = value
    for out in (None, tmp_path / "y.zarr"):
        with pytest.raises(ds.DataError, match="row 617, column 2"):
            solved().predict(new, out)
    assert list(tmp_path.iterdir()) == []


def test_predictions_beyond_memory_ask_for_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many numbers for an array are refused before anything is read, and can be written."""
    monkeypatch.setattr("dsketch._results.predict.IN_MEMORY_BYTES", 8 * M - 1)
    with pytest.raises(ds.PlanError, match="Give out="):
        solved().predict(rows(M))
    assert solved().predict(rows(M), tmp_path / "y.zarr").shape == (M,)
    with pytest.raises(ds.SpecError, match="a Zarr array was expected"):
        solved().predict(rows(M), tmp_path / "y.npy")


def written(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_task_that_runs_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    """Writing is idempotent, for any of its blocks."""
    A, chunk_rows = align_to_chunks(ArrayMatrix(rows(M)))
    target = create_array(str(tmp_path / "y.zarr"), (M, 1), chunk_rows, {})
    write = Writing(affine(np.ones((D, 1)), intercept=False), target, 1)
    found = write.finish(SerialEngine().run(Look(write, Rows(A)), ignore))
    before = written(tmp_path)

    for start, stop in itertools.pairwise(A.cuts.tolist()):
        write.map(Rows(A).block(start, stop), None)

    assert found.rows == M
    assert found.largest == np.abs(target[...]).max()
    assert written(tmp_path) == before


def test_a_folder_that_workers_do_not_see_is_an_error(tmp_path: Path) -> None:
    """Neither the worker makes a folder of its own, nor does the driver take an array with missing chunks for whole."""
    A, chunk_rows = align_to_chunks(ArrayMatrix(rows(M)))
    target = create_array(str(tmp_path / "y.zarr"), (M, 1), chunk_rows, {})
    (tmp_path / "y.zarr").rename(tmp_path / "elsewhere")
    with pytest.raises(ds.DataError, match="every worker sees"):
        Writing(affine(np.ones((D, 1)), intercept=False), target, 1).map(Rows(A).block(0, 100), None)
    assert not (tmp_path / "y.zarr").exists()

    with (
        pytest.raises(ds.DataError, match=r"11 chunks were expected .*; 1 arrived"),
        Output.at(tmp_path / "z.zarr").fill((M,), 100, {}) as array,
    ):
        array[:100] = 1.0
    assert not (tmp_path / "z.zarr").exists()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_a_chunk_never_belongs_to_two_blocks(heights: list[int]) -> None:
    """Whatever the blocks of the data, those of the output are whole chunks and hold every row; even ones stay as they are."""
    cuts = np.cumsum([0, *heights])
    A, chunk_rows = align_to_chunks(Recut(ArrayMatrix(np.ones((cuts[-1], 1))), cuts))

    assert A.cuts[0] == 0
    assert A.cuts[-1] == cuts[-1]
    assert (np.diff(A.cuts) > 0).all()
    assert (A.cuts[:-1] % chunk_rows == 0).all()
    # A block joins at most those whose beginnings round to the same cut: an eighth of the middle height at each end.
    assert np.diff(A.cuts).max() <= max(heights) + 2 * (np.median(heights) / 8 + 1) + MOST_CHUNKS**-1 * cuts[-1]
    if len(set(heights)) == 1:
        assert np.array_equal(A.cuts, cuts)


def test_any_row_pass_can_be_written(tmp_path: Path) -> None:
    """The seam of other problems: a pass with rows for a block's rows, here squared lengths, is written like a product."""

    class Lengths(RowPass):
        kind = "lengths"

        def of(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
            del Y
            return np.einsum("ij,ij->i", X, X)[:, None]

        def part_bytes(self, columns: int, sides: int) -> int:
            del columns, sides
            return 8

    A, chunk_rows = align_to_chunks(ArrayMatrix(rows(M)))
    target = create_array(str(tmp_path / "y.zarr"), (M,), chunk_rows, {})
    write = Writing(Lengths(), target, 1)
    write.finish(SerialEngine().run(Look(write, Rows(A)), ignore))

    # d squares and d − 1 additions of positive numbers.
    assert np.allclose(target[...], (rows(M) ** 2).sum(axis=1), rtol=2 * D * U, atol=0)
