"""Nobody's slow request is waited for by others: health, plans, and the end of both."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from dsketch.service import ready
from dsketch.service.auth import Tokens, new_token
from dsketch.service.plans import PLANS_AT_ONCE
from dsketch.service.ready import READY, Readiness
from dsketch.service.serve import _listen
from tests.service.conftest import spec
from tests.service.running import DEADLINE_SECONDS, Service, rested

MANY = 70  # more than the server's threads


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A scheduler that takes connections and never says a word: whoever plans on it waits."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE_SECONDS)
        yield listening


@pytest.fixture
def stuck(tmp_path: Path, data: Path, silent: socket.socket) -> Iterator[Service]:
    """A service whose plans wait for that scheduler."""
    address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
    with Service(tmp_path, data, "--scheduler", address, "--small", "1kB", "--rate", "1000") as service:
        yield service


def asked(service: Service, stack: ExitStack) -> socket.socket:
    """Send a request for a plan and return its connection, without waiting for the answer."""
    host, port = service.url.removeprefix("http://").split(":")
    body = json.dumps({"spec": spec("tsqr")}).encode()
    head = f"POST /v1/plans HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS))
    connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
    return connection


def ended(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes, or is gone."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.cluster
def test_slow_plans_silence_nobody(stuck: Service, silent: socket.socket) -> None:
    """Of many plans at a time some wait, the others are refused at once, cheap routes answer; who goes takes its process along."""
    with ExitStack() as stack, httpx.Client(base_url=stuck.url, trust_env=False, timeout=DEADLINE_SECONDS) as http:
        first = [asked(stuck, stack) for _ in range(PLANS_AT_ONCE)]
        planning = [stack.enter_context(silent.accept()[0]) for _ in first]
        more = [asked(stuck, stack) for _ in range(MANY)]
        refusals = [ended(connection) for connection in more]
        cheap = [http.get(path).status_code for path in ("/healthz", "/readyz", "/v1/jobs", "/v1/service", "/metrics")]
        job = http.post("/v1/jobs", json={"spec": spec("tsqr")}).json()["id"]
        cancelled = http.post(f"/v1/jobs/{job}/cancel").json()

        assert {refusal.split(b"\r\n")[0] for refusal in refusals} == {b"HTTP/1.1 429 Too Many Requests"}
        assert all(b"retry-after" in refusal for refusal in refusals)
        assert cheap == [200] * 5
        assert cancelled["state"] == "cancelled"

        for connection in first:
            connection.close()
        for connection in planning:
            ended(connection)  # returns when the plan's process is gone
        again = asked(stuck, stack)
        stack.enter_context(silent.accept()[0])
        again.close()


@pytest.mark.cluster
def test_a_stop_ends_plans_without_noise(stuck: Service, silent: socket.socket) -> None:
    """Who waits for a plan is told that the service stops; the log has no stack traces."""
    with ExitStack() as stack:
        waiting = [asked(stuck, stack) for _ in range(PLANS_AT_ONCE)]
        for _ in waiting:
            stack.enter_context(silent.accept()[0])
        stuck.stop()
        answers = [ended(connection) for connection in waiting]

    assert all(answer.startswith(b"HTTP/1.1 503") and b"about to stop" in answer for answer in answers)
    assert "Traceback" not in stuck.log.read_text()


@pytest.mark.cluster
def test_planning_has_a_limit_whatever_the_problem(tmp_path: Path, data: Path, silent: socket.socket) -> None:
    """A job that gets no plan is ended, and frees its place; so is a plan by itself."""
    address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
    words = ("--scheduler", address, "--small", "1kB", "--max-planning", "0.2", "--max-jobs", "1")
    with Service(tmp_path, data, *words) as service, service.client() as client:
        job = rested(client, client.submit(spec("tsqr"))["id"])
        plan = httpx.post(f"{service.url}/v1/plans", json={"spec": spec("tsqr")}, trust_env=False, timeout=DEADLINE_SECONDS)

    assert job["state"] == "failed"
    assert job["sentence"].startswith("a plan was expected within 0.2 s; there is none yet.")
    assert plan.status_code == 503
    assert "--max-planning" in plan.json()["try"]


def test_kept_connections_answer_at_once() -> None:
    """What the service accepts sends small answers without waiting for an acknowledgement."""

    async def accepted() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        class Peer(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                taken = transport.get_extra_info("socket")
                found.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        with _listen("127.0.0.1", 0) as listening:
            server = await asyncio.get_running_loop().create_server(Peer, sock=listening)
            with socket.create_connection(listening.getsockname()):
                no_delay = await found
            server.close()
        return no_delay

    assert asyncio.run(accepted()) != 0


class _Store:
    """A store whose disk answers when it is let."""

    def __init__(self) -> None:
        self.answers, self.looks, self.found = threading.Event(), 0, None

    def trouble(self) -> str | None:
        self.looks += 1
        self.answers.wait(DEADLINE_SECONDS)
        return self.found


def _readiness(store: Any, tokens: Tokens | None = None, is_alive: bool = True) -> Readiness:
    dispatcher: Any = SimpleNamespace(is_alive=is_alive, store=store)
    return Readiness(dispatcher, tokens or Tokens(None))


def test_a_disk_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody hears that it is silent, one thread looks, and when the disk is back so is the service."""
    store = _Store()

    async def asked() -> tuple[list[Any], Any]:
        readiness = _readiness(store)
        monkeypatch.setattr(ready, "LOOK_SECONDS", 0.0)
        silent = await asyncio.gather(*(readiness.standing() for _ in range(20)))
        monkeypatch.setattr(ready, "LOOK_SECONDS", DEADLINE_SECONDS)
        store.answers.set()
        return silent, await readiness.standing()

    silent, after = asyncio.run(asked())
    assert {verdict[0] for verdict in silent} == {"silent"}
    assert after == READY
    assert store.looks == 1


def test_ready_is_said_of_what_works(tmp_path: Path) -> None:
    """Not while the line stands still, tokens cannot be read, or nothing can be written."""
    file = tmp_path / "tokens"
    new_token(file, "ann")
    tokens, store = Tokens(file), _Store()
    store.answers.set()

    def word(**more: Any) -> str:
        return asyncio.run(_readiness(store, **more).standing())[0]

    assert word(tokens=tokens) == "ready"
    assert word(is_alive=False) == "stopping"
    file.chmod(0o644)
    assert word(tokens=tokens) == "locked"
    file.chmod(0o600)
    assert word(tokens=tokens) == "ready"
    file.rename(tmp_path / "elsewhere")
    assert word(tokens=tokens) == "locked"
    store.found = "the disk of the state directory is full"
    assert word() == "full"
    store.found = "the state directory gave: Read-only file system"
    assert word() == "broken"
