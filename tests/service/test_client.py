"""``dsketch.Client`` and ``dsketch jobs``: the service by the words of Python and of the command line."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import dsketch
from dsketch._cli import main
from dsketch.client import Client, event_from
from dsketch.events import Converged, Note, PassFinished, PassStarted, Progress
from dsketch.service.errors import ForbiddenMove, KeyTaken, PlaceError, UnknownJob
from tests.service.conftest import slow, spec
from tests.service.running import Service, in_pass, rested, seen

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


@pytest.fixture
def jobs(service: Service, data: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs ``dsketch jobs`` with some words, in the folder of the data."""
    monkeypatch.setenv("DSKETCH_URL", service.url)
    monkeypatch.chdir(data)

    def command(*words: str) -> Result:
        return CliRunner().invoke(main, ["jobs", *words])

    return command


def test_a_run_from_python(client: Client, direct: Any) -> None:
    """Submit by keyword, follow, fetch: the bits of a direct solve."""
    job = client.submit(problem="ridge", A="A.zarr", b="b.zarr", alpha=0.0, method="tsqr", name="ten words")
    events = list(client.follow(job["id"]))

    assert client.fetch(job["id"]).tobytes() == direct("tsqr").x.tobytes()
    assert events[-1]["state"] == "solved"
    assert client.show(job["id"])["name"] == "ten words"
    assert client.solution(job["id"])["method"] == "tsqr"
    client.rm(job["id"])
    with pytest.raises(UnknownJob):
        client.show(job["id"])


def test_the_document_is_the_same_everywhere(client: Client, jobs: Any, data: Path) -> None:
    """What Python and the command line submit for the same run is one document."""
    python = client.submit(problem="ridge", A=str(data / "A.zarr"), b=str(data / "b.zarr"), alpha=2.0, seed=3, priority=1)
    line = jobs("submit", "ridge", "A.zarr", "b.zarr", "--alpha", "2", "--seed", "3", "--priority", "1").stdout.strip()

    assert client.show(line)["spec"] == python["spec"]
    assert rested(client, line)["state"] == rested(client, python["id"])["state"] == "solved"


def test_errors_of_the_service_are_those_of_the_library(client: Client) -> None:
    """Each is raised by its own class, which is also a standard one."""
    id_ = client.submit(spec("tsqr"), key="from Python")["id"]
    rested(client, id_)
    with pytest.raises(KeyTaken):
        client.submit(spec("tsqr", seed=5), key="from Python")
    with pytest.raises(ForbiddenMove):
        client.cancel(id_)
    with pytest.raises(PlaceError):
        client.submit(spec(A="/etc"))
    with pytest.raises(dsketch.SpecError, match="alpha"):
        client.plan(spec(alpha=1))
    with pytest.raises(dsketch.DataError, match="weights"):
        client.plan(spec(weights="A.zarr"))
    with pytest.raises(LookupError):
        client.show("0" * 20)
    with pytest.raises(UnknownJob):
        client.show("../service")


def test_nobody_there_is_an_engine_error() -> None:
    """A service that does not run is named with its address and what to do."""
    with Client("http://127.0.0.1:9", attempts=1) as nobody, pytest.raises(dsketch.EngineError, match="dsketch serve"):
        nobody.show("0" * 20)
    with pytest.raises(dsketch.SpecError, match="URL"):
        Client("http://[::1")


def test_following_survives_a_restart(tmp_path: Path, data: Path) -> None:
    """The service is killed and started again under a follower, who hears every kept event once."""
    service = Service(tmp_path, data)
    with service:
        port = service.url.rsplit(":", 1)[1]
        with service.client() as client:
            id_ = client.submit(slow())["id"]
            seen(client, id_, in_pass(3))
            heard: list[dict[str, Any]] = []
            is_listening = threading.Event()

            def listen() -> None:
                for event in client.follow(id_):
                    heard.append(event)
                    is_listening.set()

            follower = threading.Thread(target=listen)
            follower.start()
            assert is_listening.wait(600)  # its patience begins with the first word
            service.kill()
            service.start("--port", port)
            follower.join(600)
            numbers = [event["id"] for event in heard if "id" in event]

            assert numbers == list(range(1, len(numbers) + 1))
            assert heard[-1]["state"] == "solved"


def test_events_become_those_of_a_run(client: Client) -> None:
    """What a service tells is what a run tells, so that one bar draws both."""
    id_ = client.submit(slow())["id"]
    kinds = {type(event) for event in map(event_from, client.follow(id_)) if event is not None}

    assert kinds >= {PassStarted, Progress, PassFinished, Converged}
    assert event_from({"event": "note", "text": "x"}) == Note("x")
    assert event_from({"event": "state"}) is None


def test_submit_and_follow_on_the_command_line(jobs: Any, direct: Any, tmp_path: Path) -> None:
    """Id and certificate on standard output, passes on standard error, and an exit code for the end."""
    done = jobs("submit", "lstsq", "A.zarr", "b.zarr", "--method", "tsqr", "--name", "mine", "--follow")
    id_ = done.stdout.splitlines()[0]
    fetched = jobs("fetch", id_, "--out", str(tmp_path / "x.npy"))
    shown = jobs("show", id_)

    assert done.exit_code == fetched.exit_code == shown.exit_code == 0
    assert "method      tsqr, 2 passes" in done.stdout
    assert "pass 2 of 2" in done.stderr
    assert np.load(tmp_path / "x.npy").tobytes() == direct("tsqr").x.tobytes()
    assert "solved" in shown.stdout
    assert "mine" in jobs("list").stdout
    assert json.loads(jobs("list", "--json", "--limit", "1").stdout)["jobs"][0]["id"] == id_
    assert jobs("rm", id_).exit_code == 0
    assert jobs("show", id_).exit_code == 2


def test_cancel_and_resume_on_the_command_line(jobs: Any, client: Client) -> None:
    """A cancelled job ends with 1, and goes on."""
    id_ = client.submit(slow())["id"]
    seen(client, id_, in_pass(2))

    assert jobs("cancel", id_).stdout.startswith("cancelled:")
    assert jobs("follow", id_).exit_code == 1
    assert jobs("resume", id_).stdout.startswith("queued:")
    assert jobs("follow", id_, "--json").exit_code == 0


def test_mistakes_on_the_command_line(jobs: Any) -> None:
    """A sentence and an exit code, no stack trace."""
    elsewhere = jobs("submit", "lstsq", "/etc", "b.zarr")
    unknown = jobs("cancel", "0" * 20, "--json")

    assert elsewhere.exit_code == 2
    assert elsewhere.stderr.startswith("dsketch: error: Data matrix (A) was expected under a declared place")
    assert json.loads(unknown.stdout)["error"] == "UnknownJob"
    assert jobs("list", "--state", "bored").exit_code == 2


def test_rebuild_on_the_command_line(tmp_path: Path, data: Path, jobs: Any) -> None:
    """The index of a stopped service comes back from the folders; a running one keeps others out."""
    service = Service(tmp_path, data)
    with service:
        with service.client() as client:
            rested(client, client.submit(spec("tsqr"))["id"])
        refused = jobs("rebuild", "--state", str(service.state))
        service.stop()
        (service.state / "index.sqlite").unlink()
        rebuilt = jobs("rebuild", "--state", str(service.state), "--json")
        service.start()

    assert refused.exit_code == 2
    assert "another service has" in refused.stderr
    assert json.loads(rebuilt.stdout) == {"jobs": 1}
    assert jobs("rebuild", "--state", str(tmp_path / "nothing")).exit_code == 2


def test_tokens_come_from_a_file_or_the_environment(
    tmp_path: Path, data: Path, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never from the command line itself, where others could read them."""
    file = tmp_path / "tokens"
    token = CliRunner().invoke(main, ["token", "ann", "--token-file", str(file)]).stdout.strip()
    (tmp_path / "mine").write_text(f"{token}\n")
    with Service(tmp_path / "s", data, "--token-file", str(file)) as service:
        without = jobs("list", "--url", service.url)
        with_file = jobs("list", "--url", service.url, "--token-from", str(tmp_path / "mine"))
        monkeypatch.setenv("DSKETCH_TOKEN", token)
        with_environment = jobs("list", "--url", service.url)

    assert [done.exit_code for done in (without, with_file, with_environment)] == [2, 0, 0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"A": np.ones((5, 2))}, r"A: a path was expected; got ndarray of shape \(5, 2\)"),
        ({"b": [1.0, 2.0]}, "b: a path was expected; got list"),
        ({"weights": object()}, "weights: a path was expected; got object"),
        ({"limits": {"seconds": np.ones(3)}}, r"limits\.seconds: a path was expected; got ndarray"),
        ({"tol": float("nan")}, "tol: a finite number was expected; got nan"),
    ],
)
def test_data_in_memory_are_not_sent(words: dict[str, Any], said: str) -> None:
    """The service reads data where they are stored: what cannot go is said before anything is sent, for jobs and for plans."""
    with Client("http://127.0.0.1:9", attempts=1) as nobody:
        for verb in (nobody.submit, nobody.plan):
            with pytest.raises(dsketch.SpecError, match=said):
                verb(spec(**words))


def test_paths_and_numbers_of_numpy_are_sent(client: Client, data: Path) -> None:
    """What stands for a text or a number in Python is one."""
    job = client.submit(spec("tsqr", A=data / "A.zarr", seed=np.int64(3), tol=np.float64(1e-6)))

    assert (job["spec"]["A"], job["spec"]["seed"], job["spec"]["tol"]) == (str(data / "A.zarr"), 3, 1e-6)
