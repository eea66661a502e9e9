"""Workers, schedulers, processes and disks fail under a job: a state with a sentence, and the same bits in the end."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.failures.processes import Machines
from tests.failures.test_journal_failures import filled
from tests.service.conftest import slow, spec
from tests.service.running import Service, in_pass, rested, seen, waited

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """A scheduler and two workers that may be killed."""
    with Machines(tmp_path / "machines") as started:
        started.add_worker()
        started.add_worker()
        started.connect(2).close()
        yield started


def leader(service: Service, id_: str) -> psutil.Process:
    """Return the process that works on a job: the one that holds its lock."""
    lock = str(service.state / "jobs" / id_ / "lock")

    def look() -> psutil.Process | None:
        for process in psutil.Process(service.pid).children(recursive=True):
            try:
                if any(file.path == lock for file in process.open_files()):
                    return process
            except psutil.Error:
                continue
        return None

    return waited(look, "the process of the job")


def test_a_worker_is_killed(tmp_path: Path, data: Path, machines: Machines, direct: Any) -> None:
    """The survivor does the rest; the job does not even notice."""
    with Service(tmp_path / "s", data, "--scheduler", str(machines.file), "--small", "1") as service, service.client() as client:
        id_ = client.submit(slow())["id"]
        seen(client, id_, in_pass(3))
        machines.workers[0].kill()
        job = rested(client, id_)

        assert job["state"] == "solved"
        assert "2 workers on 1 host" in job["plan"]["means"]
        assert client.fetch(id_).tobytes() == direct("gradient_descent", 0, "slow.zarr").x.tobytes()


def test_the_scheduler_is_killed_and_comes_back(tmp_path: Path, data: Path, machines: Machines, direct: Any) -> None:
    """The job says what happened, waits, and goes on after its last pass when there is a scheduler again."""
    with Service(tmp_path / "s", data, "--scheduler", str(machines.file), "--small", "1") as service, service.client() as client:
        id_ = client.submit(slow())["id"]
        seen(client, id_, in_pass(3))
        machines.scheduler.kill()
        told = seen(client, id_, lambda event: event.get("state") == "interrupted")
        assert "scheduler" in told["sentence"] or "cluster" in told["sentence"]
        machines.scheduler.wait()
        machines.file.unlink(missing_ok=True)
        with Machines(machines.folder) as again:
            again.add_worker()
            job = rested(client, id_)

        assert job["state"] == "solved"
        assert client.fetch(id_).tobytes() == direct("gradient_descent", 0, "slow.zarr").x.tobytes()
        ends = [event for event in client.follow(id_) if event["event"] == "pass_finished"]
        made = [event["number"] for event in ends if not event["replayed"]]
        assert len(made) == len(set(made))


def test_no_scheduler_ends_in_a_sentence(tmp_path: Path, data: Path) -> None:
    """A cluster that never comes is tried some times, and then the job has failed and says why."""
    with (
        Service(
            tmp_path / "s", data, "--scheduler", "/nowhere/scheduler.json", "--small", "1", module="tests.service.hasty"
        ) as service,
        service.client() as client,
    ):
        job = rested(client, client.submit(spec())["id"])

        assert job["state"] == "failed"
        assert "given up after 5 attempts" in job["sentence"]
        assert "/nowhere/scheduler.json" in job["sentence"]


def test_the_process_of_a_job_is_killed(tmp_path: Path, data: Path, direct: Any) -> None:
    """As the system does when memory runs out: the service lives on, and so does the job, after its last pass."""
    with Service(tmp_path / "s", data) as service, service.client() as client:
        id_ = client.submit(slow())["id"]
        seen(client, id_, in_pass(3))
        leader(service, id_).kill()
        job = rested(client, id_)

        assert job["state"] == "solved"
        assert any("killed by SIGKILL" in step["sentence"] for step in job["history"])
        assert client.fetch(id_).tobytes() == direct("gradient_descent", 0, "slow.zarr").x.tobytes()


def test_a_stopped_process_meets_its_time_limit(tmp_path: Path, data: Path) -> None:
    """A job that does nothing any more is ended all the same; cancel works on such a one, too."""
    with Service(tmp_path / "s", data, "--max-seconds", "3") as service, service.client() as client:
        first, second = (client.submit(slow(seed))["id"] for seed in (0, 1))
        for id_ in (first, second):
            os.kill(leader(service, id_).pid, signal.SIGSTOP)

        assert client.cancel(second)["state"] == "cancelled"
        job = rested(client, first)
        assert job["state"] == "failed"
        assert "its 3 s are over" in job["sentence"]


def test_a_service_that_is_stopped_goes_on_later(tmp_path: Path, data: Path, direct: Any) -> None:
    """Stopped in order: streams end, running jobs are interrupted, and the next start takes them up."""
    service = Service(tmp_path / "s", data, "--max-jobs", "1")
    with service:
        with service.client() as client:
            running, waiting = (client.submit(slow(seed))["id"] for seed in (0, 1))
            seen(client, running, in_pass(3))
        service.stop()
        states = json.loads((service.state / "jobs" / running / "state.json").read_text())["history"]
        assert states[-1]["state"] == "interrupted"
        assert "goes on when it runs again" in states[-1]["sentence"]
        service.start()
        with service.client() as client:
            for id_, seed in ((running, 0), (waiting, 1)):
                assert rested(client, id_)["state"] == "solved"
                assert client.fetch(id_).tobytes() == direct("gradient_descent", seed, "slow.zarr").x.tobytes()


def test_own_workers_are_killed_all_at_once(tmp_path: Path, data: Path, direct: Any) -> None:
    """The cluster of the service dies as a whole: the next attempt has a new one."""
    words = ("--small", "1", "--workers", "1", "--max-jobs", "1")
    with Service(tmp_path / "s", data, *words) as service, service.client() as client:
        id_ = client.submit(slow())["id"]
        seen(client, id_, in_pass(2))
        (cluster,) = [
            process
            for process in psutil.Process(service.pid).children()
            if "dsketch.service.workers" in " ".join(process.cmdline())
        ]
        cluster.kill()
        job = rested(client, id_)

        assert job["state"] == "solved"
        assert client.fetch(id_).tobytes() == direct("gradient_descent", 0, "slow.zarr").x.tobytes()


def test_a_full_disk(disk: Path, tmp_path: Path, data: Path, direct: Any) -> None:
    """The job under way fails with a sentence, new ones are refused, and with room again both go on."""
    with Service(tmp_path / "s", data, "--state", str(disk / "state")) as service, service.client() as client:
        id_ = client.submit(slow())["id"]
        seen(client, id_, in_pass(3))
        filled(disk)
        job = rested(client, id_)
        assert job["state"] == "failed"
        assert "No space left" in job["sentence"]
        (disk / "filler").unlink()
        client.resume(id_)

        assert rested(client, id_)["state"] == "solved"
        assert client.fetch(id_).tobytes() == direct("gradient_descent", 0, "slow.zarr").x.tobytes()
