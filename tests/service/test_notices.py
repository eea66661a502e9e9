"""Notices at the end of a job: to hosts that are allowed, and nothing that these do harms a job."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dsketch.errors import AccessError
from dsketch.service.notices import NoticeHosts, Notices
from tests.service.conftest import spec
from tests.service.running import DEADLINE_SECONDS, Service, rested, waited

DOCUMENT = {"id": "1", "name": "n", "state": "solved", "sentence": "s", "problem": "lstsq"}


class Listener(ThreadingHTTPServer):
    """A small server that keeps what it is told, and answers with the statuses it was given, the last one for ever."""

    daemon_threads = True

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses, self.told = list(statuses), list[tuple[str, str, Any]]()
        self.name = f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Of one request."""

    server: Listener

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.told.append((self.command, self.path, json.loads(body or b"null")))
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"http://{self.server.name}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET = _take  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def listening(*statuses: int) -> Iterator[Listener]:
    """Run a listener."""
    server = Listener(*statuses)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def deliver(url: str, *names: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Send a notice in this thread, without pauses."""
    Notices(NoticeHosts.of(names), seconds, (0.0, 0.0))._deliver(url, DOCUMENT)


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://hooks.example.com/a?b=c", True),
        ("http://HOOKS.example.com", True),
        ("https://hooks.example.com:443/", True),
        ("http://127.0.0.1:9000/x", True),
        ("https://hooks.example.com:8443/", False),
        ("http://127.0.0.1/", False),
        ("https://example.com/", False),
        ("https://hooks.example.com.evil.org/", False),
        ("https://hooks.example.com@evil.org/", False),
        ("https://evil.org#@hooks.example.com/", False),
        ("https://evil.org\\@hooks.example.com/", False),
        ("https://u:p@hooks.example.com/", False),
        ("ftp://hooks.example.com/", False),
        ("file:///etc/passwd", False),
        ("hooks.example.com", False),
        ("http://hooks.example.com:99999/", False),
        ("http://[hooks.example.com/", False),
        ("http://hooks.example.com/ a", False),
        ("http://169.254.169.254/latest", False),
        ("", False),
    ],
)
def test_only_allowed_hosts_are_told(url: str, is_good: bool) -> None:
    """A name is good for its standard ports, a name with a port for that one; nothing that only looks like it."""
    hosts = NoticeHosts.of(["hooks.example.com", "127.0.0.1:9000"])
    if is_good:
        hosts.require(url)
        return
    with pytest.raises(AccessError, match="notify was expected to be"):
        hosts.require(url)
    with pytest.raises(AccessError, match=r"\(none\)"):
        NoticeHosts().require(url)


@pytest.mark.parametrize(
    ("statuses", "count"), [((204,), 1), ((503, 429, 200), 3), ((500,), 3), ((404,), 1), ((302, 200), 1), ((307, 200), 1)]
)
def test_a_notice_is_tried_a_few_times(statuses: tuple[int, ...], count: int, caplog: pytest.LogCaptureFixture) -> None:
    """Again where it may be better later; a redirect is followed nowhere, and the log says what is given up, without the path."""
    with listening(*statuses) as server:
        deliver(f"http://{server.name}/secret?q=1", server.name)

    assert server.told == [("POST", "/secret?q=1", DOCUMENT)] * count
    is_given_up = not 200 <= statuses[-1 if count == 3 else 0] < 300
    assert (f"{server.name} was not told of the end of job 1: it answered" in caplog.text) == is_given_up
    assert "secret" not in caplog.text


def test_a_host_that_drips_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """Every byte begins the socket's time again; the attempt ends all the same."""
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while not stop.wait(0.01):
                    try:
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    except OSError:
                        break

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        name = f"127.0.0.1:{listener.getsockname()[1]}"
        deliver(f"http://{name}/", name, seconds=0.2)
        stop.set()
    assert f"{name} was not told of the end of job 1" in caplog.text


@pytest.mark.cluster
def test_the_end_of_a_job_is_told(tmp_path: Path, data: Path) -> None:
    """With id, name, state, sentence and problem; who cannot be reached keeps no job from its end, and others are refused."""
    with listening(200) as server, socket.create_server(("127.0.0.1", 0)) as silent:
        deaf = f"127.0.0.1:{silent.getsockname()[1]}"
        words = ("--notify-host", server.name, "--notify-host", deaf)
        with Service(tmp_path, data, *words) as service, service.client() as client:
            with pytest.raises(AccessError, match=r"its host is .evil\.example"):
                client.submit(spec("tsqr", notify="http://evil.example/x"))
            first = client.submit(spec("tsqr", notify=f"http://{deaf}/"))["id"]
            second = client.submit(spec("tsqr", seed=1, notify=f"http://{server.name}/hook"), name="mine")["id"]
            jobs = [rested(client, id_) for id_ in (first, second)]
            told = waited(lambda: server.told or None, "the notice")
    assert [job["state"] for job in jobs] == ["solved", "solved"]
    wanted = {"id": second, "name": "mine", "state": "solved", "sentence": jobs[1]["sentence"], "problem": "lstsq"}
    assert told == [("POST", "/hook", wanted)]


@pytest.mark.cluster
def test_nobody_is_told_by_default(service: Service) -> None:
    """The sentence says what whoever runs the service would have to allow."""
    with service.client() as client, pytest.raises(AccessError, match=r"--notify-host allows \(none\)"):
        client.submit(spec("tsqr", notify="https://example.com/"))
