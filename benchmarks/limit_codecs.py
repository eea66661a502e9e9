"""Claim: on compressed chunks a solve takes at most 1.5 times as long as decoding once by zarr-python and the arithmetic of its passes.

1,000,000 × 100 numbers of each type behind each codec, in chunks of 8 MB, on a local disk and in the page cache; a cluster of two processes
of one thread each whose memory holds what is decoded.  In turn, in one run:

now         dsketch.lstsq by its two passes of method cholesky (which auto takes, too), from the call to x
limit       each worker decodes its half with zarr-python, chunk by chunk, and keeps nothing; then each does the arithmetic of the same
            passes over its half, which it has in memory as stored

Seconds are the least of the repeats.  Beside them the processor seconds of the same processes, which a busy machine disturbs less; and of
the decoders alone: of zarr-python, and of ours into memory that is used again.
"""

import itertools
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from distributed import Client, get_worker
from matrices import scratch
from memory import processor_seconds
from record import Case, Record, arguments, figure, show, table
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec

import dsketch
from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import local_cluster
from dsketch.matrix.rows import Block
from dsketch.passes import Gradient, Gram, Pass

WANTED = 1.5
MEMORY_LIMIT = "8GiB"
CHUNK_BYTES = 8_000_000
SCALES = {"float64": 1.0, "float32": 1.0, "int16": 100.0, "int8": 20.0}  # normal numbers times these, rounded for integers
CODECS: dict[str, dict[str, Any]] = {
    "Zarr's default codec": {},
    "lz4+shuffle": {"compressors": BloscCodec(cname="lz4", shuffle="shuffle")},
    "gzip": {"compressors": GzipCodec(level=5)},
    "big-endian": {"compressors": None, "serializer": BytesCodec(endian="big")},
}
BEFORE = {
    ("float64", "Zarr's default codec"): 2.8,
    ("float32", "Zarr's default codec"): 3.0,
    ("float32", "lz4+shuffle"): 3.7,
    ("int16", "Zarr's default codec"): 4.1,
}


def write(folder: Path, n: int, d: int, dtype: str, codec: str) -> tuple[str, str]:
    """Write A and b and return their paths."""
    rng = np.random.default_rng(0)
    itemsize = np.dtype(dtype).itemsize
    step = max(min(CHUNK_BYTES // (d * itemsize), n // 4), 1)
    A, b = (str(folder / name) for name in ("A.zarr", "b.zarr"))
    array = zarr.create_array(A, shape=(n, d), chunks=(step, d), dtype=dtype, **CODECS[codec])
    x, sides = rng.standard_normal(d), np.empty(n)
    for start in range(0, n, step):
        rows = SCALES[dtype] * rng.standard_normal((min(step, n - start), d))
        rows = (np.round(rows) if dtype[0] == "i" else rows).astype(dtype)
        array[start : start + step] = rows
        sides[start : start + step] = rows @ x + rng.standard_normal(len(rows))
    zarr.create_array(b, data=sides, chunks=(max(n // 8, 1),), compressors=None)
    return A, b


# ---- what a worker does ------------------------------------------------------------------------------------------------


def _half(path: str, half: int) -> tuple[Any, list[tuple[int, int]]]:
    """Return an array and the rows of the chunks of a half of it."""
    array = zarr.open_array(path, mode="r")
    step = array.chunks[0]
    spans = [(start, min(start + step, array.shape[0])) for start in range(0, array.shape[0], step)]
    middle = len(spans) // 2
    return array, spans[:middle] if half == 0 else spans[middle:]


def decode_by_zarr(path: str, half: int) -> None:
    """Decode a half of an array, chunk by chunk."""
    array, spans = _half(path, half)
    for low, high in spans:
        array[low:high]


def decode_by_us(path: str, half: int) -> None:
    """Decode the same, into one buffer."""
    matrix, (_, spans) = dsketch.open_matrix(path), _half(path, half)
    out = np.empty((spans[0][1] - spans[0][0], matrix.shape[1]), matrix.dtype)
    for low, high in spans:
        matrix.read(low, high, out)


def hold(path: str, half: int) -> None:
    """Keep a half in the memory of the worker, as it is stored."""
    array, spans = _half(path, half)
    get_worker().held = [(low, array[low:high]) for low, high in spans]


def drop(path: str, half: int) -> None:
    """Keep nothing."""
    del path, half
    get_worker().held = []


def compute(passes: Sequence[Pass[Any]]) -> Callable[[str, int], None]:
    """Return what does the arithmetic of passes over what a worker holds."""

    def run(path: str, half: int) -> None:
        del path, half
        with one_blas_thread():
            for pass_ in passes:
                part = None
                for low, rows in get_worker().held:
                    part = pass_.map(Block(low, low + len(rows), rows, np.ones((len(rows), 1)), None, False), part)

    return run


# ---- measuring ---------------------------------------------------------------------------------------------------------


class Clock:
    """Seconds on the clock and of processors, the least of what was measured under each name."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.pids, self.least = pids, dict[str, tuple[float, float]]()

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what some work returns."""
        cpu, began = processor_seconds(self.pids), time.perf_counter()
        found = work()
        taken = time.perf_counter() - began, processor_seconds(self.pids) - cpu
        known = self.least.get(name, taken)
        self.least[name] = min(taken[0], known[0]), min(taken[1], known[1])
        return found


def both(client: Client, work: Callable[[str, int], None], path: str) -> None:
    """Do some work on both workers, each on its half."""
    workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
    client.gather(
        [client.submit(work, path, half, workers=[worker], pure=False) for half, worker in enumerate((workers * 2)[:2])]
    )


def compare(client: Client, pids: Sequence[int], paths: tuple[str, str], d: int, repeats: int) -> Case:
    """Return what a solve takes, and the limit."""
    clock, (A, b) = Clock(pids), paths
    passes: dict[str, Pass[Any]] = {"gram": Gram(), "gradient": Gradient(np.ones((d, 1)))}
    for _ in range(repeats):
        found = clock.time("now", lambda: dsketch.lstsq(A, b, method="cholesky", cluster=client, progress=False))
        clock.time("zarr", lambda: both(client, decode_by_zarr, A))
        clock.time("ours", lambda: both(client, decode_by_us, A))
        both(client, hold, A)
        arithmetic = compute([passes[line.kind] for line in found.passes])
        clock.time("arithmetic", lambda work=arithmetic: both(client, work, A))
        both(client, drop, A)
    now, decode, ours, arithmetic_taken = (clock.least[name] for name in ("now", "zarr", "ours", "arithmetic"))
    limit = [decode[place] + arithmetic_taken[place] for place in (0, 1)]
    return {
        "now_seconds": now[0],
        "limit_seconds": limit[0],
        "ratio": now[0] / limit[0],
        "cpu": {"now": now[1], "zarr": decode[1], "ours": ours[1], "arithmetic": arithmetic_taken[1]},
        "cpu_ratio": now[1] / limit[1],
        "seconds": {"zarr": decode[0], "ours": ours[0], "arithmetic": arithmetic_taken[0]},
        "by": found.method,
        "passes": len(found.passes),
        "status": found.status.name.lower(),
        "predicted_seconds": found.plan.estimate.seconds,
    }


def measure(record: Record, *, tiny: bool) -> None:
    """Add a case for each type and codec."""
    n, d, repeats = (4000, 5, 1) if tiny else (1_000_000, 100, 3)
    with local_cluster(2, 1, MEMORY_LIMIT) as cluster, Client(cluster, set_as_default=False) as client, scratch(None) as folder:
        small = np.random.default_rng(0).standard_normal((2000, d))
        dsketch.lstsq(small, small[:, 0], cluster=client, progress=False)  # imports, rates
        pids = [os.getpid(), *client.run(os.getpid).values()]
        for dtype, codec in itertools.product(SCALES, CODECS):
            if (dtype, codec) == ("int8", "big-endian"):
                continue
            place = folder / "data"
            place.mkdir()
            case = compare(client, pids, write(place, n, d, dtype, codec), d, repeats)
            shutil.rmtree(place)
            record.add(
                part="codecs",
                work=f"{n:,} × {d} {dtype}, {codec}",
                before=BEFORE.get((dtype, codec)),
                limit="decode once with zarr on the same workers, and the arithmetic",
                wanted=WANTED,
                load=os.getloadavg()[0],
                **case,
            )


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of the README."""
    if not cases:
        return {}
    heads = ["work", "seconds", "limit", "ratio", "before", "wanted", "CPU s", "zarr", "ours", "arithmetic", "CPU ratio"]
    rows = [
        [
            *(case[key] for key in ("work", "now_seconds", "limit_seconds", "ratio", "before", "wanted")),
            *(case["cpu"][key] for key in ("now", "zarr", "ours", "arithmetic")),
            case["cpu_ratio"],
        ]
        for case in cases
    ]
    held = sum(case["ratio"] <= WANTED for case in cases)
    kept = f"At most {WANTED} times decoding once and arithmetic: {held} of {len(cases)} cases."
    return {"limit-codecs": f"{table(heads, rows)}\n\n{kept}"}


def draw(canvas: Any, cases: list[Case]) -> None:
    """Draw the ratios."""
    axes = canvas.subplots()
    axes.barh([case["work"] for case in cases], [case["ratio"] for case in cases])
    axes.axvline(WANTED, color="black", linewidth=1)
    axes.set_xlabel("seconds of a solve / (decoding once by zarr + arithmetic)")


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "").parse_args()
    record = Record(options.out, "limit_codecs")
    measure(record, tiny=options.tiny)
    show(tables(record.cases))
    figure(options.out / "limit_codecs.png", lambda canvas: draw(canvas, record.cases))


if __name__ == "__main__":
    main()
