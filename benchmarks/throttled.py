"""A folder behind HTTP that is as slow as an object store: a pause before each answer, a rate for each connection.

    python benchmarks/throttled.py FOLDER --seconds 0.03 --rate 25e6

prints its port and serves until its input ends.  ``GET`` and ``HEAD`` with and without ``Range``, connections kept open: what plain
HTTP clients ask and what S3 clients read with (bucket and key as the path).  ``GET /-/counted`` tells what it was asked since
``GET /-/reset``: requests, answered bytes, and the most requests that it was answering at once.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

_SLICE_BYTES = 262_144  # sent at once: at 25 MB/s a hundredth of a second


class Store(ThreadingHTTPServer):
    """The server.

    Parameters
    ----------
    folder : Path
    seconds : float
        Before the first byte of each answer.
    rate : float
        Bytes a second of each connection; 0 for no limit.
    busy : int
        Every so many chunks asked for are answered 503 once; 0 for none.
    ranges : bool
        Whether it knows of ranges; a server that does not answers with all.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, folder: Path, seconds: float = 0.0, rate: float = 0.0, busy: int = 0, *, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.folder, self.seconds, self.rate, self.busy, self.ranges = folder, seconds, rate, busy, ranges
        self.lock, self.refused = threading.Lock(), set[tuple[str, str]]()
        self.reset()

    def reset(self) -> None:
        """Count from zero."""
        self.now = self.most = self.asked = 0
        self.counts: Counter[str] = Counter()
        self.places: Counter[str] = Counter()

    def counted(self) -> dict[str, Any]:
        """Return what was asked."""
        repeated = [place for place, count in self.places.items() if count > 1]
        return {**self.counts, "most_at_once": self.most, "repeated": sorted(repeated)}

    def refuses(self, path: str, part: str) -> bool:
        """Whether this request is one that is answered 503, the first time it is made."""
        with self.lock:
            self.asked += 1
            if not self.busy or self.asked % self.busy or (path, part) in self.refused or "zarr.json" in path:
                return False
            self.refused.add((path, part))
            return True


class Answer(BaseHTTPRequestHandler):
    """One connection."""

    server: Store
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Send at once what is written."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.server.lock:
            self.server.counts["connections"] += 1

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer."""
        path = unquote(urlsplit(self.path).path)
        if path in ("/-/counted", "/-/reset"):
            found = self.server.counted()
            if path.endswith("reset"):
                self.server.reset()
            self._send(200, json.dumps(found).encode())
            return
        with self.server.lock:
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
            self.server.counts[f"{self.command.lower()}s"] += 1
        try:
            time.sleep(self.server.seconds)
            self._answer(path)
        finally:
            with self.server.lock:
                self.server.now -= 1

    def _answer(self, path: str) -> None:
        file, part = self.server.folder / path.lstrip("/"), self.headers.get("Range") or ""
        if self.server.refuses(path, part):
            self._send(503, b"")
        elif not file.is_file():
            self._send(404, b"")
        else:
            size = file.stat().st_size
            low, high = _span(part if self.server.ranges else "", size)
            if low >= max(size, 1):
                self._send(416, b"")
                return
            self._head(206 if part and self.server.ranges else 200, high - low, size, low)
            if self.command == "GET":
                with self.server.lock:
                    self.server.places[f"{path} {part}"] += 1
                self._pour(file, low, high)

    def _head(self, status: int, count: int, size: int, low: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(count))
        if status == 206:
            self.send_header("Content-Range", f"bytes {low}-{low + count - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes" if self.server.ranges else "none")
        self.send_header("ETag", '"one"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.flush()

    def _pour(self, file: Path, low: int, high: int) -> None:
        """Send a part of a file no faster than the connection may."""
        began, sent, rate = time.perf_counter(), 0, self.server.rate
        with file.open("rb") as source:
            while low + sent < high:
                sent += os.sendfile(self.connection.fileno(), source.fileno(), low + sent, min(_SLICE_BYTES, high - low - sent))
                if rate and (early := began + sent / rate - time.perf_counter()) > 0:
                    time.sleep(early)
        with self.server.lock:
            self.server.counts["bytes"] += sent

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _span(part: str, size: int) -> tuple[int, int]:
    """Return first byte and byte after the last of a ``Range`` header."""
    if not part:
        return 0, size
    low, high = part.removeprefix("bytes=").split("-")
    if not low:
        return max(size - int(high), 0), size
    return int(low), min(int(high) + 1 if high else size, size)


class Served:
    """A server in a process of its own, seen from outside.

    Attributes
    ----------
    address : str
        Its URL.
    """

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def count(self) -> dict[str, Any]:
        """Return what it was asked, and count from zero again."""
        with urlopen(f"{self.address}/-/reset") as answer:  # noqa: S310 - our own server
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[Served]:
    """Start a server of a folder with options of the command line."""
    command = [sys.executable, __file__, str(folder), *options]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield Served(int(server.stdout.readline()))
    finally:
        server.kill()
        server.wait()


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--no-ranges", action="store_true")
    asked = parser.parse_args()
    store = Store(asked.folder, asked.seconds, asked.rate, asked.busy, ranges=not asked.no_ranges)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    print(store.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
