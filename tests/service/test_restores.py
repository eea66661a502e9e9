"""A backup of the version before: restored, served with its answers, its failed job resumed; the account of what was used is kept."""

import contextlib
import json
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dsketch.service.events import Hub
from dsketch.service.keeping import Keeping
from dsketch.service.store import Store
from tests.service.conftest import spec
from tests.service.running import Service, rested

BACKUP = Path(__file__).parent / "states" / "before.tar.gz"  # jobs/ and format.json, copied from a running service, and its data
WAS = "/srv/dsketch/data"


@pytest.fixture
def restored(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a service whose state was restored, and its data root."""
    with tarfile.open(BACKUP) as backup:
        backup.extractall(tmp_path, filter="data")
    for file in (tmp_path / "state").rglob("*.json"):  # the data lie elsewhere here
        file.write_text(file.read_text().replace(WAS, str(tmp_path / "data")))
    return tmp_path, tmp_path / "data"


@pytest.mark.cluster
def test_a_backup_of_the_version_before_is_served(restored: tuple[Path, Path]) -> None:
    """Answers with coefficients, events and keys as they were; records of another format are named; new jobs have new words."""
    folder, data = restored
    with Service(folder, data, "--keep-days", "36500") as service, service.client() as client:
        jobs = {job["name"]: job for job in client.list()}
        assert {name: job["state"] for name, job in jobs.items()} == {"first": "solved", "failed": "failed"}
        first = jobs["first"]["id"]
        assert [job["tags"] for job in jobs.values()] == [[], []]
        client.tag(first, ["from before"])
        assert [job["id"] for job in client.list(tags=["from before"])] == [first]
        x = client.fetch(first)
        assert np.abs(x.ravel() - [1.0, 2.0, 3.0]).max() < 0.2
        assert client.solution(first)["summary"]["coefficients"]
        assert [event["event"] for event in client.follow(first)][-1] == "state"
        again = client.submit({"problem": "lstsq", "A": "A.zarr", "b": "b.zarr", "summary": True}, name="anew")
        assert rested(client, again["id"])["state"] == "solved"
        assert np.array_equal(client.fetch(again["id"]), x)
        client.resume(jobs["failed"]["id"])
        assert "must have format 3" in rested(client, jobs["failed"]["id"])["sentence"]  # sums of that version had another order
    assert "left out" not in service.log.read_text()
    assert "Traceback" not in service.log.read_text()


@pytest.mark.cluster
def test_a_running_service_is_copied(tmp_path: Path, data: Path) -> None:
    """What the guide says to copy, while jobs end, starts anywhere: solved jobs are solved, the others go on to the same answer."""
    with Service(tmp_path / "old", data) as service, service.client() as client:
        done = client.submit(spec("tsqr"))["id"]
        rested(client, done)
        x = client.fetch(done)
        client.tag(done, ["kept"])
        later = [client.submit(spec("tsqr", seed=seed))["id"] for seed in range(1, 4)]
        (tmp_path / "new" / "state").mkdir(parents=True, mode=0o700)
        shutil.copytree(service.state / "jobs", tmp_path / "new" / "state" / "jobs", copy_function=_copy_if_there)
        for name in ("format.json", "signing.pem"):
            shutil.copy2(service.state / name, tmp_path / "new" / "state" / name)
    with Service(tmp_path / "new", data) as service, service.client() as client:
        assert [client.show(done)[word] for word in ("state", "tags")] == ["solved", ["kept"]]
        assert np.array_equal(client.fetch(done), x)
        assert [rested(client, id_)["state"] for id_ in later] == ["solved"] * 3


@pytest.mark.cluster
def test_uploads_and_what_was_used_today_are_restored(tmp_path: Path, data: Path) -> None:
    """A file that was sent is there with its bytes and solved on; what the day has used is counted on, not begun anew."""
    (tmp_path / "owners").write_text('["*"]\nbytes_a_day = "20TB"\n')
    (tmp_path / "t.csv").write_text("y,a,b\n" + "".join(f"{2 * i + i * i % 7},{i},{i * i % 7}\n" for i in range(30)))
    words = ("--owners", str(tmp_path / "owners"))
    with Service(tmp_path / "old", data, *words) as service, service.client() as client:
        client.upload(tmp_path / "t.csv")
        rested(client, client.submit(spec("tsqr"))["id"])
        service.stop()
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "state").mkdir(mode=0o700)
        for name in ("jobs", "uploads"):
            shutil.copytree(service.state / name, tmp_path / "new" / "state" / name)
        for name in ("format.json", "usage.json", "signing.pem"):
            shutil.copy2(service.state / name, tmp_path / "new" / "state" / name)
    before = json.loads((tmp_path / "new" / "state" / "usage.json").read_text())
    with Service(tmp_path / "new", data, *words) as service, service.client() as client:
        assert [upload["name"] for upload in client.uploads()["uploads"]] == ["t.csv"]
        id_ = client.submit(problem="lstsq", A="upload:t.csv", b="upload:t.csv#y")["id"]
        assert rested(client, id_)["state"] == "solved"
        assert np.allclose(client.fetch(id_).ravel(), [2.0, 1.0])
        service.stop()
        after = json.loads((service.state / "usage.json").read_text())
    assert before["day"] <= after["day"]
    assert before["day"] != after["day"] or after["owners"]["local"][0] > before["owners"]["local"][0] > 0


def test_jobs_of_the_version_before_are_kept_as_long(restored: tuple[Path, Path]) -> None:
    """Counted from when they ended, in that version; on the day before nothing goes, on the day after all does."""
    store = Store(restored[0] / "state")
    jobs = store.page()
    ended = max(job.history[-1].at for job in jobs)
    dispatcher: Any = SimpleNamespace(store=store, hub=Hub(store.jobs))
    keeping = Keeping(dispatcher, 90.0)

    assert keeping.remove_old(min(job.history[-1].at for job in jobs) + 89 * 86_400) == []
    assert set(keeping.remove_old(ended + 91 * 86_400)) == {job.id for job in jobs if job.state.is_resting}
    assert not list((restored[0] / "state" / "jobs").glob("*/x.npy"))
    store.close()


def _copy_if_there(source: str, target: str) -> None:
    """Copy a file that may be replaced at this moment, as tools for backups do."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)
