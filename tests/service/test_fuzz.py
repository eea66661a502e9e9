"""Requests made from the service's own document: no fault of the service, answers as documented, every documented status seen."""

import os
import shutil
import socket
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi import checks as openapi

from dsketch.service.auth import new_token
from tests.service.conftest import slow, spec
from tests.service.running import Service, in_pass, rested, seen

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES = 15  # a route; more find nothing new here, and a night may ask for more: DSKETCH_FUZZ=1000
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
    openapi.negative_data_rejection,
]


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A token file and its admin's token."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    return file, new_token(file, "boss", is_admin=True)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, data: Path, token: tuple[Path, str]) -> Iterator[Service]:
    """A service with some jobs, to be asked everything."""
    words = ("--token-file", str(token[0]), "--rate", "100000", "--max-jobs", "1", "--max-upload", "2MB")
    with Service(tmp_path_factory.mktemp("fuzzed"), data, *words) as service:
        with service.client(token[1]) as client:
            rested(client, client.submit(spec("tsqr"))["id"])
        yield service


def ask_all(
    operation: schemathesis.APIOperation[Any, Any, Any, Any], mode: Any, token: str, seen: set[tuple[str, str, int]]
) -> None:
    """Send requests that keep the document, or break it, and note what came."""

    @settings(
        max_examples=int(os.environ.get("DSKETCH_FUZZ", EXAMPLES)),
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
        response = case.call_and_validate(checks=CHECKS)
        seen.add((operation.path, operation.method, response.status_code))

    try:
        ask()
    except Unsatisfiable:  # nothing can be wrong with a route that takes nothing
        assert mode is schemathesis.GenerationMode.NEGATIVE


def test_random_requests_meet_the_document(fuzzed: Service, token: tuple[Path, str]) -> None:
    """Whatever is sent, right or wrong: no 5xx, a documented status, type and schema, and nothing wrong is accepted."""
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json")
    seen: set[tuple[str, str, int]] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith("/events"):  # a stream; it has tests of its own
            for mode in schemathesis.GenerationMode:
                ask_all(operation, mode, token[1], seen)

    assert {(path, "get", 200) for path in ("/v1/jobs", "/v1/service", "/healthz", "/readyz", "/metrics")} <= seen


UNKNOWN = "0" * 20
NO_TICKET = f"dst_{'0' * 43}"
BODY = {"spec": spec("tsqr")}


class Ledger:
    """Sends requests and notes which status each route gave."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], set[int]] = defaultdict(set)

    def ask(self, http: httpx.Client, method: str, route: str, id_: str = UNKNOWN, **more: Any) -> httpx.Response:
        """Send a request for a documented route."""
        path = route.replace("{id}", id_).replace("{name}", "p").replace("{ticket}", NO_TICKET)
        response = http.request(method, path, **more)
        self.seen[route, method.lower()].add(response.status_code)
        return response


def test_every_documented_status_is_seen(tmp_path: Path, fuzzed: Service, data: Path, token: tuple[Path, str]) -> None:
    """What the document promises does happen, and nothing else does."""
    ledger, boss = Ledger(), {"Authorization": f"Bearer {token[1]}"}
    with httpx.Client(base_url=fuzzed.url, headers=boss, timeout=240, trust_env=False) as http:
        document = http.get("/openapi.json").json()
        every = [(path, method.upper()) for path, methods in document["paths"].items() for method in methods]
        lives_of_jobs(ledger, http, fuzzed, token[1])
        wrong_requests(ledger, http)
        lives_of_uploads(ledger, http)
        lives_of_tokens(ledger, http)
    with httpx.Client(base_url=fuzzed.url, timeout=240, trust_env=False) as nobody:
        for path, method in every:
            ledger.ask(nobody, method, path, json=BODY if method in ("POST", "PATCH") else None)
    reader = {"Authorization": f"Bearer {new_token(token[0], 'ann', is_reader=True)}"}
    with httpx.Client(base_url=fuzzed.url, headers=reader, timeout=240, trust_env=False) as wall:
        for path, method in every:
            if method != "GET" or path in ("/v1/tokens", "/v1/owners"):
                ledger.ask(wall, method, path, json=BODY)
    user = new_token(token[0], "ann")
    words = ("--token-file", str(token[0]), "--scheduler", "/nowhere/scheduler.json", "--small", "1", "--patience", "0.5")
    with Service(tmp_path / "broken", data, *words) as broken:
        broken_service(ledger, broken, boss, user)
    with (
        Service(tmp_path / "hasty", data, "--token-file", str(token[0]), "--rate", "0.01") as hasty,
        httpx.Client(base_url=hasty.url, headers=boss, timeout=240, trust_env=False) as http,
    ):
        http.get("/healthz")
        for path, method in every:
            ledger.ask(http, method, path)

    documented = {
        (path, method): {int(status) for status in about["responses"]}
        for path, methods in document["paths"].items()
        for method, about in methods.items()
    }
    for verb in ("errors", "predict"):
        documented[f"/v1/jobs/{{id}}/{verb}", "post"].remove(
            503
        )  # a disk that takes no job, as of POST /v1/jobs, where it is seen
    for path, method in (("/v1/tokens", "post"), ("/v1/tokens/{id}", "patch"), ("/v1/tokens/{id}", "delete")):
        documented[path, method].remove(503)  # a file that cannot be written: tests/service/test_admin.py
    documented["/v1/jobs/{id}/residuals", "post"].remove(503)  # a cluster that fails, as of POST /v1/plans, where it is seen
    assert dict(ledger.seen) == documented


def lives_of_jobs(ledger: Ledger, http: httpx.Client, service: Service, token: str) -> None:
    """Ask everything of a job that waits, runs, rests and is gone."""
    ledger.ask(http, "POST", "/v1/plans", json=BODY)
    with service.client(token) as client:
        running = http.post("/v1/jobs", json={"spec": slow()}).json()["id"]
        seen(client, running, in_pass(1))
        for method, path in (
            ("GET", "/solution"),
            ("GET", "/solution/x"),
            ("GET", "/receipt"),
            ("GET", "/coefficients"),
            ("GET", "/solution/fields/{name}"),
            ("POST", "/resume"),
            ("DELETE", ""),
        ):
            ledger.ask(http, method, f"/v1/jobs/{{id}}{path}", running)
        ledger.ask(http, "GET", "/v1/jobs/{id}/ticket", running, params={"of": "x"})
        ledger.ask(http, "POST", "/v1/jobs/{id}/errors", running, json={})
        ledger.ask(http, "POST", "/v1/jobs/{id}/residuals", running, json={})
        ledger.ask(http, "POST", "/v1/jobs/{id}/predict", running, json={"A": "A.zarr"})
        for asked in ({"tags": ["a"]}, {"tags": [""]}):
            ledger.ask(http, "PATCH", "/v1/jobs/{id}", running, json=asked)
        ledger.ask(http, "PATCH", "/v1/jobs/{id}", json={"tags": []})
        ledger.ask(http, "POST", "/v1/jobs/{id}/cancel", running)
        ledger.ask(http, "POST", "/v1/jobs/{id}/cancel", running)
        ledger.ask(http, "POST", "/v1/jobs/{id}/resume", running)
        client.cancel(running)
        key = {"Idempotency-Key": "k"}
        for seed in (1, 1, 0):
            ledger.ask(http, "POST", "/v1/jobs", json={"spec": spec("tsqr", seed=seed)}, headers=key)
        id_ = http.post("/v1/jobs", json={"spec": spec("tsqr", seed=1)}, headers=key).json()["id"]
        rested(client, id_)
        for asked in ({}, {}, {"robust": "HC9"}):
            ledger.ask(http, "POST", "/v1/jobs/{id}/errors", id_, json=asked, headers={"Idempotency-Key": "errors"})
        for asked in ({"A": "A.zarr"}, {"A": "A.zarr"}, {"A": 1}):
            ledger.ask(http, "POST", "/v1/jobs/{id}/predict", id_, json=asked, headers={"Idempotency-Key": "predict"})
        rested(
            client,
            http.post(f"/v1/jobs/{id_}/predict", json={"A": "A.zarr"}, headers={"Idempotency-Key": "predict"}).json()["id"],
        )
        targets = http.post("/v1/jobs", json={"spec": spec("auto", missing="drop")}).json()["id"]
        rested(client, targets)
        for part in ({}, {"Range": "bytes=0-7"}, {"Range": "bytes=99999999-"}):
            ledger.ask(http, "GET", "/v1/jobs/{id}/solution/fields/{name}", targets, headers=part)
            ledger.ask(http, "GET", "/v1/jobs/{id}/solution/x", targets, headers=part)
            path = ledger.ask(http, "GET", "/v1/jobs/{id}/ticket", targets, params={"of": "x"}).json()["path"]
            ledger.seen["/v1/downloads/{ticket}", "get"].add(http.get(f"/{path}", headers=part).status_code)
    ledger.ask(http, "POST", "/v1/jobs/{id}/errors", json={})
    ledger.ask(http, "GET", "/v1/jobs/{id}/ticket", params={"of": "x"})
    ledger.ask(http, "GET", "/v1/jobs/{id}/ticket", params={"of": "y"})
    ledger.seen["/v1/downloads/{ticket}", "get"].add(http.get("/v1/downloads/none").status_code)
    for one in (id_, UNKNOWN, "no-id"):
        ledger.ask(http, "GET", "/v1/jobs/{id}/comparison", one, params={"other": id_})
    ledger.ask(http, "POST", "/v1/jobs/{id}/predict", json={"A": "A.zarr"})
    for one in (id_, UNKNOWN, "no-id"):
        ledger.ask(http, "POST", "/v1/jobs/{id}/residuals", one, json={})
    for path in ("", "/solution", "/solution/x", "/receipt", "/events", "/coefficients", "/solution/fields/{name}", "/log"):
        ledger.ask(http, "GET", f"/v1/jobs/{{id}}{path}", id_)
        ledger.ask(http, "GET", f"/v1/jobs/{{id}}{path}")
    ledger.ask(http, "GET", "/v1/jobs/{id}/events", id_, headers={"Last-Event-ID": "1000"})
    ledger.ask(http, "GET", "/v1/jobs/{id}/events", id_, headers={"Last-Event-ID": "x"})
    for verb in ("cancel", "resume"):
        ledger.ask(http, "POST", f"/v1/jobs/{{id}}/{verb}")
        ledger.ask(http, "POST", f"/v1/jobs/{{id}}/{verb}", "no-id")
    for path in ("", "/solution", "/solution/x", "/receipt", "/coefficients", "/solution/fields/{name}", "/log"):
        ledger.ask(http, "GET", f"/v1/jobs/{{id}}{path}", "no-id")
    ledger.ask(http, "DELETE", "/v1/jobs/{id}", "no-id")
    ledger.ask(http, "DELETE", "/v1/jobs/{id}", id_)
    ledger.ask(http, "DELETE", "/v1/jobs/{id}", id_)


def lives_of_uploads(ledger: Ledger, http: httpx.Client) -> None:
    """Send a file, again, another one of its name, one too large, one that is none; remove it while a job needs it, and then."""
    for name, body in (("d.csv", b"a,b\n1,2\n3,5\n"), ("d.csv", b"a,b\n1,2\n3,5\n"), ("d.csv", b"a,b\n1,2\n"), ("d.html", b"")):
        ledger.ask(http, "POST", "/v1/uploads", params={"name": name}, content=body)
    ledger.ask(http, "POST", "/v1/uploads", params={"name": "e.csv"}, content=b"1" * 2_000_001)
    ledger.ask(http, "GET", "/v1/uploads")
    running = http.post("/v1/jobs", json={"spec": slow()}).json()["id"]
    data = {"A": "upload:d.csv", "b": "upload:d.csv#b"}
    waiting = http.post("/v1/jobs", json={"spec": {"problem": "lstsq", **data}}).json()["id"]
    for name in ("d.csv", "none.csv", "-"):
        response = http.request("DELETE", f"/v1/uploads/{name}")
        ledger.seen["/v1/uploads/{name}", "delete"].add(response.status_code)
    for id_ in (waiting, running):
        http.post(f"/v1/jobs/{id_}/cancel")
    ledger.seen["/v1/uploads/{name}", "delete"].add(http.request("DELETE", "/v1/uploads/d.csv").status_code)


def lives_of_tokens(ledger: Ledger, http: httpx.Client) -> None:
    """Make a token, end and revoke it; ask for one that is none; revoke the last admin's."""
    ledger.ask(http, "GET", "/v1/owners")
    known = ledger.ask(http, "GET", "/v1/tokens").json()["tokens"]
    for token in known:  # that random requests have made
        if token["role"] == "admin" and not token["is_yours"]:
            http.delete(f"/v1/tokens/{token['id']}")
    mine = next(token["id"] for token in known if token["is_yours"])
    made = ledger.ask(http, "POST", "/v1/tokens", json={"owner": "eve", "days": 1}).json()["id"]
    ledger.ask(http, "POST", "/v1/tokens", json={"owner": "a b"})
    for id_ in (made, "0" * 16, "-", mine):
        ledger.ask(http, "PATCH", "/v1/tokens/{id}", id_, json={"days": 0})
    for id_ in (made, "0" * 16, "-", mine):
        ledger.ask(http, "DELETE", "/v1/tokens/{id}", id_)


def wrong_requests(ledger: Ledger, http: httpx.Client) -> None:
    """Ask what is well formed, wrong, elsewhere, or too large."""
    for path in ("/v1/jobs", "/v1/service", "/healthz", "/readyz", "/metrics", "/v1/tokens"):
        ledger.ask(http, "GET", path)
    ledger.ask(http, "GET", "/v1/jobs", params={"limit": "many"})
    for place in ("", ".", "/etc", "nowhere"):
        ledger.ask(http, "GET", "/v1/data", params={"place": place})
    for place in ("A.zarr", "/etc", "nowhere"):
        ledger.ask(http, "GET", "/v1/data/facts", params={"place": place})
    for path in ("/v1/jobs", "/v1/plans"):
        ledger.ask(http, "POST", path, json={})
        ledger.ask(http, "POST", path, json={"spec": spec(A="/etc")})
        ledger.ask(http, "POST", path, content=b"x" * 1_100_000)


def broken_service(ledger: Ledger, service: Service, boss: dict[str, str], user: str) -> None:
    """Ask a service whose cluster and disk fail, and send it bodies that do not come."""
    with httpx.Client(base_url=service.url, headers=boss, timeout=240, trust_env=False) as http:
        ledger.ask(http, "POST", "/v1/plans", json=BODY)
        ledger.ask(http, "GET", "/metrics", headers={"Authorization": f"Bearer {user}"})
        made = http.post("/v1/jobs", json=BODY).json()["id"]
        (service.state / "ballast").unlink()
        (service.state / "ballast").symlink_to("/nowhere/ballast")
        ledger.ask(http, "GET", "/readyz")
        shutil.move(service.state / "jobs", service.state / "gone")
        (service.state / "jobs").write_text("no folder")
        ledger.ask(http, "POST", "/v1/jobs", json=BODY)
        ledger.ask(http, "PATCH", "/v1/jobs/{id}", made, json={"tags": ["a"]})
        (service.state / "uploads").write_text("no folder")
        ledger.ask(http, "POST", "/v1/uploads", params={"name": "d.csv"}, content=b"a,b\n1,2\n")
    host, port = service.url.removeprefix("http://").split(":")
    for path in ("/v1/jobs", "/v1/plans"):
        with socket.create_connection((host, int(port)), timeout=240) as slow_:
            slow_.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n".encode())
            ledger.seen[path, "post"].add(int(slow_.recv(100).split()[1]))
    (service.state / "uploads").unlink()
    with socket.create_connection((host, int(port)), timeout=240) as slow_:
        head = f"POST /v1/uploads?name=d.csv HTTP/1.1\r\nHost: {host}\r\nAuthorization: {boss['Authorization']}\r\n"
        slow_.sendall(f"{head}Content-Length: 9\r\n\r\n".encode())
        ledger.seen["/v1/uploads", "post"].add(int(slow_.recv(100).split()[1]))
