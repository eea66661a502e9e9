"""Claim: from an object store a solve reads as fast as as many raw GETs at once, and nothing twice, whatever the size of chunks.

A server in a process of its own (``throttled.py``) answers each request after 30 ms and sends 25 MB/s on each connection.  A is 1,000,000
× 50 float32, compressed by Zarr's default codec or raw; two workers of one thread solve.  Beside each other, in turn:

solve      ``ds.lstsq`` from its address to x: opening, planning and all passes
pass       one pass that adds all numbers up, by the same workers, nothing kept
limit      as many raw GETs at once of the whole objects by the same client in one process, nothing decoded; 16, and 32, which are as many
           as two workers have

Counted at the server: bytes, requests, and how many were answered at once.  Processor seconds of the client are told too: where two cores
are busy, the store is not what is measured.
"""

import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import throttled
import zarr
from distributed import Client
from record import Case, Record, arguments, figure, show, table

import dsketch as ds
from dsketch.engine import DaskEngine, local_cluster
from dsketch.events import ignore
from dsketch.matrix.compat import wait_for
from dsketch.matrix.open import open_matrix
from dsketch.matrix.retrying import store_at
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Touch

WANTED_RATE, WANTED_BYTES, WANTED = 0.9, 1.02, 1.5
_D = 50
# rows of a chunk, in words, codec, ratio before, whether it is a row of the table of limits
LAYOUTS: tuple[tuple[int, str, dict[str, Any], float | None], ...] = (
    (40_000, "8 MB chunks", {}, 8.4),
    (160_000, "32 MB chunks", {}, 12.0),
    (40_000, "8 MB chunks, raw", {"compressors": None}, None),
    (160_000, "32 MB chunks, raw", {"compressors": None}, None),
    (1_000_000, "one chunk of 200 MB, raw", {"compressors": None}, None),
    (2_000, "400 kB chunks", {}, None),
)


def write(folder: Path, name: str, n: int, chunk: int, options: dict[str, Any]) -> int:
    """Store A and b; return their bytes as stored."""
    rng, size = np.random.default_rng(0), 0
    for part, shape in (("A", (n, _D)), ("b", (n,))):
        place = folder / "bucket" / f"{name}-{part}.zarr"
        array = zarr.create_array(place, shape=shape, dtype="f4", chunks=(min(chunk, n), *shape[1:]), **options)
        for low in range(0, n, chunk):
            array[low : low + chunk] = rng.standard_normal((min(chunk, n - low), *shape[1:]), dtype="f4")
        size += sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return size


def get_all(folder: Path, name: str, at_once: int) -> float:
    """Return the seconds of raw GETs of all objects of A and b, after one that connects."""
    keys = [
        file.relative_to(folder / "bucket").as_posix()
        for part in "Ab"
        for file in sorted((folder / "bucket" / f"{name}-{part}.zarr").rglob("*"))
        if file.is_file() and file.name != "zarr.json"
    ]
    store = store_at("s3://bucket")

    async def read() -> float:
        turns = asyncio.Semaphore(at_once)

        async def one(key: str) -> None:
            async with turns:
                path = f"bucket/{key}"
                if store._direct is not None and await store._direct.read(path, None) is not None:
                    return
                await store.fs._cat_file(path, start=0, end=None)

        await one(f"{name}-A.zarr/zarr.json")
        began = time.perf_counter()
        await asyncio.gather(*map(one, keys))
        return time.perf_counter() - began

    return wait_for(read())


def run_pass(name: str, client: Client) -> None:
    """Add all numbers of A and b up, by workers that keep nothing of it."""
    rows = Rows(open_matrix(f"s3://bucket/{name}-A.zarr"), open_matrix(f"s3://bucket/{name}-b.zarr", what="b"))
    DaskEngine(client).run(Look(Touch(), rows), ignore)


def solve(name: str, client: Client) -> Any:
    """Solve by what is stored."""
    return ds.lstsq(f"s3://bucket/{name}-A.zarr", f"s3://bucket/{name}-b.zarr", cluster=client)


def time_in_turn(
    acts: dict[str, Callable[[], Any]], served: throttled.Served, repeats: int
) -> tuple[dict[str, float], dict[str, Case]]:
    """Return the median seconds of each act, and what the server counted in its last turn."""
    seconds: dict[str, list[float]] = {name: [] for name in acts}
    counted: dict[str, Case] = {}
    for _ in range(repeats):
        for name, act in acts.items():
            served.count()
            began = time.perf_counter()
            found = act()
            seconds[name].append(found if isinstance(found, float) else time.perf_counter() - began)
            counted[name] = served.count()
    return {name: statistics.median(each) for name, each in seconds.items()}, counted


@contextlib.contextmanager
def store_of(folder: Path, seconds: float, rate: float) -> Iterator[throttled.Served]:
    """Serve a folder as a store of S3, and tell this process and its workers of it."""
    (folder / "bucket").mkdir(exist_ok=True)
    with throttled.serve(folder, "--seconds", str(seconds), "--rate", str(rate)) as served:
        said = {"AWS_ENDPOINT_URL": served.address, "AWS_DEFAULT_REGION": "us-east-1"}
        said |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "any")
        before = {name: os.environ.get(name) for name in said}
        os.environ.update(said)
        try:
            yield served
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def measure(record: Record, *, tiny: bool, slower: float = 1.0, layouts: int = len(LAYOUTS), repeats: int = 3) -> None:
    """Record a case for each layout; of a store that is slower by a factor, so that a busy machine shows in nothing."""
    n, repeats = (20_000, 1) if tiny else (1_000_000, repeats)
    seconds_of_answer, rate = (0.001, 0.0) if tiny else (0.03 * slower, 25e6 / slower)
    with tempfile.TemporaryDirectory() as place, store_of(Path(place), seconds_of_answer, rate) as served:
        folder = Path(place)
        with local_cluster(2, 1) as cluster, Client(cluster, set_as_default=False) as client:
            for number, (chunk, words, options, before) in enumerate(LAYOUTS[:layouts]):
                chunk = max(chunk * n // 1_000_000, 1)
                name = f"m{number}"
                size = write(folder, name, n, chunk, options)
                acts: dict[str, Callable[[], Any]] = {
                    "solve": lambda name=name: solve(name, client),
                    "pass": lambda name=name: run_pass(name, client),
                    "16 GETs": lambda name=name: get_all(folder, name, 16),
                    "32 GETs": lambda name=name: get_all(folder, name, 32),
                }
                seconds, counted = time_in_turn(acts, served, repeats)
                found = counted["solve"]
                record.add(
                    part="store",
                    work=f"object store (30 ms, 25 MB/s a connection), {size / 1e6:.0f} MB in {words}, d = {_D} float32",
                    before=before,
                    now_seconds=seconds["solve"],
                    limit_seconds=seconds["16 GETs"],
                    limit="16 GETs at once",
                    ratio=seconds["solve"] / seconds["16 GETs"],
                    wanted=WANTED,
                    seconds=seconds,
                    rate=seconds["32 GETs"] / seconds["pass"],
                    read=found["bytes"] / size,
                    requests=found.get("gets", 0) + found.get("heads", 0),
                    slower=slower,
                    at_once=counted["pass"]["most_at_once"],
                    load=os.getloadavg()[0],
                )


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of what was measured."""
    heads = (
        "stored",
        "solve, s",
        "a pass, s",
        "16 GETs, s",
        "32 GETs, s",
        "pass at the rate of 32 GETs",
        "bytes read / stored",
        "requests",
        "at once",
    )
    rows = [
        (
            case["work"].split(", ", 2)[2].removesuffix(f", d = {_D} float32"),
            *(case["seconds"][name] for name in ("solve", "pass", "16 GETs", "32 GETs")),
            case["rate"],
            case["read"],
            case["requests"],
            case["at_once"],
        )
        for case in cases
    ]
    return {"limit-store": table(heads, rows)}


def draw(canvas: Any, cases: list[Case]) -> None:
    """Draw seconds of a pass and of raw GETs."""
    axes, places = canvas.subplots(), np.arange(len(cases))
    for shift, name in enumerate(("solve", "pass", "16 GETs", "32 GETs")):
        axes.bar(places + 0.2 * shift, [case["seconds"][name] for case in cases], 0.2, label=name)
    axes.set_xticks(places, [case["work"].split(" in ")[1].split(", d =")[0] for case in cases], rotation=20, fontsize=7)
    axes.set_ylabel("seconds")
    axes.legend()


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument(
        "--slower", type=float, default=1.0, help="by how much the store is slower, on a machine that is busy otherwise"
    )
    parser.add_argument("--layouts", type=int, default=len(LAYOUTS), help="how many layouts, from the first")
    parser.add_argument("--repeats", type=int, default=3, help="of every timing")
    asked = parser.parse_args()
    record = Record(asked.out, "limit_store")
    measure(record, tiny=asked.tiny, slower=asked.slower, layouts=asked.layouts, repeats=asked.repeats)
    figure(asked.out / "limit_store.png", lambda canvas: draw(canvas, record.cases))
    show(tables(record.cases))


if __name__ == "__main__":
    main()
