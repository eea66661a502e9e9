"""Tags of jobs: given, changed, looked for; kept over restarts, backups and upgrades; nobody else's."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dsketch._cli import main
from dsketch.client import Client
from dsketch.errors import AccessError, SpecError, UnknownJob
from dsketch.service.auth import new_token
from dsketch.service.job import State
from dsketch.service.listing import Look, Order
from dsketch.service.store import Store
from dsketch.service.tags import MOST_CHARACTERS, MOST_TAGS
from tests.service.conftest import spec
from tests.service.running import Service
from tests.service.test_store import SPEC


def tagged(store: Store, *tags: str, name: str = "") -> str:
    """Return the id of a new job with tags."""
    job, _ = store.accept("ann", name, SPEC, None, "", tags=tags)
    return job.id


def found(store: Store, *tags: str, **more: Any) -> list[str]:
    """Return the ids of the jobs that have all these tags, oldest first."""
    return [job.id for job in store.page(Look(tags=tags, order=Order.OLDEST, **more))]


def test_jobs_are_found_by_whole_tags(tmp_path: Path) -> None:
    """Whatever the case, all of several, never by a part of one; searched for, a part is enough; counts follow."""
    store = Store(tmp_path / "state")
    first, second = tagged(store, "Paper 2", "night"), tagged(store, "paper 20", "100%_'")
    tagged(store)

    assert found(store, "paper 2") == found(store, "PAPER 2", "Night") == [first]
    assert found(store, "paper") == found(store, "night", "paper 20") == []
    assert found(store, "100%_'") == [second]
    assert [job.id for job in store.page(Look(search="paper", order=Order.OLDEST))] == [first, second]
    assert store.counts(tags=("night",))[State.QUEUED] == 1
    assert store.counts("bob", tags=("night",))[State.QUEUED] == 0
    store.close()


def test_tags_outlive_every_move_and_a_restart(tmp_path: Path) -> None:
    """A job has the tags that it was last given, after changes of its state, in a store that is opened again, and in a copy of it."""
    store = Store(tmp_path / "state")
    first, second, bare = tagged(store, "a"), tagged(store), tagged(store, "b")
    assert store.tag(first, ("c", "d")).tags == ("c", "d")
    store.tag(second, ("e",))
    store.tag(bare, ())
    store.move(first, State.CANCELLED)
    assert store.job(first).tags == ("c", "d")
    store.close()
    shutil.copytree(tmp_path / "state", tmp_path / "copy")

    for place in ("state", "copy"):
        again = Store(tmp_path / place)
        assert {id_: again.job(id_).tags for id_ in (first, second, bare)} == {first: ("c", "d"), second: ("e",), bare: ()}
        assert found(again, "d") == [first]
        again.close()


@pytest.mark.parametrize("left", [b"", b"[1]", b'{"tags": {"a": 1}}', b'{"tags": ["a", 7, "b\\u0007"]}', b"\xff"])
def test_damaged_tags_lose_no_job(tmp_path: Path, left: bytes) -> None:
    """A file of tags that is in pieces, or of another version, costs what cannot be read of it and nothing else."""
    store = Store(tmp_path / "state")
    id_ = tagged(store, "b")
    (store.folder(id_).path / "tags.json").write_bytes(left)
    store.rebuild()

    assert store.left_out == {}
    assert store.job(id_).tags == (("a",) if b'["a"' in left else ())
    store.close()


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service with tokens of two owners, and of one who only reads."""
    folder = tmp_path_factory.mktemp("tags")
    tokens = {owner: new_token(folder / "tokens", owner) for owner in ("ann", "bob")}
    tokens["wall"] = new_token(folder / "tokens", "ann", is_reader=True)
    with Service(folder, data, "--token-file", str(folder / "tokens")) as service:
        yield service, tokens


@pytest.fixture
def ann(owned: tuple[Service, dict[str, str]]) -> Iterator[Client]:
    """Ann's client."""
    with owned[0].client(owned[1]["ann"]) as client:
        yield client


@pytest.mark.cluster
def test_tags_over_http(ann: Client) -> None:
    """They come with the run, are told with the job and in the list, and are changed whole; of two that differ by case one stays."""
    job = ann.submit(spec(), name="with tags", key="k", tags=["Paper 2", "night", "PAPER 2"])
    again = ann.submit(spec(), name="with tags", key="k", tags=["other"])
    markup = '<img src=x onerror="alert(1)">'

    assert job["tags"] == again["tags"] == ["Paper 2", "night"]
    assert again["id"] == job["id"]
    assert [one["id"] for one in ann.list(tags=["paper 2", "NIGHT"])] == [job["id"]]
    assert ann.tag(job["id"], [markup])["tags"] == ann.show(job["id"])["tags"] == [markup]
    assert [one["tags"] for one in ann.list(tags=[markup])] == [[markup]]
    assert list(ann.list(tags=["night"])) == []
    assert ann.tag(job["id"], [])["tags"] == []
    assert ann.submit(spec())["tags"] == []


@pytest.mark.cluster
@pytest.mark.parametrize(
    "tags",
    [
        ["x" * (MOST_CHARACTERS + 1)],
        [f"t{number}" for number in range(MOST_TAGS + 1)],
        [""],
        ["a,b"],
        [" a"],
        ["a\nb"],
        [7],
    ],
    ids=["long", "many", "empty", "comma", "space", "line", "number"],
)
def test_tags_have_bounds(ann: Client, tags: list[Any]) -> None:
    """What is too long, too many, empty, or no text is refused, at submitting, at a change and in a list."""
    job = ann.submit(spec())
    for act in (
        lambda: ann.submit(spec(), tags=tags),
        lambda: ann.tag(job["id"], tags),
        lambda: list(ann.list(tags=tags)) if tags != [7] else ann.tag(job["id"], tags),
    ):
        with pytest.raises(SpecError, match="tag"):
            act()
    assert ann.show(job["id"])["tags"] == []


@pytest.mark.cluster
def test_nobody_else_tags_a_job_or_finds_it_by_its_tag(owned: tuple[Service, dict[str, str]], ann: Client) -> None:
    """To another owner the job is unknown, and so is its tag; who only reads finds it and changes nothing."""
    service, tokens = owned
    job = ann.submit(spec(), tags=["secret"])["id"]
    with service.client(tokens["bob"]) as bob, service.client(tokens["wall"]) as wall:
        with pytest.raises(UnknownJob):
            bob.tag(job, ["mine"])
        assert list(bob.list(tags=["secret"])) == list(bob.list(search="secret")) == []
        assert not any(bob._json("GET", "/v1/jobs", params={"tag": "secret"})["counts"].values())
        with pytest.raises(AccessError):
            wall.tag(job, ["mine"])
        assert [one["id"] for one in wall.list(tags=["secret"])] == [job]
    assert ann.show(job)["tags"] == ["secret"]


@pytest.mark.cluster
def test_tags_on_the_command_line(owned: tuple[Service, dict[str, str]], ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Submit gives them, tag adds and takes away, list finds by them and shows them."""
    service, tokens = owned
    monkeypatch.setenv("DSKETCH_URL", service.url)
    monkeypatch.setenv("DSKETCH_TOKEN", tokens["ann"])

    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["jobs", *words])
        assert result.exit_code == 0, result.output
        return result.output

    id_ = run("submit", "lstsq", "A.zarr", "b.zarr", "--tag", "from here", "--tag", "draft").strip()

    assert run("tag", id_, "night", "--remove", "DRAFT") == "from here, night\n"
    assert "[from here, night]" in run("list", "--tag", "From Here")
    assert run("list", "--tag", "draft") == "no jobs\n"
    assert json.loads(run("tag", id_, "--remove", "night", "--remove", "from here", "--json"))["tags"] == []
    assert run("tag", id_) == "no tags\n"
    ann.cancel(id_)
