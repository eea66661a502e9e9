"""Claim: of many targets with the same columns everything costs in proportion to their number, and little more than normal equations.

In memory, d = 3, one thread, processor time, the contestants in turn:

cost        ``auto`` and each direct method beside NumPy's normal equations, k from 100 to 100,000 targets; backward errors and distances
growth      processor seconds at ten times the targets over ten times the seconds: 1 where all is proportional
summary     standard errors, t, p, R² of every target, after the solve
memory      a plan beside what the solve took, b stored raw and compressed, in a process of its own
cold        480 rows, a million targets on disk: seconds of all answers into a Zarr group beside those of a bare reading of b's files, and
            of the least work (one reading, products, squares, as many bytes written), with b in the page cache, in processor
            seconds, and after the system was told to forget it, by the clock

References
----------
E. Fabregat-Traver, P. Bientinesi, "Large-scale linear regression: development of high-performance routines", arXiv 1504.07890, 2015.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, spread, table
from threadpoolctl import threadpool_limits
from zarr.codecs import ZstdCodec

import dsketch as ds

Floats = NDArray[np.float64]

METHODS = ("auto", "cholesky", "semi_normal", "tsqr")


def data(n: int, d: int, k: int) -> tuple[Floats, Floats]:
    """Return A and b = A x + noise of the size of what is fitted."""
    rng = np.random.default_rng([n, d, k])
    A = rng.standard_normal((n, d))
    return A, A @ rng.standard_normal((d, k)) + rng.standard_normal((n, k))


def normal_equations(A: Floats, b: Floats) -> Floats:
    """Return x as NumPy users find it."""
    return np.linalg.solve(A.T @ A, A.T @ b)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return processor seconds, and what the work gives."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def costs(n: int, d: int, counts: list[int], repeats: int) -> Iterator[Case]:
    """Yield the processor time of every contestant for every number of targets."""
    for k in counts:
        A, b = data(n, d, k)
        x = normal_equations(A, b)
        solutions: dict[str, Any] = {}
        seconds: dict[str, list[float]] = {name: [] for name in ("normal equations", *METHODS, "summary")}
        for _ in range(repeats + 1):
            seconds["normal equations"].append(timed(lambda A=A, b=b: normal_equations(A, b))[0])
            for method in METHODS:
                spent, solutions[method] = timed(
                    lambda A=A, b=b, how=method: ds.lstsq(A, b, method=how, cluster="serial", threads=1)
                )
                seconds[method].append(spent)
            seconds["summary"].append(timed(solutions["auto"].summary)[0])
        for name, spent in seconds.items():
            found = solutions.get(name)
            own = {} if found is None else {
                "took": found.method,
                "backward": found.certificate.backward_error.max(),
                "apart": np.abs(found.x - x).max(),
            }  # fmt: skip
            yield {"n": n, "d": d, "k": k, "contestant": name, "cpu": spread(spent[1:]), **own}


def stored(folder: Path, n: int, d: int, k: int, rows: int, *, is_raw: bool) -> None:
    """Store A and b in chunks of some rows."""
    codec = None if is_raw else ZstdCodec(level=1)
    rng = np.random.default_rng(0)
    A = zarr.create_array(str(folder / "A.zarr"), shape=(n, d), chunks=(rows, d), dtype="float64", compressors=codec)
    b = zarr.create_array(str(folder / "b.zarr"), shape=(n, k), chunks=(rows, k), dtype="float64", compressors=codec)
    for low in range(0, n, rows):
        X = rng.standard_normal((rows, d))
        A[low : low + rows], b[low : low + rows] = X, X @ np.ones((d, k)) + rng.standard_normal((rows, k))


_CHILD = """
import json, sys
from pathlib import Path
import numpy as np, dsketch as ds

def peak(name):
    return next(1024 * int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))

folder, method = sys.argv[1:]
ds.lstsq(np.eye(20)[:, :2], np.ones((20, 3)), cluster="serial", method=method)
plan = ds.plan(ds.LeastSquares(folder + "/A.zarr", folder + "/b.zarr"), cluster="serial", threads=1, method=method)
Path("/proc/self/clear_refs").write_text("5")
before = peak("VmRSS")
solution = ds.solve(plan, progress=False)
print(json.dumps({"took": plan.method, "planned": plan.estimate.memory_bytes, "measured": peak("VmHWM") - before}))
"""


def memory(cases: list[tuple[int, int, int, int]]) -> Iterator[Case]:
    """Yield what a solve was planned to take and what it took, for every case (n, d, k, rows of a chunk)."""
    for n, d, k, rows in cases:
        for is_raw in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                stored(Path(folder), n, d, k, rows, is_raw=is_raw)
                for method in ("cholesky", "tsqr", "semi_normal"):
                    words = [sys.executable, "-c", _CHILD, folder, method]
                    told = subprocess.run(words, capture_output=True, text=True, check=True)
                    yield {"n": n, "d": d, "k": k, "is_raw": is_raw, "method": method, **json.loads(told.stdout)}


def files_of(folder: Path) -> list[Path]:
    """Return all files below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def forget(folder: Path) -> None:
    """Tell the system that what it holds of these files is not needed."""
    for path in files_of(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def bare_read(folder: Path) -> int:
    """Read all files, some megabytes at a time, and return how many bytes they have."""
    buffer, count = bytearray(4 << 20), 0
    for path in files_of(folder):
        with path.open("rb", buffering=0) as file:
            while got := file.readinto(buffer):
                count += got
    return count


def least(folder: Path, A: Floats, rows: int, targets: int, width: int) -> None:
    """Do what no way around is known for: read b once, its products with A's factor and its squares in the cache, x, as many bytes written.

    Neither residuals nor certificates, errors, t and p: what NumPy and BLAS need on one thread at the least.
    """
    Q, R = np.linalg.qr(A)
    step = max(120_000 // width, 1)
    buffer, answers = np.empty((step, width)), np.zeros((4 * A.shape[1] + 5, targets))
    for number, low in enumerate(range(0, targets, width)):
        z, squares = np.zeros((A.shape[1], width)), np.zeros(width)
        with (folder / "c" / "0" / str(number)).open("rb", buffering=0) as file:
            for top in range(0, rows, step):
                part = buffer[: min(step, rows - top)]
                file.readinto(part.data.cast("B"))
                z += Q[top : top + step].T @ part
                squares += np.einsum("ij,ij->j", part, part)
        some = slice(low, min(low + width, targets))
        answers[: A.shape[1], some], answers[A.shape[1], some] = np.linalg.solve(R, z), squares
    with tempfile.TemporaryFile(dir=folder.parent) as file:
        answers.tofile(file)


def clock(work: Callable[[], Any], *, is_cold: bool) -> float:
    """Return seconds by the clock; of what needs no disk, processor seconds, as others may use the machine."""
    now = time.perf_counter if is_cold else time.process_time
    began = now()
    work()
    return now() - began


def cold(rows: int, targets: int, repeats: int) -> Iterator[Case]:
    """Yield seconds of a bare reading and of the answers, in turn, with b in the page cache and without."""
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), np.random.default_rng(0)
        A, width = rng.standard_normal((rows, 3)), min(1000, targets)
        b = zarr.create_array(
            str(folder / "b.zarr"), shape=(rows, targets), chunks=(rows, width), dtype="float64", compressors=None
        )
        for low in range(0, targets, width):
            b[:, low : low + width] = rng.standard_normal((rows, width))
        place, out = folder / "b.zarr", str(folder / "fit.zarr")

        def answers() -> None:
            ds.lstsq(A, str(place), out_dir=out, overwrite=True, cluster="serial", threads=1, progress=False)

        for is_cold in (False, True):
            works = {"read": lambda: bare_read(place), "least": lambda: least(place, A, rows, targets, width), "answers": answers}
            seconds: dict[str, list[float]] = {what: [] for what in works}
            for _ in range(repeats + 1):
                for what, work in works.items():
                    if is_cold:
                        forget(place)
                    seconds[what].append(clock(work, is_cold=is_cold))
            ratios = {
                f"by_{what}": spread([mine / other for other, mine in zip(seconds[what], seconds["answers"], strict=True)][1:])
                for what in ("read", "least")
            }
            told = {what: spread(spent[1:]) for what, spent in seconds.items()}
            yield {"n": rows, "k": targets, "is_cold": is_cold, **told, **ratios}


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    cost = [case for case in cases if case["experiment"] == "cost"]
    if not cost:
        return {}
    names = list(dict.fromkeys(case["contestant"] for case in cost))
    seconds = {(case["n"], case["k"], case["contestant"]): case["cpu"]["median"] for case in cost}
    took = {(case["n"], case["k"]): case["took"] for case in cost if case["contestant"] == "auto"}
    rows, growth = [], []
    for n, k in took:
        own = [seconds[n, k, name] for name in names]
        rows.append([f"{n:,} × {k:,}", *own, own[1] / own[0], took[n, k]])
        if (n, k // 10) in took:
            growth.append([f"{n:,} × {k:,}", *(seconds[n, k, name] / (10 * seconds[n, k // 10, name]) for name in names)])
    off_disk = [case for case in cases if case["experiment"] == "cold"]
    held = [case for case in cases if case["experiment"] == "memory"]
    return {
        "targets-cost": table(["n × k", *names, "auto / normal equations", "auto took"], rows),
        "targets-growth": table(["n × k", *names], growth),
        "targets-cold": table(
            ["b", "n × k", "bare reading, s", "least work, s", "answers, s", "÷ reading", "÷ least work"], map(_cold, off_disk)
        ),
        "targets-memory": table(["n × d, k", "stored", "method", "planned, MB", "measured, MB"], map(_held, held)),
    }


def _cold(case: Case) -> list[Any]:
    size, where = f"{case['n']:,} × {case['k']:,}", "cold disk" if case["is_cold"] else "page cache"
    names = ("read", "least", "answers", "by_read", "by_least")
    return [where, size, *(case[name]["median"] if name in case else None for name in names)]


def _held(case: Case) -> list[Any]:
    size, how = f"{case['n']:,} × {case['d']}, {case['k']:,}", "raw" if case["is_raw"] else "zstd"
    return [size, how, case["method"], case["planned"] / 1e6, case["measured"] / 1e6]


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer of seconds against targets."""

    def into(canvas: Any) -> None:
        axis = canvas.subplots()
        cost = [case for case in cases if case["experiment"] == "cost"]
        least = min(case["n"] for case in cost)
        for name in dict.fromkeys(case["contestant"] for case in cost):
            points = [(case["k"], case["cpu"]["median"]) for case in cost if case["contestant"] == name and case["n"] == least]
            axis.loglog(*zip(*points, strict=True), marker="o", label=name)
        axis.set_xlabel(f"targets k, n = {least:,}, d = 3")
        axis.set_ylabel("processor seconds")
        axis.grid(alpha=0.3)
        axis.legend()

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--repeats", type=int, default=3, help="of every timing")
    options = parser.parse_args()
    record = Record(options.out, "targets")
    sizes = [(20_000, 3, [300, 3000]), (2000, 3, [100, 1000, 10_000, 100_000])]
    cases = [(100_000, 3, 400, 1000), (2000, 3, 20_000, 100)]
    if options.tiny:
        sizes, cases, options.repeats = [(2000, 3, [20, 200])], [(4000, 3, 60, 500)], 1
    with threadpool_limits(1):
        for size in sizes:
            for case in costs(*size, options.repeats):
                record.add(experiment="cost", threads=1, **case)
        for case in cold(*((48, 2000) if options.tiny else (480, 1_000_000)), options.repeats):
            record.add(experiment="cold", threads=1, **case)
    for case in memory(cases):
        record.add(experiment="memory", **case)
    show(tables(record.cases))
    figure(options.out / "targets.png", draw(record.cases))


if __name__ == "__main__":
    main()
