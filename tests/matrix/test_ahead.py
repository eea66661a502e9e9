"""Requests ahead of blocks: counted at a real HTTP server, how many, of how many bytes, and how many at once."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import zarr
from distributed import Client, LocalCluster

import dsketch as ds
from dsketch._results.run import Run
from dsketch.engine import SerialEngine
from dsketch.engine.panels import blocks_beside, tasks_of
from dsketch.ingest.csr import write_csr
from dsketch.matrix import ahead, retrying, window
from dsketch.matrix.cache import BLOCKS
from dsketch.matrix.compat import wait_for
from dsketch.matrix.left import LEFT
from dsketch.matrix.rows import Rows
from dsketch.matrix.slots import SLOTS, Slots, is_patient
from dsketch.matrix.window import Window
from tests.scripts import FOLDER

pytest.importorskip("fsspec", reason="object stores need the extra dsketch[s3]")

N, D, CHUNK = 4_000, 5, 400
RNG = np.random.default_rng(11)
A = RNG.standard_normal((N, D))
B = A @ np.arange(1.0, D + 1) + RNG.standard_normal(N)
LAYOUTS: dict[str, dict[str, Any]] = {
    "raw": {"compressors": None},
    "zstd": {},
    "two": {"zarr_format": 2},
    "tiny": {"chunks": (20, D)},
    "huge": {"chunks": (3_000, D), "compressors": None},
    "huge-zstd": {"chunks": (3_000, D)},
    "ragged": {"chunks": (700, D), "compressors": None},
    "columns": {"chunks": (400, 2)},
    "shards": {"chunks": (100, D), "shards": (400, D)},
    "raw-shards": {"chunks": (50, D), "shards": (2_000, D), "compressors": None},
    "rows": {"chunks": (1, D), "shards": (500, D)},
}


@pytest.fixture
def throttled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server of the benchmark, as a module."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import throttled

    return throttled


@pytest.fixture
def serve(tmp_path: Path, throttled: Any) -> Iterator[Any]:
    """Start servers of the test's folder in this process: ``serve(busy=…, ranges=…)``."""
    started = []

    def start(**options: Any) -> Any:
        served = throttled.Store(tmp_path, **options)
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        started.append(served)
        served.address = f"http://127.0.0.1:{served.server_port}"
        return served

    yield start
    for served in started:
        served.shutdown()
        served.server_close()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pieces of 2 kB, blocks of a few chunks, large shards read in parts, no pauses; nothing kept from another test."""
    monkeypatch.setattr(ahead, "PIECE_BYTES", 2_000)
    monkeypatch.setattr(ahead, "WHOLE_BYTES", 3_000)
    monkeypatch.setattr(window, "_LEAST_PIECE", 2_000)
    monkeypatch.setattr(window, "PIECE_BYTES", 2_000)
    monkeypatch.setattr("dsketch.matrix.keys.PIECE_BYTES", 2_000)
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", CHUNK * D * 8)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 2 * CHUNK * D * 8)
    monkeypatch.setattr("dsketch.matrix.zarr._LARGE_SHARD_BYTES", 20_000)
    monkeypatch.setattr(retrying, "PAUSES", (0.0,) * len(retrying.PAUSES))
    BLOCKS.clear()
    LEFT.begin_anew()
    yield
    BLOCKS.clear()


def stored(folder: Path, name: str, array: np.ndarray, **options: Any) -> int:
    """Store an array; return its bytes on the disk without metadata."""
    options = {"chunks": (CHUNK, *array.shape[1:]), **options}
    target = zarr.create_array(
        folder / name, shape=array.shape, dtype=array.dtype, config={"write_empty_chunks": True}, **options
    )
    target[:] = array
    return sum(file.stat().st_size for file in (folder / name).rglob("*") if file.is_file() and not _is_metadata(file))


def _is_metadata(file: Path) -> bool:
    return file.name.startswith((".z", "zarr.json"))


def solved(served: Any, a: str = "A.zarr", b: str = "b.zarr", **options: Any) -> Any:
    """Solve what a server has, as a run by itself."""
    return ds.lstsq(f"{served.address}/{a}", f"{served.address}/{b}", cluster="serial", **options)


def chunk_requests(served: Any) -> dict[str, int]:
    """Return how often each part of each chunk was sent."""
    return {place: count for place, count in served.places.items() if not _is_metadata(Path(place.split(" ")[0]))}


def bytes_of_metadata(folder: Path, served: Any) -> int:
    """Return the bytes of metadata that were sent."""
    return sum(
        count * (folder / place.split(" ")[0].lstrip("/")).stat().st_size
        for place, count in served.places.items()
        if _is_metadata(Path(place.split(" ")[0]))
    )


# ---- the same numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_read_once(tmp_path: Path, serve: Any, name: str) -> None:
    """Probe and two passes ask for each byte of A once, but for a shard's index, and find what the folder itself gives."""
    size, of_b = stored(tmp_path, "A.zarr", A, **LAYOUTS[name]), stored(tmp_path, "b.zarr", B)
    served = serve()
    found = solved(served, method="cholesky")

    here = ds.lstsq(tmp_path / "A.zarr", tmp_path / "b.zarr", cluster="serial", method="cholesky")
    assert len(found.passes) == 2
    assert np.linalg.norm(found.x - here.x) <= 1e-13 * np.linalg.norm(here.x)  # raw chunks on a disk are cut into other blocks
    spent = served.counts["bytes"] - bytes_of_metadata(tmp_path, served)
    assert spent <= 1.02 * size + 4 * of_b + index_bytes(name)  # chunks of b that lie across blocks are probed, and read again


def index_bytes(name: str) -> int:
    """Return what the indexes of large shards may cost beside them: one for each task, and for the probe."""
    options = LAYOUTS[name]
    return 8 * (16 * N // options["chunks"][0] + 4) if "shards" in options else 0


# ---- how they are asked for ------------------------------------------------------------------------------------------


def test_large_chunk_comes_by_many_requests_at_once(tmp_path: Path, serve: Any) -> None:
    """One chunk of everything, compressed or not, fills the connections that a process may have, and no more."""
    for name, options in (("raw", {"compressors": None}), ("zstd", {})):
        stored(tmp_path, f"{name}.zarr", A, chunks=(N, D), **options)
        served = serve(seconds=0.05)
        rows = ds.open_matrix(f"{served.address}/{name}.zarr")
        served.reset()
        rows.read(0, N)
        alone = served.most
        served.reset()
        solved_one(served, f"{name}.zarr")
        assert alone == 1
        assert 8 <= served.most <= SLOTS.most


def solved_one(served: Any, name: str) -> Any:
    """Solve for a target in memory."""
    return ds.lstsq(f"{served.address}/{name}", B, cluster="serial", method="cholesky")


def test_tiny_chunks_come_side_by_side(tmp_path: Path, serve: Any) -> None:
    """Chunks of a few rows, several blocks ahead, keep all connections busy."""
    stored(tmp_path, "A.zarr", A, chunks=(20, D))
    served = serve(seconds=0.02)
    solved_one(served, "A.zarr")
    assert 12 <= served.most <= SLOTS.most


def test_window_is_what_memory_allows(tmp_path: Path, serve: Any) -> None:
    """Beyond the block that is read no more is announced than the window has room for, and all is forgotten in the end."""
    stored(tmp_path, "A.zarr", A)
    served = serve()
    rows = Rows(ds.open_matrix(f"{served.address}/A.zarr"))
    spans = [(start, start + CHUNK) for start in range(0, N, CHUNK)]
    chunk = CHUNK * D * 8
    for limit, ahead_of_block in ((0, 0), (chunk, 1), (3 * chunk, 3), (100 * chunk, 9)):
        with Window(rows, spans, limit) as opened:
            opened.advance(*spans[0])
            assert len(opened._open) == 1 + ahead_of_block
            opened.advance(*spans[4])
            assert {asked.stop for asked in opened._open} == {span[1] for span in spans[4 : 5 + ahead_of_block]}
        assert not opened._open
        assert not rows.A._keys.store._coming


def test_b_in_another_chunking_is_read_once(tmp_path: Path, serve: Any) -> None:
    """Blocks of A that need parts of one chunk of b have it sent once in a pass, and for the probe, by its bytes where they are raw."""
    stored(tmp_path, "A.zarr", A)
    for name, options in (("raw", {"compressors": None}), ("zstd", {})):
        for chunk in (N, 1_300, 150):
            stored(tmp_path, f"b-{name}-{chunk}.zarr", B, chunks=(chunk,), **options)
            served = serve()
            solved(served, b=f"b-{name}-{chunk}.zarr", method="cholesky")
            sent = [count for place, count in served.places.items() if "/b-" in place and "zarr.json" not in place]
            assert max(sent) <= 3


def test_csr_group_is_solved(tmp_path: Path, serve: Any) -> None:
    """Of sparse rows each entry comes once in a pass; row pointers say which, and come before."""
    write_csr(tmp_path / "A.zarr", scipy.sparse.csr_array(A * (RNG.random(A.shape) < 0.3)))
    stored(tmp_path, "b.zarr", B)
    served = serve()
    here = ds.lstsq(tmp_path / "A.zarr", B, cluster="serial", method="cholesky")
    assert solved(served, method="cholesky").x.tobytes() == here.x.tobytes()


# ---- while a plan is made --------------------------------------------------------------------------------------------


def test_plan_asks_for_sizes_and_no_chunk_twice(tmp_path: Path, serve: Any) -> None:
    """What a pass costs is told by the size of one chunk, which is asked for without its bytes."""
    size = sum(stored(tmp_path, f"{name}.zarr", array) for name, array in (("A", A), ("b", B)))
    served = serve()
    found = solved(served, method="cholesky")
    assert found.plan.store.requests == 20
    assert served.counts["bytes"] - bytes_of_metadata(tmp_path, served) - size in range(10)  # a byte tells of ranges


@pytest.fixture
def left_by_plans(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """What plans leave on its way, by key, as solving begins."""
    found: list[set[str]] = []
    solve = Run.solve

    def look(run: Run, *given: Any) -> Any:
        found.append({key for _, key in LEFT._left})
        return solve(run, *given)

    monkeypatch.setattr(Run, "solve", look)
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_first_reading_begins_while_the_plan_is_made(
    tmp_path: Path, serve: Any, name: str, left_by_plans: list[set[str]]
) -> None:
    """What a window holds is on its way when the plan is made; the pass takes it over, leaves nothing and asks for nothing twice."""
    stored(tmp_path, "A.zarr", A, **LAYOUTS[name])
    served = serve()
    rows = Rows(ds.open_matrix(f"{served.address}/A.zarr"), ds.open_matrix(B))
    blocks, count = blocks_beside(tasks_of(rows, 1), []), len(rows.cuts) - 1
    left = [block for number, block in enumerate(blocks) if number not in (0, count // 2, count - 1)]
    wanted = {asked.wanted.key for start, stop, until in left for asked in rows.ask_ahead(start, stop, until)}
    served.reset()
    ds.lstsq(f"{served.address}/A.zarr", B, cluster=SerialEngine(1), method="cholesky")
    assert left_by_plans == [wanted]
    assert not LEFT._left
    assert all(count == 1 for place, count in chunk_requests(served).items() if "bytes=-" not in place)


def test_plan_alone_leaves_nothing_on_its_way(tmp_path: Path, serve: Any) -> None:
    """Who asks for a plan has only the blocks read that it looks at; nor is anything asked for that a journal may have."""
    stored(tmp_path, "A.zarr", A)
    served = serve()
    problem = ds.LeastSquares(f"{served.address}/A.zarr", B)
    ds.plan(problem, cluster="serial")
    assert not LEFT._left
    assert len(objects(served)) == 3
    ds.solve(problem, cluster="serial", journal=tmp_path / "journal")
    served.reset()
    ds.resume(tmp_path / "journal", problem=problem, cluster="serial")
    assert not LEFT._left
    assert len(objects(served)) == 3


def objects(served: Any) -> set[str]:
    """Return the chunks of which something was sent."""
    return {place.split(" ")[0] for place in chunk_requests(served)}


def test_what_nobody_takes_over_is_let_go(tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends before its first pass leaves requests for a while; then they are dropped, and a pass asks for itself."""
    stored(tmp_path, "A.zarr", A)
    served, here = serve(), ds.lstsq(tmp_path / "A.zarr", B, cluster="serial", method="cholesky")
    monkeypatch.setattr("dsketch.matrix.left._KEPT_SECONDS", 0.0)
    assert solved_one(served, "A.zarr").x.tobytes() == here.x.tobytes()
    wait_for(asyncio.sleep(0))  # a turn of the loop that drops them
    assert not LEFT._left


def test_sample_that_fails_leaves_nothing(tmp_path: Path, serve: Any) -> None:
    """A NaN among the blocks that a plan looks at is told as ever, and what was asked for ahead is dropped."""
    spoilt = A.copy()
    spoilt[2_001, 3] = np.nan
    stored(tmp_path, "A.zarr", spoilt)
    with pytest.raises(ds.DataError, match="row 2001, column 3 is nan"):
        solved_one(serve(), "A.zarr")
    assert not LEFT._left


@pytest.mark.cluster
def test_workers_begin_to_read_while_the_plan_is_made(tmp_path: Path, serve: Any, left_by_plans: list[set[str]]) -> None:
    """Each worker asks for its own first task, sampled or not; no chunk is sent twice, and the bits are those of this process."""
    stored(tmp_path, "A.zarr", A)
    served = serve()
    beside = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
    with beside as cluster, Client(cluster, set_as_default=False) as client:
        found = ds.lstsq(f"{served.address}/A.zarr", B, cluster=client, method="cholesky")
    assert len(left_by_plans[0]) >= 2
    assert set(chunk_requests(served).values()) == {1}
    assert found.x.tobytes() == solved_one(serve(), "A.zarr").x.tobytes()
    assert not LEFT._left


# ---- stores that are not as they should be ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["huge", "huge-zstd", "raw-shards", "zstd"])
def test_store_without_ranges_is_asked_for_all(tmp_path: Path, serve: Any, name: str) -> None:
    """A server that answers a range with everything is found out by one byte, and its objects come whole."""
    stored(tmp_path, "A.zarr", A, **LAYOUTS[name])
    here = solved_one(serve(), "A.zarr")
    assert solved_one(serve(ranges=False), "A.zarr").x.tobytes() == here.x.tobytes()


@pytest.mark.parametrize("name", ["tiny", "huge", "shards", "raw-shards"])
def test_busy_store_is_asked_less(tmp_path: Path, serve: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fifth request is answered "slow down" once: the same bits, and fewer requests at once for a while."""
    stored(tmp_path, "A.zarr", A, **LAYOUTS[name])
    here = solved_one(serve(), "A.zarr")
    limits: list[int] = []
    monkeypatch.setattr(type(SLOTS), "slow_down", lambda slots: limits.append(slots.limit))
    assert solved_one(serve(busy=5), "A.zarr").x.tobytes() == here.x.tobytes()
    assert limits


@pytest.mark.parametrize("name", ["zstd", "huge", "huge-zstd", "tiny"])
def test_object_that_is_gone_short_or_long_is_named(tmp_path: Path, serve: Any, name: str) -> None:
    """Whatever was announced of it: the error names the object as if nothing had been."""
    stored(tmp_path, "A.zarr", A, **LAYOUTS[name])
    chunk = tmp_path / "A.zarr/c/1/0"
    whole = chunk.read_bytes()
    served = serve()
    for body in (whole[: len(whole) // 2], whole + b"0" * 8 if name == "huge" else whole[:-9]):
        chunk.write_bytes(body)
        with pytest.raises(ds.DataError, match=r"chunk 1 of A \(\S*A\.zarr/c/1/0\)"):
            solved_one(served, "A.zarr")
    chunk.unlink()
    with pytest.raises(ds.MissingDataError, match="chunk 1 of A is absent"):
        solved_one(served, "A.zarr")


def test_store_that_stays_away_is_named(tmp_path: Path, serve: Any) -> None:
    """A chunk that is answered 503 is asked for five times, as is its size, and the sentence has its URL."""
    stored(tmp_path, "A.zarr", A)
    served = serve()
    refuses = served.refuses
    asked: list[str] = []
    served.refuses = lambda path, part: asked.append(path) is None if "/c/3/" in path else refuses(path, part)
    with pytest.raises(ds.DataError, match=r"about \S*A\.zarr/c/3/0 was expected; the store answered 503 five times"):
        solved_one(served, "A.zarr")
    assert len(asked) <= 2 * (len(retrying.PAUSES) + 1)


# ---- turns -----------------------------------------------------------------------------------------------------------


def test_turns_are_bounded_and_the_impatient_come_first() -> None:
    """No more than the limit run at once; after "slow down" half as many; who is waited for passes those that are early."""
    order: list[str] = []

    async def ask(slots: Slots, name: str, gate: asyncio.Event) -> None:
        async with slots:
            order.append(name)
            await gate.wait()

    async def try_them() -> None:
        slots, gate = Slots(2), asyncio.Event()
        token = is_patient.set(True)
        early = [asyncio.create_task(ask(slots, f"early {number}", gate)) for number in range(4)]
        is_patient.reset(token)
        await asyncio.sleep(0)
        late = asyncio.create_task(ask(slots, "late", gate))
        await asyncio.sleep(0)
        early[2].cancel()
        assert order == ["early 0", "early 1"]
        slots.slow_down()
        assert slots.limit == 1
        gate.set()
        await asyncio.gather(late, *early, return_exceptions=True)
        assert order == ["early 0", "early 1", "late", "early 3"]
        assert slots.active == 0
        assert slots.limit == 2  # it went well again

    asyncio.run(try_them())
