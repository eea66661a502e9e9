"""Claim: a million targets cost at most 1.5 times one reading of a compressed b, in bounded memory, and linearly in their number.

layouts
    n = 480, d = 3, k = 1,000,000 float64 (3.84 GB), chunks of (480, 1000), (48, 100000) and (1, 1000000), raw and compressed: processor
    seconds and memory of one process that reads every tile and sums it, and of the answers of all targets into a Zarr group.
growth
    The same with the first layout for k from 1,000 on: processor seconds a target.

Each contestant is a process of its own; processor seconds are counted, for they do not depend on who else works on the machine.
"""

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psutil
import zarr
from record import Case, Record, arguments, figure, show, table

import dsketch as ds
from dsketch._linalg.threads import one_blas_thread
from dsketch.engine import SerialEngine
from dsketch.matrix.open_targets import open_targets
from dsketch.matrix.tiles import TileMatrix

LAYOUTS = ((480, 1000), (48, 100_000), (1, 1_000_000))
COLUMNS = 3


def make(path: Path, rows: int, targets: int, chunks: tuple[int, int], codec: str | None) -> None:
    """Store b, a piece at a time."""
    chunks = (min(chunks[0], rows), min(chunks[1], targets))
    b = zarr.create_array(str(path), shape=(rows, targets), chunks=chunks, dtype="float64", compressors=codec, overwrite=True)
    rng = np.random.default_rng(0)
    high, wide = (rows, chunks[1]) if chunks[0] == rows else (chunks[0], targets)
    for row in range(0, rows, high):
        for column in range(0, targets, wide):
            part = np.round(rng.standard_normal((min(high, rows - row), min(wide, targets - column))), 3)
            b[row : row + len(part), column : column + part.shape[1]] = part


def bare_sum(b: str, A: np.ndarray, out: str) -> dict[str, Any]:
    """Read every tile and add up its numbers."""
    del A, out
    matrix = TileMatrix(open_targets(b))
    total, buffer = 0.0, None
    for low, high in zip(matrix.cuts[:-1].tolist(), matrix.cuts[1:].tolist(), strict=True):
        tile = matrix.tile(low, high)
        for span in tile.spans():
            buffer = tile.read(*span, buffer)
            total += float(buffer.sum())
    return {"total": total}


def answers(b: str, A: np.ndarray, out: str, missing: str = "error") -> dict[str, Any]:
    """Answer all targets into a group."""
    fit: Any = ds.lstsq(A, b, missing=missing, out_dir=out, overwrite=True, cluster=SerialEngine(1), progress=False)
    return {
        "planned": fit.plan.estimate.memory_bytes / 1e6,
        "backward": float(fit.certificate.backward_error[0]),
        "status": fit.status.name.lower(),
    }


def child(tell: Callable[[dict[str, Any]], Any], act: Callable[..., dict[str, Any]], *given: Any) -> None:
    """Do something and tell what it cost."""
    held = psutil.Process().memory_info().rss
    began, clock = process_time(), perf_counter()
    with one_blas_thread():
        facts = act(*given)
    lines = Path("/proc/self/status").read_text().splitlines()  # ru_maxrss would also tell of who started this process
    peak = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    tell({"cpu": process_time() - began, "wall": perf_counter() - clock, "own_mb": (peak - held) / 1e6, **facts})


def measure(act: Callable[..., dict[str, Any]], *given: Any, here: bool) -> dict[str, Any]:
    """Return what something cost in a process of its own, or in this one."""
    if here:
        told: list[dict[str, Any]] = []
        child(told.append, act, *given)
        return told[0]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs.send, act, *given))
    process.start()
    found: dict[str, Any] = ours.recv()
    process.join()
    return found


def draw(canvas: Any, growth: list[Case]) -> None:
    """Draw processor seconds over targets."""
    axes = canvas.subplots()
    axes.loglog([case["k"] for case in growth], [case["cpu"] for case in growth], "o-")
    axes.set(xlabel="targets", ylabel="processor seconds")


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    heads = ["chunks", "stored", "one reading", "answers", "ratio", "missing='drop'", "ratio", "own MB", "planned MB"]
    layouts = [
        [
            f"{tuple(case['chunks'])}",
            case["codec"],
            case["read"]["cpu"],
            case["fit"]["cpu"],
            case["ratio"],
            case["drop"]["cpu"],
            case["drop_ratio"],
            case["fit"]["own_mb"],
            case["fit"]["planned"],
        ]
        for case in cases
        if case["part"] == "layouts"
    ]
    growth = [[f"{case['k']:,}", case["cpu"], case["microseconds"]] for case in cases if case["part"] == "growth"]
    return {
        "targets-wide": table(heads, layouts),
        "targets-wide-growth": table(["targets", "processor seconds", "µs a target"], growth),
    }


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--targets", type=float, default=1e6)
    parser.add_argument("--first", type=int, default=0, help="leave out the layouts before this one")
    asked = parser.parse_args()
    rows, targets = (48, 2000) if asked.tiny else (480, int(asked.targets))
    record, folder = Record(asked.out, "targets_wide"), Path(tempfile.mkdtemp())
    A = np.column_stack([np.ones(rows), np.random.default_rng(1).standard_normal((rows, COLUMNS - 1))])
    try:
        for layout in LAYOUTS[asked.first :]:
            for codec in (None, "auto"):
                make(folder / "b.zarr", rows, targets, layout, codec)
                given = (str(folder / "b.zarr"), A, str(folder / "fit.zarr"))
                measure(bare_sum, *given, here=asked.tiny)  # the page cache is warm for both
                one, fit = (measure(act, *given, here=asked.tiny) for act in (bare_sum, answers))
                dropping = measure(answers, *given, "drop", here=asked.tiny)
                where = {"part": "layouts", "chunks": list(layout), "codec": codec or "raw", "n": rows, "k": targets}
                record.add(
                    **where,
                    read=one,
                    fit=fit,
                    drop=dropping,
                    ratio=fit["cpu"] / one["cpu"],
                    drop_ratio=dropping["cpu"] / one["cpu"],
                )
        for count in (targets // 100, targets // 10, targets) if asked.tiny else (1000, 10_000, 100_000, targets):
            make(folder / "b.zarr", rows, count, LAYOUTS[0], None)
            fit = measure(answers, str(folder / "b.zarr"), A, str(folder / "fit.zarr"), here=asked.tiny)
            record.add(part="growth", n=rows, k=count, **fit, microseconds=1e6 * fit["cpu"] / count)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(tables(record.cases))
    growth = [case for case in record.cases if case["part"] == "growth"]
    figure(asked.out / "targets_wide.png", lambda canvas: draw(canvas, growth))


if __name__ == "__main__":
    main()
