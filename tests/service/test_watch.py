"""What workers do is told while a job runs, and which of them gives no sign of work."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
import zarr
from click.testing import CliRunner

from dsketch._cli import main
from dsketch._cli.show import worker_text
from dsketch.engine import SerialEngine
from dsketch.engine.base import WorkerState
from dsketch.service.watch import WorkerWatch, watching
from tests.service.running import Service, seen

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def state(name: str = "0", doing: str = "piece 1", **more: Any) -> WorkerState:
    """Return a worker that does nothing, unless told otherwise."""
    return WorkerState(name, doing, 1_000, None, **{"processor": 0.0, **more})


def test_a_worker_is_quiet_since_its_last_sign_of_work() -> None:
    """A finished piece or heard processor time is one; an old heartbeat's processor time is none; without a task nobody waits."""
    watch = WorkerWatch()
    cases = [
        (0.0, [state("a"), state("b", processor=1.0), state("c"), state("d", ""), state("e", processor=1.0, is_heard=False)]),
        (
            8.0,
            [
                state("a"),
                state("b", processor=1.0),
                state("c", done=1),
                state("d", ""),
                state("e", processor=1.0, is_heard=False),
            ],
        ),
    ]
    first, told = (watch.describe(states, now) for now, states in cases)
    assert {one["quiet_seconds"] for one in first} == {0.0, None}
    assert [(one["name"], one["quiet_seconds"]) for one in told] == [("a", 8.0), ("e", 8.0), ("b", 0.0), ("c", 0.0), ("d", None)]


def test_a_job_in_its_own_process_tells_of_itself() -> None:
    """Its memory and its share of a processor; a listener that fails ends nothing."""
    heard, told = threading.Event(), list[Any]()

    def tell(kind: str, **fields: Any) -> None:
        told.append((kind, fields["workers"]))
        if len(told) > 1:
            heard.set()
        raise OSError

    with watching(SerialEngine(), tell, 0.01):
        assert heard.wait(60)
    (kind, (one,)) = told[-1]
    assert (kind, one["name"]) == ("workers", "the job's own process")
    assert one["memory_bytes"] == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that solves on own workers, and data of which every pair of rows is looked at."""
    folder = tmp_path_factory.mktemp("watched")
    rng = np.random.default_rng(0)
    (folder / "data").mkdir()
    for name, shape in (("A", (20_000, 6)), ("b", (20_000,))):
        zarr.create_array(folder / "data" / f"{name}.zarr", data=rng.standard_normal(shape), chunks=(2_000, *shape[1:]))
    with Service(folder, folder / "data", "--small", "1", "--workers", "2") as service:
        yield service


def test_the_worker_that_stalls_is_named(clustered: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are told with tasks and memory; a stopped one is quiet, and the page's document and the terminal have it."""
    spec = {
        "problem": "exp-kernel",
        "A": "A.zarr",
        "b": "b.zarr",
        "method": "conjugate_gradient",
        "features": "none",
        "scale": 0.01,
    }
    with clustered.client() as client:
        id_ = client.submit(spec, name="watched")["id"]
        told = seen(client, id_, lambda event: event["event"] == "workers" and all(one["doing"] for one in event["workers"]))[
            "workers"
        ]
        assert len(told) == 2  # at work: who stops before has no task, and nobody waits for it
        assert all(one["memory_bytes"] > 10_000_000 for one in told)
        stopped = _workers_of(clustered.pid)
        for process in stopped:
            os.kill(process.pid, signal.SIGSTOP)
        try:
            quiet = seen(
                client,
                id_,
                lambda event: event["event"] == "workers" and any((one["quiet_seconds"] or 0) > 0 for one in event["workers"]),
            )
            assert quiet["workers"][0]["doing"]
            assert client.show(id_)["workers"][0]["name"] in {one["name"] for one in quiet["workers"]}
            monkeypatch.setenv("DSKETCH_URL", clustered.url)
            assert "worker " in CliRunner().invoke(main, ["jobs", "show", id_]).output
        finally:
            for process in stopped:
                os.kill(process.pid, signal.SIGCONT)
        client.cancel(id_)
        assert client.show(id_)["workers"] is None


def _workers_of(pid: int) -> list[psutil.Process]:
    """Return the worker processes of a service: they have no children of their own, and most memory."""
    below = [one for one in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]
    return [one for one in below if not one.children()]


def test_a_worker_in_words() -> None:
    """Ten seconds without a sign of work are said."""
    told = {"name": "0", "doing": "piece 3", "memory_bytes": 2_000_000, "memory_limit_bytes": 4_000_000, "quiet_seconds": 12.0}
    assert worker_text(told) == "worker 0: piece 3, 2.00 MB of 4.00 MB, no sign of work for 12.0 s"
    assert worker_text({**told, "quiet_seconds": None, "doing": "", "memory_limit_bytes": None}) == "worker 0: waits, 2.00 MB"
