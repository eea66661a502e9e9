"""The process of a job: what it leaves in the folder, and that it never works beside another one."""

import fcntl
import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from dsketch.planning.traffic import tariff_of
from dsketch.service.errors import ServiceError
from dsketch.service.folder import Folder
from dsketch.service.job import Job
from dsketch.service.job_limits import hold_lock
from dsketch.service.job_process import lead
from dsketch.service.job_work import JobWork
from dsketch.service.places import Roots
from dsketch.service.specs import spec_of
from dsketch.service.store import Store
from tests.service.conftest import spec


@pytest.fixture
def job(tmp_path: Path) -> Iterator[tuple[Store, Job]]:
    """A store with a job of the shared data."""
    store = Store(tmp_path / "s" / "state")
    yield store, store.accept("local", "", spec_of(spec("tsqr")).document(), None, "")[0]
    store.close()


def worked(folder: Folder | None, data: Path, **more: Any) -> list[dict[str, Any]]:
    """Work on a job in this process and return what was told."""
    ours, theirs = multiprocessing.Pipe()
    work = {
        "spec": spec("tsqr"),
        "roots": Roots.of([str(data)]),
        "small_bytes": 10**9,
        "memory_bytes": None,
        "most_result_bytes": 10**9,
    }
    lead(theirs, JobWork(folder=None if folder is None else folder.path, **{**work, **more}))
    lines = []
    while ours.poll():
        lines.append(json.loads(ours.recv_bytes()))
    return lines


def _nothing(*given: object) -> None:
    """Do nothing."""


@pytest.fixture(autouse=True)
def _same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this process' own output and handlers."""
    monkeypatch.setattr("dsketch.service.job_process.signal.signal", _nothing)
    monkeypatch.setattr("dsketch.service.job_limits.os.dup2", _nothing)


def test_a_finished_job_is_not_worked_on_again(job: tuple[Store, Job], data: Path, direct: Any) -> None:
    """Whoever finds the answer there says so, and touches nothing."""
    folder = job[0].folder(job[1].id)
    told = worked(folder, data)
    written = {path: path.stat().st_mtime_ns for path in folder.path.iterdir() if path.is_file()}
    again = worked(folder, data)

    assert next(line["event"] for line in told if line["event"] != "progress") == "planned"
    assert told[-1]["event"] == "ended"
    assert [line["event"] for line in again] == ["ended"]
    assert {path: path.stat().st_mtime_ns for path in written if path.name != "log"} == {
        path: time for path, time in written.items() if path.name != "log"
    }
    assert np.load(folder.path / "x.npy").tobytes() == direct("tsqr").x.tobytes()


@pytest.mark.parametrize("name", ["out.npy", "out.zarr"])
def test_a_result_that_was_written_before_a_death_is_its_own(
    job: tuple[Store, Job], data: Path, tmp_path: Path, name: str, direct: Any
) -> None:
    """A process that died between ``out`` and its last word: the next one finds the same bits there and is content."""
    folder, roots = job[0].folder(job[1].id), Roots.of([str(data)], [str(tmp_path / "out")])
    given = {"spec": spec("tsqr", out=name), "roots": roots}
    worked(folder, data, **given)
    (folder.path / "solution.json").unlink()
    again = worked(folder, data, **given)
    (folder.path / "solution.json").unlink()

    assert again[-1]["event"] == "ended"
    other = worked(job[0].folder(job[0].accept("local", "", spec_of(spec("tsqr")).document(), None, "")[0].id), data, **given)
    assert other[-1]["event"] == "failed"
    assert "a free path was expected" in other[-1]["message"]


def test_an_answer_that_is_too_large_is_refused_before_the_work(job: tuple[Store, Job], data: Path) -> None:
    """The sentence has both sizes, and nothing was planned."""
    told = worked(job[0].folder(job[1].id), data, most_result_bytes=100)

    assert [line["event"] for line in told] == ["failed"]
    assert "at most 100 B was expected" in told[0]["message"]


def test_two_processes_never_have_one_job(job: tuple[Store, Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock belongs to who holds it, and the other one gives up with a sentence."""
    folder = job[0].folder(job[1].id)
    monkeypatch.setattr("dsketch.service.job_limits._LOCK_SECONDS", 0)
    with (folder.path / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ServiceError, match="one still works"), hold_lock(folder):
            pass
    with hold_lock(folder):
        pass


def test_a_plan_leaves_nothing(data: Path) -> None:
    """It is told, and that is all."""
    told = worked(None, data)

    assert [line["event"] for line in told] == ["ended"]
    assert told[0]["found"]["method"] == "tsqr"


def test_a_plan_tells_what_the_store_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests and bytes of data on another machine, and, where the service knows the price, dollars for all passes."""
    monkeypatch.setattr("dsketch.matrix.retrying._LOCAL", frozenset())  # as if another machine held it
    rng, place = np.random.default_rng(0), "memory://prices"
    for name, shape in (("A", (400, 3)), ("b", (400,))):
        zarr.create_array(f"{place}/{name}.zarr", data=rng.standard_normal(shape), chunks=(100, *shape[1:]), compressors=None)
    asked: dict[str, Any] = {
        "spec": spec("tsqr", A=f"{place}/A.zarr", b=f"{place}/b.zarr"),
        "roots": Roots.of([place]),
        "tariff": tariff_of("1000/1000,1/GB"),
    }

    free, priced = (worked(None, Path(), **{**asked, "tariff": tariff})[-1]["found"] for tariff in (None, asked["tariff"]))

    assert priced["store"]["requests"] >= 8
    assert priced["store"]["nbytes"] >= 400 * 4 * 8
    assert priced["dollars"] == pytest.approx(priced["store"]["requests"] + priced["store"]["nbytes"] / 1e9)
    assert "dollars" not in free
