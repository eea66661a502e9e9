"""Answers that are stored in chunks: sent as NumPy files in pieces, from any byte on, and nothing that somebody put in their place."""

import io
import json
import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.client import Client
from dsketch.service import job_answer, npy_stream
from dsketch.service.errors import PlaceError
from dsketch.service.job import State
from dsketch.service.job_process import lead
from dsketch.service.job_work import JobWork
from dsketch.service.npy_stream import NpyStream, span_of
from dsketch.service.places import Roots
from dsketch.service.specs import spec_of
from dsketch.service.store import Store
from tests.command_line import good
from tests.service.conftest import COLUMNS, ROWS, spec
from tests.service.running import Service

SHAPES = (((300,), (70,)), ((2, 5, 9), (2, 2, 4)), ((40, 33), (40, 10)), ((3, 1, 50), (1, 1, 50)), ((0, 4), (1, 4)))


@pytest.fixture(params=["raw", "compressed"])
def array(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a maker of stored arrays."""

    def make(values: np.ndarray, chunks: tuple[int, ...]) -> "zarr.Array[Any]":
        options = {"compressors": None} if request.param == "raw" else {}
        return zarr.create_array(tmp_path / "x.zarr", data=values, chunks=chunks, overwrite=True, **options)

    return make


@pytest.mark.parametrize(("shape", "chunks"), SHAPES)
def test_all_bytes_from_any_on_are_those_of_a_numpy_file(
    array: Any, shape: tuple[int, ...], chunks: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the shape, the chunks, the first and the last byte, in pieces no larger than was allowed."""
    monkeypatch.setattr(npy_stream, "PIECE_BYTES", 200)
    values = np.random.default_rng(0).standard_normal(shape)
    buffer = io.BytesIO()
    np.save(buffer, values)
    whole, stream = buffer.getvalue(), NpyStream(array(values, chunks), "x")

    assert (b"".join(stream.pieces()), stream.nbytes) == (whole, len(whole))
    assert max(map(len, stream.pieces(128)), default=0) <= 200
    for start, stop in ((0, 5), (100, 140), (128, 129), (131, 700), (len(whole) - 3, len(whole)), (333, len(whole))):
        assert b"".join(stream.pieces(start, stop)) == whole[start:stop]


def test_a_range_is_read_as_http_has_it() -> None:
    """What is of another kind asks for all, and what lies beyond the end for nothing."""
    assert span_of("bytes=0-0", 10) == (0, 1)
    assert span_of("bytes=5-99", 10) == (5, 10)
    assert span_of("lines=5-6", 10) == span_of("bytes=1-2,4-5", 10) == span_of("bytes=-", 10) == (0, 10)
    assert span_of("bytes=10-", 10) is None


@pytest.fixture(scope="module")
def expected(data: Path) -> Any:
    """The answers of a cube of targets, as the library has them."""
    b = np.random.default_rng(1).standard_normal((ROWS, 3, 4))
    b[7, 2, 1] = np.nan
    zarr.create_array(data / "large.zarr", data=b, chunks=(ROWS, 2, 2), overwrite=True)
    return ds.lstsq(str(data / "A.zarr"), str(data / "large.zarr"), missing="drop", cluster="serial", progress=False)


def _nothing(*given: object) -> None:
    """Do nothing."""


def _work(folder: Path, document: dict[str, Any], data: Path) -> None:
    """Do the work of a job in this process, where 10 bytes are a large answer."""
    ours, theirs = multiprocessing.Pipe()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_answer, "NPY_BYTES", 10)
        for name in ("service.job_process.signal.signal", "service.job_limits.os.dup2"):
            patch.setattr(f"dsketch.{name}", _nothing)
        roots = Roots.of([str(data)], [str(data / "large")])
        lead(theirs, JobWork(document, folder, roots, small_bytes=10**9, memory_bytes=None, most_result_bytes=10**9))
    told = []
    while ours.poll():
        told.append(json.loads(ours.recv_bytes()))
    assert told[-1]["event"] == "ended", told[-1]


@pytest.fixture(scope="module")
def jobs(data: Path, tmp_path_factory: pytest.TempPathFactory, expected: Any) -> Iterator[tuple[Client, dict[str, str]]]:
    """A client of a service with solved jobs, whose answers are large: in its folder, at two declared places, and x alone."""
    folder = tmp_path_factory.mktemp("large")
    store, ids = Store(folder / "state"), {}
    targets = {"problem": "lstsq", "A": "A.zarr", "b": "large.zarr", "missing": "drop"}
    zarr.create_array(data / "marks.zarr", data=np.random.default_rng(2).integers(0, 3, (ROWS, 9)).astype("i1"), chunks=(ROWS, 4))
    marks = {"problem": "marginal", "G": "marks.zarr", "Y": "b.zarr"}
    asked = {"own": {}, "fit.zarr": {"out_dir": "fit.zarr"}, "swapped.zarr": {"out_dir": "swapped.zarr"}}
    for name, document in {**{name: targets | more for name, more in asked.items()}, "x": spec("tsqr"), "marks": marks}.items():
        job = store.accept("local", "", spec_of(document).document(), None, "")[0]
        _work(store.folder(job.id).path, document, data)
        for state in (State.PLANNING, State.RUNNING, State.SOLVED):
            store.move(job.id, state)
        ids[name] = job.id
    store.close()
    with Service(folder, data, "--out-root", str(data / "large")) as service, service.client() as client:
        yield client, ids


@pytest.mark.cluster
@pytest.mark.parametrize("place", ["own", "fit.zarr"])
def test_large_arrays_of_targets_are_fetched(
    jobs: tuple[Client, dict[str, str]], expected: Any, tmp_path: Path, place: str
) -> None:
    """From the job's folder and from out_dir, in memory, into files and by the command line: the bits of the library."""
    client, job = jobs[0], jobs[1][place]
    wanted = {name: np.asarray(values).tobytes() for name, values in expected.fields.items()}

    assert client.solution(job)["x"]["file"] == "fit.zarr"
    assert client.fetch(job).tobytes() == wanted["x"]
    assert {name: values.tobytes() for name, values in client.fetch_fields(job).items()} == wanted
    kept = client.fetch_fields(job, tmp_path / "fields")
    assert isinstance(kept["p"], np.memmap)
    assert {name: np.load(tmp_path / "fields" / f"{name}.npy").tobytes() for name in kept} == wanted
    good("jobs", "fetch", job, "--out-dir", tmp_path / "fit.zarr", "--url", client.url)
    group = zarr.open_group(tmp_path / "fit.zarr", mode="r")
    assert {name: np.asarray(group[name][...]).tobytes() for name in wanted} == wanted  # type: ignore[index]
    answer = httpx.get(f"{client.url}/v1/jobs/{job}/solution/fields/t", headers={"Range": "bytes=128-135"}, trust_env=False)
    assert (answer.status_code, answer.content) == (206, wanted["t"][:8])
    assert answer.headers["content-range"] == f"bytes 128-135/{128 + len(wanted['t'])}"
    beyond = httpx.get(f"{client.url}/v1/jobs/{job}/solution/x", headers={"Range": "bytes=99999999-"}, trust_env=False)
    assert beyond.status_code == 416
    with pytest.raises(ds.JobError, match="Correct the name"):
        client.fetch_field(job, "nothing")


@pytest.mark.cluster
def test_large_arrays_of_columns_are_fetched(jobs: tuple[Client, dict[str, str]], data: Path) -> None:
    """Their first array, which x is, has another name."""
    client, job = jobs[0], jobs[1]["marks"]
    wanted = ds.marginal(str(data / "marks.zarr"), str(data / "b.zarr"), cluster="serial", progress=False).solution

    assert client.fetch(job).tobytes() == np.asarray(wanted.x).tobytes()
    found = client.fetch_fields(job)
    assert {name: values.tobytes() for name, values in found.items()} == {
        name: np.asarray(values).tobytes() for name, values in wanted.fields.items()
    }


@pytest.mark.cluster
def test_what_was_put_in_the_place_of_an_answer_is_not_sent(
    jobs: tuple[Client, dict[str, str]], data: Path, tmp_path: Path
) -> None:
    """A link out of the declared folders, another answer, and nothing at all: an error that names the job, never the bytes."""
    client, job = jobs[0], jobs[1]["swapped.zarr"]
    place = data / "large" / "swapped.zarr"
    chunk = next(path for path in (place / "p" / "c").rglob("*") if path.is_file())
    secret = tmp_path / "secret"
    shutil.copy(chunk, secret)
    chunk.unlink()
    chunk.symlink_to(secret)
    with pytest.raises(PlaceError, match="links out"):
        client.fetch_field(job, "p")

    about = json.loads((place / "zarr.json").read_text())
    about["attributes"]["journal"] = "of another job"
    (place / "zarr.json").write_text(json.dumps(about))
    with pytest.raises(ds.JobError, match="or replaced"):
        client.fetch_field(job, "t")
    shutil.rmtree(place)
    with pytest.raises(ds.JobError, match="taken from the disk"):
        client.fetch(job)


@pytest.mark.cluster
def test_a_large_x_is_fetched(jobs: tuple[Client, dict[str, str]], direct: Any, tmp_path: Path) -> None:
    """One that is no array of targets too, in memory and into a file by the command line."""
    client, job = jobs[0], jobs[1]["x"]

    assert client.fetch(job).tobytes() == direct("tsqr").x.tobytes()
    good("jobs", "fetch", job, "--out", tmp_path / "x.npy", "--url", client.url)
    assert np.load(tmp_path / "x.npy").tobytes() == direct("tsqr").x.tobytes()
    assert np.load(tmp_path / "x.npy").shape == (COLUMNS,)


@pytest.mark.cluster
def test_a_download_that_breaks_off_goes_on(
    jobs: tuple[Client, dict[str, str]], direct: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is asked for by its first byte."""
    client, job = jobs[0], jobs[1]["x"]
    asked: list[Any] = []
    stream = client._http.stream

    def broken(method: str, url: str, **more: Any) -> Any:
        asked.append(more["headers"].get("Range"))
        context = stream(method, url, **more)
        if len(asked) > 1:
            return context
        return _Breaking(context)

    monkeypatch.setattr(client._http, "stream", broken)
    monkeypatch.setattr("dsketch.client.connection.FIRST_PAUSE_SECONDS", 0.0)
    assert client.fetch(job, tmp_path / "x.npy").tobytes() == direct("tsqr").x.tobytes()
    assert asked == [None, "bytes=100-"]


class _Breaking:
    """A response whose connection is lost after 100 bytes."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> Any:
        response = self._context.__enter__()
        whole = response.read()

        def pieces() -> Iterator[bytes]:
            yield whole[:100]
            raise httpx.ReadError("the connection was lost")

        response.iter_bytes = pieces
        return response

    def __exit__(self, *reason: object) -> None:
        self._context.__exit__(*reason)
