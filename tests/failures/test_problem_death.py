"""Powers and kernels on the command line, killed at many points: ``dsketch resume`` gives the bits of an uninterrupted run."""

import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import dsketch
from tests import command_line
from tests.failures.data import write
from tests.failures.traps import ArmedBy, Trap, die
from tests.forked import Fork

pytestmark = pytest.mark.timeout(180)

ROWS, COLUMNS, SIDES = 1200, 5, 2  # of the kernel: six tiles and some dozen passes
TALL = 40_000  # of the power and the centres: three blocks


@dataclass(frozen=True)
class Case:
    """A run and the points at which its drivers die, one after the other.

    Attributes
    ----------
    words : tuple of str
        Of the command line, with the names of what is stored in braces.
    points : tuple of str
    """

    words: tuple[str, ...]
    points: tuple[str, ...]

    @property
    def recorded(self) -> int:
        """Passes that the last driver left in the journal."""
        kind, _, number = self.points[-1].partition(":")
        return int(number) - (kind != "after")


CASES = {
    # Passes 3 to 10 look for pivots; from 12 on three are an iteration: transposed features, features, a sweep (14, 17, 20 …).
    "exp-kernel": Case(
        ("exp-kernel", "{A}", "{b}", "--alpha", "20", "--features", "pivoted_cholesky", "--rank", "60"),
        ("after:8", "in:26", "writing:33"),
    ),
    # One sketch, then a pass for each step of two stages.
    "gram-power": Case(("gram-power", "{tall}", "{short}", "--power", "2", "--method", "alternating"), ("after:3", "writing:12")),
    "restricted-kernel": Case(
        ("restricted-kernel", "{tall}", "{sides}", "--alpha", "1e-4", "--centres", "20", "--method", "conjugate_gradient"),
        ("in:1", "after:9"),
    ),
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is stored: rows and sides of a kernel, a tall matrix, sides of both lengths."""
    rng, folder = np.random.default_rng(9), tmp_path_factory.mktemp("problems")
    A, tall = 0.6 * rng.standard_normal((ROWS, COLUMNS)), 0.2 * rng.standard_normal((TALL, 16)) * np.linspace(1, 3, 16)
    arrays = {
        "A": A,
        "b": np.column_stack([np.sin(2 * A[:, 0]), rng.standard_normal(ROWS)])[:, :SIDES],
        "tall": tall,
        "short": rng.standard_normal(16),
        "sides": np.sin(tall[:, 0]),
    }
    return {name: write(folder / f"{name}.zarr", array) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def undisturbed(paths: dict[str, str]) -> Any:
    """Return the whole run of a case, made once; ask for it inside a test, where blocks are small."""
    return cache(lambda name: command_line.found("solve", *given(name, paths), "--scheduler", "serial"))


def given(name: str, paths: dict[str, str]) -> list[str]:
    """Return the words of a case."""
    return [word.format(**paths) for word in CASES[name].words]


def killed(name: str, paths: dict[str, str], journal: Path, points: tuple[str, ...]) -> None:
    """Run a driver to each of the points in turn; every one but the first goes on from the journal of those before."""
    log = journal.with_suffix(".log")
    for point in points:
        words = ("solve", *given(name, paths), "--journal", str(journal), "--scheduler", "serial")
        process = Fork("tests.failures.command", point, *words, output=log)
        assert process.wait() == -signal.SIGKILL, log.read_text()


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare passes, x and certificate; JSON holds every bit of a number."""
    assert [record["kind"] for record in found["passes"]] == [record["kind"] for record in wanted["passes"]]
    assert found["x"] == wanted["x"]
    assert found["certificate"] == wanted["certificate"]
    assert found["status"] == wanted["status"]


@pytest.mark.parametrize("name", CASES)
def test_killed_driver_is_resumed_to_the_same_bits(paths: dict[str, str], undisturbed: Any, tmp_path: Path, name: str) -> None:
    """Killed after a pass, within one and between a record and its place: what was recorded is replayed, the rest is run."""
    journal = tmp_path / "journal"
    killed(name, paths, journal, CASES[name].points)
    found = command_line.found("resume", str(journal), "--out", str(tmp_path / "x.npy"))
    recorded = CASES[name].recorded
    assert len(found["passes"]) > recorded
    assert [record["replayed"] for record in found["passes"]].count(True) == recorded
    assert_same(found, undisturbed(name))
    assert np.load(tmp_path / "x.npy").tolist() == undisturbed(name)["x"]


@pytest.mark.cluster
def test_killed_worker_in_a_sweep_changes_no_bit(
    paths: dict[str, str], undisturbed: Any, hurt_client: Client, tmp_path: Path
) -> None:
    """A kernel run whose driver died goes on upon two workers, of which one is killed in the midst of a sweep."""
    journal = tmp_path / "journal"
    killed("exp-kernel", paths, journal, ("after:27",))
    # The sixth sweep is pass 29, the first that is not replayed.
    trap = Trap(dsketch.open_matrix(paths["A"]), tmp_path / "trap", ROWS // 2, die)
    problem = dsketch.ExpKernel(trap, paths["b"], alpha=20)
    solution = dsketch.resume(journal, problem=problem, cluster=hurt_client, progress=ArmedBy(trap, "kernel", nth=6))
    assert trap.has_sprung()
    wanted = undisturbed("exp-kernel")
    assert solution.x.tolist() == wanted["x"]
    assert solution.certificate.backward_error.tolist() == wanted["certificate"]["backward_error"]
