"""Stores that fail for a moment: a real HTTP server that answers badly as often as it is told, then well."""

import errno
import pickle
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import scipy.sparse
import zarr
from hypothesis import given
from hypothesis import strategies as st

import dsketch as ds
from dsketch._inspect import inspect
from dsketch._results.remote import RemoteOutput
from dsketch.engine.journal import Journal
from dsketch.ingest.csr import write_csr
from dsketch.matrix import retrying
from dsketch.matrix.retrying import PAUSES, RetryingStore, failure, persist

pytest.importorskip("fsspec", reason="object stores need the extra dsketch[s3]")

TRIES = len(PAUSES) + 1
RNG = np.random.default_rng(7)
A = RNG.standard_normal((400, 3))
A[200:300] = 0.0  # a chunk equal to the fill value: the store is asked whether it is there
B = A @ np.array([1.0, -2.0, 3.0]) + RNG.standard_normal(400)
X = np.linalg.lstsq(A, B, rcond=None)[0]


class Server(ThreadingHTTPServer):
    """A folder over HTTP.

    Attributes
    ----------
    failing : callable
        Is told the path and how often it was asked for, and returns what to do: a status, "reset", "truncate", "stall", or None.
    asked : Counter
        Requests by path.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.asked = folder, Counter[str]()
        self.failing: Callable[[str, int], Any] = lambda _path, _count: None
        self.lock, self.over = threading.Lock(), threading.Event()

    def url(self, name: str) -> str:
        """Return the address of a file or folder."""
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    """Answers, well or badly."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer."""
        with self.server.lock:
            self.server.asked[self.path] += 1
            told = self.server.failing(self.path, self.server.asked[self.path])
        file = self.server.folder / self.path.lstrip("/")
        if told in ("reset", "stall"):
            if told == "stall":
                self.server.over.wait()
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        status = told if isinstance(told, int) else 200 if file.is_file() else 404
        body = file.read_bytes() if status == 200 else b""
        if (part := self.headers.get("Range")) and status == 200:
            low, high = part.removeprefix("bytes=").split("-")
            whole, status = body, 206
            body = whole[-int(high) :] if not low else whole[int(low) : int(high) + 1 if high else None]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if told == "truncate" else body)
        self.close_connection = self.close_connection or told == "truncate"


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A and b in several layouts; no test may change them."""
    folder = tmp_path_factory.mktemp("layouts")
    for name, options in (
        ("A.zarr", {}),
        ("raw.zarr", {"compressors": None}),
        ("two.zarr", {"zarr_format": 2}),
        ("shards.zarr", {"shards": (200, 3), "chunks": (100, 3)}),
    ):
        options = {"chunks": (100, 3), **options}
        zarr.create_array(folder / name, shape=A.shape, dtype="f8", config={"write_empty_chunks": True}, **options)[:] = A
    zarr.create_array(folder / "b.zarr", data=B, chunks=(100,))
    write_csr(folder / "csr.zarr", scipy.sparse.csr_array(A))
    return folder


@pytest.fixture
def server(tmp_path: Path, layouts: Path) -> Iterator[Server]:
    """A server of them, and of what a test puts beside them."""
    for stored in layouts.iterdir():
        (tmp_path / stored.name).symlink_to(stored)
    served = Server(tmp_path)
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    yield served
    served.over.set()
    served.shutdown()
    served.server_close()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait."""
    monkeypatch.setattr(retrying, "PAUSES", (0.0,) * len(PAUSES))


def solved(server: Server, name: str = "A.zarr") -> np.ndarray:
    """Solve what the server has."""
    return ds.lstsq(server.url(name), server.url("b.zarr"), cluster="serial").x


# ---- failures that pass ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [408, 429, 500, 502, 503, 504, "reset", "truncate"])
def test_failure_that_passes_costs_nothing_but_time(server: Server, kind: object) -> None:
    """Every object answers badly as often as is bearable, metadata and chunks of A and b alike: the right x."""
    server.failing = lambda _path, count: kind if count < TRIES else None
    assert np.abs(solved(server) - X).max() <= 1e-14
    assert server.asked["/A.zarr/zarr.json"] >= TRIES


@pytest.mark.parametrize("name", ["raw.zarr", "two.zarr", "shards.zarr", "csr.zarr"])
def test_every_layout_is_tried_again(server: Server, name: str) -> None:
    """Both formats, shards by ranges of bytes, and CSR groups."""
    server.failing = lambda _path, count: 503 if count < TRIES else None
    assert np.abs(solved(server, name) - X).max() <= 1e-13


def test_timeouts_are_tried_again(server: Server) -> None:
    """A server that says nothing in the client's own time is asked again."""
    server.failing = lambda path, count: "stall" if count == 1 and "/c/" in path else None
    options = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=0.5)}}
    opened = zarr.open_array(server.url("A.zarr"), mode="r", storage_options=options)
    assert np.abs(ds.lstsq(opened, B, cluster="serial").x - X).max() <= 1e-14


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the S3 client's own libraries
def test_s3_is_tried_again(server: Server) -> None:
    """What the S3 client makes of a status is seen through, and a store that somebody opened with options of his own keeps them."""
    pytest.importorskip("s3fs", reason="object stores need the extra dsketch[s3]")
    (server.folder / "bucket").symlink_to(server.folder)
    options = {"endpoint_url": server.url(""), "key": "any", "secret": "any", "config_kwargs": {"retries": {"max_attempts": 0}}}
    opened = zarr.open_array("s3://bucket/A.zarr", mode="r", storage_options=options)
    server.failing = lambda path, count: (503, 500)[count % 2] if count < TRIES and "/c/" in path else None
    assert np.abs(ds.lstsq(opened, B, cluster="serial").x - X).max() <= 1e-14
    server.failing = lambda path, _count: 503 if "/c/1/" in path else None
    with pytest.raises(ds.DataError, match=r"about s3://bucket/A\.zarr/c/1/0 was expected; the store answered 503 five times"):
        ds.lstsq(opened, B, cluster="serial")


def test_new_rows_stored_x_and_info_are_tried_again(server: Server, tmp_path: Path) -> None:
    """Predict, check, info and a stored x read through the same door."""
    zarr.create_array(tmp_path / "x.zarr", data=X)
    server.failing = lambda _path, count: 503 if count % TRIES else None
    assert np.allclose(ds.predict(server.url("x.zarr"), server.url("A.zarr"), cluster="serial"), A @ X)
    problem = ds.LeastSquares(server.url("A.zarr"), server.url("b.zarr"))
    assert ds.check(problem, X, cluster="serial").backward_error.max() <= 1e-14
    assert inspect(server.url("A.zarr")).shape == (400, 3)


def test_journal_is_tried_again(server: Server, tmp_path: Path) -> None:
    """A header behind a URL is read at the second try, and a failure that stays is named."""
    (tmp_path / "journal").mkdir()
    server.failing = lambda _path, count: 503 if count < TRIES else None
    assert Journal(server.url("journal")).header() is None
    server.failing = lambda _path, _count: 503
    with pytest.raises(ds.JournalError, match=r"about \S*/journal/header\.json .* the store answered 503 five times"):
        Journal(server.url("journal")).header()


def test_chunk_that_fails_is_never_taken_for_absent(server: Server) -> None:
    """HTTP file systems say "not there" for any failure; a chunk equal to the fill value is there, or is named as failing."""
    chunk = "/A.zarr/c/2/0"
    server.failing = lambda path, count: 503 if path == chunk and 2 <= count <= TRIES else None
    assert np.abs(solved(server) - X).max() <= 1e-14
    server.asked.clear()
    server.failing = lambda path, count: 503 if path == chunk and count >= 2 else None
    with pytest.raises(ds.DataError, match="the store answered 503 five times") as caught:
        solved(server)
    assert not isinstance(caught.value, ds.MissingDataError)


# ---- failures that stay ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "words"), [(503, "answered 503"), (500, "answered 500"), ("reset", "broke the connection")])
@pytest.mark.parametrize("what", ["A.zarr/zarr.json", "A.zarr/c/1/0"])
def test_failure_that_stays_is_named(server: Server, what: str, kind: object, words: str) -> None:
    """After a fixed number of tries the object, what the store did and how often are in one sentence."""
    server.failing = lambda path, _count: kind if path == f"/{what}" else None
    with pytest.raises(ds.DataError, match=rf"about \S*A\.zarr\S* was expected; the store {words}.* five times"):
        solved(server)
    assert server.asked[f"/{what}"] == TRIES if isinstance(kind, int) else server.asked[f"/{what}"] >= TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
@pytest.mark.parametrize("what", ["A.zarr/zarr.json", "A.zarr/c/1/0"])
def test_what_does_not_pass_is_not_tried_again(server: Server, what: str, status: int) -> None:
    """A key that is absent or forbidden is asked for no more often than before."""
    server.failing = lambda path, _count: status if path == f"/{what}" else None
    with pytest.raises(ds.DataError) as caught:
        solved(server)
    assert "five times" not in str(caught.value)
    assert server.asked[f"/{what}"] < TRIES


def test_pauses_grow_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause is longer than the last, and their number is the number of tries but one."""
    slept: list[float] = []
    monkeypatch.setattr(retrying, "PAUSES", PAUSES)
    monkeypatch.setattr(retrying.time, "sleep", slept.append)

    def fail() -> None:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    with pytest.raises(ds.DataError, match=r"broke the connection or took none five times"):
        persist(fail, "s3://bucket/x")
    assert tuple(slept) == PAUSES
    assert list(PAUSES) == sorted(set(PAUSES))


# ---- what passes -----------------------------------------------------------------------------------------------------


class Answered(Exception):  # noqa: N818 - as the S3 client's
    """An exception that carries its status as botocore's do."""

    def __init__(self, status: int) -> None:
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


def caused(error: Exception, cause: Exception) -> Exception:
    """Return an error with a cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused(OSError(errno.EBUSY, "slow down"), Answered(503)), "answered 503"),
        (caused(PermissionError("no"), Answered(403)), None),
        (caused(FileNotFoundError("key"), Answered(404)), None),
        (TimeoutError(), "did not answer in time"),
        (ConnectionRefusedError(), "broke the connection or took none"),
        (caused(ConnectionError(), socket.gaierror(socket.EAI_NONAME, "unknown")), None),
        (caused(ConnectionError(), socket.gaierror(socket.EAI_AGAIN, "later")), "broke the connection or took none"),
        (caused(ConnectionError(), ssl.SSLCertVerificationError()), None),
        (ValueError("bad chunk"), None),
        (ds.DataError("bad chunk"), None),
    ],
)
def test_what_passes(error: Exception, words: str | None) -> None:
    """By the status in it or below it, by timeouts and broken connections; not an unknown host, a bad certificate or bad data."""
    assert failure(error) == words


@given(status=st.integers(100, 599))
def test_statuses(status: int) -> None:
    """Of all statuses those pass that RFC 9110 or 6585 call temporary."""
    assert (failure(Answered(status)) is not None) == (status in {408, 425, 429, 500, 502, 503, 504})


def test_store_travels(server: Server) -> None:
    """A matrix that tries again does so in another process too; a local one is left as it is."""
    matrix = pickle.loads(pickle.dumps(ds.open_matrix(server.url("A.zarr"))))  # noqa: S301 - our own
    assert isinstance(matrix._array.store, RetryingStore)
    assert matrix.source == server.url("A.zarr")
    server.failing = lambda _path, count: 503 if count % TRIES else None
    assert np.array_equal(matrix.read(0, 400), A)
    assert not isinstance(ds.open_matrix(str(server.folder / "A.zarr"))._array.store, RetryingStore)


# ---- writing ---------------------------------------------------------------------------------------------------------


class Flaky(zarr.storage.FsspecStore):
    """A store in memory that fails at every request but each fifth."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.count = 0

    def _fail(self) -> None:
        self.count += 1
        if self.count % TRIES:
            raise Answered(503)

    async def set(self, key: str, value: Any, byte_range: Any = None) -> None:
        """Fail, or write."""
        self._fail()
        await super().set(key, value, byte_range)

    async def delete_dir(self, prefix: str) -> None:
        """Fail, or delete."""
        self._fail()
        await super().delete_dir(prefix)

    async def list_prefix(self, prefix: str) -> Any:
        """Fail, or list."""
        self._fail()
        async for key in super().list_prefix(prefix):
            yield key


def test_results_are_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Creating, writing chunks, listing them, marking and replacing a result: each request has its tries, and the result is whole."""
    store = RetryingStore(Flaky.from_url("memory://flaky", read_only=False))
    monkeypatch.setattr("dsketch._results.remote.store_at", lambda _address, read_only=True: store.with_read_only(read_only))
    for values in (B, X):
        RemoteOutput("s3://bucket/x.zarr", overwrite=True).write(values, {"created_by": "dsketch"})
        written = zarr.open_array(store, mode="r")
        assert written.attrs["complete"] is True
        assert np.array_equal(written[...], values)
