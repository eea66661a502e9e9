"""A state directory that another version, a backup or an accident left: read as far as it can be, private, and no reason not to start."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dsketch.service import store as stores
from dsketch.service.answers_api import Answers
from dsketch.service.auth import Caller
from dsketch.service.dispatch import Dispatcher, Rules
from dsketch.service.errors import ServiceError, UnknownJob
from dsketch.service.events import Hub
from dsketch.service.formats import FORMAT
from dsketch.service.job import Job, State, StateChange
from dsketch.service.jobs_api import Desk
from dsketch.service.metrics import Metrics
from dsketch.service.places import Roots
from dsketch.service.specs import spec_of
from dsketch.service.store import Store
from dsketch.service.workers import JobCluster
from tests.service.conftest import spec
from tests.service.running import Service, rested

DOCUMENT = spec_of(spec("tsqr")).document()


@pytest.fixture
def left(tmp_path: Path) -> tuple[Path, Job]:
    """A closed state directory with one queued job that has a key."""
    store = Store(tmp_path / "service" / "state")
    job, _ = store.accept("local", "mine", DOCUMENT, "key", "digest")
    store.close()
    return store.state, job


def changed(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Change what a JSON file of a job holds."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def opened(state: Path) -> Store:
    """Open a state directory."""
    return Store(state)


def copy_of(state: Path, job: Job, id_: str | None = None) -> str:
    """Copy a job's folder, as a restore may leave it, and return the copy's name."""
    name = id_ or job.id[:-1] + ("0" if job.id[-1] != "0" else "1")
    shutil.copytree(state / "jobs" / job.id, state / "jobs" / name)
    return name


@pytest.mark.parametrize("name", [None, "0" * 20, "f" * 20])
def test_of_two_with_one_key_the_copy_is_left_out(
    left: tuple[Path, Job], caplog: pytest.LogCaptureFixture, name: str | None
) -> None:
    """Whether its name comes before or after; it is named in the log, and the key still gives the first one."""
    state, job = left
    copy = copy_of(state, job, name)
    store = opened(state)

    assert [found.id for found in store.page()] == [job.id]
    assert store.accept("local", "mine", DOCUMENT, "key", "digest") == (store.job(job.id), False)
    assert store.left_out.keys() == {copy}
    assert f"the folder {state / 'jobs' / copy} is left out: it has the key 'key' of job {job.id}" in caplog.text
    assert store.accept("local", "", DOCUMENT, None, "")[1]
    store.close()


WRECKS: dict[str, Callable[[Path], Any]] = {
    "not JSON": lambda folder: (folder / "job.json").write_text("{"),
    "bytes": lambda folder: (folder / "spec.json").write_bytes(b"\xff\xfe\x00"),
    "deep": lambda folder: (folder / "spec.json").write_text("[" * 100_000),
    "a list": lambda folder: (folder / "job.json").write_text("[]"),
    "null": lambda folder: (folder / "state.json").write_text("null"),
    "no history": lambda folder: (folder / "state.json").write_text('{"history": []}'),
    "history of text": lambda folder: (folder / "state.json").write_text('{"history": "abc"}'),
    "a step without time": lambda folder: (folder / "state.json").write_text('{"history": [{"state": "queued"}]}'),
    "a spec of text": lambda folder: (folder / "spec.json").write_text('"x"'),
    "an owner of numbers": lambda folder: changed(folder, "job", lambda about: {**about, "owner": {"name": "x"}}),
    "no owner": lambda folder: changed(folder, "job", lambda about: {**about, "owner": None}),
    "no file": lambda folder: (folder / "state.json").unlink(),
    "a folder for a file": lambda folder: ((folder / "state.json").unlink(), (folder / "state.json").mkdir()),
    "half a character": lambda folder: changed(folder, "job", lambda about: {**about, "owner": "\ud800"}),
}


@pytest.mark.parametrize("wreck", WRECKS)
def test_no_folder_keeps_the_others_from_being_served(
    left: tuple[Path, Job], caplog: pytest.LogCaptureFixture, wreck: str
) -> None:
    """Whatever it holds, the log names it, and it stays where it is."""
    state, job = left
    bad = copy_of(state, job)
    WRECKS[wreck](state / "jobs" / bad)
    store = opened(state)

    assert [found.id for found in store.page()] == [job.id]
    assert str(state / "jobs" / bad) in caplog.text
    assert (state / "jobs" / bad).is_dir()
    store.close()


@pytest.mark.cluster
def test_a_start_takes_up_what_it_can(left: tuple[Path, Job], data: Path) -> None:
    """Folders whose journal, answer or document cannot be used are in nobody's way, and the good job is solved."""
    state, job = left
    store = opened(state)
    bad = [store.accept("local", "", DOCUMENT, None, "")[0].id for _ in range(3)]
    for id_ in bad:
        store.move(id_, State.PLANNING)
    store.close()
    (state / "jobs" / bad[0] / "solution.json").write_text("{")
    (state / "jobs" / bad[1] / "solution.json").write_text('{"is_success": true}')
    (state / "jobs" / bad[2] / "journal").write_text("a file")
    copy = copy_of(state, job)
    with Service(state.parent, data) as service, service.client() as client:
        assert rested(client, job.id)["state"] == "solved"
        assert client.submit(spec("tsqr"))["state"] == "queued"

    assert f"jobs/{copy} is left out" in service.log.read_text()
    assert all(f"jobs/{id_}" in service.log.read_text() for id_ in bad[:2])


def test_what_another_version_wrote_is_kept(left: tuple[Path, Job]) -> None:
    """Fields that this one does not know stay in their files, over changes of state, and the job is there."""
    state, job = left
    folder = state / "jobs" / job.id
    changed(folder, "job", lambda about: {**about, "team": "blue"})
    changed(folder, "state", lambda states: {"history": [{**states["history"][0], "host": "a"}], "archived": True})
    store = opened(state)

    assert store.job(job.id).owner == "local"
    store.move(job.id, State.CANCELLED)
    store.close()
    kept = json.loads((folder / "state.json").read_text())
    assert kept["archived"] is True
    assert [step.get("host") for step in kept["history"]] == ["a", None]
    assert json.loads((folder / "job.json").read_text())["team"] == "blue"


def test_a_state_of_another_version_rests_until_somebody_asks(left: tuple[Path, Job]) -> None:
    """It is shown as failed, with its name; on the disk it stays what it was, also when the job is resumed."""
    state, job = left
    folder = state / "jobs" / job.id
    changed(
        folder,
        "state",
        lambda states: {"history": [*states["history"], {"state": "paused", "at": job.created + 1, "sentence": "s"}]},
    )
    store = opened(state)
    found = store.job(job.id)

    assert (found.state, store.restless()) == (State.FAILED, [])
    assert "'paused'" in found.sentence
    store.move(job.id, State.QUEUED, is_asked=True)
    store.close()
    history = json.loads((folder / "state.json").read_text())["history"]
    assert [(step["state"], step["sentence"]) for step in history[:2]] == [("queued", "waits for its turn"), ("paused", "s")]
    again = opened(state)
    assert again.job(job.id).state is State.QUEUED
    again.close()


@pytest.mark.parametrize("lacking", ["limits", "priority", "missing", "seed"])
def test_documents_of_earlier_versions_have_the_defaults(left: tuple[Path, Job], lacking: str) -> None:
    """A word that did not exist then is what it is for those who leave it out now."""
    state, job = left
    changed(
        state / "jobs" / job.id, "spec", lambda document: {name: value for name, value in document.items() if name != lacking}
    )
    store = opened(state)

    assert store.job(job.id).spec == DOCUMENT
    store.close()


@pytest.mark.cluster
def test_jobs_of_other_versions_run_or_say_why(left: tuple[Path, Job], data: Path) -> None:
    """A document without limits is solved; one with a word that this version lacks fails by name, once."""
    state, job = left
    newer = copy_of(state, job)
    for id_ in (job.id, newer):
        changed(state / "jobs" / id_, "job", lambda about: {**about, "key": None})
    changed(state / "jobs" / job.id, "spec", lambda document: {name: document[name] for name in ("problem", "A", "b")})
    changed(state / "jobs" / newer, "spec", lambda document: {**document, "colour": "red"})
    with Service(state.parent, data) as service, service.client() as client:
        found = rested(client, job.id), rested(client, newer)

    assert [one["state"] for one in found] == ["solved", "failed"]
    assert found[1]["spec"]["colour"] == "red"
    assert "colour" in found[1]["sentence"]
    assert [step["state"] for step in found[1]["history"]].count("planning") == 1
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("mark", [{"format": FORMAT + 1, "version": "9.0"}, {"format": 99}])
def test_a_later_format_is_not_touched(left: tuple[Path, Job], mark: dict[str, Any]) -> None:
    """Read wrongly it could be lost: the version that wrote it is named, and nothing changes."""
    state, _ = left
    (state / "format.json").write_text(json.dumps(mark))
    before = {path: path.read_bytes() for path in (state / "jobs").rglob("*.json")}

    for _again in range(2):
        with pytest.raises(ServiceError, match=f"format {mark['format']}, of dsketch {mark.get('version', 'a later version')}"):
            opened(state)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("mark", [None, "", "{", "[]", '{"format": "x"}'])
def test_a_format_that_is_not_marked_is_ours(left: tuple[Path, Job], mark: str | None) -> None:
    """Earlier versions set no mark; it is set now."""
    state, job = left
    (state / "format.json").unlink()
    if mark is not None:
        (state / "format.json").write_text(mark)
    store = opened(state)

    assert store.job(job.id).id == job.id
    assert json.loads((state / "format.json").read_text())["format"] == FORMAT
    store.close()


def test_the_state_directory_is_private(tmp_path: Path) -> None:
    """Made or found, with all that is in it; one that others use is left as it is, and its files are private."""
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    store = opened(state)
    store.accept("ann", "secret", DOCUMENT, None, "")

    assert state.stat().st_mode & 0o077 == 0
    assert {path.name for path in state.glob("index.sqlite*")} == {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in state.glob("index.sqlite*"))
    store.close()


def test_a_shared_folder_is_not_closed_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody's home or /tmp as state directory keeps its mode; a warning says what to do."""
    (tmp_path / "shared").mkdir(mode=0o755)
    (tmp_path / "shared" / "thesis.tex").touch()
    opened(tmp_path / "shared").close()

    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "shared" / "jobs").stat().st_mode & 0o077 == 0
    assert "chmod 700" in caplog.text


@pytest.mark.cluster
def test_every_file_of_the_service_is_private(tmp_path: Path, data: Path) -> None:
    """Whatever is written in the state directory; results in declared folders are for whom the umask was."""
    with Service(tmp_path, data, "--out-root", str(tmp_path / "out")) as service, service.client() as client:
        assert rested(client, client.submit(spec("tsqr", out="a/x.zarr"))["id"])["state"] == "solved"
        open_files = [path for path in [service.state, *service.state.rglob("*")] if path.stat().st_mode & 0o077]
        results = [path for path in (tmp_path / "out").rglob("*") if not path.stat().st_mode & 0o044]

    assert open_files == []
    assert results == []


@pytest.mark.parametrize("step_seconds", [-3600.0, 3600.0])
def test_a_clock_that_is_set_is_no_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_seconds: float) -> None:
    """What a process worked is counted by a clock that nobody sets; of a service that was away, until its last sign."""
    store = opened(tmp_path / "state")
    job, _ = store.accept("ann", "", DOCUMENT, None, "")
    store.move(job.id, State.PLANNING)
    now = stores.time.time
    monkeypatch.setattr(stores.time, "time", lambda: now() + step_seconds)
    moved = store.move(job.id, State.RUNNING)

    assert 0 <= store.seconds(moved) < 600
    store.close()
    store = opened(tmp_path / "state")
    assert 0 <= store.seconds(store.move(job.id, State.INTERRUPTED)) < 600
    store.close()


def test_steps_are_kept_as_they_were_written() -> None:
    """A step that is read and written is the same document, whatever it has."""
    for fields in (
        StateChange(State.RUNNING, 1.0, "s", 2, worked=0.5).to_dict(),
        {**StateChange(State.QUEUED, 1.0, "s").to_dict(), "host": ["a"]},
        {**StateChange(State.QUEUED, 1.0, "s").to_dict(), "state": "paused"},
        {**StateChange(State.QUEUED, 1.0, "s").to_dict(), "state": ["odd"]},
    ):
        assert StateChange.of(fields).to_dict() == fields
    assert StateChange.of({"state": "queued", "at": 1}).sentence == "waits for its turn"


@pytest.mark.parametrize("left_of_it", ["", '{"x": tru', "[" * 100_000, "\udcff"])
def test_a_damaged_answer_or_plan_is_no_defect(tmp_path: Path, left_of_it: str) -> None:
    """A job whose answer or plan is in pieces is shown without the plan, and its answer is said to be damaged."""
    store = Store(tmp_path / "state")
    job, _ = store.accept("local", "", DOCUMENT, None, "")
    for state in (State.PLANNING, State.RUNNING, State.SOLVED):
        job = store.move(job.id, state, state.value)
    desk = Desk(Dispatcher(store, Hub(store.jobs), JobCluster(), Roots(), Metrics(), Rules()))
    for name in ("plan.json", "solution.json"):
        (store.folder(job.id).path / name).write_bytes(left_of_it.encode(errors="surrogateescape"))

    assert desk.describe(job, whole=True)["plan"] is None
    with pytest.raises(UnknownJob, match=r"an answer was expected in job .*; its file is damaged\. Submit the job again\."):
        Answers(desk).x(Caller("local"), job.id)
    store.close()


@pytest.fixture(autouse=True)
def _hear(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dsketch")
