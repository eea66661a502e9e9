"""Claim: on two workers dsketch solves 20 times faster than dask's lstsq, and never less accurately.

One LocalCluster of two processes with one thread each serves dask and dsketch alike; A and b lie on a local disk as raw Zarr
chunks of 32 MB and in the page cache.  Contestants take turns, so that what disturbs the machine disturbs all.  NumPy and SciPy
have A in memory, in a process of their own, with all cores.

Time        from the call to x on the driver (for NumPy and SciPy without the reading, which is reported beside)
CPU s       processor time of the same processes, the least of the repeats: what a busy machine disturbs less
Memory      peak of the sum over the workers (for NumPy and SciPy: of their process), sampled; "own" leaves out pages of mapped files
Error       backward error relative to ‖A‖_F with residual and gradient in 80-bit arithmetic
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster, wait
from matrices import Stored, Tall, scratch, write
from memory import Watch, processor_seconds
from oracle import judge_stored
from record import Case, Record, arguments, figure, show, spread, table

import dsketch
from dsketch.engine import DaskEngine
from dsketch.events import ignore
from dsketch.matrix.rows import Block
from dsketch.passes import Gradient, Gram, Look, Pass
from dsketch.problems.linear.methods import METHODS

MEMORY_LIMIT = "8GiB"
WORKERS = 2
SHAPES = ((1_000_000, 100), (300_000, 500))
CONDITIONS = (1e5, 1e12)
PATIENCE_SECONDS, FEWEST = 20.0, 3  # who takes longer gets three repeats, not five
ROUNDED = float(np.finfo(float).eps) / 8  # backward error of any x once it is rounded to float64; below it nobody is better
IN_MEMORY = {"numpy lstsq": "numpy", "scipy gelsy": "scipy"}

Answer = tuple[np.ndarray[Any, Any], Case]
Contestant = Callable[[Stored, Client], Answer]


@dataclass(frozen=True)
class Total(Pass[float]):
    """The sum of all entries: what reading alone costs."""

    kind: ClassVar[str] = "total"

    def map(self, block: Block, part: Any) -> Any:
        """Add the block's sum."""
        return ((np.zeros(1) if part is None else part[0]) + sum(X.sum() for _, X, _ in block.slices()),)

    def finish(self, part: Any) -> float:
        """Return the number."""
        return float(part[0][0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of one number."""
        del columns, sides
        return 8


def dask_lstsq(stored: Stored, client: Client) -> Answer:
    """Solve by dask.array.linalg.lstsq, x alone."""
    del client
    x, *_ = da.linalg.lstsq(da.from_zarr(str(stored.A)), da.from_zarr(str(stored.b)))
    return x.compute(), {"passes": 1}


def dask_normal(stored: Stored, client: Client) -> Answer:
    """Solve the normal equations, both products in one graph."""
    del client
    A, b = da.from_zarr(str(stored.A)), da.from_zarr(str(stored.b))
    G, c = dask.compute(A.T @ A, A.T @ b)
    try:
        return np.linalg.solve(G, c), {"passes": 1}
    except np.linalg.LinAlgError:
        return np.full(len(c), np.nan), {"passes": 1, "status": "singular"}


def ours(method: str) -> Contestant:
    """Return a solve by dsketch."""

    def solve(stored: Stored, client: Client) -> Answer:
        found = dsketch.lstsq(stored.A, stored.b, method=method, cluster=client, progress=False)
        facts = {"passes": len(found.passes), "by": found.method, "status": found.status.name.lower()}
        estimate = found.plan.estimate.seconds if found.method == found.plan.method else None
        return found.x, facts | {"claimed": float(found.certificate.backward_error[0]), "predicted_seconds": estimate}

    return solve


def contestants() -> dict[str, Contestant]:
    """Return who runs on the cluster."""
    rivals: dict[str, Contestant] = {"dask lstsq": dask_lstsq, "dask normal equations": dask_normal}
    return rivals | {"dsketch auto": ours("auto")} | {f"dsketch {method}": ours(method) for method in METHODS}


def mapped_sum(paths: list[str]) -> float:
    """Sum chunk files, mapped one after the other: the speed limit of a worker."""
    return float(sum(np.memmap(path, dtype=np.float64, mode="r").sum() for path in paths))


def bare_sums(stored: Stored, client: Client) -> float:
    """Sum the bytes of A with one task a worker."""
    files = [str(path) for path in stored.files()]
    workers = sorted(client.scheduler_info()["workers"])
    edges = [len(files) * i // len(workers) for i in range(len(workers) + 1)]
    futures = [
        client.submit(mapped_sum, files[low:high], workers=[worker], pure=False)
        for worker, low, high in zip(workers, edges[:-1], edges[1:], strict=True)
    ]
    return float(sum(client.gather(futures)))


def engine_passes(stored: Stored, client: Client) -> dict[str, Callable[[], Any]]:
    """Return what to time beside the solves: sums, and single passes of dsketch's engine."""
    problem, engine = dsketch.LeastSquares(stored.A, stored.b), DaskEngine(client)
    x = np.ones((problem.shape[1], 1))
    looks = {"total": Total(), "gradient": Gradient(x), "gram": Gram()}
    runs: dict[str, Callable[[], Any]] = {"bare sum": lambda: bare_sums(stored, client)}
    for name, pass_ in looks.items():
        runs[f"pass: {name}"] = lambda pass_=pass_: pass_.finish(engine.run(Look(pass_, problem.rows), ignore))
    return runs


def in_memory(solver: str, stored: Stored, repeats: int) -> Case:
    """Return what a process of its own did with A in memory."""
    done = subprocess.run(
        [sys.executable, __file__, "--in-memory", solver, str(stored.A), str(stored.b), str(repeats)],
        capture_output=True,
        text=True,
        check=True,
    )
    result: Case = json.loads(done.stdout)
    return result


def in_memory_process(solver: str, A_path: str, b_path: str, repeats: str) -> None:
    """Solve with A in memory and print the facts; runs in its own process so that its memory can be seen."""
    import scipy.linalg as sl
    import zarr

    with Watch([os.getpid()]) as watch:
        began = time.perf_counter()
        A, b = zarr.open_array(A_path, mode="r")[:], zarr.open_array(b_path, mode="r")[:]
        reading, seconds = time.perf_counter() - began, []
        for _ in range(int(repeats)):
            began, busy = time.perf_counter(), time.process_time()
            x = np.linalg.lstsq(A, b, rcond=None)[0] if solver == "numpy" else sl.lstsq(A, b, lapack_driver="gelsy")[0]
            seconds.append(time.perf_counter() - began)
            cpu_seconds = time.process_time() - busy
    memory = {"peak": watch.rss, "own": watch.private, "idle": watch.idle}
    print(json.dumps({"x": x.tolist(), "seconds": seconds, "reading": reading, "cpu_seconds": cpu_seconds, "memory": memory}))


def take_turns(stored: Stored, client: Client, repeats: int) -> dict[str, Case]:
    """Run all contestants round after round; return their times, memory and last answers."""
    pids = list(client.run(os.getpid).values())
    runs: dict[str, Callable[[], Any]] = {}
    for name, solve in contestants().items():
        runs[name] = lambda solve=solve: solve(stored, client)
    runs |= engine_passes(stored, client)
    found: dict[str, Case] = {name: {"seconds": []} for name in runs}
    for turn in range(repeats):
        for name, run in runs.items():
            facts = found[name]
            if turn >= FEWEST and statistics.median(facts["seconds"]) > PATIENCE_SECONDS:
                continue
            busy = processor_seconds(pids)
            with Watch(pids) as watch:
                began = time.perf_counter()
                answer = run()
                facts["seconds"].append(time.perf_counter() - began)
            facts["cpu_seconds"] = min(processor_seconds(pids) - busy, facts.get("cpu_seconds", np.inf))
            memory = {"peak": watch.rss, "own": watch.private, "idle": watch.idle}
            facts["memory"] = {key: max(value, facts.get("memory", memory)[key]) for key, value in memory.items()}
            if name in contestants():
                facts["x"], more = answer
                facts |= more
    return found


def measure(recipe: Tall, record: Record, folder: Path, repeats: int, limit: str) -> None:
    """Write one matrix, let everybody solve it, judge, delete."""
    stored = write(recipe, folder)
    try:
        stored.warm()
        with (
            LocalCluster(
                n_workers=WORKERS,
                threads_per_worker=1,
                memory_limit=limit,
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
            ) as cluster,
            Client(cluster) as client,
        ):
            _warm_up(client)
            found = take_turns(stored, client, repeats)
        for name, solver in IN_MEMORY.items():
            facts = in_memory(solver, stored, min(repeats, FEWEST))
            found[name] = facts | {"x": np.array(facts["x"]), "passes": None}
        R = None
        for name, facts in found.items():
            seconds, x = facts.pop("seconds"), facts.pop("x", None)
            if x is not None and np.isfinite(x).all():
                facts["backward"], R = judge_stored(stored.blocks, R, x)
                facts["off_known_x"], facts["known_to"] = float(np.linalg.norm(x - recipe.x)), recipe.known_to
            record.add(
                n=recipe.n,
                d=recipe.d,
                condition=recipe.condition,
                bytes=recipe.nbytes,
                contestant=name,
                workers=WORKERS,
                threads=_threads(name),
                memory_limit=limit,
                seconds=spread(seconds),
                **facts,
            )
    finally:
        stored.delete()


def _threads(name: str) -> int:
    return len(os.sched_getaffinity(0)) if name in IN_MEMORY else WORKERS


def _warm_up(client: Client) -> None:
    """Import on the workers what anybody needs, and measure dsketch's rates if this machine has none yet."""
    small = np.random.default_rng(0).standard_normal((2000, 5))
    for method in ("auto", *METHODS):
        dsketch.lstsq(small, small[:, 0], method=method, cluster=client, progress=False)
    array = da.from_array(small, chunks=(500, 5))
    wait(da.linalg.lstsq(array, array[:, 0])[0].persist())


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    if not cases:
        return {}
    made = {"rivals-claims": claims(cases)}
    for n, d, condition in _groups(cases):
        group = [case for case in cases if (case["n"], case["d"], case["condition"]) == (n, d, condition)]
        made[f"rivals-{n}x{d}-{condition:.0e}"] = _times(group)
    return made


def _groups(cases: list[Case]) -> list[tuple[int, int, float]]:
    return list(dict.fromkeys((case["n"], case["d"], case["condition"]) for case in cases))


def _times(group: list[Case]) -> str:
    auto = next(case["seconds"]["median"] for case in group if case["contestant"] == "dsketch auto")

    def row(case: Case) -> list[Any]:
        s, memory = case["seconds"], case["memory"]
        return [
            case["contestant"]
            + (f" ({case['by']})" if case.get("by", case["contestant"].split()[-1]) not in case["contestant"] else ""),
            s["median"],
            f"{s['low']:.3g}–{s['high']:.3g} ({s['repeats']})",
            case["cpu_seconds"],
            s["median"] / auto,
            case.get("passes"),
            case["bytes"] / 1e9 * (case.get("passes") or 1) / s["median"],
            memory["peak"] / 1e6,
            memory["own"] / 1e6,
            case.get("backward"),
            case.get("status"),
        ]

    heads = ["", "seconds", "spread", "CPU s", "÷ auto", "passes", "GB/s", "peak MB", "own MB", "backward error", "status"]
    return table(heads, map(row, group))


def claims(cases: list[Case]) -> str:
    """Return what was expected and what was found."""
    rows = []
    for n, d, condition in _groups(cases):
        by_name = {case["contestant"]: case for case in cases if (case["n"], case["d"], case["condition"]) == (n, d, condition)}
        seconds = {name: case["seconds"]["median"] for name, case in by_name.items()}
        auto = seconds["dsketch auto"]
        wanted = 20.0 if condition <= 1e6 else 8.0
        where = f"{n:,} × {d}, kappa {condition:.0e}"
        rows.append([where, "times faster than dask lstsq", wanted, seconds["dask lstsq"] / auto])
        if condition <= 1e6:
            rows.append([where, "times faster than dask normal equations", 1.5, seconds["dask normal equations"] / auto])
        rows.append([where, "speed of a gradient pass ÷ bare sum", 0.5, seconds["bare sum"] / seconds["pass: gradient"]])
        errors = [max(by_name[name].get("backward", np.inf), ROUNDED) for name in ("dask lstsq", "dsketch auto")]
        rows.append([where, "backward error of dask lstsq ÷ ours", 1.0, errors[0] / errors[1]])
    return table(["matrix", "claim", "at least", "found", "holds"], ([*row, bool(row[3] >= row[2])] for row in rows))


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer of seconds against backward error, one panel a matrix."""

    def into(canvas: Any) -> None:
        groups = _groups(cases)
        canvas.set_size_inches(12, 4.2 * -(-len(groups) // 2))
        axes = canvas.subplots(-(-len(groups) // 2), 2, squeeze=False).ravel()
        for axis, (n, d, condition) in zip(axes, groups, strict=False):
            for case in cases:
                if (case["n"], case["d"], case["condition"]) != (n, d, condition) or not case.get("backward"):
                    continue
                is_ours = case["contestant"].startswith("dsketch")
                point = (case["seconds"]["median"], max(case["backward"], 1e-18))
                axis.loglog(*point, "o" if is_ours else "s", color="C0" if is_ours else "C3")
                axis.annotate(
                    case["contestant"].removeprefix("dsketch "), point, fontsize=7, xytext=(4, 3), textcoords="offset points"
                )
            axis.set_title(f"{n:,} × {d}, kappa {condition:.0e}")
            axis.grid(alpha=0.3)
        canvas.supxlabel("seconds (median); blue: dsketch, red: rivals")
        canvas.supylabel("backward error, relative to ‖A‖")

    return into


def main() -> None:
    """Measure, print, draw."""
    if sys.argv[1:2] == ["--in-memory"]:
        in_memory_process(*sys.argv[2:6])
        return
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, nargs="+", default=[n for n, _ in SHAPES], help="n")
    parser.add_argument("--columns", type=int, nargs="+", default=[d for _, d in SHAPES], help="d, one for each n")
    parser.add_argument("--conditions", type=float, nargs="+", default=list(CONDITIONS), help="kappa")
    parser.add_argument("--repeats", type=int, default=5, help="of each contestant (the slowest get three)")
    parser.add_argument("--folder", type=Path, help="where the matrices are written and deleted; default: a temporary folder")
    options = parser.parse_args()
    shapes, conditions, repeats, limit = (
        list(zip(options.rows, options.columns, strict=True)),
        options.conditions,
        options.repeats,
        MEMORY_LIMIT,
    )
    if options.tiny:
        shapes, conditions, repeats, limit = [(20_000, 10)], [1e5], 1, "1GiB"
    record = Record(options.out, "rivals")
    with scratch(options.folder) as folder:
        for (n, d), condition in ((shape, kappa) for shape in shapes for kappa in conditions):
            measure(Tall(n, d, condition), record, folder, repeats, limit)
            show(tables([case for case in record.cases if (case["n"], case["d"], case["condition"]) == (n, d, condition)]))
    if len(shapes) * len(conditions) > 1:
        show({"rivals-claims": claims(record.cases)})
    figure(options.out / "rivals.png", draw(record.cases))


if __name__ == "__main__":
    main()
