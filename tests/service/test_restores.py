"""A backup of the version before: restored, served with its answers, its failed job resumed; the account of what was used is kept."""

import contextlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch._results.signing import public_key_of
from dsketch.client import Client
from dsketch.errors import AccessError, RateError
from dsketch.service.events import Hub
from dsketch.service.keeping import Keeping
from dsketch.service.store import Store
from tests.service.backups import restore
from tests.service.conftest import spec
from tests.service.running import Service, rested


@pytest.fixture
def restored(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a service whose state was restored, and its data root."""
    return tmp_path, restore("before", tmp_path)


@pytest.fixture
def team(tmp_path: Path) -> tuple[Path, Path, dict[str, str]]:
    """The folder of a service of owners, restored with uploads, the use of a day, tokens and its key, its data root, and the tokens."""
    data = restore("before-uploads", tmp_path)
    return tmp_path, data, json.loads((tmp_path / "tokens.json").read_text())


def words_of(folder: Path) -> tuple[str, ...]:
    """Return what the service of owners is started with."""
    return "--token-file", str(folder / "tokens"), "--owners", str(folder / "owners.toml")


def ids_of(client: Client) -> dict[str, str]:
    """Return the ids of jobs by name."""
    return {job["name"]: job["id"] for job in client.list()}


def set_day(state: Path, day: str) -> None:
    """Let the use of a day be that of another day."""
    used = json.loads((state / "usage.json").read_text())
    (state / "usage.json").write_text(json.dumps({**used, "day": day}))


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
def test_uploads_predictions_and_tags_of_before_are_served(team: tuple[Path, Path, dict[str, str]]) -> None:
    """Each owner finds its own with the token of before, files that were sent are solved on, answers predict, receipts are of one key."""
    folder, data, tokens = team
    with Service(folder, data, *words_of(folder)) as service, service.client(tokens["ann"]) as ann:
        jobs = {job["name"]: job for job in ann.list()}
        assert {name: (job["state"], job["tags"]) for name, job in jobs.items()} == {
            "first": ("solved", ["paper 2", "night"]),
            "predicted": ("solved", ["paper 2", "night"]),
            "cars": ("solved", ["cars"]),
        }
        first, cars = jobs["first"]["id"], jobs["cars"]["id"]
        assert np.allclose(ann.fetch(cars), [2.0, 100.0])
        assert ann.solution(cars)["summary"]["names"] == ["weight", "doors"]
        assert [upload["name"] for upload in ann.uploads()["uploads"]] == ["cars.csv"]
        again = ann.submit(problem="lstsq", A="upload:cars.csv", b="upload:cars.csv#price")["id"]
        assert rested(ann, again)["state"] == "solved"
        assert np.array_equal(ann.fetch(again), ann.fetch(cars))
        anew = ann.predict(first, "A_new.zarr")["id"]
        assert rested(ann, anew)["state"] == "solved"
        assert np.array_equal(ann.fetch(anew), ann.fetch(jobs["predicted"]["id"]))
        assert ann.residuals(first)["rows"]
        receipts = {id_: ann.receipt(id_) for id_ in (first, again)}
        with service.client(tokens["wall"]) as wall:
            assert ids_of(wall).keys() >= jobs.keys()
            with pytest.raises(AccessError):
                wall.tag(first, [])
        with service.client(tokens["bob"]) as bob:
            assert ids_of(bob).keys() == {"cut"}
        with service.client(tokens["boss"]) as boss:
            assert {token["label"]: token["last_used"] is not None for token in boss.tokens()} == dict.fromkeys(
                ("desk", "laptop", "wall", ""), True
            )
    assert {receipt["signature"]["key"] for receipt in receipts.values()} == {public_key_of(folder / "state" / "signing.pem")}
    (folder / "receipt.json").write_text(json.dumps(receipts[first], indent=1, ensure_ascii=False))
    journal = folder / "state" / "jobs" / first / "journal"
    found = ds.audit(folder / "receipt.json", journal=journal, data={name: str(data / f"{name}.zarr") for name in "Ab"})
    assert all(fault.where == "panel" and "last bits differ" in fault.text for fault in found.faults), (
        found.faults
    )  # another processor
    assert "left out" not in service.log.read_text()
    assert "Traceback" not in service.log.read_text()


@pytest.mark.cluster
@pytest.mark.parametrize("is_today", [True, False])
def test_what_was_used_counts_on_its_day_alone(team: tuple[Path, Path, dict[str, str]], is_today: bool) -> None:
    """Who had nothing left when the copy was made has nothing left on that day, and a whole day on the next one."""
    folder, data, tokens = team
    set_day(folder / "state", datetime.now(UTC).date().isoformat() if is_today else "2026-11-29")
    with Service(folder, data, *words_of(folder)) as service, service.client(tokens["bob"]) as bob:
        cut = ids_of(bob)["cut"]
        with service.client(tokens["boss"]) as boss:
            use = {one["owner"]: one["read_bytes"] for one in boss.owners()}
        if is_today:
            assert (use["ann"], use["bob"]) == (5_088, 1_920)
            for act in (lambda: bob.resume(cut), lambda: bob.submit(spec("tsqr"))):
                with pytest.raises(RateError, match=r"1\.00 kB read a day .* have read 1\.92 kB"):
                    act()
            return
        assert (use["ann"], use["bob"]) == (0, 0)
        anew = rested(bob, bob.submit(spec("tsqr"))["id"])
        assert anew["passes"] >= 1  # so small a pass may be over before the word to stop is heard
        assert anew["state"] == "solved" or "have read 1.92 kB" in anew["sentence"]  # this day's pass alone
        with service.client(tokens["boss"]) as boss:
            read = {one["owner"]: one["read_bytes"] for one in boss.owners()}["bob"]
        assert 1_920 <= read <= 1_920 * anew["passes"]  # one that was recorded as the process was ended is not counted
        with pytest.raises(RateError, match=r"1\.00 kB read a day"):
            bob.submit(spec("tsqr", seed=1))


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
