"""What each owner may do: places to read, jobs at once, bytes and seconds of a day; when a job is admitted, starts and runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import zarr

from dsketch.errors import PlaceError, RateError, SpecError
from dsketch.service.auth import new_token
from dsketch.service.owners import Allowance, Owners
from dsketch.service.places import Roots
from dsketch.service.queue import Queue, QueuedJob
from dsketch.service.quotas import Quotas
from tests.service.conftest import COLUMNS, ROWS, slow, spec
from tests.service.running import Service, rested


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where owners stand."""
    return tmp_path / "owners.toml"


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Of a service: a folder with one for ann, and a prefix."""
    (tmp_path / "data" / "ann").mkdir(parents=True)
    return Roots.of([str(tmp_path / "data"), "s3://bucket"], [str(tmp_path / "out")])


def test_an_owner_has_its_table_or_that_of_others(file: Path, roots: Roots) -> None:
    """Its own takes the place of the common one whole; without a file everybody may what the service does."""
    file.write_text('["*"]\nrunning_jobs = 2\n[ann]\nbytes_a_day = "1GB"\n["bob@example.com"]\nseconds_a_day = 0.5\n')
    owners = Owners(file, roots)

    assert owners.allowance("ann") == Allowance(bytes_a_day=10**9)
    assert owners.allowance("bob@example.com") == Allowance(seconds_a_day=0.5)
    assert owners.allowance("eve") == Allowance(running_jobs=2)
    assert owners.roots("eve") == Owners(None, roots).roots("eve") == roots
    assert Owners(None, roots).allowance("eve") == Allowance()


def test_places_are_some_of_the_services(file: Path, roots: Roots) -> None:
    """An owner reads below its own alone, a relative path under the first; none at all is nothing to read; writing is as for all."""
    (roots.folders[0] / "ann" / "A.zarr").mkdir()
    (roots.folders[0] / "B.zarr").mkdir()
    file.write_text(f'[ann]\ndata_roots = ["{roots.folders[0]}/ann", "s3://bucket/ann"]\n[bob]\ndata_roots = []\n')
    owners = Owners(file, roots)
    ann, bob = owners.roots("ann"), owners.roots("bob")

    assert ann.admit("A.zarr") == str(roots.folders[0] / "ann" / "A.zarr")
    assert ann.admit("s3://bucket/ann/A.zarr") == "s3://bucket/ann/A.zarr"
    assert ann.outputs == roots.outputs
    for address in (str(roots.folders[0] / "B.zarr"), "../B.zarr", "s3://bucket/B.zarr", "s3://bucket/annette/A.zarr"):
        for one in (ann, bob):
            with pytest.raises(PlaceError):
                one.admit(address)


WRONG = {
    "TOML": "[ann",
    "no table": "ann = 3",
    "a word": "[ann]\ncolour = 1",
    "none": "[ann]\nrunning_jobs = 0",
    "half": "[ann]\nrunning_jobs = 1.5",
    "true": "[ann]\nseconds_a_day = true",
    "nan": "[ann]\nseconds_a_day = nan",
    "size": '[ann]\nbytes_a_day = "much"',
    "places": '[ann]\ndata_roots = "/data"',
    "elsewhere": '[ann]\ndata_roots = ["/etc"]',
    "a prefix": '[ann]\ndata_roots = ["s3://bucketeer"]',
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_is_wrong_opens_nothing(file: Path, roots: Roots, wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    """At the start it is refused; later what it said before holds, and the log says why."""
    file.write_text(WRONG[wrong])
    with pytest.raises(SpecError):
        Owners(file, roots)
    file.write_text("[ann]\nrunning_jobs = 7\n")
    owners = Owners(file, roots)
    file.write_text(WRONG[wrong])

    assert owners.allowance("ann").running_jobs == 7
    assert "what owners may do stays as it was" in caplog.text
    file.write_text("[ann]\nrunning_jobs = 10\n")
    assert owners.allowance("ann").running_jobs == 10


def test_who_runs_enough_waits_without_holding_others() -> None:
    """The line goes past an owner's jobs until one of its own ends, and nobody is woken for them in the meantime."""
    queue = Queue(4, {"ann": 1}.get)
    for number, owner in enumerate(("ann", "ann", "bob", "bob")):
        queue.add(QueuedJob(str(number), owner))
    taken = [queue.take(0.0) for _ in range(4)]

    assert [None if job is None else job.id for job in taken] == ["0", "2", "3", None]
    assert queue.next_time() is None
    queue.finish("0")
    assert queue.next_time() == 0.0
    last = queue.take(0.0)
    assert last is not None
    assert last.id == "1"


def test_days_are_counted_and_kept(file: Path, roots: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a restart of the service, until the next day; of each owner by itself, of what is not asked nothing."""
    file.write_text("[ann]\nbytes_a_day = 100\nseconds_a_day = 10\n")
    (tmp_path / "state").mkdir()
    clock = {"now": 0.0, "at": datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp()}
    monkeypatch.setattr("dsketch.service.quotas.time.monotonic", lambda: clock["now"])
    monkeypatch.setattr("dsketch.service.quotas.time.time", lambda: clock["at"])

    def opened() -> Quotas:
        return Quotas(Owners(file, roots), tmp_path / "state")

    used = opened()
    used.begin("1", "ann")
    used.begin("2", "bob")
    used.count_read("1", 99)
    used.count_read("2", 10**12)
    assert used.overrun("ann") is None
    used.count_read("1", 1)
    assert "at most 100 B read a day were expected of ann" in str(used.overrun_of("1"))
    assert (used.overrun_of("2"), used.overrun_of("3")) == (None, None)
    for id_ in "12":
        used.end(id_)
    with pytest.raises(RateError, match=r"Go on tomorrow \(UTC\)"):
        opened().require("ann")

    clock["at"] += 86_400
    used = opened()
    used.require("ann")
    used.begin("1", "ann")
    clock["now"] += 11
    assert "today's jobs have worked" in str(used.overrun("ann"))
    (tmp_path / "state" / "usage.json").write_text('{"day": 3}')
    opened().require("ann")


LIMITS: list[tuple[str, Callable[[], str]]] = [
    ("bytes", lambda: f"bytes_a_day = {3 * 8 * ROWS * COLUMNS}"),
    ("seconds", lambda: "seconds_a_day = 0.3"),
]


@pytest.mark.cluster
@pytest.mark.parametrize(("what", "line"), LIMITS)
def test_a_running_job_ends_where_the_day_does(
    tmp_path: Path, data: Path, file: Path, what: str, line: Callable[[], str]
) -> None:
    """It fails with the sentence and keeps its passes; another is refused, and goes on when the limit is raised."""
    file.write_text(f"[local]\n{line()}\n")
    with Service(tmp_path / "s", data, "--owners", str(file), "--max-jobs", "1") as service, service.client() as client:
        id_ = client.submit(slow())["id"]
        job = rested(client, id_)
        assert (job["state"], "of local; today's jobs have" in job["sentence"]) == ("failed", True)
        with pytest.raises(RateError, match="a day were expected of local"):
            client.submit(spec("tsqr"))
        with pytest.raises(RateError, match="a day were expected of local"):
            client.resume(id_)
        file.write_text("[local]\n")
        client.resume(id_)
        again = rested(client, id_)
    assert again["state"] in ("solved", "not_solved")
    if what == "bytes":
        assert 3 <= job["passes"] < again["passes"]


@pytest.mark.cluster
def test_owners_read_their_own_places(tmp_path: Path, data: Path, file: Path) -> None:
    """For jobs and plans, and what the service tells of itself; also where the file was changed while a job waited."""
    root = tmp_path / "roots"
    (root / "ann").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, shape in (("A", (50, 3)), ("b", (50,))):
        zarr.create_array(str(root / "ann" / f"{name}.zarr"), shape=shape, chunks=shape, dtype="f8")[...] = rng.random(shape)
    tokens = tmp_path / "tokens"
    ann, bob = new_token(tokens, "ann"), new_token(tokens, "bob")
    file.write_text(f'[ann]\ndata_roots = ["{root}/ann"]\n')
    words = ("--token-file", str(tokens), "--owners", str(file), "--data-root", str(root))
    with Service(tmp_path / "s", data, *words) as service, service.client(ann) as hers, service.client(bob) as his:
        assert rested(hers, hers.submit(spec("tsqr"))["id"])["state"] == "solved"
        assert hers.about()["data_roots"] == [str(root / "ann")]
        for act in (hers.submit, hers.plan):
            with pytest.raises(PlaceError):
                act(spec("tsqr", A=str(data / "A.zarr")))
        assert his.about()["data_roots"] == [str(data), str(root)]
        assert rested(his, his.submit(spec("tsqr"))["id"])["state"] == "solved"
