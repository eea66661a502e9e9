"""What is kept for those who ask later: the audit log, ids of requests, figures of requests and problems."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import dsketch
from dsketch.service.app import application
from dsketch.service.audit_log import audit_log, write_line
from dsketch.service.auth import Tokens, new_token
from dsketch.service.dispatch import Dispatcher, Rules
from dsketch.service.events import Hub
from dsketch.service.jobs_api import Desk
from dsketch.service.metrics import Metrics
from dsketch.service.places import Roots
from dsketch.service.store import Store
from dsketch.service.workers import JobCluster
from tests.service.asking import ask
from tests.service.conftest import spec
from tests.service.running import Service, rested


def lines_of(file: Path) -> list[dict[str, Any]]:
    """Return the lines of an audit log."""
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.cluster
def test_the_audit_log_says_who_did_what_with_which_data(tmp_path: Path, data: Path) -> None:
    """A line a request and a change of state, ids as answers have them, in a private file without a token or a query."""
    tokens, file = tmp_path / "tokens", tmp_path / "audit.jsonl"
    ann, wall = new_token(tokens, "ann"), new_token(tokens, "ann", is_reader=True)
    with Service(tmp_path / "s", data, "--token-file", str(tokens), "--audit-log", str(file)) as service:
        with service.client(ann) as client:
            id_ = client.submit(spec("tsqr"), name="secret name")["id"]
            rested(client, id_)
        with httpx.Client(base_url=service.url, trust_env=False) as http:
            stranger = http.get(f"/v1/jobs?token={ann}", headers={"X-Request-Id": "mine-1"})
            refused = http.delete(f"/v1/jobs/{id_}", headers={"Authorization": f"Bearer {wall}"})
            http.post("/v1/jobs", json={"spec": {**spec("tsqr"), "A": "/etc/passwd"}}, headers={"Authorization": f"Bearer {ann}"})
            http.get("/")
            http.get("/healthz")
        service.stop()
    lines = lines_of(file)
    requests = [line for line in lines if line["event"] == "request"]
    submitted = next(line for line in requests if line.get("job") == id_ and line["method"] == "POST")

    assert file.stat().st_mode & 0o777 == 0o600
    assert {"who": "ann", "role": "user", "route": "/v1/jobs", "status": 201, "outcome": "done", "problem": "lstsq"}.items() <= (
        submitted.items()
    )
    assert submitted["data"] == [str(data / "A.zarr"), str(data / "b.zarr")]
    assert [line["state"] for line in lines if line["event"] == "job"] == ["planning", "running", "solved"]
    assert {line["who"] for line in lines if line["event"] == "job"} == {"ann"}
    assert stranger.headers["X-Request-Id"] == "mine-1"
    first = next(line for line in requests if line["request"] == "mine-1")
    assert (first["who"], first["status"], first["outcome"]) == (None, 401, "refused")
    second = next(line for line in requests if line["request"] == refused.headers["X-Request-Id"])
    assert (second["role"], second["job"], second["error"]) == ("reader", id_, "AccessError")
    assert [line["error"] for line in requests if line["status"] == 403 and line["role"] == "user"] == ["PlaceError"]
    assert {line["route"] for line in requests} <= {"/v1/jobs", "/v1/jobs/{id}", "/v1/jobs/{id}/events"}
    for text in (file.read_text(), service.log.read_text()):
        assert ann not in text
        assert wall not in text
        assert "secret name" not in text
    assert "request mine-1" in service.log.read_text()


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """So another program may rotate it, and tells nobody; what is there is kept."""
    file = tmp_path / "audit.jsonl"
    with audit_log(file):
        write_line("one", text="a\nb\u2028" + "x" * 1000)
        file.rename(tmp_path / "old")
        write_line("two")
    with audit_log(file):
        write_line("three")
    write_line("nowhere")

    assert [line["event"] for line in lines_of(tmp_path / "old")] == ["one"]
    assert [line["event"] for line in lines_of(file)] == ["two", "three"]
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(dsketch.SpecError, match="a file to append to was expected as --audit-log"), audit_log(tmp_path):
        pass


@pytest.fixture
def app(tmp_path: Path) -> Any:
    """An application without a running dispatcher, and its metrics."""
    store, metrics = Store(tmp_path / "state"), Metrics()
    desk = Desk(Dispatcher(store, Hub(store.jobs), JobCluster(), Roots(), metrics, Rules()))
    yield application(desk, Tokens(None)), metrics, desk
    store.close()


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("a-b_c.9", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("", False), ("dsk_secret", False), ("ä", False)],
)
def test_an_id_is_taken_if_it_is_sane(app: Any, given: str, is_kept: bool) -> None:
    """A plain short name that is no token; else a new one."""
    answer = ask(app[0], "GET", "/healthz", {"X-Request-Id": given.encode()})

    assert (answer.headers["X-Request-Id"] == given) == is_kept
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-Id"])


def test_a_defect_has_its_id_as_well(app: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The answer of a 500, and the line that tells of it, so that one finds the other."""

    def break_(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Desk, "page", break_)
    answer = ask(app[0], "GET", "/v1/jobs", {"X-Request-Id": "this"})

    assert (answer.status_code, answer.headers["X-Request-Id"]) == (500, "this")
    assert "request this met a defect" in caplog.text
    assert 'dsketch_http_requests_total{method="GET",route="/v1/jobs",status="500"} 1.0' in app[1].text({}, 0).decode()


WILD: list[Callable[[int], tuple[str, str]]] = [
    lambda i: ("GET", f"/v1/jobs/{i:020x}"),
    lambda i: ("GET", f"/nowhere/{i}"),
    lambda i: (f"VERB{i}", "/v1/jobs"),
    lambda i: ("GET", f"/v1/jobs?after={i}"),
]


def test_no_client_makes_labels(app: Any) -> None:
    """However many paths and methods are tried, figures are of routes, methods and statuses that there are."""
    for number in range(20):
        for make in WILD:
            ask(app[0], *make(number))
    text = app[1].text({}, 0).decode()

    found = set(re.findall(r'dsketch_http_requests_total\{method="(.*?)",route="(.*?)",status="(.*?)"\}', text))
    assert {route for _, route, _ in found} == {"/v1/jobs/{id}", "/v1/jobs", "/page"}
    assert {method for method, _, _ in found} == {"GET", "other"}
    assert len(found) < 8


def test_seconds_are_told_by_problem(app: Any) -> None:
    """Of jobs that ended, by problems that there are."""
    store, dispatcher = app[2].dispatcher.store, app[2].dispatcher
    for problem in ("lstsq", "lstsq", "<odd>"):
        job, _ = store.accept("ann", "", {"problem": problem}, None, "")
        dispatcher.cancel(job.id)
    text = app[1].text({}, 0).decode()

    assert 'dsketch_ended_jobs_total{problem="lstsq",state="cancelled"} 2.0' in text
    assert 'dsketch_job_seconds_count{problem="lstsq"} 2.0' in text
    assert 'dsketch_job_seconds_count{problem="other"} 1.0' in text
