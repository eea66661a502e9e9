"""The demonstration's matrix has exactly the answer that it claims, and the demonstration notices a wrong one."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from distributed import LocalCluster

import dsketch as ds
from dsketch._cli import main
from dsketch._cli.demo import _findings
from dsketch._demo import DemoMatrix, exact_solution, largest_error, make, remove, rows_between
from dsketch.engine import SerialEngine
from dsketch.errors import DataError, SpecError
from dsketch.events import Progress, ignore
from dsketch.passes import Look, Touch


def read(known: DemoMatrix) -> tuple[np.ndarray, np.ndarray]:
    """Return A and b."""
    return zarr.open_array(known.A, mode="r")[...], zarr.open_array(known.b, mode="r")[...]


def as_integers(array: np.ndarray, bits: int) -> np.ndarray:
    """Return an array times 2^bits as Python integers, which are exact and have no bounds."""
    scaled = np.ldexp(array, bits)
    assert (scaled == np.rint(scaled)).all()
    return scaled.astype(np.int64).astype(object)


@pytest.mark.parametrize(("rows", "columns"), [(400, 7), (401, 7), (40, 1), (1000, 100)])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e10])
def test_the_answer_is_exact(tmp_path: Path, rows: int, columns: int, condition: float) -> None:
    """In integer arithmetic Aᵀ(b − A x) is 0 and ‖b − A x‖² is the known one: nothing was rounded."""
    known = make(tmp_path, rows, columns, condition=condition)
    bits = 40
    A, b = (as_integers(array, bits) for array in read(known))
    residual = b - A @ known.x.astype(int).astype(object)
    assert not (A.T @ residual).any()
    assert math.isclose(known.residual_norm, math.sqrt(sum(residual * residual)) / 2**bits, rel_tol=1e-15)
    assert known.residual_norm > 0


@pytest.mark.parametrize("condition", [1.0, 3.0, 50.0, 1e4, 1e8])
def test_the_condition_is_met(tmp_path: Path, condition: float) -> None:
    """The condition number is the one asked for within √2, and √(d/n) for the sample: 20 % here with four times that to spare."""
    rows, columns = 20_000, 40
    known = make(tmp_path, rows, columns, condition=condition)
    s = np.linalg.svd(read(known)[0], compute_uv=False)
    spare = 1 + 4 * math.sqrt(columns / rows)
    assert condition / math.sqrt(2) / spare <= s[0] / s[-1] <= condition * math.sqrt(2) * spare
    assert known.condition / spare <= s[0] / s[-1] <= known.condition * spare


def test_blocks_are_a_function_of_row_numbers(tmp_path: Path) -> None:
    """However the rows are cut (at even numbers) the same numbers come out, and another seed gives others."""
    x = exact_solution(5, 3)
    whole = rows_between(0, 101, 101, x, 4, 3)
    pieces = [rows_between(low, high, 101, x, 4, 3) for low, high in ((0, 2), (2, 60), (60, 101))]
    for place in (0, 1):
        np.testing.assert_array_equal(np.concatenate([piece[place] for piece in pieces]), whole[place])
    assert sum(piece[2] for piece in pieces) == whole[2]
    assert (rows_between(0, 101, 101, x, 4, 4)[0] != whole[0]).mean() > 0.9


def test_many_chunks_are_written_and_told(tmp_path: Path) -> None:
    """A matrix of more than one chunk is complete on the disk, and the listener hears of every byte."""
    heard: list[Progress] = []
    known = make(tmp_path, 9_000_001, 1, tell=heard.append)
    A = zarr.open_array(known.A, mode="r")
    assert A.nchunks == A.nchunks_initialized == 3
    assert (heard[-1].done_bytes, heard[-1].total_bytes) == (known.nbytes, known.nbytes)
    tail = rows_between(8_999_998, 9_000_001, 9_000_001, known.x, 20, 0)
    np.testing.assert_array_equal(zarr.open_array(known.b, mode="r")[-3:], tail[1])


@pytest.mark.parametrize(
    ("sizes", "said"),
    [({"rows": 5, "columns": 3}, "twice as many rows"), ({"condition": 1e15}, "condition"), ({"condition": 0.5}, "condition")],
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, sizes: dict[str, float], said: str) -> None:
    """Too few rows, or a condition for which b would have to be rounded."""
    with pytest.raises(SpecError, match=said):
        make(tmp_path, **{"rows": 100, "columns": 3, **sizes})
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """An array that is there already stays, and a disk that is too small is found at once."""
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(DataError, match="exists"):
        make(tmp_path, 100, 3)
    with pytest.raises(DataError, match="free disk"):
        make(tmp_path / "new", 10**15, 100)
    assert list(tmp_path.glob("**/A.zarr")) == []


def test_removing_leaves_other_files(tmp_path: Path) -> None:
    """Only what was made goes, and the folder if it is empty then."""
    for name, others in (("alone", []), ("shared", ["notes"])):
        make(tmp_path / name, 100, 3)
        for other in others:
            (tmp_path / name / other).write_text("")
        remove(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes", "shared"]


def test_touch_adds_everything_up(tmp_path: Path) -> None:
    """The pass that only reads sums A and b: exactly, for these numbers."""
    known = make(tmp_path, 10_000, 6, condition=8.0)
    problem = ds.LeastSquares(known.A, known.b)
    total = Touch().finish(SerialEngine(2).run(Look(Touch(), problem.rows), ignore))
    np.testing.assert_array_equal(total, [array.sum() for array in read(known)])


@pytest.mark.parametrize("condition", [1e2, 1e6, 1e10])
def test_every_solution_is_within_its_bound(tmp_path: Path, condition: float) -> None:
    """The solution is as near the exact minimizer as the bound from its certificate says."""
    known = make(tmp_path, 20_000, 20, condition=condition)
    solution = ds.lstsq(known.A, known.b)
    error = np.linalg.norm(solution.x - known.x) / np.linalg.norm(known.x)
    assert error <= largest_error(solution)


def test_a_wrong_answer_is_noticed(tmp_path: Path) -> None:
    """If the known answer, the residual or the check disagree, the verdict is not right."""
    known = make(tmp_path, 20_000, 5, condition=10.0)
    problem = ds.LeastSquares(known.A, known.b)
    solution = ds.solve(problem)
    certificate = ds.check(problem, solution.x)
    far = known.x * (1 + 1e-9)
    assert _findings(known, solution, certificate, 1.0, 1.0, None).is_right
    assert not _findings(replace(known, x=far), solution, certificate, 1.0, 1.0, None).is_right
    assert not _findings(
        replace(known, residual_norm=known.residual_norm * 1.001), solution, certificate, 1.0, 1.0, None
    ).is_right
    assert not _findings(known, solution, ds.check(problem, far), 1.0, 1.0, None).is_right


@pytest.mark.cluster
def test_the_demonstration_on_a_cluster(tmp_path: Path, cluster: LocalCluster) -> None:
    """It makes, solves, checks and says so in one JSON object; what it made is gone, or kept if asked."""
    words = [
        "demo",
        "--rows",
        "30000",
        "--cols",
        "10",
        "--scheduler",
        cluster.scheduler_address,
        "--dir",
        str(tmp_path / "here"),
        "--json",
    ]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["is_right"]
    assert (found["rows"], found["cols"], found["status"]) == (30_000, 10, "solved")
    assert found["read_once_seconds"] > 0
    assert found["solve_seconds"] > 0
    assert not (tmp_path / "here").exists()

    again = CliRunner().invoke(main, [*words[:-1], "--keep"])
    assert again.exit_code == 0, again.stderr
    assert again.stdout.splitlines()[-2].split() == ["verdict", "right"]
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"A.zarr", "b.zarr"}

    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert (tmp_path / "here" / "A.zarr").exists()  # what an earlier run kept is not removed by one that was refused
