"""The service over HTTP, as a program meets it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import dsketch
from dsketch.client import Client
from tests.service.conftest import slow, spec
from tests.service.running import Service, in_pass, rested, seen

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    """A plain connection to the shared service."""
    with httpx.Client(base_url=service.url, timeout=240, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def solved(client: Client) -> dict[str, Any]:
    """A job that is solved."""
    return rested(client, client.submit(spec(), name="shared")["id"])


def streamed(http: httpx.Client, id_: str, after: int = 0) -> list[dict[str, Any]]:
    """Return what a stream gives until it ends."""
    with http.stream("GET", f"/v1/jobs/{id_}/events", headers={"Last-Event-ID": str(after)}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]


def test_a_solve_has_the_bits_of_the_library(http: httpx.Client, solved: dict[str, Any], direct: Any) -> None:
    """Fetched as a file, x is what dsketch.solve gives, bit for bit, and the certificate goes with it."""
    response = http.get(f"/v1/jobs/{solved['id']}/solution/x")
    x, wanted = np.load(io.BytesIO(response.content), allow_pickle=False), direct()
    facts = http.get(f"/v1/jobs/{solved['id']}/solution").json()

    assert x.tobytes() == wanted.x.tobytes()
    assert facts["certificate"]["backward_error"] == wanted.certificate.backward_error.tolist()
    assert [record["kind"] for record in facts["passes"]] == [record.kind for record in wanted.passes]
    assert facts["x"]["shape"] == list(x.shape)


def test_a_job_tells_its_way(solved: dict[str, Any]) -> None:
    """Its states in order, its plan, its passes."""
    assert [step["state"] for step in solved["history"]] == ["queued", "planning", "running", "solved"]
    assert solved["plan"]["method"] == "conjugate_gradient"
    assert solved["passes"] > 4
    assert solved["progress"] is None


def test_events_tell_the_passes_and_how_far_it_came(http: httpx.Client, solved: dict[str, Any]) -> None:
    """Every pass begins and ends, and the backward error falls to the certificate's."""
    events = streamed(http, solved["id"])
    begun = [event["number"] for event in events if event["event"] == "pass_started"]
    ended = [event["number"] for event in events if event["event"] == "pass_finished"]
    errors = [event["backward_error"] for event in events if event["event"] == "converged"]

    assert begun == ended == list(range(1, solved["passes"] + 1))
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert errors[0] > 1e-8
    assert errors[-1] < 1e-14
    assert events[-1]["state"] == "solved"


def test_a_stream_goes_on_where_it_was_cut(http: httpx.Client, solved: dict[str, Any]) -> None:
    """With Last-Event-ID nothing comes twice and nothing lacks; when all was told there is nothing to wait for."""
    events = streamed(http, solved["id"])
    for after in (1, 5, len(events) - 1):
        assert streamed(http, solved["id"], after) == events[after:]
    last = http.get(f"/v1/jobs/{solved['id']}/events", headers={"Last-Event-ID": str(len(events))})
    assert last.status_code == 204


def test_a_plan_solves_nothing(http: httpx.Client) -> None:
    """A plan names method, passes, cost, and why others lost."""
    before = len(http.get("/v1/jobs").json()["jobs"])
    plan = http.post("/v1/plans", json={"spec": spec("auto")}).json()

    assert plan["passes"] >= 2
    assert plan["rejected"]
    assert plan["text"].startswith("matrix")
    assert len(http.get("/v1/jobs").json()["jobs"]) == before


def test_a_key_makes_one_job(http: httpx.Client) -> None:
    """Sent twice it is one job; with another request it is refused."""
    first, again, other = (
        http.post("/v1/jobs", json={"spec": spec(seed=seed)}, headers={"Idempotency-Key": "once"}) for seed in (0, 0, 1)
    )

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == f"/v1/jobs/{first.json()['id']}"
    assert other.json()["error"] == "KeyTaken"


def test_lists_come_in_pages(http: httpx.Client, client: Client) -> None:
    """Pages make the whole list, newest first, also of one state."""
    ids = [client.submit(spec("tsqr"), name=str(number))["id"] for number in range(5)]
    for id_ in ids:
        rested(client, id_)
    found: list[str] = []
    after = None
    while True:
        page = http.get("/v1/jobs", params={"limit": 2, "state": "solved", **({"after": after} if after else {})}).json()
        found += [job["id"] for job in page["jobs"]]
        after = page["next"]
        if after is None:
            break

    assert found == sorted(found, reverse=True)
    assert set(ids) <= set(found)
    assert found == [job["id"] for job in client.list("solved")]


def test_cancel_in_a_pass_and_resume(http: httpx.Client, client: Client, direct: Any) -> None:
    """A running job ends at once, keeps its passes, and goes on with the same bits; recorded passes are not made again."""
    id_ = client.submit(slow())["id"]
    seen(client, id_, in_pass(3))
    cancelled = client.cancel(id_)
    assert cancelled["state"] == "cancelled"
    assert http.get(f"/v1/jobs/{id_}/solution").status_code == 409
    kept = cancelled["passes"]
    assert kept >= 2

    assert client.resume(id_)["state"] == "queued"
    assert rested(client, id_)["state"] == "solved"
    assert client.fetch(id_).tobytes() == direct("gradient_descent", 0, "slow.zarr").x.tobytes()
    ends = [event for event in streamed(http, id_) if event["event"] == "pass_finished"]
    assert sum(event["replayed"] for event in ends) == kept
    made = [event["number"] for event in ends if not event["replayed"]]
    assert len(made) == len(set(made))


def test_moves_that_a_state_forbids(http: httpx.Client, solved: dict[str, Any]) -> None:
    """A solved job is neither cancelled nor resumed, and says so."""
    for verb in ("cancel", "resume"):
        response = http.post(f"/v1/jobs/{solved['id']}/{verb}")
        assert response.status_code == 409
        assert response.json()["found"] == f"job {solved['id']} is solved, from where it can become nothing else"


def test_a_removed_job_is_gone(http: httpx.Client, client: Client, service: Service) -> None:
    """Its answer, its events, its folder."""
    id_ = client.submit(spec("tsqr"))["id"]
    rested(client, id_)
    assert http.delete(f"/v1/jobs/{id_}").status_code == 204
    for path in ("", "/events", "/solution", "/solution/x"):
        assert http.get(f"/v1/jobs/{id_}{path}").status_code == 404
    assert not (service.state / "jobs" / id_).exists()


def test_a_job_that_fails_says_why(client: Client, data: Path) -> None:
    """What the library would raise is the sentence of the state."""
    job = rested(client, client.submit(spec(b="A.zarr", weights="A.zarr"))["id"])

    assert job["state"] == "failed"
    assert job["sentence"].startswith("Weights of rows (weights) must")


def test_limits_of_a_job(client: Client) -> None:
    """A job beyond its time or its memory is ended, and its sentence has both numbers."""
    late = rested(client, client.submit(slow(limits={"seconds": 0.01}))["id"])
    large = rested(client, client.submit(spec(limits={"memory": "20MB"}))["id"])

    assert (late["state"], large["state"]) == ("failed", "failed")
    assert "its 0.01 s are over" in late["sentence"]
    assert "memory" in large["sentence"]


def test_results_where_they_were_asked_for(client: Client, service: Service, direct: Any) -> None:
    """x also lies under the declared folder, and an existing result is not replaced."""
    first = rested(client, client.submit(spec("tsqr", out="x.zarr"))["id"])
    second = rested(client, client.submit(spec("tsqr", out="x.zarr"))["id"])

    stored = dsketch.open_matrix(service.folder / "out" / "x.zarr")
    assert np.asarray(stored.read(0, stored.shape[0])).tobytes() == direct("tsqr").x.tobytes()
    assert (first["state"], second["state"]) == ("solved", "failed")
    assert "a free path was expected" in second["sentence"]


def test_the_service_tells_of_itself(http: httpx.Client, data: Path) -> None:
    """What a form needs, figures for Prometheus, health, and a document that works without a foreign host."""
    about = http.get("/v1/service").json()
    metrics = http.get("/metrics").text
    docs = http.get("/docs").text

    assert about["data_roots"] == [str(data)]
    assert {problem["name"] for problem in about["problems"]} >= {"lstsq", "ridge"}
    assert 'dsketch_jobs{state="solved"}' in metrics
    assert 'dsketch_passes_total{kind="normal"}' in metrics
    assert http.get("/healthz").status_code == http.get("/readyz").status_code == 200
    assert "https://" not in docs
    script = docs.split('<script src="')[1].split('"')[0]
    assert http.get(script).status_code == 200


def test_errors_have_one_shape(http: httpx.Client) -> None:
    """Whatever is wrong: five fields, and JSON; an option by its label, with its name beside it, and as ``field``."""
    wrong = [
        http.get("/v1/nothing"),
        http.put("/v1/jobs"),
        http.get("/v1/jobs", params={"limit": 0}),
        http.get("/v1/jobs", params={"colour": "red"}),
        http.get("/v1/jobs", params={"state": "bored"}),
        http.get("/v1/jobs/xyz"),
        http.post("/v1/jobs", content=b"{"),
        http.post("/v1/jobs", content=b"[" * 100_000),
        http.post("/v1/jobs", json={"spec": spec(), "colour": "red"}),
        http.post("/v1/jobs", json={"spec": spec(alpha=1)}),
        http.post("/v1/jobs", json={"spec": spec(A="nothing.zarr")}),
        http.post("/v1/jobs", json={"spec": spec()}, headers={"Idempotency-Key": ""}),
        http.post("/v1/plans", json={"spec": spec(b="A.zarr", weights="A.zarr")}),
    ]
    assert all(set(response.json()) == {"error", "message", "field", "found", "try"} for response in wrong)
    assert [response.status_code for response in wrong] == [404, 405, 422, 422, 422, 422, 422, 422, 422, 422, 422, 422, 422]
    assert all(response.json()["try"] for response in wrong)
    assert [response.json()["field"] for response in wrong] == [None] * 10 + ["A", None, "weights"]
    assert wrong[10].json()["message"].startswith("Data matrix (A) was expected at ")
    for spec_, field, said in (
        (spec(tol="small"), "tol", "Tolerance (tol) must be a number; got 'small'."),
        (spec(tol=7), "tol", "Tolerance (tol) must be a number below 1; got 7."),
        (spec(method="magic"), "method", "Method (method) must be one of 'auto', "),
        ({"problem": "magic"}, None, "spec.problem must be one of 'lstsq', "),
        (spec(limits={"seconds": -1}), "limits.seconds", "Time limit (limits.seconds) must be a number above 0; got -1."),
        ({"problem": "ridge", "A": "A.zarr", "b": "b.zarr", "alpha": "x"}, "alpha", "Penalty (alpha) must be a number; got 'x'"),
        ({"problem": "ridge", "A": "A.zarr"}, "b", "Targets (b) was expected; there is nothing."),
    ):
        told = http.post("/v1/jobs", json={"spec": spec_}).json()
        assert (told["field"], told["message"][: len(said)]) == (field, said)
    for path, said in (
        ("/v1/jobs/xyz", "id must be 20 digits of 0 to f"),
        ("/v1/jobs?limit=0", "limit must be a number of at least 1;"),
    ):
        assert http.get(path).json()["message"].startswith(said)
    tags = http.post("/v1/jobs", json={"spec": spec(), "tags": ["a,b"]}).json()["message"]
    assert tags.startswith("tags.0 must be without commas, and without blanks at its ends; got 'a,b'")
