"""Workers are killed in the middle of passes: the solve goes on, and no bit of the answer changes."""

import os
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

import dsketch
from dsketch.engine import dask as engine
from tests.failures.conftest import Answer
from tests.failures.data import assert_same_bits
from tests.failures.processes import Machines
from tests.failures.scale import BLOCKS, ROWS
from tests.failures.traps import ArmedBy, Pipes, Trap, die, killing_all, wait_for_release, while_caught

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

# Every kind of pass that a method makes, with a method that makes it; who adds the parts matters where parts are large.
PASSES = [
    ("conjugate_gradient", "sketch", "gathered"),
    ("conjugate_gradient", "sketch", "merged on workers"),
    ("whitened", "whitened", "gathered"),
    ("whitened", "whitened", "merged on workers"),
    ("tsqr", "triangle", "merged on workers"),
    ("tsqr", "gradient", "gathered"),
    ("gram", "sketch & gram", "gathered"),
    ("conjugate_gradient", "normal", "gathered"),
]
AT_ONCE = [
    ("conjugate_gradient", "sketch", "gathered"),
    ("whitened", "whitened", "merged on workers"),
    ("tsqr", "gradient", "gathered"),
]


@pytest.fixture
def _parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose who adds the parts: the driver, or the workers along the tree; their sizes decide that otherwise."""
    if request.param == "merged on workers":
        monkeypatch.setattr(engine, "_GATHER_BYTES", 0)
        monkeypatch.setattr(engine, "_INLINE_BYTES", 0)


@pytest.mark.parametrize(("method", "kind", "_parts"), PASSES, indirect=["_parts"])
@pytest.mark.usefixtures("_parts")
def test_killed_worker_costs_only_its_own_blocks(
    tall: tuple[str, str], undisturbed: Answer, hurt_client: Client, tmp_path: Path, method: str, kind: str
) -> None:
    """A worker killed while it reads is replaced by its nanny; only blocks that it had read are read again, each once."""
    trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2, die)
    armed = ArmedBy(trap, kind)
    solution = dsketch.lstsq(trap, tall[1], method=method, cluster=hurt_client, progress=armed)
    assert trap.has_sprung()
    assert_same_bits(solution, undisturbed(method))
    hurt_pass = next(record.number for record in solution.passes if record.kind == kind)
    reads = trap.reads(hurt_pass)
    assert len(reads) == BLOCKS
    assert max(reads.values()) == 2
    assert {span for span, times in reads.items() if times > 1} <= trap.read_by_the_caught(hurt_pass)
    for record in solution.passes:
        if record.number != hurt_pass:
            assert trap.reads(record.number).total() == BLOCKS


@pytest.mark.parametrize(("method", "kind", "_parts"), AT_ONCE, indirect=["_parts"])
@pytest.mark.usefixtures("_parts")
def test_pass_is_begun_again_when_all_workers_die_at_once(
    tall: tuple[str, str], undisturbed: Answer, hurt_client: Client, tmp_path: Path, method: str, kind: str
) -> None:
    """With every worker killed at the same moment the pass waits for the nannies, then costs at most itself once more."""
    workers = list(hurt_client.run(os.getpid).values())
    trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2, wait_for_release)
    thread = while_caught(Pipes(trap), killing_all(workers))
    solution = dsketch.lstsq(trap, tall[1], method=method, cluster=hurt_client, progress=ArmedBy(trap, kind))
    thread.join()
    assert_same_bits(solution, undisturbed(method))
    hurt_pass = next(record.number for record in solution.passes if record.kind == kind)
    assert trap.reads(hurt_pass).total() <= 2 * BLOCKS
    assert not trap.readers(hurt_pass + 1) & set(workers)


def test_own_cluster_outlives_a_killed_worker(tall: tuple[str, str], undisturbed: Answer, tmp_path: Path) -> None:
    """The LocalCluster that solve starts by itself has nannies as well."""
    trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2, die)
    solution = dsketch.lstsq(trap, tall[1], method="tsqr", cluster="local", workers=2, progress=ArmedBy(trap, "triangle"))
    assert trap.has_sprung()
    assert_same_bits(solution, undisturbed("tsqr"))


def test_survivor_takes_over_where_nobody_restarts_workers(tall: tuple[str, str], undisturbed: Answer, tmp_path: Path) -> None:
    """Without nannies, on a scheduler with stock settings, the other worker does the rest alone; one that joins later helps."""
    with Machines(tmp_path / "machines") as machines:
        machines.add_worker()
        machines.add_worker()
        client = machines.connect(2)
        trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "death", ROWS // 2, die)
        solution = dsketch.lstsq(trap, tall[1], method="conjugate_gradient", cluster=client, progress=ArmedBy(trap, "gradient"))
        assert_same_bits(solution, undisturbed("conjugate_gradient"))
        assert len(trap.readers(1)) == 2
        assert len(trap.readers(3)) == 1

        trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "joining", ROWS // 2, wait_for_release)
        pipes = Pipes(trap)

        def join(caught: int) -> None:
            assert caught in trap.readers(1)
            machines.add_worker()
            client.wait_for_workers(2, timeout=240)
            pipes.release()

        thread = while_caught(pipes, join)
        solution = dsketch.lstsq(trap, tall[1], method="conjugate_gradient", cluster=client, progress=ArmedBy(trap, "sketch"))
        thread.join()
        assert_same_bits(solution, undisturbed("conjugate_gradient"))
        assert len(trap.readers(1)) == 1
        assert len(trap.readers(2)) == 2


def test_all_workers_gone_for_good_is_an_error(tall: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody restarts them and no new one comes, the solve says so instead of waiting for ever."""
    monkeypatch.setattr(engine, "_WORKER_SECONDS", 1)
    with Machines(tmp_path / "machines") as machines:
        machines.add_worker()
        trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2, die)
        with pytest.raises(dsketch.EngineError, match=r"at least one worker was expected .* Start workers"):
            dsketch.lstsq(trap, tall[1], method="tsqr", cluster=machines.connect(1), progress=ArmedBy(trap, "triangle"))
        assert trap.has_sprung()


def test_rows_that_kill_every_worker_are_an_error(tall: tuple[str, str], tmp_path: Path) -> None:
    """A task whose workers keep dying ends the solve with the scheduler's verdict and what to do about memory."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as cluster,
    ):
        trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2, die)
        with pytest.raises(dsketch.EngineError, match=r"workers kept dying in the triangle pass .* more memory"):
            dsketch.lstsq(trap, tall[1], method="tsqr", cluster=cluster, progress=ArmedBy(trap, "triangle"))
