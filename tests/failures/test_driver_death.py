"""The driver is killed at every point of a run: resumed from its journal, it gives the bits of an uninterrupted run."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

import dsketch
from tests.failures.conftest import Answer
from tests.failures.data import assert_same_bits
from tests.failures.processes import Driver, drivers, start
from tests.failures.scale import BLOCKS, ROWS
from tests.failures.traps import ArmedBy, Trap, die

pytestmark = pytest.mark.timeout(180)

DIRECT = {"sketch_and_solve": 1, "gram": 2, "tsqr": 2, "whitened": 3}
AFTER = [(method, number) for method, passes in DIRECT.items() for number in range(1, passes + 1)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Return a function that runs a driver with the words given until it has killed itself."""
    with drivers("tests.failures.driver", tmp_path_factory.mktemp("drivers") / "log") as run:
        yield run


def killed(driver: Driver, tall: tuple[str, str], journal: Path, method: str, *points: str) -> None:
    """Run a driver to each of the points in turn; every one but the first goes on from the journal of those before."""
    for point in points:
        driver(*tall, str(journal), method, point)


def resumed(tall: tuple[str, str], journal: Path, reads: Path) -> tuple[dsketch.Solution, Trap]:
    """Resume, with a log of what is read."""
    trap = Trap(dsketch.open_matrix(tall[0]), reads, ROWS // 2, die)
    problem = dsketch.LeastSquares(trap, tall[1])
    return dsketch.resume(journal, problem=problem, cluster="serial", progress=ArmedBy(trap, "none")), trap


@pytest.mark.parametrize(("method", "number"), AFTER)
def test_killed_after_a_pass(
    driver: Driver, tall: tuple[str, str], undisturbed: Answer, tmp_path: Path, method: str, number: int
) -> None:
    """What was recorded is replayed without reading a row of A; the rest is read once."""
    journal = tmp_path / "journal"
    killed(driver, tall, journal, method, f"after:{number}")
    solution, trap = resumed(tall, journal, tmp_path / "reads")
    assert_same_bits(solution, undisturbed(method))
    assert [record.replayed for record in solution.passes] == [record.number <= number for record in solution.passes]
    for record in solution.passes:
        assert trap.reads(record.number).total() == (0 if record.number <= number else BLOCKS)


@pytest.mark.parametrize("method", ["conjugate_gradient", "gradient_descent"])
def test_killed_again_and_again(driver: Driver, tall: tuple[str, str], undisturbed: Answer, tmp_path: Path, method: str) -> None:
    """An iterative method that dies in many places, each time resumed by a new process, walks the same path."""
    journal = tmp_path / "journal"
    killed(driver, tall, journal, method, "after:1", "in:2", "after:4", "writing:6", "after:9")
    solution, _ = resumed(tall, journal, tmp_path / "reads")
    assert_same_bits(solution, undisturbed(method))
    assert sum(record.replayed for record in solution.passes) == 9
    assert len(solution.passes) > 9


@pytest.mark.parametrize(("point", "replayed"), [("in:1", 0), ("in:2", 1), ("in:3", 2)])
def test_killed_in_a_pass(
    driver: Driver, tall: tuple[str, str], undisturbed: Answer, tmp_path: Path, point: str, replayed: int
) -> None:
    """The pass that was under way is made again from its first row."""
    journal = tmp_path / "journal"
    killed(driver, tall, journal, "whitened", point)
    solution, _ = resumed(tall, journal, tmp_path / "reads")
    assert_same_bits(solution, undisturbed("whitened"))
    assert sum(record.replayed for record in solution.passes) == replayed


def test_killed_while_writing_a_record(driver: Driver, tall: tuple[str, str], undisturbed: Answer, tmp_path: Path) -> None:
    """A record that was written but not yet in place does not count, and neither does half of one."""
    journal = tmp_path / "journal"
    killed(driver, tall, journal, "whitened", "writing:2")
    (unfinished,) = journal.glob(".pass-0002.npz.*")
    assert not (journal / "pass-0002.npz").exists()
    half = unfinished.read_bytes()[: unfinished.stat().st_size // 2]
    (journal / ".pass-0003.npz.1").write_bytes(half)
    solution, _ = resumed(tall, journal, tmp_path / "reads")
    assert_same_bits(solution, undisturbed("whitened"))
    assert [record.replayed for record in solution.passes] == [True, False, False]


def test_resume_finds_the_data_by_itself(driver: Driver, tall: tuple[str, str], undisturbed: Answer, tmp_path: Path) -> None:
    """The journal alone is enough: its header names the data."""
    journal = tmp_path / "journal"
    killed(driver, tall, journal, "tsqr", "after:1")
    solution = dsketch.resume(journal, cluster="serial")
    assert_same_bits(solution, undisturbed("tsqr"))
    again = dsketch.resume(journal, cluster="serial")
    assert_same_bits(again, undisturbed("tsqr"))
    assert all(record.replayed for record in again.passes)


@pytest.mark.cluster
def test_killed_on_a_cluster_that_lives_on(
    tall: tuple[str, str], undisturbed: Answer, tmp_path: Path, cluster: LocalCluster, client: Client
) -> None:
    """The scheduler forgets the dead driver's tasks, and the next driver resumes on the same workers, or on none."""
    journal = tmp_path / "journal"
    words = (*tall, str(journal), "whitened", "in:2", cluster.scheduler_address)
    process = start("tests.failures.driver", *words, log=journal.with_suffix(".log"))
    assert process.wait() == -signal.SIGKILL, journal.with_suffix(".log").read_text()
    solution = dsketch.resume(journal, cluster=client)
    assert_same_bits(solution, undisturbed("whitened"))
    assert [record.replayed for record in solution.passes] == [True, False, False]
