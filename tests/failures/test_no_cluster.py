"""The scheduler dies, was never there, does not answer, or has no workers: one EngineError that says what to do, never a hang."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

import dsketch
from dsketch.engine import clients
from dsketch.engine import dask as engine
from tests.failures.conftest import Answer
from tests.failures.data import assert_same_bits
from tests.failures.processes import Machines
from tests.failures.scale import ROWS
from tests.failures.traps import ArmedBy, Pipes, Trap, wait_for_release, while_caught
from tests.ports import free_ports

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


@pytest.mark.parametrize("kind", ["sketch", "gradient", "normal"])
def test_killed_scheduler_costs_the_current_pass(
    tall: tuple[str, str], undisturbed: Answer, client: Client, tmp_path: Path, kind: str
) -> None:
    """The solve ends with an error that names the remedy; with another scheduler, here once a new one, the journal gives the same bits."""
    journal = tmp_path / "journal"
    trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2, wait_for_release)
    with Machines(tmp_path / "first") as machines:
        machines.add_worker()
        machines.add_worker()
        machines.connect(2)
        thread = while_caught(Pipes(trap), lambda _: os.kill(machines.scheduler.pid, signal.SIGKILL))
        with pytest.raises(dsketch.EngineError, match=r"scheduler at tcp://.* is gone .* resume from the journal"):
            dsketch.lstsq(
                trap, tall[1], method="conjugate_gradient", cluster=machines.file, journal=journal, progress=ArmedBy(trap, kind)
            )
        thread.join()
    if kind == "gradient":
        with Machines(tmp_path / "second") as machines:
            machines.add_worker()
            machines.connect(1)
            solution = dsketch.resume(journal, cluster=machines.file)
    else:
        solution = dsketch.resume(journal, cluster=client)
    assert_same_bits(solution, undisturbed("conjugate_gradient"))
    done = ["sketch", "gradient", "normal"].index(kind)
    assert [record.replayed for record in solution.passes] == [record.number <= done for record in solution.passes]


@pytest.fixture
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a fifth of a second where users would wait 20 seconds for a scheduler; for tests in which none will ever answer."""
    monkeypatch.setattr(clients, "_CONNECT_SECONDS", 0.2)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of this machine that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    return next(free_ports())


@pytest.mark.parametrize("port", ["silent_port", "closed_port"])
@pytest.mark.usefixtures("_short_waits")
def test_scheduler_that_cannot_be_reached(tall: tuple[str, str], request: pytest.FixtureRequest, port: str) -> None:
    """A refused connection and one that is never answered are the same to the user: no scheduler at this address."""
    address = f"tcp://127.0.0.1:{request.getfixturevalue(port)}"
    with pytest.raises(dsketch.EngineError, match=f"a Dask scheduler was expected at {address}.* Check the address") as caught:
        dsketch.lstsq(*tall, cluster=address)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("address", ["127.0.0.1", "tcp://127.0.0.1:port", "nonsense://x", "tcp://no.such.host.invalid:8786"])
@pytest.mark.usefixtures("_short_waits")
def test_address_that_is_none(tall: tuple[str, str], address: str) -> None:
    """A malformed or unknown address is told like an unreachable one, with the address."""
    with pytest.raises(dsketch.EngineError, match=f"expected at {address}"):
        dsketch.lstsq(*tall, cluster=address)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "5", b"\xff\xfe"])
def test_scheduler_file_that_is_none(tall: tuple[str, str], tmp_path: Path, content: str | bytes) -> None:
    """An empty, torn or foreign scheduler file is named in the error."""
    path = tmp_path / "scheduler.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(dsketch.EngineError, match=f"a scheduler file was expected at {path}; it cannot be read as one"):
        dsketch.lstsq(*tall, cluster=path)


@pytest.mark.usefixtures("_short_waits")
def test_scheduler_file_of_a_scheduler_that_is_gone(tall: tuple[str, str], tmp_path: Path, closed_port: int) -> None:
    """A stale scheduler file leads to the address where nobody is."""
    path = tmp_path / "scheduler.json"
    path.write_text(json.dumps({"address": f"tcp://127.0.0.1:{closed_port}"}))
    with pytest.raises(dsketch.EngineError, match=f"a Dask scheduler was expected at tcp://127.0.0.1:{closed_port}"):
        dsketch.lstsq(*tall, cluster=path)


def test_scheduler_file_that_is_not_there(tall: tuple[str, str], tmp_path: Path) -> None:
    """The path is named, and how to make the file."""
    with pytest.raises(dsketch.EngineError, match=r"there is none. Start the scheduler with --scheduler-file"):
        dsketch.lstsq(*tall, cluster=str(tmp_path / "absent.json"))


def test_cluster_without_workers(tall: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler alone cannot solve; the error names its address.  Users wait 60 seconds for a worker; here none will ever come."""
    monkeypatch.setattr(engine, "_WORKER_SECONDS", 0.2)
    with Machines(tmp_path / "machines") as machines:
        address = machines.connect(0).scheduler.address
        with pytest.raises(dsketch.EngineError, match=f"at least one worker was expected at {address}"):
            dsketch.lstsq(*tall, cluster=machines.file)


def test_a_scheduler_that_dies_is_not_taken_for_one_without_workers(tmp_path: Path) -> None:
    """In the moment before the client knows it, too: nobody is told to start workers."""
    with Machines(tmp_path / "machines") as machines:
        machines.add_worker()
        running = engine.DaskEngine(machines.connect(1))
        machines.scheduler.kill()
        with pytest.raises(dsketch.EngineError, match="the scheduler at tcp://"):
            _ask_again_and_again(running)  # the first questions may still be answered


def _ask_again_and_again(running: engine.DaskEngine) -> None:
    while True:
        running.workers()


def test_something_that_is_no_cluster(tall: tuple[str, str]) -> None:
    """A wrong type is the caller's mistake, not the cluster's."""
    with pytest.raises(dsketch.SpecError, match="cluster must be an address"):
        dsketch.lstsq(*tall, cluster=8786)
