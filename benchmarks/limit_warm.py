"""Claim: raw rows in memory are solved within a few bare sums of them, and a tol that one reading proves within one cold read.

Two workers of one thread; A and b lie on a local disk as raw Zarr chunks and in the page cache; everything takes turns, and the least of
the repeats counts.  ``bare`` is what the same workers need for the BLAS calls of the method alone, on slices that never leave the cache,
and for one bare sum a reading: no arrangement of these methods is faster.

    d = 100        a whole solve against a bare sum of A (mapped files)
    d = 500        a whole solve against one Gram pass
    one pass       a whole solve to tol = 1e-6 with the files out of the page cache, against reading the same files once, as cold
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client
from limit_figure import draw
from matrices import Stored, Tall, scratch, write
from memory import processor_seconds
from record import Case, Record, arguments, figure, show, table
from rivals import bare_sums

import dsketch
from dsketch._linalg.products import add_gram
from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import DaskEngine, local_cluster
from dsketch.events import ignore
from dsketch.passes import Gram, Look

AREA = "warm"
MEMORY_LIMIT = "4GiB"
SLICE_ROWS, CHUNK_BYTES = 2048, 4_000_000
# What is asked, of which shape, its ratio in the issue, that which is wanted, and the heavy products of a row: XᵀX alone, or X T as well.
ROWS = (
    ("d = 100, kappa 1e5, whole solve ÷ bare sum", (1_000_000, 100), 1e5, 6.5, 4.0, False),
    ("d = 100, kappa 1e12, whole solve ÷ bare sum", (1_000_000, 100), 1e12, 16.0, 10.0, True),
    ("d = 500, kappa 1e5, whole solve ÷ one Gram pass", (300_000, 500), 1e5, None, 1.3, False),
    ("d = 500, kappa 1e12, whole solve ÷ one Gram pass", (300_000, 500), 1e12, 4.6, 3.0, True),
)
TINY = (4000, 20)
COLD = (("d = 100, kappa 1e2, tol 1e-6, cold solve ÷ one cold read", (1_000_000, 100), 1e2),)
WANTED_COLD = 1.1


def read_files(paths: list[str]) -> int:
    """Read files from end to end into one buffer; return the bytes."""
    buffer, total = bytearray(CHUNK_BYTES), 0
    for path in paths:
        with Path(path).open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while count := file.readinto(buffer):
                total += count
    return total


def bare_products(rows: int, columns: int, whitens: bool) -> None:
    """Make the BLAS calls of a solve of so many rows on one slice again and again."""
    X, out = (
        np.random.default_rng(0).standard_normal((min(SLICE_ROWS, rows), columns)),
        np.empty((min(SLICE_ROWS, rows), columns)),
    )
    G, T, x = np.zeros((columns, columns)), np.triu(np.ones((columns, columns))), np.ones(columns)
    with one_blas_thread():
        for _ in range(-(-rows // len(X))):
            add_gram(G, np.matmul(X, T, out=out) if whitens else X)
            x + (X @ x) @ X


def _on_each(client: Client, act: Callable[..., Any], shares: list[tuple[Any, ...]]) -> None:
    """Run one task a worker, to the end."""
    workers = sorted(client.scheduler_info()["workers"])
    client.gather(
        [client.submit(act, *share, workers=[worker], pure=False) for worker, share in zip(workers, shares, strict=True)]
    )


def _read_all(stored: Stored, client: Client) -> None:
    files = [str(path) for path in stored.files()]
    half = len(files) // 2
    _on_each(client, read_files, [(files[:half],), (files[half:],)])


def _take_turns(runs: dict[str, Callable[[], Any]], pids: list[int], repeats: int) -> tuple[Case, Case, dict[str, Any]]:
    """Return the least seconds and the least processor seconds of each, and what each gave last."""
    seconds, processor, given = {}, {}, {}
    for _ in range(repeats):
        for name, run in runs.items():
            before, began = processor_seconds(pids), time.perf_counter()
            given[name] = run()
            took, used = time.perf_counter() - began, processor_seconds(pids) - before
            seconds[name], processor[name] = min(seconds.get(name, took), took), min(processor.get(name, used), used)
    return seconds, processor, given


def _solve(stored: Stored, client: Client, **choices: Any) -> dsketch.Solution:
    return dsketch.lstsq(stored.A, stored.b, cluster=client, progress=False, **choices)


def warm(record: Record, folder: Path, client: Client, pids: list[int], *, tiny: bool, repeats: int) -> None:
    """Add the rows of whole solves in memory."""
    for work, shape, condition, before, wanted, whitens in ROWS:
        n, d = TINY if tiny else shape
        stored = write(Tall(n, d, condition), folder)
        stored.warm()
        try:
            look = Look(Gram(), dsketch.LeastSquares(stored.A, stored.b).rows)
            runs = {
                "limit": (lambda s=stored: bare_sums(s, client))
                if "bare sum" in work
                else (lambda k=look: DaskEngine(client).run(k, ignore)),
                "sum": lambda s=stored: bare_sums(s, client),
                "products": lambda n=n, d=d, w=whitens: _on_each(client, bare_products, 2 * [(n // 2, d, w)]),
                "solve": lambda s=stored: _solve(s, client),
            }
            seconds, processor, given = _take_turns(runs, pids, repeats)
            solution = given["solve"]
            record.add(
                part=AREA,
                work=work,
                before=before,
                now_seconds=seconds["solve"],
                limit_seconds=seconds["limit"],
                limit="a bare sum of A by the same two workers"
                if "bare sum" in work
                else "one Gram pass by the same two workers",
                ratio=seconds["solve"] / seconds["limit"],
                wanted=wanted,
                processor_ratio=processor["solve"] / max(processor["limit"], 0.01),
                bare_ratio=(seconds["products"] + 2 * seconds["sum"]) / seconds["limit"],
                by=solution.method,
                passes=[line.kind for line in solution.passes],
                backward=float(solution.certificate.backward_error[0]),
            )
        finally:
            stored.delete()


def cold(record: Record, folder: Path, client: Client, pids: list[int], *, tiny: bool, repeats: int) -> None:
    """Add the rows of solves by one reading, with the files out of the page cache."""
    for work, shape, condition in COLD:
        n, d = TINY if tiny else shape
        stored = write(Tall(n, d, condition), folder)
        try:

            def evict_and(act: Callable[[], Any], stored: Stored = stored) -> Callable[[], Any]:
                def run() -> tuple[float, Any]:
                    stored.evict()
                    began = time.perf_counter()
                    found = act()
                    return time.perf_counter() - began, found

                return run

            runs = {
                "read": evict_and(lambda s=stored: _read_all(s, client)),
                "solve": evict_and(lambda s=stored: _solve(s, client, tol=1e-6)),
            }
            _, _, first = _take_turns(runs, pids, 1)
            least = {name: pair[0] for name, pair in first.items()}
            solution = first["solve"][1]
            for _ in range(repeats - 1):
                _, _, given = _take_turns(runs, pids, 1)
                least = {name: min(least[name], pair[0]) for name, pair in given.items()}
            record.add(
                part=AREA,
                work=work,
                before=None,
                now_seconds=least["solve"],
                limit_seconds=least["read"],
                limit="reading the same files once by the same two workers, as cold",
                ratio=least["solve"] / least["read"],
                wanted=WANTED_COLD,
                by=solution.method,
                passes=[line.kind for line in solution.passes],
                backward=float(solution.certificate.backward_error[0]),
            )
        finally:
            stored.delete()


def measure(record: Record, *, tiny: bool, repeats: int = 5, folder: Path | None = None) -> None:
    """Add the cases of this area."""
    repeats = 1 if tiny else repeats
    with scratch(folder) as place, local_cluster(2, 1, MEMORY_LIMIT) as cluster, Client(cluster, set_as_default=False) as client:
        pids = [os.getpid(), *client.run(os.getpid).values()]
        small = np.random.default_rng(0).standard_normal((2000, 5))
        for method in ("cholesky", "whitened", "tsqr"):  # imports, and the rates of this machine
            dsketch.lstsq(small, small[:, 0], method=method, cluster=client, progress=False)
        warm(record, place, client, pids, tiny=tiny, repeats=repeats)
        cold(record, place, client, pids, tiny=tiny, repeats=repeats)


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    heads = ("work", "before", "now, s", "limit, s", "ratio", "of processor time", "bare calls", "wanted", "by", "passes")
    rows = [
        [
            case["work"],
            case["before"],
            case["now_seconds"],
            case["limit_seconds"],
            case["ratio"],
            case.get("processor_ratio"),
            case.get("bare_ratio"),
            case["wanted"],
            case["by"],
            ", ".join(case["passes"]),
        ]
        for case in cases
    ]
    return {"limit-warm": table(heads, rows)}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--repeats", type=int, default=5, help="of each run; the least counts")
    parser.add_argument(
        "--folder", type=Path, default=None, help="for the rows, 2.4 GB at a time; default: the system's temporary folder"
    )
    asked = parser.parse_args()
    record = Record(asked.out, "limit_warm")
    measure(record, tiny=asked.tiny, repeats=asked.repeats, folder=asked.folder)
    figure(asked.out / "limit_warm.png", draw(record.cases))
    show(tables(record.cases))


if __name__ == "__main__":
    main()
