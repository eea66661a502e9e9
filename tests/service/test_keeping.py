"""How long ended jobs are kept."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dsketch.service.events import Hub
from dsketch.service.job import State
from dsketch.service.keeping import Keeping
from dsketch.service.store import Store
from tests.service.test_store import accepted

DAY = 86_400.0


@pytest.mark.parametrize("days", [None, 2.0])
def test_jobs_are_removed_after_their_days(tmp_path: Path, days: float | None) -> None:
    """Only those that rest, with their folders, and only when it was asked for; what waits or runs is kept whatever its age."""
    store = Store(tmp_path / "state")
    jobs = {state: accepted(store) for state in (State.QUEUED, State.PLANNING, State.CANCELLED, State.FAILED)}
    for state, job in jobs.items():
        if state is not State.QUEUED:
            store.move(job.id, state)
    dispatcher: Any = SimpleNamespace(store=store, hub=Hub(store.jobs))
    keeping = Keeping(dispatcher, days)
    now = max(store.job(job.id).history[-1].at for job in jobs.values())

    assert keeping.remove_old(now + 1.9 * DAY) == []
    removed = keeping.remove_old(now + 2.1 * DAY)
    assert set(removed) == (set() if days is None else {jobs[State.CANCELLED].id, jobs[State.FAILED].id})
    assert {path.name for path in store.jobs.iterdir()} == {job.id for job in jobs.values()} - set(removed)
    store.close()


def test_a_job_that_is_resumed_begins_anew(tmp_path: Path) -> None:
    """What counts is when it ended last, and all pages of a long list are looked at."""
    store = Store(tmp_path / "state")
    ids = [accepted(store).id for _ in range(7)]
    for id_ in ids:
        store.move(id_, State.CANCELLED)
    store.move(ids[0], State.QUEUED, is_asked=True)
    dispatcher: Any = SimpleNamespace(store=store, hub=Hub(store.jobs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dsketch.service.keeping._AT_ONCE", 2)
        removed = Keeping(dispatcher, 1.0).remove_old(store.job(ids[0]).history[-1].at + 2 * DAY)

    assert sorted(removed) == ids[1:]
    assert [job.id for job in store.page()] == ids[:1]
    store.close()
