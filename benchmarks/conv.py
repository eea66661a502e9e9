"""Claim: at 65,536 rows, causal attention whose logits have 8 profiles takes at most a fifth of the exact sweep's time.

It is right to 1e-10 at logits of size 1 and to 1e-8 at size 20, its time grows no faster than n^1.15, and noise moves it by no more than
its bound.

speed
    Processor seconds and seconds of both, in turns, all passes and the plan; 24 rows drawn at random against their formula.
growth
    Processor seconds by rows, and the exponent that fits them.
gradient
    Processor seconds of gradients by both, and how far they are from each other, relative to the largest number.
noise
    Of a hundred draws of noise on Q: in how many rows are within (e^{2ε} − 1) max|v|, ε the largest distance of a logit from the basis.
workers
    262,144 stored rows on two workers of 1 GiB: seconds, and a worker's own memory.  The exact sweep is not run at that size.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import zarr
from distributed import Client
from memory import Watch
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, spread, table

import dsketch
from dsketch.engine import local_cluster
from dsketch.testing.convolution import rotary_rows

Floats = NDArray[np.float64]

COLUMNS, PROFILES = 64, 8
MEMORY = "1GiB"
_NAMES = {"conv": "convolution basis", "softmax": "exact sweep"}


def data(n: int, size: float) -> tuple[Floats, Floats, Floats]:
    """Return Q and K with a basis that begins anew at random columns, and V of Gaussian rows."""
    rng = np.random.default_rng(0)
    starts = (0, *sorted(int(place) for place in rng.choice(np.arange(1, n), PROFILES - 1, replace=False)))
    return *rotary_rows(n, COLUMNS, starts, size=size), rng.standard_normal((n, COLUMNS))


def _solve(arrays: tuple[Floats, Floats, Floats], kind: str) -> tuple[dsketch.Solution, float, float]:
    """Return causal attention, its seconds and its processor seconds."""
    began, worked = time.perf_counter(), time.process_time()
    found = dsketch.attention(*arrays, kind=kind, causal=True, scale=1.0, cluster="serial", progress=False)
    return found, time.perf_counter() - began, time.process_time() - worked


def _error(arrays: tuple[Floats, Floats, Floats], Y: Floats) -> float:
    """Return the largest error of a few rows, relative to the largest values."""
    Q, K, V = arrays
    errors = []
    for row in np.random.default_rng(2).choice(len(Q), 24, replace=False):
        z = K[: row + 1] @ Q[row]
        weights = np.exp(z - z.max())
        errors.append((np.abs(Y[row] - weights @ V[: row + 1] / weights.sum()) / np.abs(V).max(axis=0)).max())
    return float(max(errors))


def _add(record: Record, part: str, kind: str, arrays: tuple[Floats, Floats, Floats], size: float, runs: list[Any]) -> None:
    """Record runs of one kind."""
    found = runs[-1][0]
    seconds, processor = (spread([run[place] for run in runs]) for place in (1, 2))
    record.add(
        part=part, kind=kind, n=len(arrays[0]), d=COLUMNS, size=size, method=found.method, status=found.status.name.lower(),
        seconds=seconds, processor=processor, passes=len(found.passes), profiles=found.certificate.profiles,
        refused=found.certificate.refused, error=_error(arrays, found.x), claimed=float(found.certificate.forward_error.max()),
    )  # fmt: skip


def measure_speed(record: Record, n: int, size: float, repeats: int) -> None:
    """Record both, in turns."""
    arrays = data(n, size)
    runs: dict[str, list[Any]] = {"conv": [], "softmax": []}
    for _ in range(repeats):
        for kind, found in runs.items():
            found.append(_solve(arrays, kind))
    for kind, found in runs.items():
        _add(record, "speed", kind, arrays, size, found)


def measure_growth(record: Record, sizes: tuple[int, ...], repeats: int) -> None:
    """Record processor seconds of the basis by rows."""
    for n in sizes:
        arrays = data(n, 1.0)
        _add(record, "growth", "conv", arrays, 1.0, [_solve(arrays, "conv") for _ in range(repeats)])


def measure_gradient(record: Record, n: int, d: int, wrt: str) -> None:
    """Record a gradient by both."""
    rng = np.random.default_rng(0)
    starts = (0, *sorted(int(place) for place in rng.choice(np.arange(1, n), PROFILES - 1, replace=False)))
    Q, K = rotary_rows(n, d, starts)
    V, dY = rng.standard_normal((2, n, d))
    problem = dsketch.Attention(Q, K, V, kind="conv", causal=True, scale=1.0).gradient(dY, wrt)
    found, seconds = {}, {}
    for method in ("conv", "sweep"):
        began = time.process_time()
        found[method] = dsketch.solve(problem, method=method, cluster="serial", progress=False)
        seconds[method] = time.process_time() - began
    gap = np.abs(found["conv"].x - found["sweep"].x).max() / np.abs(found["sweep"].x).max()
    record.add(
        part="gradient", wrt=wrt, n=n, d=d, method=found["conv"].method, status=found["conv"].status.name.lower(),
        seconds=seconds["conv"], sweep_seconds=seconds["sweep"], error=float(gap),
        claimed=float(found["conv"].certificate.forward_error.max()),
    )  # fmt: skip


def measure_noise(record: Record, n: int, draws: int, noise: float) -> None:
    """Record in how many draws rows are within the bound, and within the claim."""
    starts = (0, n // 3, 2 * n // 3)
    clean, K = rotary_rows(n, 8, starts)
    V = np.random.default_rng(1).standard_normal((n, 4))
    seen, place = np.tril(np.ones((n, n), bool)), np.searchsorted(starts, np.arange(n), side="right") - 1
    rows = np.clip(np.arange(n)[:, None] - np.arange(n)[None, :] + np.array(starts)[place], 0, n - 1)
    shares, within, claimed = [], 0, 0
    for seed in range(draws):
        Q = clean + noise * np.random.default_rng(seed).uniform(-1, 1, clean.shape)
        Z, profiles = Q @ K.T, np.array([Q @ K[first] for first in starts])
        distance = float(np.abs(np.where(seen, Z - profiles[place[None, :], rows], 0.0)).max())
        W = np.where(seen, np.exp(Z), 0.0)
        found = dsketch.attention(
            Q, K, V, kind="conv", causal=True, scale=1.0, tol=min(100 * noise, 0.9), cluster="serial", progress=False
        )
        off = (np.abs(found.x - W @ V / W.sum(axis=1, keepdims=True)) / np.abs(V).max(axis=0)).max()
        bound = np.expm1(2 * distance)
        within += bool(found.method == "conv" and off <= bound)
        claimed += bool(off <= found.certificate.forward_error.max())
        shares.append(off / bound)
    record.add(
        part="noise", n=n, noise=noise, draws=draws, within=within, claimed=claimed, worst=max(shares),
        median=float(np.median(shares)),
    )  # fmt: skip


def measure_workers(record: Record, n: int) -> None:
    """Record stored rows on two workers: seconds, and the memory that a worker has of its own."""
    arrays = data(n, 1.0)
    with TemporaryDirectory() as folder, local_cluster(2, 1, MEMORY) as cluster, Client(cluster, set_as_default=False) as client:
        paths = [str(Path(folder) / name) for name in "QKV"]
        for path, array in zip(paths, arrays, strict=True):
            zarr.create_array(store=path, data=array, chunks=(min(n, 16_384), COLUMNS), compressors=None)
        options = {"kind": "conv", "causal": True, "scale": 1.0, "cluster": client, "progress": False}
        dsketch.attention(*(array[:600] for array in arrays), **options)  # imports
        with Watch(list(client.run(os.getpid).values())) as watch:
            began = time.perf_counter()
            found = dsketch.attention(*paths, str(Path(folder) / "Y"), **options)
            seconds = time.perf_counter() - began
        rows = zarr.open_array(str(Path(folder) / "Y"), mode="r")[...]
        record.add(
            part="workers", n=n, d=COLUMNS, workers=2, memory_limit=MEMORY, method=found.method, status=found.status.name.lower(),
            seconds=seconds, own_bytes=watch.largest_private, profiles=found.certificate.profiles, error=_error(arrays, rows),
            claimed=float(found.certificate.forward_error.max()),
        )  # fmt: skip


def _workers(cases: list[Case]) -> str:
    heads = ["n", "seconds", "own memory of a worker, MB", "profiles", "error, 24 rows", "claimed"]
    words = ("n", "seconds", "own_bytes", "profiles", "error", "claimed")
    return table(heads, [[case[word] / 1e6 if word == "own_bytes" else case[word] for word in words] for case in cases])


def exponent(cases: list[Case]) -> float:
    """Return the slope of log seconds by log rows, by least squares."""
    sizes, seconds = (np.log([_of(case, word) for case in cases]) for word in ("n", "processor"))
    return float(np.polyfit(sizes, seconds, 1)[0])


def _of(case: Case, word: str) -> float:
    value = case[word]
    return float(value["median"] if isinstance(value, dict) else value)


def tables(cases: list[Case]) -> dict[str, str]:
    """Return a table for each part."""
    speed, growth, noise, gradient, workers = (
        [case for case in cases if case["part"] == part] for part in ("speed", "growth", "noise", "gradient", "workers")
    )
    sweeps = {case["size"]: case for case in speed if case["kind"] == "softmax"}
    return {
        "conv-speed": table(
            [
                "",
                "n",
                "logits",
                "status",
                "seconds",
                "processor seconds",
                "sweep's ÷ its",
                "rows refused",
                "error, 24 rows",
                "claimed",
            ],
            [
                [
                    *(
                        _NAMES[case["kind"]],
                        case["n"],
                        case["size"],
                        case["status"],
                        _of(case, "seconds"),
                        _of(case, "processor"),
                    ),
                    _of(sweeps[case["size"]], "processor") / _of(case, "processor"),
                    *(case[word] for word in ("refused", "error", "claimed")),
                ]
                for case in speed
            ],
        ),
        "conv-growth": table(
            ["n", "processor seconds", "µs a row", "error, 24 rows", "claimed", f"exponent {exponent(growth):.2f}"],
            [
                [case["n"], _of(case, "processor"), 1e6 * _of(case, "processor") / case["n"], case["error"], case["claimed"], ""]
                for case in growth
            ],
        ),
        "conv-gradient": _gradients(gradient),
        "conv-workers": _workers(workers),
        "conv-noise": table(
            ["noise on Q", "n", "draws", "within the bound", "within the claim", "error ÷ bound: worst", "median"],
            [[case[word] for word in ("noise", "n", "draws", "within", "claimed", "worst", "median")] for case in noise],
        ),
    }


def _gradients(cases: list[Case]) -> str:
    heads = ["gradient at", "n", "columns", "status", "processor seconds", "the sweep's", "÷", "apart", "claimed"]
    words = ("wrt", "n", "d", "status", "seconds", "sweep_seconds")
    return table(
        heads,
        [
            [*(case[word] for word in words), case["sweep_seconds"] / case["seconds"], case["error"], case["claimed"]]
            for case in cases
        ],
    )


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws processor seconds by rows."""

    def into(canvas: Any) -> None:
        axis = canvas.subplots()
        growth = [case for case in cases if case["part"] == "growth"]
        axis.loglog([case["n"] for case in growth], [_of(case, "processor") for case in growth], marker="o", label=_NAMES["conv"])
        sweep = next(case for case in cases if case["part"] == "speed" and case["kind"] == "softmax")
        sizes = np.array([case["n"] for case in growth], dtype=float)
        axis.loglog(sizes, _of(sweep, "processor") * (sizes / sweep["n"]) ** 2, linestyle="--", label="exact sweep, by n²")
        axis.plot([sweep["n"]], [_of(sweep, "processor")], marker="s", linestyle="", label="exact sweep, measured")
        axis.set(xlabel="n", ylabel="processor seconds", title=f"{PROFILES} profiles, {COLUMNS} columns of Q, K and V, causal")
        axis.grid(alpha=0.3)
        axis.legend()

    return into


def main() -> None:
    """Measure, print, draw."""
    options = arguments(__doc__ or "").parse_args()
    rows, sizes, repeats, draws, few = 65_536, (4096, 16_384, 65_536, 262_144), 3, 100, 512
    gradients = [(rows, 8, "Q"), (rows, 8, "K"), *((n, COLUMNS, wrt) for n in (16_384, rows) for wrt in "VQK")]
    if options.tiny:
        rows, sizes, repeats, draws, few = 1100, (600, 1200), 1, 3, 90
        gradients = [(300, 8, "Q"), (300, COLUMNS, "K"), (300, COLUMNS, "V")]
    record = Record(options.out, "conv")
    for size in (1.0, 20.0):
        measure_speed(record, rows, size, repeats)
    measure_growth(record, sizes, repeats)
    for n, d, wrt in gradients:
        measure_gradient(record, n, d, wrt)
    for noise in (1e-6, 1e-4, 1e-3):
        measure_noise(record, few, draws, noise)
    measure_workers(record, sizes[-1])
    show(tables(record.cases))
    figure(options.out / "conv.png", draw(record.cases))


if __name__ == "__main__":
    main()
