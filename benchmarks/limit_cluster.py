"""Claim: one scheduler and one driver feed hundreds of workers, and where they become the limit is known.

A simulated cluster: a real scheduler in a process of its own, 16 to 1,024 real Dask workers that share two other processes, the real
engine in this one.  The rows are simulated: a worker waits for as long as a block took when it was measured here, and answers with a part
of the right size, so that a thousand workers fit on one machine; parts travel and merge as always.  Measured is the processor time of
scheduler and driver in a pass.  Each runs on one core: a worker's share of a pass that takes less than that is not worth another worker.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from distributed import Client, Worker
from memory import processor_seconds
from record import Case, Record, arguments, figure, show, table

from dsketch import LeastSquares
from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import DaskEngine
from dsketch.engine.panels import tasks_of
from dsketch.events import ignore
from dsketch.matrix.base import AnyArray, Cuts, Matrix
from dsketch.matrix.rows import Block
from dsketch.passes import Gradient, Gram, Look, Pass
from dsketch.passes.base import Part

COUNTS = (16, 64, 256, 1_024)
COLUMNS = (100, 500)
TASKS = 4  # of each worker in a pass, each of a panel
PANEL_BLOCKS = 2
BLOCK_BYTES = 32_000_000
HOSTS = 2  # processes that the workers share
PASSES = {"gradient": lambda d: Gradient(np.zeros((d, 1))), "gram": lambda _: Gram()}
REPEATS = 3


class Waits(Matrix):
    """Rows that nobody has stored: to read a block takes as long as a measured one took.

    Parameters
    ----------
    shape : tuple of int
    block_rows : int
    delays : tuple of float
        Seconds of measured blocks, in turn; () for none.
    """

    dtype = np.dtype(np.float64)
    is_kept = False

    def __init__(self, shape: tuple[int, int], block_rows: int, delays: tuple[float, ...]) -> None:
        self.shape, self.block_rows, self.delays = shape, block_rows, delays

    @property
    def cuts(self) -> Cuts:
        """A cut after each block."""
        return np.arange(0, self.shape[0] + 1, self.block_rows, dtype=np.int64)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Wait, and return zeros that take no memory."""
        del out
        if self.delays:
            time.sleep(self.delays[start // self.block_rows % len(self.delays)])
        return np.broadcast_to(np.zeros(1), (stop - start, self.shape[1]))

    def fingerprint(self) -> str:
        """Return its shape."""
        return repr(self.shape)


@dataclass(frozen=True)
class Answers(Pass[Any]):
    """A pass that computes nothing and answers with a part of so many numbers, which merges by being added."""

    numbers: int

    kind: ClassVar[str] = "answers"

    def map(self, block: Block, part: Part | None) -> Part:
        """Return a part of zeros."""
        del block
        return part or (np.zeros(self.numbers),)

    def finish(self, part: Part) -> Any:
        """Return the sum."""
        return part[0]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return eight for each number."""
        del columns, sides
        return 8 * self.numbers


# ---- measure ---------------------------------------------------------------------------------------------------------


def measure(record: Record, *, tiny: bool, counts: tuple[int, ...] = COUNTS, columns: tuple[int, ...] = COLUMNS) -> None:
    """Record passes on simulated clusters of growing size."""
    size = 1_000_000 if tiny else BLOCK_BYTES
    kinds = [(d, name, _delays(PASSES[name](d), d, size, 1 if tiny else 8)) for d in columns for name in PASSES]
    for count in counts:
        with _cluster(count) as (client, scheduler):
            for d, name, delays in kinds:
                found = _measure_pass(client, scheduler, PASSES[name](d), count, d, size, delays, 1 if tiny else REPEATS)
                record.add(part="cluster", work=f"{name} pass, d = {d}", workers=count, d=d, kind=name, **found)


def _delays(pass_: Pass[Any], d: int, size: int, blocks: int) -> tuple[float, ...]:
    """Return the seconds that blocks in memory take here, one after the other."""
    A = np.random.default_rng(0).standard_normal((size // (8 * d), d))
    rows, seconds = LeastSquares(A, A[:, 0]).rows, []
    with one_blas_thread():
        for _ in range(blocks + 1):
            began = time.perf_counter()
            pass_.map(rows.block(0, rows.shape[0]), None)
            seconds.append(time.perf_counter() - began)
    return tuple(seconds[1:])


def _measure_pass(
    client: Client, scheduler: int, real: Pass[Any], count: int, d: int, size: int, delays: tuple[float, ...], repeats: int
) -> Case:
    """Return what a pass costs scheduler and driver, the least of some runs, and what one worker's share of it takes."""
    blocks, block_rows = TASKS * PANEL_BLOCKS * count, size // (8 * d)
    sizes = [(blocks * block_rows, columns) for columns in (d, 1)]
    rows = LeastSquares(Waits(sizes[0], block_rows, delays), Waits(sizes[1], block_rows, ())).rows
    engine, look = DaskEngine(client), Look(Answers(real.part_bytes(d, 1) // 8), rows)
    engine.run(look, ignore)  # each worker is asked for its versions once
    runs = []
    for _ in range(repeats):
        before, began = _spent(scheduler), time.perf_counter()
        engine.run(look, ignore)
        seconds = time.perf_counter() - began
        runs.append((seconds, *(now - was for now, was in zip(_spent(scheduler), before, strict=True))))
    seconds, busy_scheduler, busy_driver = (min(run[place] for run in runs) for place in range(3))
    return {
        "tasks": len(tasks_of(rows, count)), "part_bytes": real.part_bytes(d, 1), "bytes": rows.nbytes, "seconds": seconds,
        "share_seconds": sum(delays) / len(delays) * blocks / count, "scheduler_seconds": busy_scheduler, "driver_seconds": busy_driver,
    }  # fmt: skip


def _spent(scheduler: int) -> list[float]:
    return [processor_seconds([pid]) for pid in (scheduler, os.getpid())]


# ---- the cluster -----------------------------------------------------------------------------------------------------


@contextmanager
def _cluster(count: int) -> Iterator[tuple[Client, int]]:
    """Start a scheduler and the processes of its workers; yield a client, and the scheduler's process."""
    with tempfile.TemporaryDirectory() as folder, _started() as start:
        file = str(Path(folder) / "scheduler.json")
        scheduler = start(
            "-m",
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            file,
        )
        with Client(scheduler_file=file, set_as_default=False, timeout=120) as client:
            for host in range(HOSTS):
                share = count * (host + 1) // HOSTS - count * host // HOSTS
                start(__file__, "--serve", client.scheduler.address, "--workers", str(share), "--name", str(host))
            client.wait_for_workers(count, timeout=900)
            yield client, scheduler.pid


@contextmanager
def _started() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Yield what starts a process of this Python that ends with the block."""
    running: list[subprocess.Popen[bytes]] = []
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    words = {"PYTHONPATH": paths, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "120s", "DASK_LOGGING__DISTRIBUTED": "error"}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, **words}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        running.append(process)
        return process

    try:
        yield start
    finally:
        for process in running[::-1]:
            process.kill()
            process.wait()


async def _serve(address: str, count: int, name: str) -> None:
    """Be so many workers of one thread each."""
    workers = [
        Worker(address, nthreads=1, name=f"{name}-{place}", memory_limit=0, host="127.0.0.1", dashboard=False)
        for place in range(count)
    ]
    for low in range(0, count, 32):
        await asyncio.gather(*workers[low : low + 32])
    await asyncio.gather(*(worker.finished() for worker in workers))


# ---- what the figures say --------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of the README."""
    heads = [
        "pass",
        "workers",
        "TB",
        "tasks",
        "part",
        "a worker's share, s",
        "pass, s",
        "scheduler, s",
        "driver, s",
        "busiest ÷ share",
    ]
    keys = ("share_seconds", "seconds", "scheduler_seconds", "driver_seconds")
    lines = []
    for case in sorted(cases, key=lambda case: (case["work"], case["workers"])):
        sizes = [f"{case['workers']:,}", case["bytes"] / 1e12, f"{case['tasks']:,}", f"{case['part_bytes'] / 1e3:,.1f} kB"]
        lines.append([case["work"], *sizes, *(case[key] for key in keys), _load(case)])
    return {"limit-cluster": table(heads, lines)}


def _load(case: Case) -> float:
    return float(max(case["scheduler_seconds"], case["driver_seconds"]) / case["share_seconds"])


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws the load of the busiest process against the number of workers."""

    def into(canvas: Any) -> None:
        axes = canvas.subplots()
        for work in sorted({case["work"] for case in cases}):
            line = [case for case in cases if case["work"] == work]
            axes.loglog([case["workers"] for case in line], [_load(case) for case in line], "o-", label=work)
        axes.axhline(1, color="grey", lw=0.8)
        axes.set(xlabel="workers", ylabel="processor time of scheduler or driver ÷ a worker's share of the pass")
        axes.legend(fontsize="small")

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS), help="numbers of workers")
    parser.add_argument("--columns", type=int, nargs="+", default=list(COLUMNS), help="d")
    parser.add_argument("--serve", metavar="ADDRESS", help="be workers of this scheduler (what the benchmark starts)")
    parser.add_argument("--workers", type=int, default=1, help="how many, with --serve")
    parser.add_argument("--name", default="0", help="of the process, with --serve")
    o = parser.parse_args()
    if o.serve:
        asyncio.run(_serve(o.serve, o.workers, o.name))
        return
    if o.tiny:
        o.counts, o.columns = [2, 4], [10]
    record = Record(o.out, "limit_cluster")
    measure(record, tiny=o.tiny, counts=tuple(o.counts), columns=tuple(o.columns))
    show(tables(record.cases))
    figure(o.out / "limit_cluster.png", draw(record.cases))


if __name__ == "__main__":
    main()
