"""The store: what was accepted stays, whatever happens to the index or in the middle of a write."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dsketch.service.errors import ForbiddenMove, KeyTaken, ServiceError, UnknownJob
from dsketch.service.job import Job, State
from dsketch.service.store import Store
from tests.failures.test_journal_failures import filled

SPEC = {"problem": "lstsq", "priority": 0}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    opened = Store(tmp_path / "state")
    yield opened
    opened.close()


def accepted(store: Store, owner: str = "ann", key: str | None = None, digest: str = "d") -> Job:
    """Return a job that the store took."""
    return store.accept(owner, "", SPEC, key, digest)[0]


def reopened(store: Store) -> Store:
    """Return the store as the next process finds it."""
    store.close()
    return Store(store.state)


def test_a_key_makes_one_job(store: Store) -> None:
    """The same key with the same request gives the same job, for its owner; with another one it is refused."""
    first, is_new = store.accept("ann", "", SPEC, "k", "d")
    again, is_new_again = store.accept("ann", "", SPEC, "k", "d")

    assert (is_new, is_new_again) == (True, False)
    assert again == first
    assert accepted(store, "bob", "k").id != first.id
    with pytest.raises(KeyTaken, match=first.id):
        store.accept("ann", "", SPEC, "k", "other")


def test_pages_are_newest_first_and_complete(store: Store) -> None:
    """Pages end where the next begins, and show an owner and a state."""
    jobs = [accepted(store, "ann" if number % 3 else "bob") for number in range(10)]
    for job in jobs[::2]:
        store.move(job.id, State.CANCELLED)
    found: list[Job] = []
    while page := store.page(after=found[-1].id if found else None, limit=3):
        found += page

    assert [job.id for job in found] == [job.id for job in reversed(jobs)]
    assert {job.owner for job in store.page(owner="bob")} == {"bob"}
    assert len(store.page(state=State.CANCELLED)) == 5
    assert store.counts()[State.QUEUED] == 5
    assert store.oldest_queued() == pytest.approx(jobs[1].created, abs=1.0)


def test_the_index_is_made_anew_from_the_folders(store: Store) -> None:
    """Without the index, or with a damaged one, everything is as it was: jobs, states, keys."""
    jobs = [accepted(store, key=f"k{number}") for number in range(5)]
    store.move(jobs[0].id, State.PLANNING)
    store.move(jobs[0].id, State.FAILED, "broke", is_fault=True)
    before = store.page()
    for damage in ("missing", "garbage", "empty", "other"):
        store.close()
        index = store.state / "index.sqlite"
        for path in store.state.glob("index.sqlite*"):
            path.unlink()
        if damage == "garbage":
            index.write_bytes(os.urandom(5000))
        if damage == "empty":
            index.write_bytes(b"")
        if damage == "other":
            with sqlite3.connect(index) as other:
                other.execute("CREATE TABLE jobs (id TEXT)")
            other.close()
        store = Store(store.state)
        assert store.page() == before
        assert store.accept("ann", "", SPEC, "k3", "d") == (jobs[3], False)
    store.close()


def test_a_state_that_the_index_missed_is_found(store: Store) -> None:
    """A crash between the folder and the index: the folder is right."""
    job = accepted(store)
    moved = job.with_state(State.CANCELLED, job.created + 1)
    store.folder(job.id).record(moved)

    again = reopened(store)

    assert again.job(job.id).state is State.CANCELLED
    again.close()


def test_what_a_crash_left_is_swept_away(store: Store) -> None:
    """A folder half made was never accepted, one half removed is gone, and neither comes back."""
    job = accepted(store)
    (store.jobs / ".new-aaaa").mkdir()
    shutil.copytree(store.jobs / job.id, store.jobs / f".gone-{'b' * 20}")
    (store.jobs / job.id / ".state.json.123.part").write_text('{"history": [')

    again = reopened(store)

    assert [found.id for found in again.page()] == [job.id]
    assert {path.name for path in again.jobs.iterdir()} == {job.id}
    again.close()


def test_a_damaged_folder_harms_no_other(store: Store) -> None:
    """One job's disk fault does not keep the service from starting."""
    good, bad = accepted(store), accepted(store)
    (store.jobs / bad.id / "state.json").write_text("{")

    again = reopened(store)

    assert [job.id for job in again.page()] == [good.id]
    again.close()


def test_one_process_has_a_store(store: Store) -> None:
    """Two services on one state directory would run jobs twice."""
    with pytest.raises(ServiceError, match="another service has"):
        Store(store.state)


def test_only_resting_jobs_are_removed(store: Store) -> None:
    """A job that is under way is cancelled first; a removed one is unknown, also to the next process."""
    job = accepted(store, key="k")
    with pytest.raises(ForbiddenMove, match="Cancel it first"):
        store.remove(job.id)
    store.move(job.id, State.CANCELLED)
    store.remove(job.id)
    with pytest.raises(UnknownJob):
        store.job(job.id)

    again = reopened(store)

    assert again.page() == []
    assert again.accept("ann", "", SPEC, "k", "d")[1]
    again.close()


def test_files_are_for_this_account_only(store: Store) -> None:
    """What people solve is nobody else's business."""
    accepted(store)

    assert store.jobs.stat().st_mode & 0o077 == 0
    assert (store.state / "index.sqlite").stat().st_mode & 0o077 == 0


def test_a_full_disk_refuses_jobs_and_keeps_states(disk: Path) -> None:
    """Nothing new is taken, and what is there can still be ended; with room again all goes on."""
    store = Store(disk / "state")
    jobs = [accepted(store) for _ in range(3)]
    assert store.trouble() is None
    filled(disk)

    with pytest.raises(ServiceError, match="No space left"):
        accepted(store)
    for job in jobs:
        store.move(job.id, State.CANCELLED)
    assert store.trouble() is not None
    assert all(
        json.loads((store.jobs / job.id / "state.json").read_text())["history"][-1]["state"] == "cancelled" for job in jobs
    )
    (disk / "filler").unlink()

    assert store.trouble() is None
    assert accepted(store).state is State.QUEUED
    assert len(store.page()) == 4
    store.close()


def test_many_at_once_with_one_key_make_one_job(store: Store) -> None:
    """Clients that repeat themselves in the same moment share the job, and nothing half made is left."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: store.accept("ann", "", SPEC, "k", "d"), range(32)))

    assert len({job.id for job, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1
    assert [path.name for path in store.jobs.iterdir()] == [found[0][0].id]
