"""Lists of jobs: orders, searches, counts, pages, at no price that grows with the number of jobs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dsketch.client import Client
from dsketch.errors import SpecError
from dsketch.service.index import Index
from dsketch.service.job import Job, State, StateChange
from dsketch.service.listing import Look, Order, back_of, cursor_of
from dsketch.service.store import Store
from tests.service.conftest import spec
from tests.service.running import Service, rested
from tests.service.test_store import accepted

_STATES = [State.SOLVED, State.RUNNING, State.FAILED, State.QUEUED, State.PLANNING, State.SOLVED, State.INTERRUPTED]


def job_of(number: int, owner: str = "alice", name: str | None = None, state: State = State.SOLVED, **spec: Any) -> Job:
    """Return a job that nobody runs; its id sorts by the number; it made up to 4 passes, for a third of a second each."""
    given = {"problem": "ridge", "A": f"/data/{number}/A.zarr", **spec}
    title = f"Name {number % 5}" if name is None else name
    worked = (
        StateChange(State.RUNNING, 0.0, "runs"),
        StateChange(state, 9.0, "so it is", passes=number % 5, worked=number % 5 / 3),
    )
    return Job(f"{number:012x}00000000", owner, title, given, 0.0, worked)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index of 40 jobs of two owners in many states."""
    made = Index(tmp_path / "index.sqlite")
    problems = ("ridge", "lstsq", "glm")
    jobs = [
        job_of(number, ("alice", "bob")[number % 2], state=_STATES[number % 7], problem=problems[number % 3])
        for number in range(40)
    ]
    assert made.replace(jobs) == {}
    yield made
    made.close()


def paged(index: Index, order: Order, **more: Any) -> list[Job]:
    """Return all jobs of a look, three at a time."""
    found: list[Job] = []
    after = None
    while page := index.page(Look(order=order, after=after, limit=3, **more)):
        found += page
        after = cursor_of(page[-1], order, more.get("grown"))
    return found


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("owner", [None, "bob"])
@pytest.mark.parametrize("state", [None, State.SOLVED])
def test_pages_are_the_whole_in_order(index: Index, order: Order, owner: str | None, state: State | None) -> None:
    """Page by page every job that is looked for comes once, in the order of one page of all."""
    whole = index.page(Look(order=order, owner=owner, state=state, limit=500))
    ids = [job.id for job in whole]

    assert [job.id for job in paged(index, order, owner=owner, state=state)] == ids
    assert len(set(ids)) == len(ids) == sum(count for one, count in index.counts(owner).items() if state in (None, one))


def test_what_runs_comes_first(index: Index) -> None:
    """Running, planning, interrupted, queued, then what rests; the newest first in each."""
    found = index.page(Look(order=Order.ACTIVE, limit=500))
    states = [job.state for job in found]
    first = {state: states.index(state) for state in (State.RUNNING, State.PLANNING, State.INTERRUPTED, State.QUEUED)}

    assert [*first.values()] == sorted(first.values())
    assert all(state.is_resting for state in states[states.index(State.QUEUED) + states.count(State.QUEUED) :])
    running = [job.id for job in found if job.state is State.RUNNING]
    assert running == sorted(running, reverse=True)


@pytest.mark.parametrize("order", [order for order in Order if order.is_growing])
def test_what_grows_stands_where_it_is_now(index: Index, order: Order) -> None:
    """By what is recorded of jobs that rest and by what is done by now of those under way, page by page, each once."""
    grown = {job_of(number).id: 0.1 + number % 3 for number in range(40) if _STATES[number % 7].is_active}
    recorded = {job_of(number).id: number % 5 / (1 if order.column == "passes" else 3) for number in range(40)}
    amounts = recorded | grown
    for more in ({}, {"owner": "bob"}, {"state": State.RUNNING}, {"search": "name 3"}):
        found = paged(index, order, grown=grown, **more)
        every = {job.id for job in index.page(Look(limit=500, **more))}
        wanted = sorted(every, key=lambda id_: (amounts[id_], back_of(id_)), reverse=order.is_backward)
        assert [job.id for job in found] == wanted


@pytest.mark.parametrize("order", [Order.WORK, Order.WORK_BACK])
def test_others_come_once_while_a_job_grows(index: Index, order: Order) -> None:
    """A job that works between two pages may come twice or not at all; all others come once."""
    id_, found, after = job_of(1).id, list[str](), None
    for turn in range(40):
        page = index.page(Look(order=order, after=after, limit=3, grown={id_: turn / 10}))
        if not page:
            break
        found += [job.id for job in page]
        after = cursor_of(page[-1], order, {id_: turn / 10})
    assert sorted(one for one in found if one != id_) == [job_of(number).id for number in range(40) if number != 1]


def test_a_cursor_that_is_no_number_is_0(index: Index) -> None:
    """Somebody may write whatever comes before the id."""
    for wrong in ("words", "nan", "inf", "1e999", ""):
        look = Look(order=Order.WORK, after=f"{wrong}~{job_of(0).id}", limit=500)
        assert index.page(look) == index.page(replace(look, after=f"0.0~{job_of(0).id}"))


def test_the_store_tells_what_grows(tmp_path: Path) -> None:
    """Passes that are recorded by now and seconds of work, of jobs under way alone, and of orders by these alone."""
    store = Store(tmp_path / "state")
    jobs = [accepted(store) for _ in range(3)]
    store.move(jobs[0].id, State.CANCELLED)
    for state in (State.PLANNING, State.RUNNING):
        store.move(jobs[1].id, state)
    journal = store.folder(jobs[1].id).journal
    journal.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        (journal / f"pass-{number:04d}.npz").touch()
    assert store.grown(Order.PASSES_BACK) == {jobs[1].id: 3}
    assert store.grown(Order.WORK).keys() == {jobs[1].id}
    assert store.grown(Order.WORK)[jobs[1].id] >= 0
    assert store.grown(Order.NAME) == {}


def test_a_search_looks_for_all_its_words(index: Index) -> None:
    """In name, owner, problem, data and id, whatever the case; what it finds is counted; marks of SQL are letters like others."""
    index.put(job_of(100, "carol", "Straße_100%", problem="glm", A="/data/Voxels/A.zarr", method="auto"))
    wanted = {
        "STRASSE": 1,
        "carol voxels": 1,
        "100%": 1,
        "_100": 1,
        "voxels bob": 0,
        f"{100:012x}": 1,
        "auto": 0,
        "glm": 14,
        "' --": 0,
    }

    assert {words: len(index.page(Look(search=words))) for words in wanted} == wanted
    assert {words: sum(index.counts(search=words).values()) for words in wanted} == wanted
    assert index.counts("carol", "voxels")[State.SOLVED] == 1
    assert index.counts("alice", "voxels")[State.SOLVED] == 0


def test_counts_follow_every_change(tmp_path: Path) -> None:
    """Accepted, moved, removed, made anew: the tally is that of the jobs."""
    store = Store(tmp_path / "state")
    jobs = [accepted(store) for _ in range(3)]
    store.move(jobs[0].id, State.CANCELLED)
    store.move(jobs[1].id, State.PLANNING)
    wanted = {State.QUEUED: 1, State.CANCELLED: 1, State.PLANNING: 1}

    assert {state: count for state, count in store.counts().items() if count} == wanted
    store.rebuild()
    assert {state: count for state, count in store.counts(jobs[0].owner).items() if count} == wanted
    store.remove(jobs[0].id)
    assert store.counts()[State.CANCELLED] == 0
    assert store.owners() == 1
    assert not any(store.counts("nobody").values())


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("owner", [None, "alice"])
def test_a_page_comes_from_an_index(index: Index, order: Order, owner: str | None) -> None:
    """SQLite goes along an index from where the page before ended: it neither looks at all jobs nor sorts them."""
    after = cursor_of(job_of(20), order)
    for state in (None, State.SOLVED) if order in (Order.ACTIVE, Order.NEWEST, Order.OLDEST) else (None,):
        for place in (None, after):
            grown = {job_of(3).id: 7.0} if order.is_growing else {}
            clause, values = Look(order=order, owner=owner, state=state, after=place, limit=25, grown=grown).clause()
            asked = f"EXPLAIN QUERY PLAN SELECT id FROM jobs {clause}"  # noqa: S608 - of our own words
            steps = [row[3] for row in index._reader().execute(asked, values)]
            assert len(steps) == 1, steps
            assert "USING INDEX" in steps[0] or "USING COVERING INDEX" in steps[0], steps


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    """Its tables may have other columns; the folders have all that they held."""
    import sqlite3

    with sqlite3.connect(tmp_path / "index.sqlite") as old:
        old.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY, document TEXT)")
    old.close()
    made = Index(tmp_path / "index.sqlite")
    made.put(job_of(1))

    assert [job.id for job in made.page(Look())] == [job_of(1).id]
    made.close()


@pytest.mark.cluster
def test_lists_over_http(service: Service) -> None:
    """The words of a list work from Python; a job tells the method that was used, and where a page goes on."""
    with service.client() as client:
        made = [client.submit(spec("auto"), name=f"listed number {number}")["id"] for number in range(3)]
        for id_ in made:
            rested(client, id_)
        found = list(client.list(search="Listed number", order="oldest"))
        page = client._json("GET", "/v1/jobs", params={"search": "listed", "limit": 2, "order": "active"})
        rest = client._json("GET", "/v1/jobs", params={"search": "listed", "limit": 2, "order": "active", "after": page["next"]})

        assert [job["id"] for job in found] == made
        assert [job["method"] for job in found] == [client.solution(id_)["method"] for id_ in made]
        assert "auto" not in {job["method"] for job in found}
        assert [job["id"] for job in (*page["jobs"], *rest["jobs"])] == made[::-1]
        assert page["counts"]["solved"] == 3
        assert rest["next"] is None
        for wrong in ({"order": "best"}, {"after": "x~1"}, {"search": "a\nb"}):
            with pytest.raises(SpecError):
                client._json("GET", "/v1/jobs", params=wrong)
        assert client._json("GET", "/v1/jobs", params={"order": "active", "after": f"words~{made[0]}"})["jobs"]


def test_a_client_sees_the_lists_of_its_token(client_of_alice: Client) -> None:
    """Counts and owners are of the jobs that a token may see."""
    page = client_of_alice._json("GET", "/v1/jobs")
    assert page["owners"] == 1
    assert page["counts"]["queued"] == 0


@pytest.fixture
def client_of_alice(tmp_path: Path, data: Path) -> Iterator[Client]:
    """Alice's client of a service that has a job of bob in line."""
    from dsketch.service.auth import new_token

    tokens = tmp_path / "tokens"
    alice, bob = (new_token(tokens, owner) for owner in ("alice", "bob"))
    with Service(tmp_path, data, "--token-file", str(tokens)) as service:
        with service.client(bob) as other:
            other.submit(spec())
        with service.client(alice) as client:
            yield client
