"""Claim: time grows like n, memory per worker does not grow, and 100,000 chunks cost less than two seconds a pass.

Four experiments on a LocalCluster of two single-thread workers with little memory each and spilling off:

rows      n from 1e5 to more than 12 GB on disk; each matrix solved with its pages out of the page cache, then again; memory of workers
chunks    the same rows in 1e2 … 1e5 chunks; one gradient pass and one Gram pass
passes    hundreds of gradient passes on a small matrix; memory of the process that holds the scheduler
paper     the cost model at 1e10 rows and 1,000 workers, beside how well it predicted the runs above
"""

import gc
import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from distributed import Client, LocalCluster
from matrices import Stored, Tall, scratch, write
from memory import Watch, high_water
from oracle import judge_stored
from record import Case, Record, arguments, figure, show, spread, table

import dsketch
from dsketch._units import parse_bytes
from dsketch.engine import DaskEngine, local_cluster
from dsketch.engine.panels import MOST_PANELS
from dsketch.events import ignore
from dsketch.passes import Gradient, Gram, Look
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Workload
from dsketch.planning.probe import Probe
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.method import Case as PricedCase
from dsketch.settings import Settings

OFFERED = [name for name, method in METHODS.items() if method.is_offered]
ROWS = (100_000, 300_000, 1_000_000, 3_000_000, 8_000_000, 16_000_000)
COLUMNS = 100
CONDITIONS = (1e5, 1e12)
CHUNKED_ROWS = 1_000_000
CHUNKS = (100, 1_000, 10_000, 100_000)
PASSES = 300
JUDGED_BYTES = 1_500_000_000  # above it the 80-bit judge takes minutes; the certificate alone is reported
CHUNK_SECONDS = 2.0  # wanted at 100,000 chunks


def rows(record: Record, folder: Path, sizes: list[int], d: int, conditions: list[float], memory: str, repeats: int) -> None:
    """Solve matrices of growing height, each on a fresh cluster."""
    for n, condition in itertools.product(sizes, conditions):
        recipe = Tall(n, d, condition)
        stored = write(recipe, folder)
        try:
            with local_cluster(2, 1, memory) as cluster, Client(cluster, set_as_default=False) as client:
                _warm_up(client)
                pids = list(client.run(os.getpid).values())
                stored.evict()
                cold, watch, solution = _solved(stored, client, pids)
                warm = [_solved(stored, client, pids)[0] for _ in range(repeats)]
                peak = max(map(high_water, pids))
            judged = recipe.nbytes <= JUDGED_BYTES
            record.add(
                experiment="rows",
                n=n,
                d=d,
                condition=condition,
                bytes=recipe.nbytes,
                workers=2,
                threads=2,
                memory_limit=memory,
                method=solution.method,
                planned=solution.plan.method,
                status=solution.status.name.lower(),
                passes=len(solution.passes),
                predicted_seconds=solution.plan.estimate.seconds,
                predicted_memory=solution.plan.estimate.memory_bytes,
                seconds_cold=cold,
                seconds=spread(warm),
                ledger=[{"kind": line.kind, "seconds": line.seconds} for line in solution.passes],
                memory={"own": watch.largest_private, "idle_both": watch.idle, "high_water": peak},
                claimed=float(solution.certificate.backward_error[0]),
                backward=judge_stored(stored.blocks, None, solution.x)[0] if judged else None,
                off_known_x=float(np.linalg.norm(solution.x - recipe.x)),
                known_to=recipe.known_to,
            )
        finally:
            stored.delete()


def _solved(stored: Stored, client: Client, pids: list[int]) -> tuple[float, Watch, dsketch.Solution]:
    with Watch(pids) as watch:
        began = time.perf_counter()
        solution = dsketch.lstsq(stored.A, stored.b, cluster=client, progress=False)
        seconds = time.perf_counter() - began
    return seconds, watch, solution


def chunks(record: Record, folder: Path, n: int, d: int, counts: list[int], memory: str, repeats: int) -> None:
    """Time single passes over the same rows in ever smaller chunks."""
    with local_cluster(2, 1, memory) as cluster, Client(cluster, set_as_default=False) as client:
        _warm_up(client)
        for number in counts:
            stored = write(Tall(n, d, 1e5), folder, chunk_rows=-(-n // number))
            try:
                stored.warm()
                times = _pass_times(stored, client, repeats)
            finally:
                stored.delete()
            facts = {name: spread(seconds) for name, seconds in times.items()}
            sizes = {"n": n, "d": d, "chunks": number, "bytes": 8 * n * (d + 1), "workers": 2, "threads": 2, "passes": 1}
            record.add(experiment="chunks", **sizes, memory_limit=memory, seconds=facts)


def _pass_times(stored: Stored, client: Client, repeats: int) -> dict[str, list[float]]:
    problem, engine = dsketch.LeastSquares(stored.A, stored.b), DaskEngine(client)
    looks = {"gradient": Look(Gradient(np.ones((problem.shape[1], 1))), problem.rows), "gram": Look(Gram(), problem.rows)}
    times: dict[str, list[float]] = {name: [] for name in looks}
    for _, (name, look) in itertools.product(range(repeats), looks.items()):
        times[name].append(_timed(lambda look=look: engine.run(look, ignore)))
    return times


def passes(record: Record, folder: Path, n: int, d: int, count: int, memory: str) -> None:
    """Run the same pass many times; watch this process, which holds the scheduler and the client."""
    stored = write(Tall(n, d, 1e5), folder, chunk_bytes=4_000_000)
    me = psutil.Process()
    try:
        with local_cluster(2, 1, memory) as cluster, Client(cluster, set_as_default=False) as client:
            _warm_up(client)
            look, engine = Look(Gradient(np.ones((d, 1))), dsketch.LeastSquares(stored.A, stored.b).rows), DaskEngine(client)
            history, seconds = [], []
            for number in range(count + 1):
                if number % max(count // 10, 1) == 0:
                    gc.collect()
                    history.append({"pass": number, "rss": me.memory_info().rss, "tasks": _tasks(cluster)})
                seconds.append(_timed(lambda: engine.run(look, ignore)))
        record.add(
            experiment="passes",
            n=n,
            d=d,
            bytes=8 * n * (d + 1),
            passes=count,
            workers=2,
            threads=2,
            seconds=spread(seconds),
            history=history,
        )
    finally:
        stored.delete()


def _tasks(cluster: LocalCluster) -> int:
    """Return how many tasks the scheduler still holds."""
    return len(cluster.scheduler.tasks)


def paper(record: Record) -> None:
    """Carry the cost model to sizes that no one machine holds."""
    n, d, threads = 10_000_000_000, 100, 1000
    for name, speed in (("local disks, 1 GB/s a worker", 1e9), ("object store, 100 MB/s a worker", 1e8)):
        means = Workload(
            n=n,
            d=d,
            k=1,
            total_bytes=8 * n * (d + 1),
            block_bytes=32_000_000,
            float_bytes=8 * n * d,
            threads=threads,
            memory_bytes=parse_bytes("1GiB"),
            cold_bytes_per_second=speed,
            stays_warm=False,
            tasks=MOST_PANELS,
        )
        case = PricedCase(Settings(), means, Probe(1.0, False, speed, means.block_bytes))
        methods = {name: vars(METHODS[name].price(case)) for name in OFFERED}
        record.add(
            experiment="paper", storage=name, n=n, d=d, workers=threads, threads=threads, bytes=means.total_bytes, methods=methods
        )


def _timed(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _warm_up(client: Client) -> None:
    """Import on the workers what the passes need, and measure dsketch's rates if this machine has none yet."""
    small = np.random.default_rng(0).standard_normal((2000, 5))
    for method in OFFERED:
        dsketch.lstsq(small, small[:, 0], method=method, cluster=client, progress=False)


# ---- what the figures say --------------------------------------------------------------------------------------------


def chosen(cases: list[Case], experiment: str) -> list[Case]:
    """Return the cases of one experiment."""
    return [case for case in cases if case["experiment"] == experiment]


def exponent(cases: list[Case], key: Callable[[Case], float]) -> float | None:
    """Return p of seconds = c · n^p, fitted where a fixed cost no longer counts (n ≥ 1e6)."""
    points = [(np.log(case["n"]), np.log(key(case))) for case in cases if case["n"] >= 1_000_000]
    return float(np.polyfit(*np.transpose(points), 1)[0]) if len(points) > 1 else None


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    makers = {"rows": _rows_table, "chunks": _chunks_table, "passes": _passes_table, "paper": _paper_table}
    return {f"scaling-{name}": make(chosen(cases, name)) for name, make in makers.items() if chosen(cases, name)}


def _rows_table(cases: list[Case]) -> str:
    def row(case: Case) -> list[Any]:
        warm, read = case["seconds"]["median"], case["bytes"] * case["passes"] / 1e9
        memory = case["memory"]
        return [
            f"{case['n']:,}",
            f"{case['condition']:.0e}",
            f"{case['bytes'] / 1e9:.2f}",
            case["method"],
            case["passes"],
            case["seconds_cold"],
            warm,
            case["predicted_seconds"],
            read / case["seconds_cold"],
            read / warm,
            memory["own"] / 1e6,
            memory["high_water"] / 1e6,
            max(case["claimed"], case["backward"] or 0),
        ]

    heads = [
        "n",
        "kappa",
        "GB",
        "method",
        "passes",
        "s cold",
        "s again",
        "s predicted",
        "GB/s cold",
        "GB/s again",
        "own MB a worker",
    ]
    lines = [table([*heads, "peak MB, maps counted", "backward error"], map(row, cases)), ""]
    for condition in sorted({case["condition"] for case in cases}):
        group = [case for case in cases if case["condition"] == condition]
        p = [exponent(group, lambda case: case["seconds_cold"]), exponent(group, lambda case: case["seconds"]["median"])]
        if None not in p:
            lines.append(
                f"kappa {condition:.0e}: seconds grow like n^{p[0]:.2f} cold, n^{p[1]:.2f} again (fitted for n ≥ 1e6).  "
            )
    large = [case["memory"]["own"] for case in cases if case["n"] >= 1_000_000]
    if large:
        lines.append(f"Own memory of the larger worker for n ≥ 1e6: {min(large) / 1e6:.0f} to {max(large) / 1e6:.0f} MB.")
    return "\n".join(lines)


def _chunks_table(cases: list[Case]) -> str:
    base = {name: cases[0]["seconds"][name]["median"] for name in ("gradient", "gram")}

    def row(case: Case) -> list[Any]:
        found = [case["seconds"][name]["median"] for name in base]
        overhead = [seconds - base[name] for seconds, name in zip(found, base, strict=True)]
        return [f"{case['chunks']:,}", case["bytes"] / case["chunks"] / 1e3, *found, *overhead, max(overhead) < CHUNK_SECONDS]

    heads = ["chunks", "kB a chunk", "s gradient pass", "s Gram pass", "overhead gradient", "overhead Gram"]
    return table([*heads, f"< {CHUNK_SECONDS:.0f} s"], map(row, cases))


def _passes_table(cases: list[Case]) -> str:
    rows_ = [(point["pass"], point["rss"] / 1e6, point["tasks"]) for point in cases[0]["history"]]
    median = cases[0]["seconds"]["median"]
    return table(["passes so far", "MB of the process", "tasks held"], rows_) + f"\n\nMedian {1e3 * median:.0f} ms a pass."


def _paper_table(cases: list[Case]) -> str:
    heads = ["storage", "method", "passes", "bytes read", "hours", "MB a thread"]
    rows_ = [
        (
            case["storage"],
            name,
            cost["passes"],
            f"{case['bytes'] * cost['passes'] / 1e12:.1f} TB",
            cost["seconds"] / 3600,
            cost["memory_bytes"] / 1e6,
        )
        for case in cases
        for name, cost in case["methods"].items()
    ]
    case = cases[0]
    formula = (
        f"\n\n{case['n']:,} × {case['d']} float64 = {case['bytes'] / 1e12:.2f} TB on {case['workers']:,} workers of one thread. "
        "seconds = Σ over passes of  rate · bytes / threads + bytes / (speed · threads) + "
        f"{PASS_SECONDS} + {TASK_SECONDS} · {MOST_PANELS} tasks.  Rates are this machine's, per thread; no reading overlaps computing, "
        "nothing stays cached between passes, one scheduler hands out all tasks, no worker dies."
    )
    return table(heads, rows_) + formula


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer: seconds against n, memory against n, seconds a pass against chunks, memory against passes."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(11, 8)
        (time_axis, memory_axis), (chunk_axis, pass_axis) = canvas.subplots(2, 2)
        solved = chosen(cases, "rows")
        for color, condition in zip(("C0", "C1"), sorted({case["condition"] for case in solved}), strict=False):
            group = [case for case in solved if case["condition"] == condition]
            n = [case["n"] for case in group]
            time_axis.loglog(n, [c["seconds_cold"] for c in group], "o-", color=color, label=f"kappa {condition:.0e}, cold")
            time_axis.loglog(n, [c["seconds"]["median"] for c in group], "s--", color=color, label="again")
            time_axis.loglog(n, [c["predicted_seconds"] for c in group], ":", color=color, label="predicted")
            memory_axis.loglog(n, [c["memory"]["own"] / 1e6 for c in group], "o-", color=color, label=f"kappa {condition:.0e}")
        if solved:
            limit = parse_bytes(solved[0]["memory_limit"]) / 1e6
            memory_axis.axhline(limit, ls="--", color="black", label="limit of a worker")
            memory_axis.loglog(n, [case["bytes"] / 1e6 for case in group], ":", color="gray", label="the matrix")
        time_axis.set(xlabel="n", ylabel="seconds")
        memory_axis.set(xlabel="n", ylabel="peak own memory of a worker, MB")
        cut = chosen(cases, "chunks")
        for name in ("gradient", "gram"):
            chunk_axis.loglog([c["chunks"] for c in cut], [c["seconds"][name]["median"] for c in cut], "o-", label=name)
        chunk_axis.set(xlabel="chunks", ylabel="seconds a pass")
        for case in chosen(cases, "passes"):
            pass_axis.plot([point["pass"] for point in case["history"]], [point["rss"] / 1e6 for point in case["history"]], "o-")
        pass_axis.set(xlabel="passes", ylabel="MB of the scheduler's process", ylim=(0, None))
        for axis in (time_axis, memory_axis, chunk_axis):
            axis.legend(fontsize=8)
            axis.grid(alpha=0.3)

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="n")
    parser.add_argument("--columns", type=int, default=COLUMNS, help="d")
    parser.add_argument("--conditions", type=float, nargs="+", default=list(CONDITIONS), help="kappa of the row experiment")
    parser.add_argument("--memory", default="1GiB", help="limit of each worker")
    parser.add_argument("--chunked-rows", type=int, default=CHUNKED_ROWS, help="n of the chunk experiment")
    parser.add_argument("--chunks", type=int, nargs="+", default=list(CHUNKS), help="numbers of chunks")
    parser.add_argument("--passes", type=int, default=PASSES, help="of the experiment on the scheduler's memory")
    parser.add_argument("--repeats", type=int, default=5, help="of each timing that is not of a cold cache")
    parser.add_argument("--folder", type=Path, help="where the matrices are written and deleted; default: a temporary folder")
    parser.add_argument("--only", nargs="+", choices=("rows", "chunks", "passes", "paper"), help="experiments; default: all")
    o = parser.parse_args()
    if o.tiny:
        o.rows, o.columns, o.chunked_rows, o.chunks, o.passes, o.repeats = [5_000, 20_000], 10, 10_000, [10, 100], 5, 1
        o.conditions = [1e5]
    only = o.only or ("rows", "chunks", "passes", "paper")
    record = Record(o.out, "scaling")
    with scratch(o.folder) as folder:
        experiments: dict[str, Callable[[], None]] = {
            "rows": lambda: rows(record, folder, o.rows, o.columns, o.conditions, o.memory, o.repeats),
            "chunks": lambda: chunks(record, folder, o.chunked_rows, o.columns, o.chunks, o.memory, o.repeats),
            "passes": lambda: passes(record, folder, min(100_000, o.chunked_rows), o.columns, o.passes, o.memory),
            "paper": lambda: paper(record),
        }
        for experiment in only:
            experiments[experiment]()
            show({name: text for name, text in tables(record.cases).items() if name.endswith(experiment)})
            sys.stdout.flush()
    figure(o.out / "scaling.png", draw(record.cases))


if __name__ == "__main__":
    main()
