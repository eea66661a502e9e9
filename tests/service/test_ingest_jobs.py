"""A run whose first step makes a matrix of an upload, ended in the middle of that: nothing half made is left, and it can be run again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from dsketch.client import Client
from tests.service.running import Service, rested, waited

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ROWS, COLUMNS = 400_000, 24  # takes a second or more to be made a matrix, of several chunks


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same table as CSV and Parquet: y is the sum of the others."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    values = rng.integers(-1000, 1000, (ROWS, COLUMNS))
    names = [f"x{place}" for place in range(COLUMNS)]
    table = np.column_stack([values, values.sum(1)])
    arrays = {name: pa.array(column) for name, column in zip([*names, "y"], table.T, strict=True)}
    csv.write_csv(pa.table(arrays), folder / "t.csv")
    parquet.write_table(pa.table(arrays), folder / "t.parquet", row_group_size=5_000)
    return {ending: folder / f"t.{ending}" for ending in ("csv", "parquet")}


@pytest.fixture
def served(tmp_path: Path, data: Path) -> Iterator[Service]:
    """A service."""
    with Service(tmp_path, data, "--rate", "10000") as service:
        yield service


def spec_of(name: str, **more: Any) -> dict[str, Any]:
    """Return the document of a run on an upload."""
    return {"problem": "lstsq", "A": f"upload:{name}", "b": f"upload:{name}#y", **more}


def half_made(service: Service) -> list[Path]:
    """Return the matrices that are begun and not whole."""
    found = service.state.glob("uploads/*/*/matrices/*")
    return [made for made in found if any(made.glob("*/zarr.json")) and not (made / "made.json").exists()]


def begin(service: Service, client: Client) -> tuple[str, int]:
    """Submit the run; return its id and its process, which is stopped in the middle of making the matrix."""
    id_ = client.submit(spec_of(client.uploads()["uploads"][0]["name"]))["id"]
    waited(lambda: half_made(service) or None, "a half-made matrix")
    (process,) = [one.pid for one in psutil.Process(service.pid).children(recursive=True) if has_lock(one, id_)]
    os.kill(process, signal.SIGSTOP)
    assert half_made(service), "it was made before it could be stopped"
    return id_, process


def has_lock(process: psutil.Process, id_: str) -> bool:
    """Whether a process is that of a job."""
    try:
        return any(id_ in file.path and Path(file.path).name == "lock" for file in process.open_files())
    except psutil.Error:
        return False


def require_whole(service: Service, client: Client, id_: str) -> None:
    """A solved job, the right coefficients, one whole matrix, and nothing beside it."""
    job = rested(client, id_)
    assert job["state"] == "solved", job["sentence"]
    assert np.abs(client.fetch(id_).ravel() - 1.0).max() < 1e-9
    (made,) = service.state.glob("uploads/*/*/matrices/*")
    assert sorted(path.name for path in made.iterdir()) == [".lock", "A.zarr", "b.zarr", "made.json"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_cancelled_ingest_leaves_nothing(served: Service, files: dict[str, Path], ending: str) -> None:
    """The job is cancelled at once, its matrix and the bytes that it took of the quota are gone, and it can be resumed or run anew."""
    with served.client() as client:
        client.upload(files[ending])
        id_, process = begin(served, client)
        job = client.cancel(id_)
        assert (job["state"], job["passes"]) == ("cancelled", 0)
        assert not psutil.pid_exists(process)
        assert list(served.state.glob("uploads/*/*/matrices/*")) == []
        assert client.uploads()["used_bytes"] < 1.01 * files[ending].stat().st_size + 10_000
        client.resume(id_)
        require_whole(served, client, id_)
        again = client.submit(spec_of(f"t.{ending}", seed=1))["id"]
        require_whole(served, client, again)


def test_a_killed_ingest_is_made_anew(served: Service, files: dict[str, Path]) -> None:
    """Its process dies by SIGKILL: the job tries again by itself, and has the answer."""
    with served.client() as client:
        client.upload(files["csv"])
        id_, process = begin(served, client)
        os.kill(process, signal.SIGKILL)
        require_whole(served, client, id_)
        states = [step["state"] for step in client.show(id_)["history"]]
    assert "interrupted" in states


def test_a_service_that_is_killed_meanwhile_goes_on(served: Service, files: dict[str, Path]) -> None:
    """The service and the job's process die by SIGKILL in the middle: after a start the job goes on, what was half made is not read."""
    with served.client() as client:
        client.upload(files["csv"])
        id_, process = begin(served, client)
    served.kill()
    os.kill(process, signal.SIGKILL)
    assert half_made(served)
    served.start()
    with served.client() as client:
        require_whole(served, client, id_)


def test_what_was_half_made_goes_at_the_next_start(served: Service, files: dict[str, Path]) -> None:
    """Also where no job asks for it again."""
    with served.client() as client:
        client.upload(files["csv"])
        id_, process = begin(served, client)
        served.kill()
    os.kill(process, signal.SIGKILL)
    (left,) = half_made(served)
    for path in (served.state / "jobs").glob(f"{id_}/*.json"):
        path.unlink()
    served.start()
    with served.client() as client:
        waited(lambda: None if left.exists() else True, "the end of what was half made")
        assert client.uploads()["used_bytes"] < 1.01 * files["csv"].stat().st_size + 10_000


def test_two_that_ask_for_one_matrix_make_it_once(served: Service, files: dict[str, Path]) -> None:
    """The second waits for the first; when that is cancelled the second makes it."""
    with served.client() as client:
        client.upload(files["csv"])
        first, _ = begin(served, client)
        second = client.submit(spec_of("t.csv", seed=1))["id"]
        waited(lambda: client.show(second)["state"] != "queued" or None, "the second")
        client.cancel(first)
        require_whole(served, client, second)
        assert client.show(first)["state"] == "cancelled"
