"""Matrices and journals on an object store, spoken to in the S3 protocol by a server process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import zarr
from distributed import Client

import dsketch
from dsketch._results.output import Output, attributes_of
from dsketch.engine import local_cluster
from tests.forked import spawned_workers

fsspec = pytest.importorskip("fsspec", reason="object stores need the extra dsketch[s3]")
pytest.importorskip("s3fs", reason="object stores need the extra dsketch[s3]")
pytest.importorskip("moto.server", reason="the server is part of the extra dsketch[dev]")

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the S3 client's own libraries
]

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""

N, D, CHUNK = 20_000, 6, 2_500


@contextmanager
def served() -> Iterator[str]:
    """Start an empty store in a process of its own; yield its address."""
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """Start an empty store; the environment tells this process, and workers started from now on, where it is."""
    with served() as address, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", address)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "any")  # the server accepts whatever is said
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # those of another file's store
        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket"


@pytest.fixture
def system(store: str) -> "fsspec.AbstractFileSystem":
    """A plain S3 client, to look behind the library's back."""
    return fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk a block and a panel, so that several workers have something to read."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", CHUNK * D * 8)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", CHUNK * D * 8)


def columns() -> tuple[np.ndarray, np.ndarray]:
    """Return A and b."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((N, D)) * np.logspace(0, 3, D)
    return A, A @ np.ones(D) + rng.standard_normal(N)


def stored(url: str, array: np.ndarray, **options: object) -> str:
    """Write an array to the store."""
    chunks = (CHUNK, *array.shape[1:])
    target = zarr.create_array(
        store=url, shape=array.shape, dtype=array.dtype, chunks=chunks, config={"write_empty_chunks": True}, **options
    )
    target[:] = array
    return url


@pytest.fixture(scope="module")
def tall(store: str) -> tuple[str, str]:
    """URLs of A (compressed) and b; no test changes them."""
    A, b = columns()
    return stored(f"{store}/tall/A.zarr", A), stored(f"{store}/tall/b.zarr", b)


@pytest.fixture(scope="module")
def workers(store: str) -> Iterator[Client]:
    """A client of two workers that inherited the environment."""
    with spawned_workers(), local_cluster(2, 1) as cluster, Client(cluster, set_as_default=False) as client:
        yield client


def local_answer(method: str) -> dsketch.Solution:
    """Return the answer for the same numbers in memory."""
    return dsketch.lstsq(*columns(), method=method, cluster="serial")


def assert_near(found: dsketch.Solution, wanted: dsketch.Solution) -> None:
    """Compare with the answer from memory, whose rows are cut elsewhere: equal but for rounding, so to kappa times the error of both."""
    tolerance = found.certificate.condition * (found.certificate.backward_error + wanted.certificate.backward_error).max()
    assert np.linalg.norm(found.x - wanted.x) <= 10 * tolerance * np.linalg.norm(wanted.x)
    assert found.status is dsketch.Status.SOLVED


@pytest.mark.cluster
@pytest.mark.parametrize("options", [{}, {"compressors": None}, {"zarr_format": 2}, {"shards": (2 * CHUNK, D)}])
def test_workers_read_what_the_store_holds(
    store: str, workers: Client, tall: tuple[str, str], options: dict[str, object]
) -> None:
    """Every layout is read by workers from the store, with the bits of the serial engine."""
    name = "-".join(options) or "plain"
    A = stored(f"{store}/{name}/A.zarr", columns()[0], **options)
    serial = dsketch.lstsq(A, tall[1], method="tsqr", cluster="serial")
    solution = dsketch.lstsq(A, tall[1], method="tsqr", cluster=workers)
    assert solution.x.tobytes() == serial.x.tobytes()
    assert_near(solution, local_answer("tsqr"))


@pytest.mark.cluster
def test_open_array_travels_to_workers(tall: tuple[str, str], workers: Client) -> None:
    """A zarr.Array that the user opened, with options of his own, is opened again by each worker with the same options."""
    address = os.environ["AWS_ENDPOINT_URL"]
    opened = zarr.open_array(tall[0], mode="r", storage_options={"endpoint_url": address, "anon": False})
    assert dsketch.open_matrix(opened).source == tall[0]
    solution = dsketch.lstsq(opened, tall[1], method="tsqr", cluster=workers)
    assert solution.x.tobytes() == dsketch.lstsq(*tall, method="tsqr", cluster="serial").x.tobytes()


@pytest.mark.cluster
def test_obstore_array(tall: tuple[str, str], workers: Client) -> None:
    """An array opened through obstore is read like any other, here and by workers."""
    obstore = pytest.importorskip("obstore.store", reason="obstore is not installed; fsspec is what dsketch[s3] brings")
    raw = obstore.S3Store(
        "bucket", prefix="tall/A.zarr", endpoint=os.environ["AWS_ENDPOINT_URL"], client_options={"allow_http": True}
    )
    opened = zarr.open_array(zarr.storage.ObjectStore(raw, read_only=True), mode="r")
    wanted = dsketch.lstsq(*tall, method="tsqr", cluster="serial").x.tobytes()
    for engine in ("serial", workers):
        assert dsketch.lstsq(opened, tall[1], method="tsqr", cluster=engine).x.tobytes() == wanted


@pytest.mark.cluster
def test_journal_on_the_store(store: str, system: "fsspec.AbstractFileSystem", tall: tuple[str, str], workers: Client) -> None:
    """Records are objects; with some of them lost the run goes on from the last that is left, to the same bits."""
    journal = f"{store}/journals/one"
    first = dsketch.lstsq(*tall, method="whitened", cluster=workers, journal=journal)
    assert [name.rsplit("/", 1)[1] for name in sorted(system.ls(journal, detail=False))] == [
        "header.json",
        "pass-0001.npz",
        "pass-0002.npz",
        "pass-0003.npz",
        "receipt.json",
    ]
    system.rm([f"{journal}/pass-0002.npz", f"{journal}/pass-0003.npz"])
    for _ in range(2):
        again = dsketch.resume(journal, cluster="serial")
        assert again.x.tobytes() == first.x.tobytes()
    assert [record.replayed for record in again.passes] == [True, True, True]
    with pytest.raises(dsketch.JournalError, match="its settings is"):
        dsketch.lstsq(*tall, method="whitened", cluster="serial", journal=journal, seed=1)


@pytest.mark.cluster
def test_predictions_go_to_the_store(
    store: str, system: "fsspec.AbstractFileSystem", tall: tuple[str, str], workers: Client
) -> None:
    """Workers write the chunks, the driver the mark; x lies there too, and nothing else is left."""
    solution = dsketch.lstsq(*tall, cluster=workers, intercept=True)
    Output.at(f"{store}/out/x.zarr").write(solution.x, attributes_of(solution, None))

    y = dsketch.predict(f"{store}/out/x.zarr", tall[0], f"{store}/out/y.zarr", cluster=workers)

    np.testing.assert_array_equal(y[...], solution.predict(tall[0], cluster="serial"))
    assert y.attrs["complete"] is True
    assert y.nchunks_initialized == y.nchunks == N // CHUNK
    assert {path.split("/")[2] for path in system.find("bucket/out")} == {"x.zarr", "y.zarr"}
    with pytest.raises(dsketch.DataError, match="exists"):
        dsketch.predict(solution.x, tall[0], f"{store}/out/y.zarr", intercept=True)
    with pytest.raises(dsketch.DataError, match=r"s3://no-such-bucket/y\.zarr gave"):
        dsketch.predict(solution.x, tall[0], "s3://no-such-bucket/y.zarr", intercept=True)


def test_missing_object(store: str, system: "fsspec.AbstractFileSystem", tall: tuple[str, str], workers: Client) -> None:
    """An object that is gone is not taken for zeros, and its URL is in the error, whoever reads."""
    A = stored(f"{store}/missing/A.zarr", columns()[0])
    system.rm(f"{A}/c/3/0")
    for engine in ("serial", workers):
        with pytest.raises(dsketch.MissingDataError, match=f"chunk 3 of A is absent \\({A}/c/3/0\\)"):
            dsketch.lstsq(A, tall[1], method="tsqr", cluster=engine)


def test_truncated_object(store: str, system: "fsspec.AbstractFileSystem", tall: tuple[str, str]) -> None:
    """Half an object does not decode, and its URL is in the error."""
    A = stored(f"{store}/truncated/A.zarr", columns()[0])
    content = system.cat_file(f"{A}/c/3/0")
    system.pipe_file(f"{A}/c/3/0", content[: len(content) // 2])
    with pytest.raises(dsketch.DataError, match=f"chunk 3 of A \\({A}/c/3/0\\) cannot be decoded"):
        dsketch.lstsq(A, tall[1], method="tsqr", cluster="serial")


@pytest.mark.parametrize("url", ["s3://bucket/nothing.zarr", "s3://no-such-bucket/A.zarr"])
def test_nothing_at_the_url(tall: tuple[str, str], url: str) -> None:
    """A wrong key and a wrong bucket are missing data, with the URL."""
    with pytest.raises(dsketch.MissingDataError, match=url):
        dsketch.lstsq(url, tall[1])


_OPEN = """
import sys, dsketch
try:
    print(dsketch.open_matrix(sys.argv[1]).shape)
except dsketch.DataError as error:
    print(error)
"""


def test_anonymous_access_is_named_and_works(system: "fsspec.AbstractFileSystem", tall: tuple[str, str]) -> None:
    """Without credentials the way to public objects is said, and it leads there."""
    system.chmod(f"{tall[0]}/zarr.json", "public-read")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_ACCESS", "AWS_SECRET"))}
    bare |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    said, opened = (
        subprocess.run([sys.executable, "-c", _OPEN, tall[0]], env=words, capture_output=True, text=True, check=True).stdout
        for words in (bare, {**bare, "FSSPEC_S3_ANON": "true"})
    )

    assert "set FSSPEC_S3_ANON=true in the environment" in said
    assert opened == f"({N}, {D})\n"


def test_journal_in_a_wrong_bucket(tall: tuple[str, str]) -> None:
    """A journal that cannot be written ends the run before its first pass, with the URL."""
    with pytest.raises(dsketch.JournalError, match="s3://no-such-bucket/journal"):
        dsketch.lstsq(*tall, cluster="serial", journal="s3://no-such-bucket/journal")


def test_store_that_goes_away(tall: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that dies between opening and reading is told as a store that does not come back, not taken for missing data or zeros."""
    monkeypatch.setattr("dsketch.matrix.retrying.PAUSES", (0.0,) * 4)
    with served() as address:
        options = {"endpoint_url": address, "config_kwargs": {"retries": {"max_attempts": 0}}}
        fsspec.filesystem("s3", **options).mkdir("bucket")
        A = zarr.create_array("s3://bucket/A.zarr", data=columns()[0], chunks=(CHUNK, D), storage_options=options)
    with pytest.raises(dsketch.DataError, match=r"five times.*(EndpointConnectionError|Could not connect)") as caught:
        dsketch.lstsq(A, columns()[1], method="tsqr", cluster="serial")
    assert not isinstance(caught.value, dsketch.MissingDataError)
