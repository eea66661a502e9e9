"""Clusters as users have them: the right x, or one sentence that says what is wrong with the cluster and what to do."""

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.core import Status

import dsketch as ds
from dsketch.engine import DaskEngine, SerialEngine, clients
from dsketch.engine import dask as engine
from dsketch.sklearn import LinearRegression
from tests.forked import spawned_workers

pytestmark = pytest.mark.cluster

RNG = np.random.default_rng(0)
A = RNG.standard_normal((400, 3))
X = np.array([1.0, 2.0, 3.0])
B = A @ X
IN_PROCESS: dict[str, Any] = {"processes": False, "dashboard_address": None, "memory_limit": 0}


def assert_solved(**choices: Any) -> None:
    """Check that the means that were asked for solve the problem."""
    assert np.abs(ds.lstsq(A, B, **choices).x - X).max() <= 1e-14


@pytest.fixture
def small(stored: Callable[..., str]) -> tuple[str, str]:
    """Paths of A and b."""
    return stored("A", A, 100), stored("b", B, 100)


# ---- what cannot be used ---------------------------------------------------------------------------------------------


def test_asynchronous_clients_and_clusters_are_refused() -> None:
    """What answers only after the call has returned is refused at once, by object and by address; another thread may use all three."""

    async def tried() -> None:
        async with (
            LocalCluster(asynchronous=True, n_workers=1, **IN_PROCESS) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            for target in (client, cluster):
                with pytest.raises(ds.EngineError, match=r"must be synchronous; this \w+ is asynchronous.*asyncio\.to_thread"):
                    ds.lstsq(A, B, cluster=target)
            with pytest.raises(ds.EngineError, match=r"lives in the event loop of this thread.*asyncio\.to_thread"):
                ds.lstsq(A, B, cluster=cluster.scheduler_address)
            for target in (client, cluster, cluster.scheduler_address):
                await asyncio.to_thread(assert_solved, cluster=target)

    asyncio.run(tried())


def test_closed_clients_and_clusters_are_refused() -> None:
    """Closed is said, not met as a failure somewhere inside."""
    with LocalCluster(n_workers=0, **IN_PROCESS) as cluster, Client(cluster, set_as_default=False) as client:
        pass
    for target in (client, cluster):
        with pytest.raises(ds.EngineError, match=r"must be running; this \w+ is closed\. Make it again\.") as caught:
            ds.lstsq(A, B, cluster=target)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("configured", [{}, {"distributed.comm.tls.ca-file": "/no/such/file.pem"}])
def test_tls_needs_certificates(configured: dict[str, str], tmp_path: Path) -> None:
    """A tls:// address without certificates, or with files that are not there, names the settings; so does a scheduler file."""
    file = tmp_path / "scheduler.json"
    file.write_text('{"address": "tls://127.0.0.1:8786"}')
    for target in ("tls://127.0.0.1:8786", file):
        with (
            dask.config.set(configured),
            pytest.raises(
                ds.EngineError, match=r"certificates were expected for tls.*distributed\.comm\.tls\.ca-file.*security="
            ),
        ):
            ds.lstsq(A, B, cluster=target)


# ---- workers that do not come, or are not fit ------------------------------------------------------------------------


def test_adaptive_cluster_wakes_from_zero() -> None:
    """A cluster that starts workers for work is given some before it is waited for."""
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None, memory_limit="1GiB") as cluster:
        # On a busy machine a worker is idle for long before it has imported dsketch.
        cluster.adapt(minimum=0, maximum=2, wait_count=60)
        assert_solved(cluster=cluster)


@pytest.mark.parametrize(
    ("count", "words"), [(1, "was 1 worker, paused: its memory is"), (2, "were 2 workers, paused: their memory is")]
)
def test_paused_workers_are_named(count: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as one worker runs it does the work; when all are paused it is said, and not that there are none."""
    monkeypatch.setattr(engine, "_WORKER_SECONDS", 0)
    with LocalCluster(n_workers=count, **IN_PROCESS) as cluster:
        for worker in cluster.workers.values():
            assert_solved(cluster=cluster)
            cluster.sync(_paused, worker)
        with pytest.raises(ds.EngineError, match=f"{words} full. Give workers more memory"):
            ds.lstsq(A, B, cluster=cluster)


async def _paused(worker: Any) -> None:
    worker.status = Status.paused


def test_workers_that_restart_for_ever_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nannies that end worker after worker for its memory are heard; what they ended before the call does not count."""
    with LocalCluster(n_workers=0, **IN_PROCESS) as cluster, Client(cluster, set_as_default=False) as client:
        client.log_event("worker-restart-memory", {"worker": "tcp://x", "pid": 1, "rss": 10**9})

        def restart(seconds: float) -> None:
            client.log_event("worker-restart-memory", {"worker": "tcp://x", "pid": 2, "rss": 123 * 10**6})

        monkeypatch.setattr("dsketch.engine.waiting.time.sleep", restart)
        with pytest.raises(ds.EngineError, match=r"restarted 3 times for exceeding their memory limit \(the last with 123 MB\)"):
            ds.lstsq(A, B, cluster=client)


def test_another_dsketch_on_a_worker_is_refused(client: Client) -> None:
    """A worker's version of dsketch must be the driver's, as those of Python, NumPy and SciPy."""
    address = next(iter(client.scheduler_info()["workers"]))
    known = DaskEngine(client)
    assert known.workers().count == 2

    def become(name: str) -> str:
        from dsketch import version

        version.__version__, old = name, version.__version__
        return old

    old = client.run(become, "0.0.9", workers=[address])[address]
    try:
        with pytest.raises(ds.EngineError, match=rf"{address} runs .*'dsketch': '0\.0\.9'.*Use one environment"):
            ds.lstsq(A, B, cluster=client)
    finally:
        client.run(become, old, workers=[address])
    assert_solved(cluster=client)


_LACKING = """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name == "zarr":
            raise ModuleNotFoundError("No module named 'zarr'", name="zarr")

sys.meta_path.insert(0, Lacking())
"""


def test_worker_that_lacks_a_package_is_refused(tmp_path: Path) -> None:
    """The package that a worker cannot import is named, whichever dsketch asks for first."""
    (tmp_path / "lacking.py").write_text(_LACKING)
    with (
        spawned_workers(),
        LocalCluster(n_workers=1, dashboard_address=None, preload=[str(tmp_path / "lacking.py")], silence_logs=50) as cluster,
        pytest.raises(ds.EngineError, match=r"cannot import zarr \(No module named 'zarr'\)\. Install it"),
    ):
        ds.lstsq(A, B, cluster=cluster)


def test_data_that_need_a_package_of_the_driver_alone(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks made by a module that the workers lack are an error with its name; the workers live on."""
    (tmp_path / "only_here.py").write_text("def same(block):\n    return block\n")
    monkeypatch.syspath_prepend(tmp_path)
    lazy = da.from_array(A, chunks=(100, 3)).map_blocks(importlib.import_module("only_here").same)
    before = client.run(os.getpid)
    with pytest.raises(ds.EngineError, match=r"must be able to import what the .* No module named 'only_here'\. Install it"):
        ds.lstsq(lazy, B, cluster=client)
    assert client.run(os.getpid) == before
    assert_solved(cluster=client)


# ---- where a call may start workers ----------------------------------------------------------------------------------


def shell(code: str, folder: Path, *, is_file: bool) -> str:
    """Run a program and return what it says."""
    (folder / "program.py").write_text(code)
    words = [sys.executable, "program.py"] if is_file else [sys.executable]
    done = subprocess.run(words, input=None if is_file else code, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("is_file", [True, False])
def test_script_without_a_guard(is_file: bool, tmp_path: Path) -> None:
    """A script that its worker processes would run again, and one that they cannot read again, end with the guard in one sentence."""
    code = "import dsketch as ds, numpy as np\nds.lstsq(np.eye(5)[:, :2], np.ones(5), workers=1)\n"
    said = shell(code, tmp_path, is_file=is_file)
    assert said.count("Traceback") == 1
    last = said.strip().splitlines()[-1]
    assert last.startswith("dsketch.errors.EngineError")
    assert 'if __name__ == "__main__":' in last
    assert "cluster='serial'" in last


def test_call_inside_a_task_stays_in_its_process(client: Client, small: tuple[str, str]) -> None:
    """However large the data, a task solves in its own process, and a cluster that it asks for is refused in a sentence."""

    def solve(choices: dict[str, Any]) -> Any:
        import dsketch
        from dsketch.engine import connect

        old, connect.LOCAL_BYTES = connect.LOCAL_BYTES, 0
        try:
            solution = dsketch.lstsq(*small, **choices)
            return solution.x, solution.plan.machines_text
        except dsketch.EngineError as error:
            return str(error)
        finally:
            connect.LOCAL_BYTES = old

    x, means = client.submit(solve, {}).result()
    assert np.abs(x - X).max() <= 1e-14
    assert means.startswith("this process, 1 thread")
    for choices in ({"cluster": "local"}, {"workers": 2}):
        assert "this one is a Dask task, which may have no children" in client.submit(solve, choices).result()


def test_memory_limit_alone_starts_nothing_for_data_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what the plan may count on: enough for small data in this process, else named with what would be needed."""

    def forbidden(*sizes: object) -> None:
        raise AssertionError(sizes)

    monkeypatch.setattr(clients, "local_cluster", forbidden)
    assert_solved(memory_limit="80MB")
    with pytest.raises(ds.PlanError, match=r"a task must fit in .* of \S+ k?B a thread"):
        ds.lstsq(A, B, memory_limit="1kB")
    with pytest.raises(AssertionError):
        ds.lstsq(A, B, memory_limit="80MB", workers=1)


# ---- the active client -----------------------------------------------------------------------------------------------


@pytest.fixture
def active(cluster: LocalCluster) -> Iterator[Client]:
    """A client that is the default, as ``Client(...)`` makes it."""
    with Client(cluster) as client:
        yield client


@pytest.mark.usefixtures("active")
def test_active_client_is_used_for_stored_and_dask_data(small: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, solve, summary, predict, check and the estimators use it without a word; the plan says so."""

    def forbidden(*looks: object) -> None:
        raise AssertionError(looks)

    lazy = da.from_array(A, chunks=(100, 3))
    monkeypatch.setattr(SerialEngine, "run", forbidden)
    for source in (small[0], lazy, lazy.persist()):
        assert ", the active Client" in ds.plan(ds.LeastSquares(source, B)).machines_text
        solution = ds.lstsq(source, B)
        assert np.abs(solution.x - X).max() <= 1e-14
        assert np.allclose(solution.predict(source), B)
        assert solution.summary().rank == 3
        assert ds.check(ds.LeastSquares(source, B), X).backward_error.max() <= 1e-15
        model = LinearRegression().fit(source, B)
        assert ", the active Client" in model.solution_.plan.machines_text
        assert model.score(source, B) > 1 - 1e-12


@pytest.mark.usefixtures("active")
def test_active_client_is_not_used_otherwise(small: tuple[str, str]) -> None:
    """Arrays in memory stay in this process, and so does what is told to: by cluster=, or by Dask's own configuration."""
    stored, lazy = ds.LeastSquares(*small), ds.LeastSquares(da.from_array(A, chunks=(100, 3)), B)
    plans = [ds.plan(ds.LeastSquares(A, B)), *(ds.plan(problem, cluster="serial") for problem in (stored, lazy))]
    with dask.config.set(scheduler="threads"):
        plans += [ds.plan(stored), ds.plan(lazy)]
    assert all(made.machines_text.startswith("this process") for made in plans)
    assert "this process" in LinearRegression().fit(A, B).solution_.plan.machines_text


def test_no_client_or_one_that_cannot_be_used_is_no_active_one(small: tuple[str, str]) -> None:
    """Without a default client, with one that is closed, and in the loop of an asynchronous one, small data stay in this process."""

    async def tried() -> str:
        async with Client(n_workers=1, asynchronous=True, **IN_PROCESS):
            return ds.plan(ds.LeastSquares(*small)).machines_text

    assert asyncio.run(tried()).startswith("this process")
    assert ds.plan(ds.LeastSquares(*small)).machines_text.startswith("this process")
