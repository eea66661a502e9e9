"""Claim: softmax attention of any length is right to rounding within 1 GiB a worker, at 60 % or more of the exponential kernel's speed.

The kernel's with as many columns of values, that is: entries a second.

speed
    Nanoseconds of processor time of an entry, one thread: attention with logits that are tame and that are not, its gradients, and
    the exponential kernel's sweeps with as many columns of values and with one.
accuracy
    Attention and its gradients at n = 4,096 against the dense formulas, beside what is claimed.
large
    Attention from Zarr on two workers of 1 GiB: of all rows of one length, and of few rows that see a million; seconds, entries a second,
    memory of a worker, and rows drawn at random against their dense formula.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr
from distributed import Client
from memory import Watch, high_water
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table
from threadpoolctl import threadpool_limits

import dsketch
from dsketch.engine import local_cluster
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Pass
from dsketch.passes.attention import TILE, SoftmaxRows
from dsketch.passes.attention_gradient import WANTED, SoftmaxGradient
from dsketch.passes.kernel_tiles import KernelProduct, KernelRows
from dsketch.passes.spans import Spans

Floats = NDArray[np.float64]

COLUMNS = 64
MEMORY = "1GiB"
_REPEATS = 3
_NAMES = {"Y": "attention", "Q": "gradient at Q", "K": "gradient at K", "V": "gradient at V"}


def data(n: int, m: int, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Return Q, K and V of Gaussian rows."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, COLUMNS)), rng.standard_normal((m, COLUMNS)), rng.standard_normal((m, COLUMNS))


def softmax(Q: Floats, K: Floats) -> Floats:
    """Return the weights of rows, dense."""
    Z = Q @ K.T / np.sqrt(COLUMNS)
    W = np.exp(Z - Z.max(axis=1, keepdims=True))
    return np.asarray(W / W.sum(axis=1, keepdims=True))


# ---- speed -----------------------------------------------------------------------------------------------------------


def measure_speed(record: Record, n: int) -> None:
    """Record nanoseconds of an entry by every sweep."""
    Q, K, V = data(n, n)
    A, values, beside = ArrayMatrix(Q / 8), Spans.of(ArrayMatrix(K), ArrayMatrix(V)), ArrayMatrix(V)
    statistics = np.full((n, 2), np.log(n))
    sweeps: dict[str, tuple[Pass[Any], Rows, float]] = {
        "attention": (SoftmaxRows(values, 1, None, TILE, 0.125, True), Rows(A), n * n),
        "attention, any logits": (SoftmaxRows(values, 1, None, TILE, 0.125, False), Rows(A), n * n),
        "attention, causal": (SoftmaxRows(values, 1, 0, TILE, 0.125, True), Rows(A), n * n / 2),
        **{
            f"its gradient at {wrt}": (SoftmaxGradient(wrt, values, statistics, 1, None, TILE, 0.125), Rows(A, beside), n * n)
            for wrt in WANTED
        },
        "exponential kernel, 64 sides, rows": (KernelRows(A, np.zeros(COLUMNS), 1.0, V), Rows(A), n * n),
        "exponential kernel, 64 sides, both sides of the diagonal": (KernelProduct(A, np.zeros(COLUMNS), 1.0, V), Rows(A), n * n),
        "exponential kernel, one side, both sides of the diagonal": (
            KernelProduct(A, np.zeros(COLUMNS), 1.0, V[:, :1].copy()), Rows(A), n * n,
        ),
    }  # fmt: skip
    for name, (pass_, rows, entries) in sweeps.items():
        record.add(part="speed", sweep=name, n=n, d=COLUMNS, nanoseconds=1e9 * _seconds(pass_, rows, n) / entries)


def _seconds(pass_: Pass[Any], rows: Rows, n: int) -> float:
    """Return processor seconds of a sweep, the least of a few."""
    cuts = rows.A.cuts if not isinstance(pass_, KernelProduct) else np.array([0, n])
    blocks = [rows.block(int(low), int(high)) for low, high in itertools.pairwise(cuts)]
    best = float("inf")
    with threadpool_limits(1):
        for _ in range(_REPEATS):
            began = time.process_time()
            for block in blocks:
                pass_.map(block, None)
            best = min(best, time.process_time() - began)
    return best


# ---- accuracy --------------------------------------------------------------------------------------------------------


def measure_accuracy(record: Record, n: int) -> None:
    """Record how far rows are from the dense formulas, and what is claimed of them."""
    Q, K, V = data(n, n)
    dY, s = np.random.default_rng(1).standard_normal((n, COLUMNS)), COLUMNS**-0.5
    S = softmax(Q, K)
    Y = S @ V
    E = S * (dY @ V.T - np.einsum("ij,ij->i", dY, Y)[:, None])
    dense = {"Y": Y, "Q": s * E @ K, "K": s * E.T @ Q, "V": S.T @ dY}
    problem = dsketch.Attention(Q, K, V)
    for name, expected in dense.items():
        found = dsketch.solve(problem if name == "Y" else problem.gradient(dY, name), cluster="serial", progress=False)
        unit = np.abs(V).max(axis=0) if name == "Y" else np.abs(expected).max(axis=0)
        record.add(
            part="accuracy", of=name, n=n, d=COLUMNS, status=found.status.name.lower(),
            error=float((np.abs(found.x - expected).max(axis=0) / unit).max()),
            absolute=float(np.abs(found.x - expected).max()), claimed=float(found.certificate.forward_error.max()),
        )  # fmt: skip


# ---- large -----------------------------------------------------------------------------------------------------------


def measure_large(record: Record, n: int, m: int, folder: Path, *, causal: bool) -> None:
    """Record attention from Zarr on two workers, written where it is made; what was killed goes on from what the folder has."""
    arrays, goes_on = data(n, m), (folder / "journal").exists()
    if not goes_on:
        for word, array in zip("QKV", arrays, strict=True):
            zarr.create_array(
                store=str(folder / f"{word}.zarr"),
                data=array,
                chunks=(min(len(array), 16_384), COLUMNS),
                compressors=None,
                overwrite=True,
            )
    with local_cluster(2, 1, MEMORY) as cluster, Client(cluster, set_as_default=False) as client:
        dsketch.attention(*(array[:600] for array in arrays), cluster=client, progress=False)  # imports
        pids = list(client.run(os.getpid).values())
        with Watch(pids) as watch:
            began, used = time.perf_counter(), _processor_seconds(pids)
            found = _attend(folder, client, causal=causal, goes_on=goes_on)
            seconds, used = time.perf_counter() - began, _processor_seconds(pids) - used
        peak = max(map(high_water, pids))
    entries = n * m * (1 - 0.5 * n / m if causal else 1.0)
    record.add(
        part="large", n=n, m=m, d=COLUMNS, causal="yes" if causal else "all", workers=2, memory_limit=MEMORY,
        status=found.status.name.lower(), seconds=seconds, processor_seconds=used, resumed=goes_on,
        predicted_seconds=found.plan.estimate.seconds, predicted_memory=found.plan.estimate.memory_bytes,
        entries_per_second=entries / seconds, memory={"own": watch.largest_private, "high_water": peak},
        error=_sampled_error(arrays, found.x, causal=causal), claimed=float(found.certificate.forward_error.max()),
    )  # fmt: skip


def _attend(folder: Path, client: Client, *, causal: bool, goes_on: bool) -> dsketch.Solution:
    """Return attention of what the folder holds."""
    if goes_on:
        return dsketch.resume(folder / "journal", cluster=client, progress=False)
    paths = [str(folder / f"{word}.zarr") for word in "QKV"]
    return dsketch.attention(*paths, folder / "Y.zarr", causal=causal, cluster=client, journal=folder / "journal", progress=False)


def _processor_seconds(pids: list[int]) -> float:
    """Return the processor time that some processes have used."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def _sampled_error(arrays: tuple[Floats, Floats, Floats], Y: Any, *, causal: bool) -> float:
    """Return the largest error of a few rows, relative to the largest values."""
    Q, K, V = arrays
    errors = []
    for row in np.random.default_rng(2).choice(len(Q), 24, replace=False):
        seen = slice(0, row + 1 + len(K) - len(Q)) if causal else slice(None)
        exact = softmax(Q[row : row + 1], K[seen])[0] @ V[seen]
        errors.append((np.abs(Y[int(row)] - exact) / np.abs(V).max(axis=0)).max())
    return float(max(errors))


# ---- tables ----------------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return a table for each part."""
    speed, accuracy, large = ([case for case in cases if case["part"] == part] for part in ("speed", "accuracy", "large"))
    return {
        "attention-speed": table(
            [f"n = {speed[0]['n']:,}, 64 columns each", "ns an entry", "entries a second", "÷ attention's"],
            [
                [case["sweep"], case["nanoseconds"], 1e9 / case["nanoseconds"], case["nanoseconds"] / speed[0]["nanoseconds"]]
                for case in speed
            ],
        ),
        "attention-accuracy": table(
            ["n = 4,096", "status", "largest error", "relative", "claimed"],
            [[_NAMES[case["of"]], case["status"], case["absolute"], case["error"], case["claimed"]] for case in accuracy],
        ),
        "attention-large": table(
            [
                "n",
                "m",
                "causal",
                "seconds",
                "predicted",
                "entries a second",
                "own memory of a worker, MB",
                "error, 24 rows",
                "claimed",
            ],
            [
                [
                    *(case[word] for word in ("n", "m", "causal", "seconds", "predicted_seconds", "entries_per_second")),
                    case["memory"]["own"] / 1e6,
                    *(case[word] for word in ("error", "claimed")),
                ]
                for case in large
            ],
        ),
    }


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws the nanoseconds of an entry by every sweep."""

    def into(canvas: Any) -> None:
        axis = canvas.subplots()
        speed = [case for case in cases if case["part"] == "speed"]
        axis.barh([case["sweep"] for case in speed][::-1], [case["nanoseconds"] for case in speed][::-1])
        axis.set(xlabel="nanoseconds of an entry, one thread", title=f"{COLUMNS} columns of Q, K and V")
        axis.grid(alpha=0.3, axis="x")

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=131_072, help="n = m of the large one")
    parser.add_argument("--keys", type=int, default=1_000_000, help="m of the one whose rows see most")
    options = parser.parse_args()
    few, dense = 16_384, 4096
    if options.tiny:
        options.rows, options.keys, few, dense = 1500, 4000, 600, 600
    record = Record(options.out, "attention")
    measure_speed(record, 2 * dense)
    measure_accuracy(record, dense)
    for n, m, causal in ((options.rows, options.rows, False), (options.rows, options.rows, True), (few, options.keys, False)):
        with tempfile.TemporaryDirectory() as name:
            measure_large(record, n, m, Path(name), causal=causal)
    show(tables(record.cases))
    figure(options.out / "attention.png", draw(record.cases))


if __name__ == "__main__":
    main()
