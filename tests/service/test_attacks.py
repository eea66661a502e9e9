"""What somebody with bad intentions sends is refused, and harms nobody."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zarr

from dsketch.client import Client
from dsketch.errors import DsketchError
from dsketch.service.auth import new_token
from dsketch.service.errors import UnknownJob
from tests.service.conftest import slow, spec
from tests.service.running import Service, rested

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

Opened = Callable[[str | None], httpx.Client]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Tokens of two owners and an admin, by name; ``file`` is their file."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    made = {owner: new_token(file, owner, is_admin=owner == "boss") for owner in ("ann", "bob", "boss", "eve")}
    return {**made, "file": str(file)}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, data: Path, tokens: dict[str, str]) -> Iterator[Service]:
    """A service that asks for tokens."""
    words = (
        "--token-file",
        tokens["file"],
        "--max-body",
        "20kB",
        "--patience",
        "2",
        "--rate",
        "1000",
        "--max-waiting",
        "3",
        "--max-jobs",
        "1",
    )
    with Service(tmp_path_factory.mktemp("guarded"), data, *words) as service:
        yield service


@pytest.fixture
def opened(guarded: Service, tokens: dict[str, str]) -> Iterator[Opened]:
    """Return a function that gives a plain connection with somebody's token."""
    connections: list[httpx.Client] = []

    def connection(owner: str | None = "boss") -> httpx.Client:
        headers = {} if owner is None else {"Authorization": f"Bearer {tokens.get(owner, owner)}"}
        connections.append(httpx.Client(base_url=guarded.url, headers=headers, timeout=240, trust_env=False))
        return connections[-1]

    yield connection
    for one in connections:
        one.close()


PATHS = [
    "/v1/jobs",
    "/v1/service",
    "/metrics",
    f"/v1/jobs/{'0' * 20}",
    f"/v1/jobs/{'0' * 20}/events",
    f"/v1/jobs/{'0' * 20}/solution/x",
]


@pytest.mark.parametrize("token", [None, "wrong", "dsk_" + "A" * 43, "ann:x"])
def test_without_the_right_token_nothing_is_told(opened: Opened, token: str | None) -> None:
    """Every path answers 401 alike; only health is open."""
    http = opened(token)
    answers = [http.get(path) for path in PATHS] + [
        http.post("/v1/jobs", json={"spec": spec()}),
        http.post("/v1/plans", json={"spec": spec()}),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert all(answer.headers["www-authenticate"] == "Bearer" for answer in answers)
    assert http.get("/healthz").status_code == 200


def test_an_owner_sees_only_its_own(guarded: Service, tokens: dict[str, str], opened: Opened) -> None:
    """Somebody else's job is as unknown as one that never was, to every verb; an admin sees all."""
    with guarded.client(tokens["ann"]) as ann, guarded.client(tokens["bob"]) as bob, guarded.client(tokens["boss"]) as boss:
        id_ = ann.submit(spec("tsqr"), key="mine")["id"]
        rested(ann, id_)
        verbs: list[Callable[[], Any]] = [
            lambda: bob.show(id_),
            lambda: bob.cancel(id_),
            lambda: bob.resume(id_),
            lambda: bob.solution(id_),
            lambda: bob.fetch(id_),
            lambda: bob.rm(id_),
            lambda: list(bob.follow(id_)),
        ]
        for verb in verbs:
            with pytest.raises(UnknownJob) as caught:
                verb()
            assert str(caught.value) == f"a job was expected; there is none of id '{id_}'. List the jobs for their ids."
        assert list(bob.list()) == []
        assert bob.submit(spec("tsqr"), key="mine")["id"] != id_
        assert boss.show(id_)["owner"] == "ann"
    assert opened("ann").get("/metrics").status_code == 403
    assert opened("boss").get("/metrics").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/etc/passwd",
        "../../../etc",
        "A.zarr/../../../etc",
        "file:///etc/passwd",
        "http://127.0.0.1:1/A.zarr",
        "http://169.254.169.254/latest/meta-data/",
        "s3://bucket/A.zarr",
        "simplecache::http://127.0.0.1:1/A",
    ],
)
def test_data_elsewhere_is_refused(opened: Opened, address: str) -> None:
    """Nothing is opened, and no other host is asked, neither for a job nor for a plan."""
    http = opened("eve")
    for path, word in (("/v1/jobs", "A"), ("/v1/plans", "b"), ("/v1/jobs", "weights")):
        answer = http.post(path, json={"spec": spec(**{word: address})})
        assert (answer.status_code, answer.json()["error"]) == (403, "PlaceError")


def test_results_elsewhere_are_refused(opened: Opened, data: Path) -> None:
    """No folder to write under is declared, so nowhere can be written, least of all over data."""
    for out in ("/var/x.zarr", str(data / "A.zarr"), "x.zarr", "s3://bucket/x"):
        assert opened("eve").post("/v1/jobs", json={"spec": spec(out=out)}).status_code == 403


def test_a_chunk_that_links_out_is_not_read(guarded: Service, tokens: dict[str, str], data: Path, tmp_path: Path) -> None:
    """The path is admitted and the array lies there, but one of its chunks leads out: the job fails before anything is read."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8 * 10))
    array = zarr.create_array(store=str(data / "trap.zarr"), shape=(20,), chunks=(10,), dtype="f8", compressors=None)
    array[:] = np.ones(20)
    chunk = data / "trap.zarr" / "c" / "0"
    chunk.unlink()
    chunk.symlink_to(secret)
    with guarded.client(tokens["eve"]) as eve:
        job = rested(eve, eve.submit(spec("tsqr", b="trap.zarr"))["id"])

    assert job["state"] == "failed"
    assert "links out" in job["sentence"]


def test_a_link_of_a_link_is_not_read(guarded: Service, tokens: dict[str, str], data: Path, tmp_path: Path) -> None:
    """Each entry of the array looks as if it led to declared places; the file that would be read in the end lies elsewhere."""
    secret = tmp_path / "secret"
    secret.write_bytes(np.full(10, 666.0).tobytes())
    array = zarr.create_array(store=str(data / "trap2.zarr"), shape=(20,), chunks=(10,), dtype="f8", compressors=None)
    array[:] = np.ones(20)
    chunks = data / "trap2.zarr" / "c"
    chunks.rename(data / "trap2-chunks")
    chunks.symlink_to(data / "trap2-chunks")
    (data / "trap2-chunks" / "0").unlink()
    (data / "trap2-chunks" / "0").symlink_to(secret)
    with guarded.client(tokens["eve"]) as eve:
        job = rested(eve, eve.submit(spec("tsqr", A="trap2.zarr", b="trap2.zarr"))["id"])
        assert "links out" in str(refusal(lambda: eve.plan(spec("tsqr", A="trap2.zarr", b="trap2.zarr"))))

    assert job["state"] == "failed"
    assert "links out" in job["sentence"]


def refusal(ask: Callable[[], Any]) -> Exception:
    """Return what a call raises."""
    with pytest.raises(DsketchError) as caught:
        ask()
    return caught.value


def test_pickles_are_not_opened(guarded: Service, tokens: dict[str, str], data: Path, tmp_path: Path) -> None:
    """An array whose codec would run code when it is decoded: the code does not run."""
    mark = tmp_path / "mark"
    folder = data / "pickle.zarr"
    folder.mkdir()
    about = {
        "zarr_format": 2,
        "shape": [40_000],
        "chunks": [40_000],
        "dtype": "<f8",
        "compressor": None,
        "fill_value": 0,
        "order": "C",
        "filters": [{"id": "pickle", "protocol": 0}],
    }
    (folder / ".zarray").write_text(json.dumps(about))
    (folder / "0").write_bytes(f"cos\nsystem\n(S'touch {mark}'\ntR.".encode())
    with guarded.client(tokens["eve"]) as eve:
        job = rested(eve, eve.submit(spec("tsqr", b="pickle.zarr"))["id"])

    assert job["state"] == "failed"
    assert "pickle" in job["sentence"]
    assert not mark.exists()


def test_large_bodies_are_refused(opened: Opened) -> None:
    """Whether it says so before or not; the service does not take it in."""
    http = opened("boss")
    declared = http.post("/v1/jobs", content=b"x" * 30_000)
    chunked = http.post("/v1/jobs", content=iter([b"x" * 10_000] * 3))

    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert declared.json()["error"] == "SizeError"


def test_a_slow_head_is_cut_off(guarded: Service, opened: Opened) -> None:
    """Who sends a byte now and then loses the connection, and others are served meanwhile."""
    host, port = guarded.url.removeprefix("http://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=240) as slow,
        socket.create_connection((host, int(port)), timeout=240) as idle,
    ):
        slow.sendall(b"GET /healthz HTT")
        assert opened("boss").get("/healthz").status_code == 200
        assert slow.recv(1000) == b""
        assert idle.recv(1000) == b""


def test_a_slow_body_is_cut_off(guarded: Service, tokens: dict[str, str]) -> None:
    """A body that does not come is not waited for."""
    host, port = guarded.url.removeprefix("http://").split(":")
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {tokens['boss']}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=240) as slow:
        slow.sendall(head.encode() + b'{"spec"')
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")


def test_too_many_requests_are_refused(tmp_path: Path, data: Path, tokens: dict[str, str]) -> None:
    """One owner's haste is its own: others are served, and so is it a little later; wrong tokens share what their address may."""
    with Service(tmp_path, data, "--token-file", tokens["file"], "--rate", "0.5") as service:

        def statuses(token: str) -> list[int]:
            with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http:
                return [http.get("/v1/service").status_code for _ in range(12)]

        assert set(statuses(tokens["eve"])) == {200, 429}
        assert statuses(tokens["ann"])[0] == 200
        assert [status for guess in range(12) for status in statuses(f"guess{guess}")[:1]].count(429) > 4


def test_a_line_has_an_end(guarded: Service, tokens: dict[str, str], opened: Opened) -> None:
    """One owner cannot fill the queue without bounds; what has its place in it may be asked for again."""
    http = opened("bob")
    keyed = {"json": {"spec": slow()}, "headers": {"Idempotency-Key": "first"}}
    answers = [http.post("/v1/jobs", **keyed), *(http.post("/v1/jobs", json={"spec": slow()}) for _ in range(8))]
    again = http.post("/v1/jobs", **keyed)
    with guarded.client(tokens["bob"]) as bob:
        for answer in answers:
            if answer.status_code == 201:
                rested(bob, answer.json()["id"])

    assert {answer.status_code for answer in answers} == {201, 429}
    assert (again.status_code, again.json()["id"]) == (200, answers[0].json()["id"]), (
        "what was accepted is not refused afterwards"
    )


def test_answers_carry_the_headers_of_security(opened: Opened) -> None:
    """Scripts of others do not run, frames are refused, nothing is guessed or kept."""
    answer = opened("boss").get("/v1/jobs")

    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


def test_other_pages_cannot_use_a_browser(service: Service) -> None:
    """On an open loopback port: neither by a name that somebody points at it, nor from another page."""
    with httpx.Client(base_url=service.url, trust_env=False) as http:
        assert http.get("/v1/jobs", headers={"Host": "evil.example"}).status_code == 403
        assert http.post("/v1/jobs", json={"spec": spec()}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert http.post(f"/v1/jobs/{'0' * 20}/cancel", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
        assert http.get("/v1/jobs", headers={"Host": "localhost:1"}).status_code == 200


def test_secrets_are_written_nowhere(guarded: Service, tokens: dict[str, str]) -> None:
    """No token stands in the log, in the jobs' files or in the index."""
    with guarded.client(tokens["ann"]) as ann:
        rested(ann, ann.submit(spec("tsqr"))["id"])
    written = b"".join(path.read_bytes() for path in guarded.folder.rglob("*") if path.is_file())

    assert not [owner for owner in ("ann", "bob", "boss", "eve") if tokens[owner].encode() in written]


def test_no_token_no_open_port(tmp_path: Path, data: Path) -> None:
    """A service that others could reach does not start without tokens."""
    with pytest.raises(AssertionError, match="a token file was expected"):
        Service(tmp_path, data, "--host", "0.0.0.0").start()  # noqa: S104 - it must refuse


def test_a_client_without_token_hears_why(guarded: Service) -> None:
    """The error of the service is the error of the client."""
    with Client(guarded.url) as nobody, pytest.raises(PermissionError, match="bearer token"):
        nobody.about()
